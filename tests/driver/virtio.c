/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>

#define VENDOR_ID 0x1af4
#define MODERN_DEVICE_ID 0x1040
#define CAPABILITY_SHARED_MEMORY 8

/* Queue 0 in guest RAM: each part has a page of its own, in the second MiB; after those of one
 * device come those of the next. */
#define QUEUE_SIZE 64
#define QUEUE_DESCRIPTORS UINT64_C(0x100000)
#define QUEUE_DRIVER UINT64_C(0x101000)
#define QUEUE_DEVICE UINT64_C(0x102000)
#define QUEUE_BYTES UINT64_C(0x3000)

/* An immediate reset needs one read; a device that resets at leisure a few more. */
#define RESET_READS 1000

static gboolean fail(GError **error, const char *reason)
{
    g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, "%s", reason);
    return FALSE;
}

typedef struct {
    unsigned id;   /* virtio device id, 0: any */
    unsigned skip; /* so many of them come before it */
} Wanted;

static gboolean matches(uint16_t vendor_id, uint16_t device_id, void *data)
{
    Wanted *wanted = data;

    if (vendor_id != VENDOR_ID || (wanted->id != 0 ? device_id != MODERN_DEVICE_ID + wanted->id
                                                   : device_id < 0x1000 || device_id >= 0x1080)) {
        return FALSE;
    }
    if (wanted->skip > 0) {
        wanted->skip--;
        return FALSE;
    }
    return TRUE;
}

static gboolean write_common(SsQtest *qtest, const SsVirtioDevice *device, unsigned width,
                             size_t offset, uint64_t value, GError **error)
{
    return ss_qtest_write(qtest, width, device->common + offset, value, error);
}

static gboolean read_common(SsQtest *qtest, const SsVirtioDevice *device, unsigned width,
                            size_t offset, uint64_t *ret_value, GError **error)
{
    return ss_qtest_read(qtest, width, device->common + offset, ret_value, error);
}

/* A capability's bar, offset and length as an address and size. */
static gboolean read_range(SsQtest *qtest, const SsPciDevice *pci, uint8_t place, gboolean is_64,
                           uint64_t *ret_address, uint64_t *ret_size, GError **error)
{
    uint32_t bar;
    uint32_t offset;
    uint32_t length;
    uint32_t offset_high = 0;
    uint32_t length_high = 0;
    uint64_t start;

    if (!ss_pci_read(qtest, pci->address, 1, place + offsetof(struct virtio_pci_cap, bar), &bar,
                     error) ||
        !ss_pci_read(qtest, pci->address, 4, place + offsetof(struct virtio_pci_cap, offset),
                     &offset, error) ||
        !ss_pci_read(qtest, pci->address, 4, place + offsetof(struct virtio_pci_cap, length),
                     &length, error)) {
        return FALSE;
    }
    if (is_64 && (!ss_pci_read(qtest, pci->address, 4, place + sizeof(struct virtio_pci_cap),
                               &offset_high, error) ||
                  !ss_pci_read(qtest, pci->address, 4, place + sizeof(struct virtio_pci_cap) + 4,
                               &length_high, error))) {
        return FALSE;
    }
    if (bar >= SS_PCI_BARS || pci->bars[bar].size == 0) {
        return fail(error, "a virtio capability names a BAR that is not there");
    }
    start = (uint64_t)offset_high << 32 | offset;
    *ret_size = (uint64_t)length_high << 32 | length;
    if (start > pci->bars[bar].size || *ret_size > pci->bars[bar].size - start) {
        return fail(error, "a virtio capability reaches beyond its BAR");
    }
    *ret_address = pci->bars[bar].address + start;
    return TRUE;
}

static gboolean read_region(SsQtest *qtest, SsVirtioDevice *device, uint8_t place, GError **error)
{
    SsVirtioRegion *region = &device->regions[device->region_count];
    uint32_t shmid;

    if (device->region_count == SS_VIRTIO_MAX_REGIONS) {
        return fail(error, "more shared memory regions than capabilities fit");
    }
    /* The id follows the bar; older headers call it padding. */
    if (!ss_pci_read(qtest, device->pci.address, 1,
                     place + offsetof(struct virtio_pci_cap, bar) + 1, &shmid, error) ||
        !read_range(qtest, &device->pci, place, TRUE, &region->address, &region->size, error)) {
        return FALSE;
    }
    region->shmid = (uint8_t)shmid;
    device->region_count++;
    return TRUE;
}

static gboolean read_capabilities(SsQtest *qtest, SsVirtioDevice *device, GError **error)
{
    uint8_t place = 0;

    for (;;) {
        uint32_t type;
        uint64_t size;

        if (!ss_pci_next_capability(qtest, device->pci.address, PCI_CAP_ID_VNDR, place, &place,
                                    error)) {
            return FALSE;
        }
        if (place == 0) {
            break;
        }
        if (!ss_pci_read(qtest, device->pci.address, 1,
                         place + offsetof(struct virtio_pci_cap, cfg_type), &type, error)) {
            return FALSE;
        }
        if (type == VIRTIO_PCI_CAP_COMMON_CFG && device->common == 0 &&
            !read_range(qtest, &device->pci, place, FALSE, &device->common, &size, error)) {
            return FALSE;
        }
        if (type == CAPABILITY_SHARED_MEMORY && !read_region(qtest, device, place, error)) {
            return FALSE;
        }
    }
    if (device->common == 0) {
        return fail(error, "the device has no common configuration: not a modern virtio device");
    }
    return TRUE;
}

gboolean ss_virtio_find(SsQtest *qtest, unsigned id, unsigned place, SsVirtioDevice *ret_device,
                        GError **error)
{
    Wanted wanted = { .id = id, .skip = place };
    SsVirtioDevice device = { 0 };

    if (!ss_pci_find(qtest, matches, &wanted, &device.pci, error)) {
        return FALSE;
    }
    device.pci.place = place;
    if (!ss_pci_place(qtest, &device.pci, error) || !read_capabilities(qtest, &device, error)) {
        return FALSE;
    }
    *ret_device = device;
    return TRUE;
}

gboolean ss_virtio_status(SsQtest *qtest, const SsVirtioDevice *device, uint8_t *ret_status,
                          GError **error)
{
    uint64_t status;

    if (!read_common(qtest, device, 1, VIRTIO_PCI_COMMON_STATUS, &status, error)) {
        return FALSE;
    }
    *ret_status = (uint8_t)status;
    return TRUE;
}

gboolean ss_virtio_reset(SsQtest *qtest, const SsVirtioDevice *device, GError **error)
{
    if (!write_common(qtest, device, 1, VIRTIO_PCI_COMMON_STATUS, 0, error)) {
        return FALSE;
    }
    for (unsigned i = 0; i < RESET_READS; i++) {
        uint8_t status;

        if (!ss_virtio_status(qtest, device, &status, error)) {
            return FALSE;
        }
        if (status == 0) {
            return TRUE;
        }
    }
    return fail(error, "the device does not come out of its reset");
}

/* Adds a bit to the device status and checks that the device keeps it. */
static gboolean add_status(SsQtest *qtest, const SsVirtioDevice *device, uint8_t bit,
                           GError **error)
{
    uint8_t status;

    if (!ss_virtio_status(qtest, device, &status, error) ||
        !write_common(qtest, device, 1, VIRTIO_PCI_COMMON_STATUS, status | bit, error) ||
        !ss_virtio_status(qtest, device, &status, error)) {
        return FALSE;
    }
    if ((status & bit) == 0) {
        g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED,
                    "the device does not take status 0x%x: it is 0x%x", bit, status);
        return FALSE;
    }
    return TRUE;
}

/* VIRTIO_F_VERSION_1 and nothing else. */
static gboolean negotiate_features(SsQtest *qtest, const SsVirtioDevice *device, GError **error)
{
    const uint64_t version_1 = UINT64_C(1) << (VIRTIO_F_VERSION_1 - 32);
    uint64_t high;

    if (!write_common(qtest, device, 4, VIRTIO_PCI_COMMON_DFSELECT, 1, error) ||
        !read_common(qtest, device, 4, VIRTIO_PCI_COMMON_DF, &high, error)) {
        return FALSE;
    }
    if ((high & version_1) == 0) {
        return fail(error, "the device does not offer VIRTIO_F_VERSION_1");
    }
    return write_common(qtest, device, 4, VIRTIO_PCI_COMMON_GFSELECT, 0, error) &&
           write_common(qtest, device, 4, VIRTIO_PCI_COMMON_GF, 0, error) &&
           write_common(qtest, device, 4, VIRTIO_PCI_COMMON_GFSELECT, 1, error) &&
           write_common(qtest, device, 4, VIRTIO_PCI_COMMON_GF, version_1, error);
}

static gboolean place_address(SsQtest *qtest, const SsVirtioDevice *device, size_t offset,
                              uint64_t address, GError **error)
{
    return write_common(qtest, device, 4, offset, (uint32_t)address, error) &&
           write_common(qtest, device, 4, offset + 4, address >> 32, error);
}

static gboolean place_queue(SsQtest *qtest, const SsVirtioDevice *device, GError **error)
{
    uint64_t queue = device->pci.place * QUEUE_BYTES;
    uint64_t size;

    if (!ss_qtest_clear(qtest, QUEUE_DESCRIPTORS + queue, QUEUE_BYTES, error) ||
        !write_common(qtest, device, 2, VIRTIO_PCI_COMMON_Q_SELECT, 0, error) ||
        !read_common(qtest, device, 2, VIRTIO_PCI_COMMON_Q_SIZE, &size, error)) {
        return FALSE;
    }
    if (size == 0) {
        return fail(error, "the device has no queue 0");
    }
    return write_common(qtest, device, 2, VIRTIO_PCI_COMMON_Q_SIZE, MIN(size, QUEUE_SIZE), error) &&
           place_address(qtest, device, VIRTIO_PCI_COMMON_Q_DESCLO, QUEUE_DESCRIPTORS + queue,
                         error) &&
           place_address(qtest, device, VIRTIO_PCI_COMMON_Q_AVAILLO, QUEUE_DRIVER + queue, error) &&
           place_address(qtest, device, VIRTIO_PCI_COMMON_Q_USEDLO, QUEUE_DEVICE + queue, error) &&
           write_common(qtest, device, 2, VIRTIO_PCI_COMMON_Q_ENABLE, 1, error);
}

gboolean ss_virtio_start(SsQtest *qtest, const SsVirtioDevice *device, GError **error)
{
    return ss_virtio_reset(qtest, device, error) &&
           add_status(qtest, device, VIRTIO_CONFIG_S_ACKNOWLEDGE, error) &&
           add_status(qtest, device, VIRTIO_CONFIG_S_DRIVER, error) &&
           negotiate_features(qtest, device, error) &&
           add_status(qtest, device, VIRTIO_CONFIG_S_FEATURES_OK, error) &&
           place_queue(qtest, device, error) &&
           add_status(qtest, device, VIRTIO_CONFIG_S_DRIVER_OK, error);
}

gboolean ss_virtio_locate(const SsVirtioDevice *device, uint64_t shmid, uint64_t offset,
                          uint64_t *ret_address, GError **error)
{
    for (unsigned i = 0; i < device->region_count; i++) {
        const SsVirtioRegion *region = &device->regions[i];

        if (region->shmid != shmid) {
            continue;
        }
        if (offset > region->size || region->size - offset < sizeof(uint64_t)) {
            return fail(error, "the offset is beyond the region");
        }
        *ret_address = region->address + offset;
        return TRUE;
    }
    return fail(error, "the device has no such region");
}
