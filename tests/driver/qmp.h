/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's machine protocol: commands with their answers, and events. */
#pragma once

#include "lines.h"

#include <json-glib/json-glib.h>

typedef struct SsQmp SsQmp;

/* Reads the greeting and enters command mode. `lines` is taken. NULL with `error` set. */
SsQmp *ss_qmp_new(SsLines *lines, gint64 deadline, GError **error);
/* NULL is accepted. */
void ss_qmp_free(SsQmp *qmp);

/* The deadline of all that follows. */
void ss_qmp_set_deadline(SsQmp *qmp, gint64 deadline);

/*
 * Executes a command: a JSON object with `execute`, and `arguments` where it has any.
 * Returns a new string with the JSON of what it returned. An answer to an earlier command
 * that was given up is dropped.
 */
char *ss_qmp_execute(SsQmp *qmp, const char *command, GError **error);

/* Executes device_del: the guest is asked to let the device go. */
gboolean ss_qmp_device_del(SsQmp *qmp, const char *id, GError **error);

/* Waits for DEVICE_DELETED of a device; one that came since its device_del counts. */
gboolean ss_qmp_await_deleted(SsQmp *qmp, const char *id, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsQmp, ss_qmp_free)
