/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/trail.h"

/* An event is told after what it tells of: a thread that has to wait for a CPU in between tells
 * it late. */
#define LATE_NS G_GINT64_CONSTANT(200000000)

SsPass *ss_trail_add(SsTrail *trail, const SsPass *pass)
{
    if (pass->seq <= trail->last_seq) {
        trail->n = 0;
    }
    guint64 n = trail->n++;
    trail->last_seq = pass->seq;
    SsPass *place =
        &trail->passes[n < SS_TRAIL_FIRST ? n
                                          : SS_TRAIL_FIRST + (n - SS_TRAIL_FIRST) % SS_TRAIL_LAST];
    *place = *pass;
    return place;
}

SsPass *ss_trail_at(SsTrail *trail, guint index)
{
    guint64 kept = MIN(trail->n, SS_TRAIL_FIRST + SS_TRAIL_LAST);
    if (index >= kept) {
        return NULL;
    }
    guint64 at = index < SS_TRAIL_FIRST ? index : trail->n - kept + index;
    return &trail->passes[at < SS_TRAIL_FIRST
                              ? at
                              : SS_TRAIL_FIRST + (at - SS_TRAIL_FIRST) % SS_TRAIL_LAST];
}

SsPass *ss_trail_find(SsTrail *trail, guint64 seq)
{
    guint64 kept = MIN(trail->n, SS_TRAIL_FIRST + SS_TRAIL_LAST);
    for (guint64 i = kept; i > 0; i--) { /* the last one is asked for most */
        SsPass *pass = ss_trail_at(trail, i - 1);
        if (pass->seq == seq) {
            return pass;
        }
        if (pass->seq < seq) {
            return NULL;
        }
    }
    return NULL;
}

static bool differ(const SsPass *asked, const SsPass *served)
{
    bool place = asked->has_range && served->has_range &&
                 (asked->shmid != served->shmid || asked->shm_offset != served->shm_offset ||
                  asked->len != served->len);
    bool file =
        asked->ino && served->ino && (asked->ino != served->ino || asked->fdev != served->fdev);
    /* Sent, received, answered, its answer received. */
    gint64 served_ns = served->ns ? served->ns : served->answered_ns;
    bool early = served_ns && served_ns < asked->ns - LATE_NS;
    bool after = asked->answered_ns && served->ns > asked->answered_ns + LATE_NS;
    bool answered = asked->answered_ns && served->answered_ns &&
                    asked->answered_ns < served->answered_ns - LATE_NS;
    return asked->request != served->request || place || file || early || after || answered;
}

void ss_trail_compare(SsTrail *asker, SsTrail *answerer, SsTrailMatch *match)
{
    SsPass *asked;
    for (guint i = 0; (asked = ss_trail_at(asker, i)); i++) {
        const SsPass *served = ss_trail_find(answerer, asked->seq);
        if (served && differ(asked, served)) {
            match->differs = true;
            return;
        }
        match->same += served && asked->ns; /* else only its answer is known */
        match->files += served && asked->ino && asked->ino == served->ino;
    }
}
