/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a recording cannot tell: events that were not recorded or lost, and a recording
 * that began late.
 */
#pragma once

#include "analysis/model/model.h"

/* Why a check, or a verb that lists, could not decide, wholly or in part. */
typedef struct SsUndecided {
    const char *check; /* static; of a verb its name */
    char *why;         /* owned; one sentence */
    bool partial;      /* only for what lived before the recording */
    bool outside;      /* of processes that are only seen from outside */
    bool unseen;       /* the same in part, and then partial, too */
} SsUndecided;

#define SS_NEEDS(name) (1u << SS_CLASS_##name)

/* Whether all event classes in `needs` (bits SsEventClass), or as much from outside, were recorded
 * of the process. */
bool ss_needs_recorded(const SsModel *model, guint32 needs, const SsProcess *process);
/* Whether all processes of the trace, of all traces, are back-ends that tell by the wire. */
bool ss_trace_of_backends(const SsModel *model, guint trace);
bool ss_model_of_backends(const SsModel *model);
/* An empty array of SsUndecided that owns its elements. */
GPtrArray *ss_undecided_new(void);
/* Why a check that has to see what passed cannot decide where nothing was recorded. */
SsUndecided *ss_undecided_looked(const char *name);
/* Adds `what`, which nobody outside sees, when a front-end is only seen from there. */
void ss_undecided_unseen(GPtrArray *undecided, const SsModel *model, const char *name,
                         const char *what);
/* Why what needs these classes is not known, after ss_model_finish(). `standing`: it is about
 * processes that stand, and one that tells nothing may; `outside`: of a process that is only seen
 * from outside enough is known for it. Returns an array of SsUndecided, empty when all is known;
 * the caller unrefs it. */
GPtrArray *ss_undecided(const SsModel *model, const char *name, guint32 needs, bool outside,
                        bool standing);
