/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: a process of its own that closes the session when the recorder is gone without
 * having done so (SIGKILL, out of memory). What is recorded needs no keeper to be on the disk;
 * it ends the session, which would else record on with nobody to stop it.
 */
#pragma once

#include <glib.h>

typedef struct SsKeeper SsKeeper;

/* name, directory: of the session to be. Call it before any thread exists. */
SsKeeper *ss_keeper_start(const char *name, const char *directory, GError **error);

/* From here on the session is ours, and the keeper closes it when this process is gone. */
void ss_keeper_session_exists(SsKeeper *keeper);

/* The session is closed, or never was: the keeper ends. NULL is allowed. */
void ss_keeper_free(SsKeeper *keeper);
