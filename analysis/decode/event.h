/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One event of a trace as the model takes it: nothing past this type knows
 * where events come from.
 */
#pragma once

#include <stdbool.h>

#include "ss-catalogue.h"

typedef struct SsEvent {
    SsEventId id;
    guint trace;   /* index given by ss_model_add_trace() */
    gint64 ns;     /* since the Unix epoch, by the trace's clock */
    gint32 pid;    /* context vpid */
    gint32 tid;    /* context vtid */
    guint64 label; /* SsLabel; of a descriptor that the wire tells as sent: its file's, then */
    const char *procname; /* context procname, NULL when not recorded or told before; weak */
    SsEventPayload u;     /* strings in it are weak, never NULL, and hostile */
} SsEvent;

/* Told by the preload library, and not by QEMU's tracepoints. */
static inline bool ss_event_of_library(SsEventId id)
{
    SsEventClass event_class = ss_catalogue_events[id].event_class;
    return event_class == SS_CLASS_WIRE || event_class == SS_CLASS_NOTE;
}

/*
 * Puts VALUE, cut to the field's size, into a field of the event that is not a string; FIELD is
 * one of the event's own. Signed fields take the same bits.
 */
static inline void ss_event_set_integer(SsEvent *event, const SsFieldInfo *field, guint64 value)
{
    gpointer at = (guint8 *)&event->u + field->offset;
    switch (field->type) {
    case SS_FIELD_U8:
        *(guint8 *)at = (guint8)value;
        break;
    case SS_FIELD_U16:
        *(guint16 *)at = (guint16)value;
        break;
    case SS_FIELD_U32:
    case SS_FIELD_I32:
        *(guint32 *)at = (guint32)value;
        break;
    case SS_FIELD_U64:
    case SS_FIELD_I64:
    case SS_FIELD_PTR:
        *(guint64 *)at = value;
        break;
    case SS_FIELD_STR:
        break;
    }
}
