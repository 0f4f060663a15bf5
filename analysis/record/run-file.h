/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shmemscope-run.json, beside the trace: what a trace cannot tell, how the processes ended. */
#pragma once

#include <glib.h>

#include "command.h"
#include "session.h"
#include "watch.h"

/*
 * Writes it anew, as a whole. command: NULL when none was given. result: NULL while the
 * recording lasts, which a reader sees by "complete": false.
 */
gboolean ss_run_file_write(const char *directory, const char *session, const SsCommand *command,
                           const SsWatch *watch, const SsSessionResult *result, GError **error);
