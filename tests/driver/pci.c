/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci.h"

#include <linux/pci_regs.h>
#include <string.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

/* Where QEMU's Q35 has nothing else: below the I/O APIC, and above any RAM of a test. */
#define MEMORY32_BASE UINT64_C(0xe0000000)
#define MEMORY64_BASE UINT64_C(0x800000000)
#define IO_BASE UINT64_C(0xc000)
/* From one place to the next. */
#define MEMORY32_STEP UINT64_C(0x1000000)
#define MEMORY64_STEP UINT64_C(0x200000000)
#define IO_STEP UINT64_C(0x1000)
#define WINDOW_ALIGN UINT64_C(0x100000)
#define IO_WINDOW_ALIGN UINT64_C(0x1000)

typedef struct {
    SsQtest *qtest; /* weak */
    SsPciMatch match;
    void *data;          /* weak */
    uint8_t last_bus;    /* numbers given to buses so far */
    SsPciDevice *device; /* weak: what is found */
    gboolean found;
    SsPciAddress path[SS_PCI_MAX_BRIDGES];
    unsigned depth;
} Search;

/* A window of address space, from `base` to `next`; empty when both are the same. */
typedef struct {
    uint64_t base;
    uint64_t next;
} Window;

typedef struct {
    Window io;
    Window memory32;
    Window memory64;
    gboolean keep; /* firmware has placed the device: what has an address keeps it */
} Windows;

static gboolean select_register(SsQtest *qtest, SsPciAddress address, unsigned offset,
                                GError **error)
{
    uint32_t value = UINT32_C(0x80000000) | (uint32_t)address.bus << 16 |
                     (uint32_t)address.slot << 11 | (uint32_t)address.function << 8 |
                     (offset & 0xfc);

    return ss_qtest_out(qtest, 4, CONFIG_ADDRESS, value, error);
}

gboolean ss_pci_read(SsQtest *qtest, SsPciAddress address, unsigned width, unsigned offset,
                     uint32_t *ret_value, GError **error)
{
    return select_register(qtest, address, offset, error) &&
           ss_qtest_in(qtest, width, (uint16_t)(CONFIG_DATA + (offset & 3)), ret_value, error);
}

gboolean ss_pci_write(SsQtest *qtest, SsPciAddress address, unsigned width, unsigned offset,
                      uint32_t value, GError **error)
{
    return select_register(qtest, address, offset, error) &&
           ss_qtest_out(qtest, width, (uint16_t)(CONFIG_DATA + (offset & 3)), value, error);
}

static gboolean search_bus(Search *search, uint8_t bus, GError **error);

static gboolean search_bridge(Search *search, SsPciAddress address, GError **error)
{
    uint8_t secondary = ++search->last_bus;

    if (search->depth == SS_PCI_MAX_BRIDGES) {
        g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, "more than %d bridges deep",
                    SS_PCI_MAX_BRIDGES);
        return FALSE;
    }
    /* All buses beyond it are its own until they are counted. */
    if (!ss_pci_write(search->qtest, address, 1, PCI_PRIMARY_BUS, address.bus, error) ||
        !ss_pci_write(search->qtest, address, 1, PCI_SECONDARY_BUS, secondary, error) ||
        !ss_pci_write(search->qtest, address, 1, PCI_SUBORDINATE_BUS, 0xff, error)) {
        return FALSE;
    }
    search->path[search->depth++] = address;
    if (!search_bus(search, secondary, error)) {
        return FALSE;
    }
    search->depth--;
    return ss_pci_write(search->qtest, address, 1, PCI_SUBORDINATE_BUS, search->last_bus, error);
}

/* Looks at one function; *ret_multiple tells whether its slot has more. */
static gboolean search_function(Search *search, SsPciAddress address, gboolean *ret_multiple,
                                GError **error)
{
    uint32_t id;
    uint32_t type;

    if (!ss_pci_read(search->qtest, address, 4, PCI_VENDOR_ID, &id, error)) {
        return FALSE;
    }
    if (id == UINT32_MAX || id == 0) {
        return TRUE;
    }
    if (!ss_pci_read(search->qtest, address, 1, PCI_HEADER_TYPE, &type, error)) {
        return FALSE;
    }
    if (address.function == 0) {
        *ret_multiple = (type & 0x80) != 0;
    }
    if ((type & 0x7f) == PCI_HEADER_TYPE_BRIDGE) {
        return search_bridge(search, address, error);
    }
    if (!search->found && search->match((uint16_t)id, (uint16_t)(id >> 16), search->data)) {
        search->found = TRUE;
        search->device->address = address;
        search->device->device_id = (uint16_t)(id >> 16);
        search->device->bridge_count = search->depth;
        memcpy(search->device->bridges, search->path, sizeof(search->path));
    }
    return TRUE;
}

static gboolean search_bus(Search *search, uint8_t bus, GError **error)
{
    for (uint8_t slot = 0; slot < 32; slot++) {
        gboolean multiple = FALSE;

        for (uint8_t function = 0; function < (multiple ? 8 : 1); function++) {
            SsPciAddress address = { .bus = bus, .slot = slot, .function = function };

            if (!search_function(search, address, &multiple, error)) {
                return FALSE;
            }
        }
    }
    return TRUE;
}

gboolean ss_pci_find(SsQtest *qtest, SsPciMatch match, void *data, SsPciDevice *ret_device,
                     GError **error)
{
    SsPciDevice device = { 0 };
    Search search = { .qtest = qtest, .match = match, .data = data, .device = &device };

    if (!search_bus(&search, 0, error)) {
        return FALSE;
    }
    if (!search.found) {
        g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, "no such PCI device");
        return FALSE;
    }
    *ret_device = device;
    return TRUE;
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

/* Asks a BAR for its size: the bits it does not let be written are zero. */
static gboolean size_bar(SsQtest *qtest, SsPciAddress address, unsigned offset, gboolean is_64,
                         uint32_t old, uint64_t *ret_size, GError **error)
{
    uint64_t mask = old & PCI_BASE_ADDRESS_SPACE_IO ? ~UINT64_C(3) : ~UINT64_C(15);
    uint32_t low;
    uint32_t high = UINT32_MAX;

    if (!ss_pci_write(qtest, address, 4, offset, UINT32_MAX, error) ||
        !ss_pci_read(qtest, address, 4, offset, &low, error)) {
        return FALSE;
    }
    if (is_64 && (!ss_pci_write(qtest, address, 4, offset + 4, UINT32_MAX, error) ||
                  !ss_pci_read(qtest, address, 4, offset + 4, &high, error))) {
        return FALSE;
    }
    if ((low & mask) == 0 && (!is_64 || high == 0)) {
        *ret_size = 0;
        return TRUE;
    }
    *ret_size = ~(((uint64_t)high << 32 | low) & mask) + 1;
    if ((old & PCI_BASE_ADDRESS_SPACE_IO) != 0) {
        *ret_size &= 0xffff;
    }
    return TRUE;
}

/* Reads where a BAR is, 0 for nowhere. */
static gboolean read_bar(SsQtest *qtest, SsPciAddress address, unsigned offset, gboolean is_64,
                         uint32_t low, uint64_t *ret_address, GError **error)
{
    uint32_t mask = (low & PCI_BASE_ADDRESS_SPACE_IO) != 0 ? ~UINT32_C(3) : ~UINT32_C(15);
    uint32_t high = 0;

    if (is_64 && !ss_pci_read(qtest, address, 4, offset + 4, &high, error)) {
        return FALSE;
    }
    *ret_address = (uint64_t)high << 32 | (low & mask);
    return TRUE;
}

static gboolean place_bar(SsQtest *qtest, SsPciDevice *device, unsigned *index, Windows *windows,
                          GError **error)
{
    unsigned offset = PCI_BASE_ADDRESS_0 + *index * 4;
    SsPciBar *bar = &device->bars[*index];
    uint64_t found;
    gboolean is_io;
    gboolean is_64;
    Window *window;
    uint32_t old;

    if (!ss_pci_read(qtest, device->address, 4, offset, &old, error)) {
        return FALSE;
    }
    is_io = (old & PCI_BASE_ADDRESS_SPACE_IO) != 0;
    is_64 = !is_io && (old & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
    if (!read_bar(qtest, device->address, offset, is_64, old, &found, error) ||
        !size_bar(qtest, device->address, offset, is_64, old, &bar->size, error)) {
        return FALSE;
    }
    /* A bridge passes addresses beyond 4 GiB in its prefetchable window only. */
    window = is_io                                                 ? &windows->io
             : is_64 && (old & PCI_BASE_ADDRESS_MEM_PREFETCH) != 0 ? &windows->memory64
                                                                   : &windows->memory32;
    if (bar->size != 0) {
        if (windows->keep && found != 0) {
            bar->address = found;
        } else {
            bar->address = align_up(window->next, bar->size);
            window->next = bar->address + bar->size;
        }
        if (!ss_pci_write(qtest, device->address, 4, offset, (uint32_t)bar->address, error) ||
            (is_64 && !ss_pci_write(qtest, device->address, 4, offset + 4,
                                    (uint32_t)(bar->address >> 32), error))) {
            return FALSE;
        }
    }
    *index += is_64 ? 2 : 1;
    return TRUE;
}

static gboolean open_bridge(SsQtest *qtest, SsPciAddress bridge, const Windows *windows,
                            GError **error)
{
    const Window *io = &windows->io;
    const Window *memory32 = &windows->memory32;
    const Window *memory64 = &windows->memory64;
    uint64_t io_end = align_up(io->next, IO_WINDOW_ALIGN) - 1;
    uint64_t end32 = align_up(memory32->next, WINDOW_ALIGN) - 1;
    uint64_t end64 = align_up(memory64->next, WINDOW_ALIGN) - 1;

    /* An empty window has its end below its base, which closes it. */
    return ss_pci_write(qtest, bridge, 1, PCI_IO_BASE, (uint32_t)(io->base >> 8) & 0xf0, error) &&
           ss_pci_write(qtest, bridge, 1, PCI_IO_LIMIT, (uint32_t)(io_end >> 8) & 0xf0, error) &&
           ss_pci_write(qtest, bridge, 2, PCI_MEMORY_BASE,
                        (uint32_t)(memory32->base >> 16) & 0xfff0, error) &&
           ss_pci_write(qtest, bridge, 2, PCI_MEMORY_LIMIT, (uint32_t)(end32 >> 16) & 0xfff0,
                        error) &&
           ss_pci_write(qtest, bridge, 2, PCI_PREF_MEMORY_BASE,
                        (uint32_t)(memory64->base >> 16) & 0xfff0, error) &&
           ss_pci_write(qtest, bridge, 2, PCI_PREF_MEMORY_LIMIT, (uint32_t)(end64 >> 16) & 0xfff0,
                        error) &&
           ss_pci_write(qtest, bridge, 4, PCI_PREF_BASE_UPPER32, (uint32_t)(memory64->base >> 32),
                        error) &&
           ss_pci_write(qtest, bridge, 4, PCI_PREF_LIMIT_UPPER32, (uint32_t)(end64 >> 32), error) &&
           ss_pci_write(qtest, bridge, 2, PCI_COMMAND,
                        PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, error);
}

static Window window_at(uint64_t base)
{
    return (Window){ base, base };
}

gboolean ss_pci_place(SsQtest *qtest, SsPciDevice *device, GError **error)
{
    Windows windows = {
        .io = window_at(IO_BASE + device->place * IO_STEP),
        .memory32 = window_at(MEMORY32_BASE + device->place * MEMORY32_STEP),
        .memory64 = window_at(MEMORY64_BASE + device->place * MEMORY64_STEP),
    };
    unsigned index = 0;
    uint32_t command;

    g_assert(device->place < SS_PCI_MAX_PLACES);
    if (!ss_pci_read(qtest, device->address, 2, PCI_COMMAND, &command, error) ||
        !ss_pci_write(qtest, device->address, 2, PCI_COMMAND, 0, error)) {
        return FALSE;
    }
    windows.keep = (command & PCI_COMMAND_MEMORY) != 0;
    while (index < SS_PCI_BARS) {
        if (!place_bar(qtest, device, &index, &windows, error)) {
            return FALSE;
        }
    }
    for (unsigned i = 0; i < device->bridge_count && !windows.keep; i++) {
        if (!open_bridge(qtest, device->bridges[i], &windows, error)) {
            return FALSE;
        }
    }
    return ss_pci_write(qtest, device->address, 2, PCI_COMMAND,
                        PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, error);
}

gboolean ss_pci_is_placed(SsQtest *qtest, const SsPciDevice *device, gboolean *ret_placed,
                          GError **error)
{
    uint32_t command;

    for (unsigned i = 0; i < device->bridge_count; i++) {
        if (!ss_pci_read(qtest, device->bridges[i], 2, PCI_COMMAND, &command, error)) {
            return FALSE;
        }
        if ((command & PCI_COMMAND_MEMORY) == 0) {
            *ret_placed = FALSE;
            return TRUE;
        }
    }
    if (!ss_pci_read(qtest, device->address, 2, PCI_COMMAND, &command, error)) {
        return FALSE;
    }
    *ret_placed = (command & PCI_COMMAND_MEMORY) != 0;
    return TRUE;
}

gboolean ss_pci_next_capability(SsQtest *qtest, SsPciAddress address, uint8_t kind,
                                uint8_t previous, uint8_t *ret_offset, GError **error)
{
    unsigned place = previous != 0 ? previous + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST;

    /* The list of a sound device has no more entries than there is room for. */
    for (unsigned i = 0; i < (256 - 64) / 4; i++) {
        uint32_t offset;
        uint32_t found;

        if (!ss_pci_read(qtest, address, 1, place, &offset, error)) {
            return FALSE;
        }
        offset &= ~3u;
        if (offset == 0) {
            break;
        }
        if (!ss_pci_read(qtest, address, 1, offset, &found, error)) {
            return FALSE;
        }
        if (found == kind) {
            *ret_offset = (uint8_t)offset;
            return TRUE;
        }
        place = offset + PCI_CAP_LIST_NEXT;
    }
    *ret_offset = 0;
    return TRUE;
}
