/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ---- the guest: what its driver does with the device, by way of qtest ------------------- */
#define PCI_VENDOR_VIRTIO 0x1af4u
#define PCI_COMMAND 0x04u
#define PCI_HEADER_TYPE 0x0eu
#define PCI_BAR 0x10u
#define PCI_BARS 6
#define PCI_CAPABILITIES 0x34u
#define PCI_CAPABILITY_VENDOR 0x09u
#define PCI_CAPABILITY_EXPRESS 0x10u
#define PCI_HEADER_BRIDGE 1u
#define PCI_BUSES 0x18u /* of a bridge: primary, secondary, subordinate */
#define PCI_MEMORY_WINDOW 0x20u
#define PCI_PREFETCH_WINDOW 0x24u
#define PCI_PREFETCH_UPPER 0x28u
#define PCI_COMMAND_ALL 7u /* I/O, memory, bus master */
#define PCI_COMMAND_MEMORY 2u

/* Where a Q35 has nothing else. */
#define BAR_IO UINT64_C(0xc000)
#define BAR_MEMORY32 UINT64_C(0xe0000000)
#define BAR_MEMORY64 UINT64_C(0x800000000)

/* What a bridge passes on begins and ends at such an address. */
#define BRIDGE_ALIGN UINT64_C(0x100000)

/* Of a slot's capability: its control, with its status above, and what stands in them. */
#define SLOT_CONTROL 0x18u
#define SLOT_POWER_OFF 0x0400u
#define SLOT_INDICATOR_OFF 0x0300u
#define SLOT_BUTTON_PRESSED 0x00010000u

/* Of a virtio capability: the bytes of its fields, and its kinds. */
#define CAP_KIND 3u
#define CAP_BAR 4u
#define CAP_OFFSET 8u
#define CAP_COMMON 1u

/* Of the common configuration. */
#define COMMON_DRIVER_FEATURE_SELECT 0x08u
#define COMMON_DRIVER_FEATURE 0x0cu
#define COMMON_STATUS 0x14u
#define COMMON_QUEUE_SELECT 0x16u
#define COMMON_QUEUE_SIZE 0x18u
#define COMMON_QUEUE_ENABLE 0x1cu
#define COMMON_QUEUE_DESCRIPTORS 0x20u
#define COMMON_QUEUE_DRIVER 0x28u
#define COMMON_QUEUE_DEVICE 0x30u

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u

/* Queue 0 of each device in guest memory: three pages. */
#define QUEUE_PLACE UINT64_C(0x100000)
#define QUEUE_BYTES UINT64_C(0x3000)

struct function {
    uint32_t address;        /* as port 0xcf8 has it */
    uint32_t port;           /* that of the port it sits behind, 0: on the root bus */
    uint64_t bars[PCI_BARS]; /* guest physical */
    uint64_t common;         /* guest physical, of the common configuration */
};

static struct function functions[DEVICE_COUNT];
static uint64_t next_io = BAR_IO;
static uint64_t next32 = BAR_MEMORY32;
static uint64_t next64 = BAR_MEMORY64;

static uint32_t pci_read(uint32_t address, unsigned offset)
{
    (void)ask_qtest("outl 0xcf8 0x%x", address | (offset & 0xfcu));
    return (uint32_t)(ask_qtest("inl 0xcfc") >> (offset & 3u) * 8);
}

static void pci_write(uint32_t address, unsigned offset, uint32_t value)
{
    (void)ask_qtest("outl 0xcf8 0x%x", address | offset);
    (void)ask_qtest("outl 0xcfc 0x%x", value);
}

/* Gives BAR `index` an address; returns how many registers it takes. */
static unsigned place_bar(struct function *function, unsigned index)
{
    unsigned offset = PCI_BAR + 4 * index;
    uint32_t kind = pci_read(function->address, offset);
    bool is_io = (kind & 1u) != 0;
    bool is_64 = !is_io && (kind & 6u) == 4u;
    uint64_t *next = is_io ? &next_io : is_64 ? &next64 : &next32;
    uint64_t size;

    pci_write(function->address, offset, UINT32_MAX);
    size = pci_read(function->address, offset) & (is_io ? ~3u : ~15u);
    if (is_64) {
        pci_write(function->address, offset + 4, UINT32_MAX);
        size |= (uint64_t)pci_read(function->address, offset + 4) << 32;
    } else if (size != 0) {
        size |= UINT64_C(0xffffffff00000000);
    }
    if (size != 0) {
        size = -size; /* what could not be written tells the size */
        *next = (*next + size - 1) & -size;
        function->bars[index] = *next;
        pci_write(function->address, offset, (uint32_t)*next);
        if (is_64) {
            pci_write(function->address, offset + 4, (uint32_t)(*next >> 32));
        }
        *next += size;
    }
    return is_64 ? 2 : 1;
}

/* Finds the common configuration by its capability. */
static void find_common(struct function *function)
{
    unsigned place = pci_read(function->address, PCI_CAPABILITIES) & 0xfcu;

    for (unsigned i = 0; place != 0 && i < 48; i++) {
        uint32_t head = pci_read(function->address, place);

        if ((head & 0xffu) == PCI_CAPABILITY_VENDOR &&
            (pci_read(function->address, place + CAP_KIND) & 0xffu) == CAP_COMMON) {
            unsigned bar = pci_read(function->address, place + CAP_BAR) & 0xffu;

            if (bar < PCI_BARS && function->bars[bar] != 0) {
                function->common =
                    function->bars[bar] + pci_read(function->address, place + CAP_OFFSET);
                return;
            }
        }
        place = head >> 8 & 0xfcu;
    }
    could_not("the device has no common configuration: not a modern virtio device");
}

static uint64_t up(uint64_t address)
{
    return (address + BRIDGE_ALIGN - 1) & -BRIDGE_ALIGN;
}

/* A window as a bridge has it: where it begins below, where it ends above. */
static uint32_t window(uint64_t begin, uint64_t end)
{
    return (uint32_t)((begin >> 16 & 0xfff0u) | ((end - 1) & 0xfff00000u));
}

/* Gives a device its addresses, and lets the port in front of it, if any, pass them on. */
static void place_device(struct function *function)
{
    uint64_t begin32 = next32 = up(next32);
    uint64_t begin64 = next64 = up(next64);

    for (unsigned bar = 0; bar < PCI_BARS;) {
        bar += place_bar(function, bar);
    }
    pci_write(function->address, PCI_COMMAND, PCI_COMMAND_ALL);
    if (function->port == 0) {
        return;
    }
    next32 = up(next32);
    next64 = up(next64);
    pci_write(function->port, PCI_MEMORY_WINDOW, window(begin32, next32));
    pci_write(function->port, PCI_PREFETCH_WINDOW, window(begin64, next64));
    pci_write(function->port, PCI_PREFETCH_UPPER, (uint32_t)(begin64 >> 32));
    pci_write(function->port, PCI_PREFETCH_UPPER + 4, (uint32_t)((next64 - 1) >> 32));
    pci_write(function->port, PCI_COMMAND, PCI_COMMAND_ALL);
}

/* Finds the virtio devices on the root bus and behind its ports, in the order of the command
 * line. */
static void find_devices(void)
{
    unsigned found = 0;

    for (unsigned slot = 0; slot < 32 && found < DEVICE_COUNT; slot++) {
        struct function *function = &functions[found];
        uint32_t bus = found + 1;

        function->address = UINT32_C(0x80000000) | slot << 11;
        if ((pci_read(function->address, PCI_HEADER_TYPE) & 0x7fu) == PCI_HEADER_BRIDGE) {
            function->port = function->address;
            pci_write(function->port, PCI_BUSES, bus << 8 | bus << 16);
            function->address = UINT32_C(0x80000000) | bus << 16;
        }
        if ((pci_read(function->address, 0) & 0xffffu) != PCI_VENDOR_VIRTIO) {
            function->port = 0;
            continue;
        }
        place_device(function);
        find_common(function);
        found++;
    }
    if (found < DEVICE_COUNT) {
        could_not("QEMU has %u virtio devices, and %d are needed", found, DEVICE_COUNT);
    }
}

static void add_status(const struct function *function, unsigned bit)
{
    uint64_t place = function->common + COMMON_STATUS;
    unsigned status = (unsigned)ask_qtest("readb 0x%llx", (unsigned long long)place);

    (void)ask_qtest("writeb 0x%llx 0x%x", (unsigned long long)place, status | bit);
    if ((ask_qtest("readb 0x%llx", (unsigned long long)place) & bit) == 0) {
        could_not("the device does not take status 0x%x", bit);
    }
}

static void write_common(const struct function *function, char width, unsigned offset,
                         uint64_t value)
{
    (void)ask_qtest("write%c 0x%llx 0x%llx", width, (unsigned long long)(function->common + offset),
                    (unsigned long long)value);
}

static void place_ring(const struct function *function, unsigned offset, uint64_t place)
{
    write_common(function, 'l', offset, (uint32_t)place);
    write_common(function, 'l', offset + 4, place >> 32);
}

/* Takes a device from its reset to where only DRIVER_OK is missing. */
static void prepare_device(unsigned index)
{
    const struct function *function = &functions[index];
    uint64_t queue = QUEUE_PLACE + index * QUEUE_BYTES;

    (void)ask_qtest("memset 0x%llx 0x%llx 0x0", (unsigned long long)queue,
                    (unsigned long long)QUEUE_BYTES);
    write_common(function, 'b', COMMON_STATUS, 0);
    add_status(function, STATUS_ACKNOWLEDGE);
    add_status(function, STATUS_DRIVER);
    write_common(function, 'l', COMMON_DRIVER_FEATURE_SELECT, 0);
    write_common(function, 'l', COMMON_DRIVER_FEATURE, 0);
    write_common(function, 'l', COMMON_DRIVER_FEATURE_SELECT, 1);
    write_common(function, 'l', COMMON_DRIVER_FEATURE, 1); /* VIRTIO_F_VERSION_1 */
    add_status(function, STATUS_FEATURES_OK);
    write_common(function, 'w', COMMON_QUEUE_SELECT, 0);
    place_ring(function, COMMON_QUEUE_DESCRIPTORS, queue);
    place_ring(function, COMMON_QUEUE_DRIVER, queue + 0x1000);
    place_ring(function, COMMON_QUEUE_DEVICE, queue + 0x2000);
    write_common(function, 'w', COMMON_QUEUE_ENABLE, 1);
}

/* Writes a device's status, and waits for nothing: QEMU may hang over it. */
static void write_status(unsigned index, unsigned status)
{
    tell_qtest("writeb 0x%llx 0x%x", (unsigned long long)(functions[index].common + COMMON_STATUS),
               status);
}

/* Lets a device decode its memory or not, and waits for nothing. */
static void tell_decoding(unsigned index, bool on)
{
    tell_qtest("outl 0xcf8 0x%x", functions[index].address | PCI_COMMAND);
    tell_qtest("outl 0xcfc 0x%x", on ? PCI_COMMAND_ALL : PCI_COMMAND_ALL & ~PCI_COMMAND_MEMORY);
}

/* Where the slot of the port in front of a device has its control. */
static unsigned slot_control(unsigned index)
{
    unsigned place = pci_read(functions[index].port, PCI_CAPABILITIES) & 0xfcu;

    for (unsigned i = 0; place != 0 && i < 48; i++) {
        uint32_t head = pci_read(functions[index].port, place);

        if ((head & 0xffu) == PCI_CAPABILITY_EXPRESS) {
            return place + SLOT_CONTROL;
        }
        place = head >> 8 & 0xfcu;
    }
    could_not("the device sits behind no port that it could be unplugged from");
}

static unsigned unplug_place;
static uint32_t unplug_value;

/* Asks for a device's end, which QEMU passes on as a pressed button; nothing ends yet. */
static void request_unplug(unsigned index)
{
    char *arguments = text_of("\"id\": \"dev%u\"", index);
    uint32_t control;

    await_monitor(tell_monitor("device_del", arguments));
    free(arguments);
    unplug_place = slot_control(index);
    control = pci_read(functions[index].port, unplug_place) & 0xffffu;
    pci_write(functions[index].port, unplug_place, control | SLOT_BUTTON_PRESSED);
    unplug_value = (control & ~SLOT_INDICATOR_OFF) | SLOT_POWER_OFF | SLOT_INDICATOR_OFF;
}

/* The guest turns the slot's power off, and the device has gone; waits for nothing. */
static void tell_power_off(unsigned index)
{
    tell_qtest("outl 0xcf8 0x%x", functions[index].port | unplug_place);
    tell_qtest("outl 0xcfc 0x%x", unplug_value);
}
