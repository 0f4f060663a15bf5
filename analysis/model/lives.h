/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The lives of all mappings, for who wants more than what is alive: memory grows with their number.
 */
#pragma once

#include "analysis/model/model.h"

/* Times are as in SsMapping; 0: not seen. */
typedef struct SsLife {
    SsProcess *process; /* weak; of the model */
    char *device;       /* owned; "" when not known */
    char *state;        /* owned; how it ended, "visible" and so on */
    guint32 shmid;
    guint64 shm_offset, len, seq;
    guint64 fd_offset, gpa, ino; /* as in SsMapping */
    gint32 fd;                   /* -1: not known */
    bool writable, details;
    char reason[16]; /* why it was removed */
    gint64 request_ns, reply_ns, birth_ns, added_ns, visible_ns, removed_ns, finalized_ns,
        closed_ns;
} SsLife;

/* Connects itself to the model, before it is fed: an array of owned SsLife, in order of their ends.
 * The caller unrefs it, after the model. */
GPtrArray *ss_lives_new(SsModel *model);
