/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What had become of a process when its recording ended: a silent one may be dead, hung, or
 * merely idle.
 */
#pragma once

#include "analysis/model/model.h"

typedef enum SsStateKind {
    SS_STATE_UNKNOWN,          /* whether it lives, or what it does, the recording cannot tell */
    SS_STATE_IDLE,             /* it lives, and is inside of nothing */
    SS_STATE_BUSY,             /* it is inside of something, and not for long */
    SS_STATE_HUNG,             /* it lives, and has been inside of something for a second or more */
    SS_STATE_ENDED,            /* it ended inside of nothing */
    SS_STATE_ENDED_IN_REQUEST, /* it ended inside a request of the back-end */
    SS_STATE_ENDED_IN_WAIT,    /* it ended in a wait for the back-end */
} SsStateKind;

typedef struct SsState {
    SsStateKind kind;
    char *text;      /* owned; one sentence without a full stop */
    gint64 since_ns; /* since when it is, or was, inside of that, or idle; 0: not known */
} SsState;

/* After ss_model_finish(). The caller frees it with ss_state_free(). */
SsState *ss_state_of(const SsModel *model, const SsProcess *process);
void ss_state_free(SsState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsState, ss_state_free)
/* "ended-in-request": a stable word. */
const char *ss_state_name(SsStateKind kind);
