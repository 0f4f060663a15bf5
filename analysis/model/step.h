/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A device's journal: what is kept of its latest steps, for the witnesses of findings.
 */
#pragma once

#include "analysis/model/label.h"

/* What the front-end does, told by one line of a witness. */
typedef enum SsStepKind {
    SS_STEP_REQUEST,      /* a back-end request was read: offset, len */
    SS_STEP_REFUSED,      /* ret */
    SS_STEP_REPLY,        /* value; ret of the send */
    SS_STEP_COMMIT_BEGIN, /* seq: exchange that caused it, 0 when none */
    SS_STEP_COMMIT_END,
    SS_STEP_FRONTEND_REQUEST,
    SS_STEP_WAIT_BEGIN,
    SS_STEP_WAIT_LASTS, /* ms waited; peeked request */
    SS_STEP_WAIT_END,
    SS_STEP_DISPATCHED,
    SS_STEP_START_BEGIN,
    SS_STEP_START_END,
    SS_STEP_STOP_BEGIN,
    SS_STEP_STOP_END,
    SS_STEP_RESET_BEGIN,
    SS_STEP_RESET_END,
    SS_STEP_UNREALIZE_BEGIN,
    SS_STEP_UNREALIZE_END,
    SS_STEP_MAIN_CLOSED,
    SS_STEP_BACKEND_CLOSED,
    SS_STEP_DEVICE_GONE,
    SS_STEP_FD_RECEIVED, /* fd */
    SS_STEP_FD_DUPLICATED,
    SS_STEP_FD_CLOSED,
    SS_STEP_MAPPING_ADDED, /* offset, len */
    SS_STEP_MAPPING_VISIBLE,
    SS_STEP_MAPPING_REMOVED,
    SS_STEP_MAPPING_FINALIZED,
} SsStepKind;

typedef struct SsStep {
    gint64 ns;
    SsStepKind kind;
    guint32 request;
    guint64 seq;
    guint64 a, b;
    gint32 ret;
    SsLabel label; /* of the file that it is about */
} SsStep;
