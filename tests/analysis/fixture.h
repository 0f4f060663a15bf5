/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Traces as text, for tests. Lines:
 *
 *   # comment
 *   not-recorded CLASS_OR_EVENT...         left out of the recording; all else was taken
 *   host NAME
 *   recorded-apart PID CLASS...            that process has a recording of its own, which has these
 *                                          classes only; losses and the end are those of both
 *   thread PID TID NAME                    names a thread (the process, when both are equal)
 *   loss FROM TO EVENTS                    seconds; EVENTS 0 is "nobody counted"
 *   tracer-begins PID SECONDS              see ss_model_tracer_begins(); in order of time
 *   end SECONDS                            the recording reached this time
 *   fd-limit PID N
 *   process-end PID alive|exited|signal [CODE [SECONDS]]
 *   +SECONDS PID TID EVENT field=value...  values: numbers, words, "quoted" with C escapes
 *
 * Fields that are not given are 0 or empty. Times count from a fixed origin.
 */
#pragma once

#include "analysis/model/model.h"

#define SS_FIXTURE_ORIGIN_NS G_GINT64_CONSTANT(1700000000000000000)

typedef struct SsFixtureThread {
    gint32 pid, tid;
    char *name; /* owned */
} SsFixtureThread;

typedef struct SsFixtureTracer {
    gint32 pid;
    gint64 ns;
} SsFixtureTracer;

typedef struct SsFixture {
    char *path;
    char *host; /* owned */
    bool recorded[SS_N_EVENTS];
    GArray *events;                 /* of SsEvent, their strings owned by `strings` */
    guint without_from, without_to; /* of these, not fed: from the first to before the second */
    bool *dropped;                  /* which of these are not fed; NULL: all are */
    gint64 complete_ns, ragged_ns;  /* between these all streams tell; 0: from or to the end */
    GArray *losses;                 /* of SsLoss */
    GArray *tracers;                /* of SsFixtureTracer */
    GPtrArray *threads;             /* owned SsFixtureThread */
    GPtrArray *strings;             /* owned char * */
    GArray *process_ends;           /* of SsFixtureEnd */
    gint64 end_ns;
    gint32 limit_pid; /* of one process how many descriptors it may have; 0: of none */
    guint64 limit;
    gint32 apart_pid;        /* recorded apart; 0: none is */
    bool apart[SS_N_EVENTS]; /* what that recording has */
} SsFixture;

typedef struct SsFixtureEnd {
    gint32 pid;
    SsProcessEnd end;
    gint32 code;
    gint64 ns;
} SsFixtureEnd;

/* NULL with an error that names file and line. */
SsFixture *ss_fixture_load(const char *path, GError **error);
void ss_fixture_free(SsFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsFixture, ss_fixture_free)
/* Feeds everything, in the order of the file, and finishes the model. */
void ss_fixture_feed(const SsFixture *fixture, SsModel *model);
