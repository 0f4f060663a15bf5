/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/undecided.h"

static void undecided_free(gpointer data)
{
    SsUndecided *undecided = data;
    g_free(undecided->why);
    g_free(undecided);
}

static SsUndecided *add(GPtrArray *out, const char *name, bool partial, char *why_taken)
{
    SsUndecided *undecided = g_new0(SsUndecided, 1);
    undecided->check = name;
    undecided->partial = partial;
    undecided->why = why_taken;
    g_ptr_array_add(out, undecided);
    return undecided;
}

/* What is not the state of a device, of which the library sees the begin and the end. */
static bool class_from_outside(SsEventClass event_class)
{
    return event_class != SS_CLASS_TRANSACTION && event_class != SS_CLASS_DETAIL;
}

bool ss_needs_recorded(const SsModel *model, guint32 needs, const SsProcess *process)
{
    const SsTraceInfo *info = ss_model_trace(model, process->trace);
    bool outside = ss_process_outside(process);
    for (guint c = 0; outside && c < SS_N_CLASSES; c++) {
        if ((needs & (1u << c)) && !class_from_outside(c)) {
            return false;
        }
    }
    if (outside) {
        return ss_wire_recorded(model, process->trace);
    }
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if ((needs & (1u << ss_catalogue_events[id].event_class)) && !info->recorded[id]) {
            return false;
        }
    }
    return true;
}

static bool of_backends(const SsModel *model, guint trace, bool any)
{
    bool all = false;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if ((any || process->trace == trace) && !ss_process_is_backend(process)) {
            return false;
        }
        all |= any || process->trace == trace;
    }
    return all;
}

bool ss_trace_of_backends(const SsModel *model, guint trace)
{
    return of_backends(model, trace, false);
}

bool ss_model_of_backends(const SsModel *model)
{
    return of_backends(model, 0, true);
}

/* "not recorded: event class wait", or NULL. */
static char *missing_text(const SsModel *model, guint32 needs, guint trace)
{
    const SsTraceInfo *info = ss_model_trace(model, trace);
    GString *text = NULL;
    for (guint c = 0; c < SS_N_CLASSES; c++) {
        guint events = 0, missing = 0;
        const char *example = NULL;
        for (guint id = 0; (needs & (1u << c)) && id < SS_N_EVENTS; id++) {
            if (ss_catalogue_events[id].event_class == c) {
                events++;
                if (!info->recorded[id]) {
                    missing++;
                    example = example ? example : ss_catalogue_events[id].name;
                }
            }
        }
        if (!missing) {
            continue;
        }
        if (!text) {
            text = g_string_new("not recorded: ");
        } else {
            g_string_append(text, ", ");
        }
        if (missing == events) {
            g_string_append_printf(text, "event class %s", ss_catalogue_classes[c]);
        } else {
            g_string_append_printf(text, "%s%s of event class %s", example,
                                   missing > 1 ? " and others" : "", ss_catalogue_classes[c]);
        }
    }
    return text ? g_string_free(text, FALSE) : NULL;
}

static void add_not_recorded(GPtrArray *out, const SsModel *model, const char *name, guint32 needs,
                             bool outside)
{
    bool any = false, not_seen = false;
    for (guint t = 0; t < model->traces->len; t++) {
        any |= ss_model_trace(model, t)->any_recorded;
    }
    g_autoptr(GHashTable) said = NULL;
    for (guint t = 0; t < model->traces->len; t++) {
        /* A trace of some other program beside QEMU's takes nothing away, nor does that of a
         * back-end, whose own events are recorded: it has told some. */
        if ((any && !ss_model_trace(model, t)->any_recorded) || ss_trace_of_backends(model, t)) {
            continue;
        }
        guint32 sources = ss_trace_sources(model, t);
        guint32 from_wire = outside ? SS_NEEDS(WIRE) : 0;
        char *why = missing_text(model,
                                 (sources & SS_SOURCE_TRACEPOINTS ? needs : 0) |
                                     (sources & SS_SOURCE_WIRE ? from_wire : 0),
                                 t);
        if (why && !said) {
            said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        }
        if (why && g_hash_table_add(said, why)) {
            (void)add(out, name, false, g_strdup(why));
        }
        not_seen |= (sources & SS_SOURCE_WIRE) && !outside;
    }
    if (not_seen) {
        add(out, name, false, g_strdup("cannot be decided from outside of QEMU"))->outside = true;
    }
}

static void add_lost(GPtrArray *out, const SsModel *model, const char *name)
{
    bool uncounted;
    guint64 lost = ss_model_lost_events(model, &uncounted);
    if (lost || uncounted) {
        (void)add(out, name, false,
                  uncounted ? g_strdup("packets of events were lost")
                            : g_strdup_printf("%" G_GUINT64_FORMAT " event%s lost", lost,
                                              lost == 1 ? " was" : "s were"));
    }
}

/* A short end is that of any recording: LTTng closes one CPU's stream after the other. */
#define SHORT_TAIL_NS (100 * SS_NS_PER_MS)

/* Streams that begin or end at different times, or are not there. */
static void add_ragged(GPtrArray *out, const SsModel *model, const char *name)
{
    for (guint t = 0; t < model->traces->len; t++) {
        const SsTraceInfo *trace = ss_model_trace(model, t);
        if (trace->missing) {
            (void)add(out, name, false,
                      trace->missing == 1
                          ? g_strdup("the stream of one CPU is missing")
                          : g_strdup_printf("the streams of %u CPUs are missing", trace->missing));
        }
        if (ss_trace_ragged_head(trace)) {
            (void)add(
                out, name, true,
                g_strdup_printf("the first %.6f s are not whole: the streams begin at different "
                                "times",
                                (double)(trace->complete_ns - trace->begin_ns) / SS_NS_PER_S));
        }
        if (ss_trace_ragged_tail(trace)) {
            gint64 tail = trace->last_ns - trace->ragged_ns;
            (void)add(out, name, tail < SHORT_TAIL_NS,
                      g_strdup_printf("the last %.6f s are not whole: the streams end at different "
                                      "times",
                                      (double)tail / SS_NS_PER_S));
        }
    }
}

/* A process that did nothing in the whole recording is idle, or hung before it began. */
static void add_standing(GPtrArray *out, const SsModel *model, const char *name, guint32 needs,
                         bool outside)
{
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        /* What else it did, events that were not recorded would tell. */
        if (!process->acted &&
            ss_needs_recorded(model, outside && ss_process_outside(process) ? 0 : needs, process)) {
            (void)add(out, name, false,
                      g_strdup_printf("the process %d told nothing but its state: idle, or stuck "
                                      "before the recording began",
                                      process->pid));
        }
    }
}

void ss_undecided_unseen(GPtrArray *undecided, const SsModel *model, const char *name,
                         const char *what)
{
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if (ss_process_outside(process) && process->devices->len) {
            add(undecided, name, true, g_strdup_printf("%s is not seen from outside of QEMU", what))
                ->unseen = true;
            return;
        }
    }
}

SsUndecided *ss_undecided_looked(const char *name)
{
    SsUndecided *undecided = g_new0(SsUndecided, 1);
    undecided->check = name;
    undecided->outside = true;
    undecided->why = g_strdup("two looks do not show it: a recording does");
    return undecided;
}

GPtrArray *ss_undecided_new(void)
{
    return g_ptr_array_new_with_free_func(undecided_free);
}

GPtrArray *ss_undecided(const SsModel *model, const char *name, guint32 needs, bool outside,
                        bool standing)
{
    GPtrArray *out = ss_undecided_new();
    guint64 late = 0;
    add_not_recorded(out, model, name, needs, outside);
    if (!model->events) {
        (void)add(out, name, false, g_strdup("there is no event in it"));
    }
    add_lost(out, model, name);
    add_ragged(out, model, name);
    if (standing) {
        add_standing(out, model, name, needs, outside);
    }
    for (guint p = 0; p < model->processes->len; p++) {
        late += ((const SsProcess *)g_ptr_array_index(model->processes, p))->late_objects;
    }
    if (late) {
        (void)add(out, name, true,
                  g_strdup("the recording began too late to tell of what happened before"));
    }
    return out;
}
