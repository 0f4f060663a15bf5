/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER qemu
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "odd.h"
#if !defined(SS_ODD_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define SS_ODD_H
#include <stdint.h>

#include <lttng/tracepoint.h>

/* Whose reason is a string in the catalogue. */
LTTNG_UST_TRACEPOINT_EVENT(
    qemu, virtio_shmem_mapping_removed, LTTNG_UST_TP_ARGS(uint64_t, any),
    LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint64_t, mapping, any)
                            lttng_ust_field_integer(uint64_t, vdev, any)
                                lttng_ust_field_integer(uint32_t, shmid, any)
                                    lttng_ust_field_integer(uint64_t, shm_offset, any)
                                        lttng_ust_field_integer(uint64_t, len, any)
                                            lttng_ust_field_integer(int32_t, fd, any)
                                                lttng_ust_field_integer(uint32_t, reason, any)))
/* Without its second field. */
LTTNG_UST_TRACEPOINT_EVENT(qemu, memory_commit_start, LTTNG_UST_TP_ARGS(uint32_t, depth),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint32_t, depth, depth)))
/* Not in the catalogue. */
LTTNG_UST_TRACEPOINT_EVENT(qemu, never_heard_of, LTTNG_UST_TP_ARGS(uint32_t, what),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint32_t, what, what)))
/* With other widths and another sign: usable. */
LTTNG_UST_TRACEPOINT_EVENT(qemu, vhost_user_backend_read,
                           LTTNG_UST_TP_ARGS(int64_t, dev, uint8_t, seq),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int64_t, dev, dev)
                                                   lttng_ust_field_integer(uint8_t, seq, seq)))
#endif
#include <lttng/tracepoint-event.h>
