/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How the events of a trace become ours: once for each event class of the trace, then
 * by index.
 */
#pragma once

#include <stdbool.h>

#include <babeltrace2/babeltrace.h>

#include "analysis/decode/event.h"

typedef enum SsValueKind {
    SS_VALUE_UNSIGNED,
    SS_VALUE_SIGNED,
    SS_VALUE_STRING
} SsValueKind;

typedef struct SsMember {
    guint64 index; /* in the trace's structure */
    SsValueKind kind;
} SsMember;

/* The common context of a stream class. */
typedef struct SsContextLayout {
    const char *missing; /* static; the first context that is missing, or NULL */
    SsMember vpid, vtid, procname;
    bool has_procname;
} SsContextLayout;

typedef struct SsEventLayout {
    const bt_event_class *event_class; /* a reference, so that its address stays its own */
    const SsEventInfo *info;           /* NULL: not an event of the catalogue, or not usable */
    bool tracer_begins;                /* the tracer's own event, of a process that it sets up */
    SsEventId id;
    SsContextLayout context;
    SsMember members[SS_MAX_FIELDS];
} SsEventLayout;

/* Works the layout out; what keeps an event of the catalogue from being used is put into
 * *ret_diagnostic (the caller frees it; else untouched). */
SsEventLayout *ss_event_layout_new(const bt_event_class *event_class, char **ret_diagnostic);
void ss_event_layout_free(SsEventLayout *layout);
/* Fills id, pid, tid, procname and payload. Strings belong to the bt_event. */
void ss_event_layout_read(const SsEventLayout *layout, const bt_event *event, SsEvent *ret_event);
/* Name of the thread that told it; NULL when that was not recorded. Valid as long as the event. */
const char *ss_event_layout_procname(const SsEventLayout *layout, const bt_event *event);
/* The pid of an event whose layout is `tracer_begins`. */
gint32 ss_event_layout_pid(const SsEventLayout *layout, const bt_event *event);
/* Our event of that name; NULL when there is none. */
const SsEventInfo *ss_event_info_find(const char *name);
