/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware does to a PCI device: finding it, numbering the buses on the way, placing its
 * BARs and opening the bridges' windows for them. Configuration space is reached through the
 * ports 0xcf8 and 0xcfc.
 */
#pragma once

#include "qtest.h"

#define SS_PCI_BARS 6
#define SS_PCI_MAX_BRIDGES 8
#define SS_PCI_MAX_PLACES 4

typedef struct {
    uint8_t bus;
    uint8_t slot;
    uint8_t function;
} SsPciAddress;

typedef struct {
    uint64_t address; /* guest physical; 0: not placed */
    uint64_t size;    /* bytes; 0: no such BAR */
} SsPciBar;

typedef struct {
    unsigned place; /* of several devices in one machine: each has address space of its own */
    SsPciAddress address;
    uint16_t device_id;
    SsPciAddress bridges[SS_PCI_MAX_BRIDGES]; /* the way to it, from bus 0 on */
    unsigned bridge_count;
    SsPciBar bars[SS_PCI_BARS];
} SsPciDevice;

/* Whether a device is the one looked for. */
typedef gboolean (*SsPciMatch)(uint16_t vendor_id, uint16_t device_id, void *data);

gboolean ss_pci_read(SsQtest *qtest, SsPciAddress address, unsigned width, unsigned offset,
                     uint32_t *ret_value, GError **error);
gboolean ss_pci_write(SsQtest *qtest, SsPciAddress address, unsigned width, unsigned offset,
                      uint32_t value, GError **error);

/*
 * Looks on bus 0 and behind its bridges, numbering the buses, for the first device that
 * matches. FALSE with `error` set when there is none. The match is asked in the order of
 * buses and slots until it says yes.
 */
gboolean ss_pci_find(SsQtest *qtest, SsPciMatch match, void *data, SsPciDevice *ret_device,
                     GError **error);

/*
 * Places the BARs of a device found, opens the windows of its bridges and lets it be reached
 * and reach memory. BARs that firmware has placed stay where they are. `place` of the device
 * is below SS_PCI_MAX_PLACES.
 */
gboolean ss_pci_place(SsQtest *qtest, SsPciDevice *device, GError **error);

/* Whether the device found can be reached where it was placed: a reset of the whole machine
 * takes that away. */
gboolean ss_pci_is_placed(SsQtest *qtest, const SsPciDevice *device, gboolean *ret_placed,
                          GError **error);

/*
 * The place of the next capability of a kind: after `previous`, or the first one for 0.
 * *ret_offset is 0 when there is none any more.
 */
gboolean ss_pci_next_capability(SsQtest *qtest, SsPciAddress address, uint8_t kind,
                                uint8_t previous, uint8_t *ret_offset, GError **error);
