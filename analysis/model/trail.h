/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The requests of one channel as one of its sides saw them pass: the first and the last of them.
 * Two trails of one channel, told by the two sides, agree; those of two channels do not for long.
 */
#pragma once

#include <stdbool.h>

#include "analysis/model/label.h"

#define SS_TRAIL_FIRST 16
#define SS_TRAIL_LAST 32

typedef struct SsPass {
    guint64 seq; /* number in its channel */
    guint32 request, flags;
    gint32 tid; /* thread that sent or received it */
    bool has_range;
    guint32 shmid;
    guint64 shm_offset, len;
    guint64 fdev, ino;  /* of the file that went with it; 0: none is known */
    SsLabel label;      /* of that file */
    gint64 ns;          /* it was sent, or received; 0: lost, only its reply was seen */
    gint64 answered_ns; /* its reply was received, or sent; 0: none was */
} SsPass;

typedef struct SsTrail {
    SsPass passes[SS_TRAIL_FIRST + SS_TRAIL_LAST];
    guint64 n; /* of all that were added */
    guint64 last_seq;
} SsTrail;

/* One that numbers begin with again begins a new trail. Returns it, valid until the next. */
SsPass *ss_trail_add(SsTrail *trail, const SsPass *pass);
/* NULL when it is not there, or not kept. */
SsPass *ss_trail_find(SsTrail *trail, guint64 seq);
/* The `index`th of those that are kept, in order; NULL when there are no more. */
SsPass *ss_trail_at(SsTrail *trail, guint index);

/* What two trails of two sides have in common. */
typedef struct SsTrailMatch {
    guint same;   /* requests that both have */
    guint files;  /* of these, with the same file */
    bool differs; /* one is another, or at a time that cannot be */
} SsTrailMatch;

/* `asker` is of the side that sends the requests; adds to `match`. */
void ss_trail_compare(SsTrail *asker, SsTrail *answerer, SsTrailMatch *match);
