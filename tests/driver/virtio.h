/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's driver does to a virtio device behind modern virtio-pci. */
#pragma once

#include "pci.h"

/* More regions than that no capability list has room for. */
#define SS_VIRTIO_MAX_REGIONS 16

typedef struct {
    uint8_t shmid;
    uint64_t address; /* guest physical */
    uint64_t size;    /* bytes */
} SsVirtioRegion;

typedef struct {
    SsPciDevice pci;
    uint64_t common; /* guest physical address of the common configuration */
    SsVirtioRegion regions[SS_VIRTIO_MAX_REGIONS];
    unsigned region_count;
} SsVirtioDevice;

/*
 * Finds the virtio device (of virtio device id `id`, unless 0) before which `place` others
 * come, places it and reads its capabilities. `place` is below SS_PCI_MAX_PLACES.
 */
gboolean ss_virtio_find(SsQtest *qtest, unsigned id, unsigned place, SsVirtioDevice *ret_device,
                        GError **error);

/* Takes the device from reset to DRIVER_OK with queue 0 in guest RAM. */
gboolean ss_virtio_start(SsQtest *qtest, const SsVirtioDevice *device, GError **error);

/* Writes 0 to the device status and waits until it reads so. */
gboolean ss_virtio_reset(SsQtest *qtest, const SsVirtioDevice *device, GError **error);

gboolean ss_virtio_status(SsQtest *qtest, const SsVirtioDevice *device, uint8_t *ret_status,
                          GError **error);

/* The guest physical address of 64 bits at an offset of a region; FALSE with `error` set when
 * there is no such place. */
gboolean ss_virtio_locate(const SsVirtioDevice *device, uint64_t shmid, uint64_t offset,
                          uint64_t *ret_address, GError **error);
