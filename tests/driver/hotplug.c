/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hotplug.h"

#include <linux/pci_regs.h>

/*
 * QEMU's ACPI hot-plug registers on Q35, where the tables' methods would use them: the slots
 * that shall go, the slots to eject, and the bus the others are about.
 */
#define ACPI_HOTPLUG_BASE 0x0cc0
#define ACPI_HOTPLUG_DOWN (ACPI_HOTPLUG_BASE + 0x4)
#define ACPI_HOTPLUG_EJECT (ACPI_HOTPLUG_BASE + 0x8)
#define ACPI_HOTPLUG_BUS (ACPI_HOTPLUG_BASE + 0x10)
#define ACPI_HOTPLUG_MAX_BUSES 256

static gboolean fail(GError **error, const char *reason)
{
    g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, "%s", reason);
    return FALSE;
}

/* Ejects the slots asked for on all buses that have any. */
static gboolean let_go_acpi(SsQtest *qtest, GError **error)
{
    gboolean found = FALSE;

    for (unsigned bus = 0; bus < ACPI_HOTPLUG_MAX_BUSES && !found; bus++) {
        uint32_t down;

        if (!ss_qtest_out(qtest, 4, ACPI_HOTPLUG_BUS, bus, error) ||
            !ss_qtest_in(qtest, 4, ACPI_HOTPLUG_DOWN, &down, error)) {
            return FALSE;
        }
        found = down != 0;
        if (found && !ss_qtest_out(qtest, 4, ACPI_HOTPLUG_EJECT, down, error)) {
            return FALSE;
        }
    }
    return found || fail(error, "no slot was asked to let its device go");
}

/* Turns the slot's power off, as its pressed attention button asks. */
static gboolean let_go_native(SsQtest *qtest, SsPciAddress port, uint8_t place, GError **error)
{
    uint32_t control;

    return ss_pci_write(qtest, port, 2, place + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_ABP, error) &&
           ss_pci_read(qtest, port, 2, place + PCI_EXP_SLTCTL, &control, error) &&
           ss_pci_write(qtest, port, 2, place + PCI_EXP_SLTCTL,
                        (control & ~(uint32_t)PCI_EXP_SLTCTL_PIC) | PCI_EXP_SLTCTL_PCC |
                            PCI_EXP_SLTCTL_PWR_IND_OFF,
                        error);
}

gboolean ss_hotplug_remove(SsQtest *qtest, SsQmp *qmp, const SsPciDevice *device, const char *id,
                           GError **error)
{
    uint32_t status = 0;
    SsPciAddress port;
    uint8_t place;

    if (device->bridge_count == 0) {
        return fail(error, "the device sits on the root bus, from where none can be unplugged");
    }
    port = device->bridges[device->bridge_count - 1];
    if (!ss_pci_next_capability(qtest, port, PCI_CAP_ID_EXP, 0, &place, error) ||
        !ss_qmp_device_del(qmp, id, error)) {
        return FALSE;
    }
    if (place != 0 && !ss_pci_read(qtest, port, 2, place + PCI_EXP_SLTSTA, &status, error)) {
        return FALSE;
    }
    /* The port tells of it by its attention button, unless the machine's ACPI does. */
    if ((status & PCI_EXP_SLTSTA_ABP) != 0) {
        if (!let_go_native(qtest, port, place, error)) {
            return FALSE;
        }
    } else if (!let_go_acpi(qtest, error)) {
        return FALSE;
    }
    return ss_qmp_await_deleted(qmp, id, error);
}
