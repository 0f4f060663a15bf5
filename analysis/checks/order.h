/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The smallest order of messages in which a front-end and its back-end come to wait for
 * each other: of a deadlock that happened, and of one that would. It holds copies only, and
 * enough of the device to bring the order about somewhere else.
 *
 * What the order says of both sides: whatever it does not name goes its usual way. The
 * back-end answers every front-end request at once, except the one that the front-end waits
 * for at the end, which it does not read; and it sends nothing else of its own. The steps
 * stand in an order that is sure to close the cycle: the back-end sends the request that
 * QEMU will not read only when QEMU waits already. Device 0 throughout, two examples:
 *
 *   backend-request SHMEM_MAP 1      its reply is in, and the back-end sends the next one
 *   read SHMEM_MAP 1                 while QEMU stands in the deferred commit
 *   reply SHMEM_MAP 1
 *   commit SHMEM_MAP 1
 *   frontend-request SET_MEM_TABLE
 *   frontend-waits SET_MEM_TABLE
 *   backend-request SHMEM_MAP 2
 *   backend-waits SHMEM_MAP 2
 *
 *   reset                            an UNMAP while the guest resets the device
 *   stop
 *   frontend-request GET_VRING_BASE
 *   frontend-waits GET_VRING_BASE
 *   backend-request SHMEM_UNMAP 1    what it names stands in the device's `mapped`
 *   backend-waits SHMEM_UNMAP 1
 *
 * Without a REPLY step before it, a commit ran before its request was answered, and the
 * back-end waits for that one: "... commit SHMEM_MAP 1; frontend-request SET_MEM_TABLE;
 * frontend-waits SET_MEM_TABLE; backend-waits SHMEM_MAP 1".
 */
#pragma once

#include "analysis/model/types.h"

#define SS_PROTOCOL_CONFIGURE_MEM_SLOTS (G_GUINT64_CONSTANT(1) << 15)

typedef enum SsOrderKind {
    /* The front-end does it. */
    SS_ORDER_START,     /* begins to start the back-end; none of these has an end */
    SS_ORDER_STOP,      /* begins to stop it */
    SS_ORDER_RESET,     /* begins to reset the device */
    SS_ORDER_UNREALIZE, /* begins to unplug it */
    SS_ORDER_READ,      /* reads the back-end request `number` */
    SS_ORDER_REPLY,     /* has sent the reply to it */
    SS_ORDER_COMMIT,    /* begins the memory commit that it caused; number 0: another cause */
    SS_ORDER_FRONTEND_REQUEST, /* sends a request on the main channel */
    SS_ORDER_FRONTEND_WAITS,   /* waits for its reply, and does nothing else */
    /* The back-end does it. */
    SS_ORDER_BACKEND_REQUEST, /* sends a request on the back-end channel */
    SS_ORDER_BACKEND_WAITS,   /* waits for its reply, and does nothing else */
    SS_ORDER_N_KINDS
} SsOrderKind;

/* A range of a shared memory region, and the file it is, or is to be, mapped from. */
typedef struct SsOrderRange {
    guint32 shmid;
    guint64 shm_offset, len; /* bytes */
    guint64 fd_offset;       /* bytes; 0 of an UNMAP */
    guint64 file_size;       /* bytes the file must have at least; 0 of an UNMAP */
    bool writable;           /* by the guest: only such a mapping enters the memory table */
} SsOrderRange;

typedef struct SsOrderStep {
    SsOrderKind kind;
    guint device;    /* index into the order's devices: whose channel, start, stop, ... it is */
    guint32 request; /* VhostUserBackendRequest of READ, REPLY, COMMIT, BACKEND_...;
                      * VhostUserRequest of FRONTEND_...; else 0 */
    guint number;    /* of a back-end request: counted from 1 among those of its device in this
                      * order; else 0 */
    guint64 seq;     /* that exchange's number in the recording; 0: it was not there, or unknown */
    bool need_reply; /* of a request: it asks for a reply */
    bool has_range;  /* of a back-end request: SHMEM_MAP, SHMEM_UNMAP */
    SsOrderRange range;
} SsOrderStep;

/* Of a device that plays a part. */
typedef struct SsOrderDevice {
    const void *told_by; /* only to be compared: that record may be gone */
    char *id;            /* owned; "" when not known */
    guint32 virtio_id;
    guint64 features, protocol_features; /* offered, negotiated */
    bool features_known;
    bool started;    /* before the first step */
    GArray *regions; /* owned; of SsRegion */
    GArray *mapped;  /* owned; of SsOrderRange: mapped before the first step */
} SsOrderDevice;

typedef struct SsOrder {
    bool main_loop;     /* the main loop waits; else another thread does, with the lock held */
    GPtrArray *devices; /* owned SsOrderDevice; the first is the one that is waited for */
    GArray *steps;      /* owned; of SsOrderStep */
} SsOrder;

/* An order of no steps; `main_loop` is true. */
SsOrder *ss_order_new(void);
/* Takes NULL. */
void ss_order_free(SsOrder *order);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsOrder, ss_order_free)
/* The device's index; what is to be known of it is copied when it is first named. */
guint ss_order_device(SsOrder *order, const SsDevice *device);
/* Weak. */
SsOrderDevice *ss_order_device_at(const SsOrder *order, guint index);
/* Copies the step to the end. Returns it, valid until the next. */
SsOrderStep *ss_order_add(SsOrder *order, const SsOrderStep *step);
/* true of what the back-end does. */
bool ss_order_kind_of_backend(SsOrderKind kind);
/* "frontend-waits": a stable word. */
const char *ss_order_kind_name(SsOrderKind kind);
/* "SHMEM_MAP"; NULL when the step has none. The caller frees it. */
char *ss_order_request_text(const SsOrderStep *step);
/* The messages and their nesting, without numbers of exchanges, ranges and names: equal text
 * is the same order. "0 backend-request SHMEM_MAP 1; 0 read SHMEM_MAP 1; ..."; the caller
 * frees it. */
char *ss_order_shape(const SsOrder *order);

/* The order that leads into the wait and never out of it: `unread` is the back-end's request
 * that QEMU does not read meanwhile (its range and seq only when they are known), NULL when the
 * back-end waits for the answer to one that the wait stands in. `cause` is the innermost of
 * those, or NULL. NULL when it is not known what the wait stands in. */
SsOrder *ss_order_of_wait(const SsWait *wait, const SsExchange *cause, const SsExchange *unread);
