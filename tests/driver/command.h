/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's commands: one line in, one line out. */
#pragma once

#include "qmp.h"
#include "qtest.h"
#include "virtio.h"

typedef struct {
    SsQtest *qtest;                    /* owned */
    SsQmp *qmp;                        /* owned */
    unsigned virtio_id;                /* the device looked for, 0: any */
    gint64 timeout_us;                 /* for each command */
    unsigned place;                    /* the device that commands are about */
    gboolean found[SS_PCI_MAX_PLACES]; /* `devices` has it */
    SsVirtioDevice devices[SS_PCI_MAX_PLACES];
    gboolean quit; /* `quit` was read */
} SsDrive;

#define SS_DRIVE_DEFAULT_TIMEOUT_MS 10000

/* Executes a line and returns its answer, a new string: "ok", "ok TEXT" or "error REASON".
 * NULL for a line without a command. */
char *ss_drive_execute(SsDrive *drive, const char *line);
