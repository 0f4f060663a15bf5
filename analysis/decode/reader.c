/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/decode/reader.h"

#include "analysis/decode/event-class.h"
#include "analysis/decode/mip.h"
#include "analysis/decode/origin.h"
#include "analysis/decode/run-info.h"
#include "analysis/decode/streams.h"
#include "analysis/decode/trace-set.h"
#include "analysis/model/text.h"
#include "analysis/wire/wire.h"

#define PROGRESS_EVENTS 4096

#define RECENT_CLASSES 256

/* A thread is named once, and again when another took its place here. */
#define NAMED_THREADS 64

typedef struct NamedThread {
    guint trace;
    gint32 pid, tid; /* tid 0: none */
} NamedThread;

typedef struct Trace {
    guint index;
    GPtrArray *directories; /* owned, of char *; empty: not known */
    bool told;              /* how far its streams tell is known by their packets */
} Trace;

struct SsReader {
    SsModel *model;                        /* weak */
    SsWire *wire;                          /* owned */
    const SsDecodeOptions *options;        /* weak */
    GPtrArray *diagnostics;                /* weak */
    GPtrArray *groups;                     /* weak; of SsTraceGroup */
    GHashTable *layouts;                   /* bt_event_class -> owned SsEventLayout */
    SsEventLayout *recent[RECENT_CLASSES]; /* weak; of `layouts`, which each event asks */
    const bt_trace *last_trace;            /* weak; the same of `traces` */
    Trace *last;                           /* weak */
    GHashTable *traces;                    /* bt_trace (a reference) -> owned Trace */
    GHashTable *reached; /* bt_stream (weak, of `traces`) -> owned gint64, its last packet's end */
    GPtrArray *seen;     /* groups that had a stream, weak */
    NamedThread named[NAMED_THREADS];
    gint64 until_ns; /* what comes later is left out; 0: nothing is */
    guint64 events;
    char *error; /* owned; what makes the trace unusable */
};

static void trace_put(gpointer trace)
{
    bt_trace_put_ref(trace);
}

static void trace_free(gpointer data)
{
    Trace *trace = data;
    g_ptr_array_unref(trace->directories);
    g_free(trace);
}

/* The group that has any of the directories; NULL when none has. */
static const SsTraceGroup *group_of(const SsReader *reader, const GPtrArray *directories)
{
    for (guint i = 0; reader->groups && i < reader->groups->len; i++) {
        const SsTraceGroup *group = g_ptr_array_index(reader->groups, i);
        for (guint d = 0; d < group->directories->len; d++) {
            g_autofree char *path = ss_origin_path(g_ptr_array_index(group->directories, d));
            if (g_ptr_array_find_with_equal_func((GPtrArray *)directories, path, g_str_equal,
                                                 NULL)) {
                return group;
            }
        }
    }
    return NULL;
}

static void diagnose(SsReader *reader, char *text_taken)
{
    if (text_taken) {
        g_ptr_array_add(reader->diagnostics, ss_text_sanitize(text_taken, 0));
        g_free(text_taken);
    }
}

static SsEventLayout *layout_of(SsReader *reader, const bt_event_class *event_class)
{
    SsEventLayout **recent = &reader->recent[GPOINTER_TO_SIZE(event_class) / 16 % RECENT_CLASSES];
    if (*recent && (*recent)->event_class == event_class) {
        return *recent;
    }
    SsEventLayout *layout = g_hash_table_lookup(reader->layouts, event_class);
    if (!layout) {
        char *diagnostic = NULL;
        layout = ss_event_layout_new(event_class, &diagnostic);
        diagnose(reader, diagnostic);
        g_hash_table_insert(reader->layouts, (gpointer)event_class, layout);
    }
    *recent = layout;
    return layout;
}

/* What the metadata says was recorded, whether or not it ever happened. */
static void take_metadata(SsReader *reader, const bt_trace *trace, guint index)
{
    const bt_trace_class *trace_class = bt_trace_borrow_class_const(trace);
    for (guint64 s = 0; s < bt_trace_class_get_stream_class_count(trace_class); s++) {
        const bt_stream_class *stream_class =
            bt_trace_class_borrow_stream_class_by_index_const(trace_class, s);
        for (guint64 e = 0; e < bt_stream_class_get_event_class_count(stream_class); e++) {
            const SsEventLayout *layout = layout_of(
                reader, bt_stream_class_borrow_event_class_by_index_const(stream_class, e));
            if (!layout->info) {
                continue;
            }
            ss_model_set_recorded(reader->model, index, layout->id);
            if (layout->context.missing && !reader->error) {
                reader->error = g_strdup_printf(
                    "context %s was not recorded, without which events cannot be told apart",
                    layout->context.missing);
            }
        }
    }
}

/* 0 when that is no time. */
static gint64 ns_of(const bt_clock_class *clock, guint64 cycles)
{
    gint64 ns = 0;
    if (clock && bt_clock_class_cycles_to_ns_from_origin(clock, cycles, &ns) !=
                     BT_CLOCK_CLASS_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK) {
        bt_current_thread_clear_error(); /* or the next call ends the program */
        ns = 0;
    }
    return ns;
}

static bool is_lttng(const bt_trace *trace)
{
    const bt_value *tracer =
        bt_trace_borrow_environment_entry_value_by_name_const(trace, "tracer_name");
    return tracer && bt_value_is_string(tracer) &&
           g_str_has_prefix(bt_value_string_get(tracer), "lttng");
}

/* What the streams' files tell of when they are all there. */
static void take_streams(SsReader *reader, const bt_trace *bt_trace, const SsTraceGroup *group,
                         Trace *trace)
{
    const bt_trace_class *trace_class = bt_trace_borrow_class_const(bt_trace);
    const bt_clock_class *clock = NULL;
    for (guint64 s = 0; !clock && s < bt_trace_class_get_stream_class_count(trace_class); s++) {
        clock = bt_stream_class_borrow_default_clock_class_const(
            bt_trace_class_borrow_stream_class_by_index_const(trace_class, s));
    }
    SsStreams streams = ss_streams_look(group ? group->directories : trace->directories);
    gint64 from_ns = streams.from_cycles ? ns_of(clock, streams.from_cycles) : 0;
    trace->told = is_lttng(bt_trace) && !streams.extract;
    ss_model_set_complete(reader->model, trace->index, from_ns, 0, streams.missing);
}

static Trace *trace_of(SsReader *reader, const bt_trace *bt_trace)
{
    if (bt_trace == reader->last_trace) {
        return reader->last;
    }
    reader->last_trace = bt_trace;
    reader->last = g_hash_table_lookup(reader->traces, bt_trace);
    if (reader->last) {
        return reader->last;
    }
    Trace *trace = g_new0(Trace, 1);
    trace->directories = ss_origin_directories(bt_trace);
    g_autofree char *uuid = ss_mip_trace_uuid(bt_trace);
    const char *path = trace->directories->len ? g_ptr_array_index(trace->directories, 0)
                                               : bt_trace_get_name(bt_trace);
    const bt_value *host =
        bt_trace_borrow_environment_entry_value_by_name_const(bt_trace, "hostname");
    trace->index =
        ss_model_add_trace(reader->model, path, uuid,
                           host && bt_value_is_string(host) ? bt_value_string_get(host) : NULL);
    bt_trace_get_ref(bt_trace);
    g_hash_table_insert(reader->traces, (gpointer)bt_trace, trace);
    const SsTraceGroup *group = group_of(reader, trace->directories);
    if (group) {
        g_ptr_array_add(reader->seen, (gpointer)group);
    }
    take_streams(reader, bt_trace, group, trace);
    take_metadata(reader, bt_trace, trace->index);
    return reader->last = trace;
}

static guint trace_index(SsReader *reader, const bt_stream *stream)
{
    return trace_of(reader, bt_stream_borrow_trace_const(stream))->index;
}

static bool time_of(const bt_clock_snapshot *snapshot, gint64 *ret_ns)
{
    if (bt_clock_snapshot_get_ns_from_origin(snapshot, ret_ns) ==
        BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK) {
        return true;
    }
    bt_current_thread_clear_error(); /* or the next call ends the program */
    return false;
}

static void take_tracer(SsReader *reader, const bt_message *message, const SsEventLayout *layout)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    gint64 ns;
    if (time_of(bt_message_event_borrow_default_clock_snapshot_const(message), &ns)) {
        ss_model_tracer_begins(reader->model,
                               trace_index(reader, bt_event_borrow_stream_const(event)),
                               ss_event_layout_pid(layout, event), ns);
    }
}

/* FALSE: the rest is not wanted. */
static void name_thread(SsReader *reader, const SsEventLayout *layout, const bt_event *event,
                        SsEvent *ours)
{
    NamedThread *named = &reader->named[(guint32)ours->tid % NAMED_THREADS];
    if (ss_event_of_library(ours->id)) {
        /* It may not come as far as to where names are kept. */
        ours->procname = ss_event_layout_procname(layout, event);
        return;
    }
    if (named->tid != ours->tid || named->pid != ours->pid || named->trace != ours->trace ||
        !ours->tid || ours->id == SS_EVENT_SHMEMSCOPE_WIRE_LIBRARY /* another program, perhaps */) {
        *named = (NamedThread){ .trace = ours->trace, .pid = ours->pid, .tid = ours->tid };
        ours->procname = ss_event_layout_procname(layout, event);
    }
}

/* The trace goes on for as long, of which no more counts than is asked for. */
static void take_reach(SsReader *reader, guint trace, gint64 ns)
{
    ss_model_reached(reader->model, trace, reader->until_ns ? MIN(ns, reader->until_ns) : ns);
}

static bool take_event(SsReader *reader, const bt_message *message)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    const SsEventLayout *layout = layout_of(reader, bt_event_borrow_class_const(event));
    gint64 ns;
    if (layout->tracer_begins) {
        take_tracer(reader, message, layout);
    }
    if (!layout->info ||
        !time_of(bt_message_event_borrow_default_clock_snapshot_const(message), &ns)) {
        return true;
    }
    if (!reader->events++) {
        reader->until_ns =
            reader->options->until.given ? MAX(1, ss_moment_ns(&reader->options->until, ns)) : 0;
    }
    guint trace = trace_index(reader, bt_event_borrow_stream_const(event));
    if (reader->until_ns && ns > reader->until_ns) {
        take_reach(reader, trace, ns); /* and nothing came in between */
        return false;
    }
    SsEvent ours;
    ours.trace = trace;
    ours.ns = ns;
    ss_event_layout_read(layout, event, &ours);
    name_thread(reader, layout, event, &ours);
    ss_wire_event(reader->wire, &ours);
    if (reader->options->progress && reader->events % PROGRESS_EVENTS == 0) {
        reader->options->progress(reader->events, reader->options->progress_data);
    }
    return true;
}

static void take_discarded(SsReader *reader, const bt_message *message, bool packets)
{
    const bt_stream *stream = packets ? bt_message_discarded_packets_borrow_stream_const(message)
                                      : bt_message_discarded_events_borrow_stream_const(message);
    const bt_stream_class *stream_class = bt_stream_borrow_class_const(stream);
    bool timed = packets
                     ? bt_stream_class_discarded_packets_have_default_clock_snapshots(stream_class)
                     : bt_stream_class_discarded_events_have_default_clock_snapshots(stream_class);
    gint64 begin = G_MININT64, end = G_MAXINT64; /* some time: it touches everything */
    guint64 count = 0;
    if (timed && packets) {
        (void)time_of(
            bt_message_discarded_packets_borrow_beginning_default_clock_snapshot_const(message),
            &begin);
        (void)time_of(bt_message_discarded_packets_borrow_end_default_clock_snapshot_const(message),
                      &end);
    } else if (timed) {
        (void)time_of(
            bt_message_discarded_events_borrow_beginning_default_clock_snapshot_const(message),
            &begin);
        (void)time_of(bt_message_discarded_events_borrow_end_default_clock_snapshot_const(message),
                      &end);
    }
    if (!packets && bt_message_discarded_events_get_count(message, &count) !=
                        BT_PROPERTY_AVAILABILITY_AVAILABLE) {
        count = 0;
    }
    ss_model_add_loss(reader->model, trace_index(reader, stream), begin, end, count);
}

/* A trace whose files are not known may have had packets before the first that came. */
static void take_packet_begin(SsReader *reader, const bt_message *message)
{
    const bt_stream *stream =
        bt_packet_borrow_stream_const(bt_message_packet_beginning_borrow_packet_const(message));
    const Trace *trace = trace_of(reader, bt_stream_borrow_trace_const(stream));
    gint64 ns;
    if (!trace->directories->len && !g_hash_table_contains(reader->reached, stream) &&
        bt_stream_class_packets_have_beginning_default_clock_snapshot(
            bt_stream_borrow_class_const(stream)) &&
        time_of(bt_message_packet_beginning_borrow_default_clock_snapshot_const(message), &ns)) {
        ss_model_begins(reader->model, trace->index, ns);
    }
}

static void take_packet_end(SsReader *reader, const bt_message *message)
{
    const bt_stream *stream =
        bt_packet_borrow_stream_const(bt_message_packet_end_borrow_packet_const(message));
    gint64 ns;
    if (bt_stream_class_packets_have_end_default_clock_snapshot(
            bt_stream_borrow_class_const(stream)) &&
        time_of(bt_message_packet_end_borrow_default_clock_snapshot_const(message), &ns)) {
        take_reach(reader, trace_index(reader, stream), ns);
        g_hash_table_replace(reader->reached, (gpointer)stream, g_memdup2(&ns, sizeof(ns)));
    }
}

/* Nobody counts what is missing behind a stream's last packet: a chunk of a rotation ends at
 * another time on each CPU, and so does a copy of a recording under way. The others go on, and
 * their messages of a later time come after this. */
static void take_stream_end(SsReader *reader, const bt_message *message)
{
    const bt_stream *stream = bt_message_stream_end_borrow_stream_const(message);
    const Trace *trace = trace_of(reader, bt_stream_borrow_trace_const(stream));
    const gint64 *reached = g_hash_table_lookup(reader->reached, stream);
    if (trace->told && reached) {
        ss_model_ragged(reader->model, trace->index, *reached);
    }
}

bool ss_reader_take(SsReader *reader, const bt_message *message)
{
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_STREAM_BEGINNING:
        (void)trace_index(reader, bt_message_stream_beginning_borrow_stream_const(message));
        return !reader->error;
    case BT_MESSAGE_TYPE_STREAM_END:
        take_stream_end(reader, message);
        return true;
    case BT_MESSAGE_TYPE_PACKET_BEGINNING:
        take_packet_begin(reader, message);
        return true;
    case BT_MESSAGE_TYPE_EVENT:
        return take_event(reader, message);
    case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
        take_discarded(reader, message, false);
        return true;
    case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
        take_discarded(reader, message, true);
        return true;
    case BT_MESSAGE_TYPE_PACKET_END:
        take_packet_end(reader, message);
        return true;
    default:
        return true;
    }
}

/* Traces without a single packet tell nothing, and that must be said. */
static void note_empty(SsReader *reader)
{
    for (guint i = 0; reader->groups && i < reader->groups->len; i++) {
        const SsTraceGroup *group = g_ptr_array_index(reader->groups, i);
        if (!g_ptr_array_find(reader->seen, group, NULL)) {
            g_autofree char *path = ss_origin_path(g_ptr_array_index(group->directories, 0));
            (void)ss_model_add_trace(reader->model, path, group->uuid, NULL);
            diagnose(reader, g_strdup_printf("Cannot use trace: path=\"%s\": it is empty", path));
        }
    }
}

/* In order of name: of two that tell of the same process the last one counts. */
static void read_beside(SsReader *reader)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, reader->traces);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const GPtrArray *directories = ((const Trace *)value)->directories;
        for (guint d = 0; d < directories->len; d++) {
            g_ptr_array_add(all, g_ptr_array_index(directories, d));
        }
    }
    g_ptr_array_sort(all, ss_origin_compare);
    for (guint i = 0; i < all->len; i++) {
        ss_run_info_read(reader->model, g_ptr_array_index(all, i), reader->until_ns,
                         reader->diagnostics);
    }
}

void ss_reader_finish(SsReader *reader)
{
    note_empty(reader);
    read_beside(reader);
    ss_wire_finish(reader->wire);
}

SsReader *ss_reader_new(SsModel *model, const SsDecodeOptions *options, GPtrArray *groups,
                        GPtrArray *diagnostics)
{
    SsReader *reader = g_new0(SsReader, 1);
    reader->model = model;
    reader->wire = ss_wire_new(model);
    reader->options = options;
    reader->diagnostics = diagnostics;
    reader->groups = groups;
    reader->layouts = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
                                            (GDestroyNotify)ss_event_layout_free);
    reader->traces = g_hash_table_new_full(g_direct_hash, g_direct_equal, trace_put, trace_free);
    reader->reached = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    reader->seen = g_ptr_array_new();
    return reader;
}

void ss_reader_free(SsReader *reader)
{
    if (!reader) {
        return;
    }
    g_hash_table_unref(reader->layouts);
    g_hash_table_unref(reader->reached);
    g_hash_table_unref(reader->traces);
    g_ptr_array_unref(reader->seen);
    ss_wire_free(reader->wire);
    g_free(reader->error);
    g_free(reader);
}

const char *ss_reader_error(const SsReader *reader)
{
    return reader->error;
}
