/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The libraries that a recorded command is started with, and whether it can be. */
#pragma once

#include <glib.h>

/*
 * TRUE when argv is a QEMU that becomes a daemon: what a process of it tells after the fork is
 * recorded only with LTTng's own helper for that, and the recording has to outlast its parent.
 */
gboolean ss_preload_daemonizes(char *const *argv);

/*
 * What LD_PRELOAD has to be for argv, so that with `wire` the wire library comes first, and that
 * a daemon is recorded; what the environment has already stays behind. NULL without an error:
 * nothing needs to be preloaded. An error: the library cannot be in this command, and why.
 * Nothing is started of the command; its dynamic loader is asked what it would load.
 */
char *ss_preload_value(char *const *argv, gboolean wire, GError **error);
