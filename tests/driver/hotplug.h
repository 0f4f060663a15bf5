/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side of a hot unplug: it lets a device go that it was asked to let go. */
#pragma once

#include "pci.h"
#include "qmp.h"

/* Unplugs the device with the QMP id `id` from behind its root port, and waits until QEMU has
 * deleted it. */
gboolean ss_hotplug_remove(SsQtest *qtest, SsQmp *qmp, const SsPciDevice *device, const char *id,
                           GError **error);
