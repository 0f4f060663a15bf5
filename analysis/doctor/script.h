/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A script that starts a QEMU: it is run, for a moment and only to answer questions. */
#pragma once

#include <stdbool.h>

#include <glib.h>

typedef struct SsScript {
    char *version;        /* as QEMU prints it; owned */
    bool has_test_device; /* the generic vhost-user device */
    guint told;           /* events of the catalogue's that it knows */
    const char *reason;   /* why it is no QEMU; static */
} SsScript;

/* Runs it with -version, -trace help and -device help, each for some seconds at most. FALSE with
 * the reason in it when it does not answer as a QEMU does. */
bool ss_script_ask(SsScript *script, const char *path);

void ss_script_clear(SsScript *script);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SsScript, ss_script_clear)
