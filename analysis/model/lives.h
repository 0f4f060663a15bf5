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
    SsDevice *device;   /* weak; of the model, nullable: see ss_life_device() */
    char *label;        /* owned; NULL: none */
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

/* The device's name, or "" when it is not known: borrowed of the model, and the last word on it
 * once all events have been fed, for a device may be known by its address only when a life ends. */
const char *ss_life_device(const SsLife *life);

/* Connects itself to the model, before it is fed: an array of owned SsLife, in order of their ends.
 * The caller unrefs it, after the model. */
GPtrArray *ss_lives_new(SsModel *model);
