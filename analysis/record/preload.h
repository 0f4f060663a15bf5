/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The libraries that a recorded command is started with, and whether it can be. */
#pragma once

#include <glib.h>

/* The wire library's other half: a file beside it. */
#define SS_PRELOAD_PROVIDER "libshmemscope-wire-provider.so"

/* Code of an error of ss_preload_value and ss_preload_check: why the library cannot be there. */
typedef enum SsPreloadFault {
    SS_PRELOAD_OTHER, /* what has nothing to do with the program */
    SS_PRELOAD_NO_LIBRARY,
    SS_PRELOAD_LIBRARY_PATH, /* one that LD_PRELOAD cannot tell */
    SS_PRELOAD_LIBRARY_KIND, /* no ELF file */
    SS_PRELOAD_SECURE,       /* set-user-ID and the like */
    SS_PRELOAD_MACHINE,
    SS_PRELOAD_STATIC,
    SS_PRELOAD_LIBC,
    SS_PRELOAD_LOADER, /* it does not find what the library needs */
} SsPreloadFault;

/*
 * TRUE when argv is, or becomes, a QEMU that becomes a daemon: what a process of it tells after the
 * fork is recorded only with LTTng's own helper for that, and the recording has to outlast its
 * parent.
 */
gboolean ss_preload_daemonizes(char *const *argv);

/*
 * What LD_PRELOAD has to be for argv, so that with `wire` the wire library comes first, and that
 * a daemon is recorded; what the environment has already stays behind. NULL without an error:
 * nothing needs to be preloaded. An error: the library cannot be in this command, and why.
 * Nothing is started of the command; its dynamic loader is asked what it would load.
 */
char *ss_preload_value(char *const *argv, gboolean wire, GError **error);

/*
 * Whether the wire library could be in a program, for which nothing of it is started but its
 * dynamic loader. ret_library, which may be NULL, is where the library is, also when it cannot be
 * loaded; NULL when it was not found; owned by the caller. A program that is not there passes:
 * its start will tell.
 */
gboolean ss_preload_check(const char *program, char **ret_library, GError **error);
