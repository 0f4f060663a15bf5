/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What findings on descriptors and mappings are about, and where in QEMU it went wrong.
 */
#pragma once

#include "analysis/checks/finding.h"

/* Functions of QEMU, by the names they have in every version with the feature, or in the
 * series. Each is the one that has the thing in hand last, or should have had. */
#define SS_PLACE_READ "backend_read"
#define SS_PLACE_MAP "vhost_user_backend_handle_shmem_map"
#define SS_PLACE_UNMAP "vhost_user_backend_handle_shmem_unmap"
#define SS_PLACE_NEW "virtio_shared_memory_mapping_new"
#define SS_PLACE_FINALIZE "virtio_shared_memory_mapping_finalize"
#define SS_PLACE_REMOVE "virtio_del_shmem_map"
#define SS_PLACE_RECLAIM "reclaim_ramblock"
#define SS_PLACE_RESET "virtio_reset"
#define SS_PLACE_UNPLUG "virtio_device_unrealize"
#define SS_PLACE_TABLE "vhost_user_set_mem_table"

SsAbout ss_about_mapping(const SsMapping *mapping);
SsAbout ss_about_descriptor(const SsDescriptor *descriptor);
SsAbout ss_about_exchange(const SsModel *model, const SsExchange *exchange);
/* "region 0 0x0+0x1000, fd 31 (inode 7000)"; the caller frees it. */
char *ss_about_text(const SsAbout *about);
