/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One event of a trace as the model takes it: nothing past this type knows
 * where events come from.
 */
#pragma once

#include "ss-catalogue.h"

typedef struct SsEvent {
    SsEventId id;
    guint trace;          /* index given by ss_model_add_trace() */
    gint64 ns;            /* since the Unix epoch, by the trace's clock */
    gint32 pid;           /* context vpid */
    gint32 tid;           /* context vtid */
    const char *procname; /* context procname, NULL when not recorded; weak */
    SsEventPayload u;     /* strings in it are weak, never NULL, and hostile */
} SsEvent;
