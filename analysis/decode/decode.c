/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The graph: a source.ctf.fs for each trace, a flt.utils.muxer, and a sink of our own.
 */
#include "analysis/decode/decode.h"

#include <babeltrace2/babeltrace.h>

#include "analysis/decode/event-class.h"
#include "analysis/decode/run-info.h"
#include "analysis/decode/streams.h"
#include "analysis/decode/trace-set.h"
#include "analysis/model/text.h"
#include "analysis/wire/wire.h"

#define PROGRESS_EVENTS 65536

#define RECENT_CLASSES 256

/* A thread is named once, and again when another took its place here. */
#define NAMED_THREADS 64

typedef struct NamedThread {
    guint trace;
    gint32 pid, tid; /* tid 0: none */
} NamedThread;

typedef struct Decoder {
    SsModel *model;                        /* weak */
    SsWire *wire;                          /* weak */
    const SsDecodeOptions *options;        /* weak */
    GPtrArray *diagnostics;                /* weak */
    GPtrArray *groups;                     /* owned SsTraceGroup */
    GHashTable *layouts;                   /* bt_event_class -> owned SsEventLayout */
    SsEventLayout *recent[RECENT_CLASSES]; /* weak; of `layouts`, which each event asks */
    const bt_trace *last_trace;            /* weak; the same of `traces` */
    guint last_index;
    GHashTable *traces; /* bt_trace (a reference) -> index + 1 */
    GPtrArray *seen;    /* groups that had a stream, weak */
    NamedThread named[NAMED_THREADS];
    gint64 first_ns;
    guint64 events;
    char *error; /* owned; what makes the trace unusable */
} Decoder;

G_DEFINE_QUARK(ss - decode - error, ss_decode_error)

static void trace_put(gpointer trace)
{
    bt_trace_put_ref(trace);
}

static const SsTraceGroup *group_of(Decoder *decoder, const char *uuid)
{
    const SsTraceGroup *seen = NULL;
    for (guint i = 0; i < decoder->groups->len; i++) {
        const SsTraceGroup *group = g_ptr_array_index(decoder->groups, i);
        if (!g_str_equal(group->uuid, uuid)) {
            continue;
        }
        if (!g_ptr_array_find(decoder->seen, group, NULL)) {
            return group;
        }
        seen = group; /* several have none: each of them is another trace */
    }
    return seen || decoder->groups->len != 1 ? seen : g_ptr_array_index(decoder->groups, 0);
}

static void diagnose(Decoder *decoder, char *text_taken)
{
    if (text_taken) {
        g_ptr_array_add(decoder->diagnostics, ss_text_sanitize(text_taken, 0));
        g_free(text_taken);
    }
}

static SsEventLayout *layout_of(Decoder *decoder, const bt_event_class *event_class)
{
    SsEventLayout **recent = &decoder->recent[GPOINTER_TO_SIZE(event_class) / 16 % RECENT_CLASSES];
    if (*recent && (*recent)->event_class == event_class) {
        return *recent;
    }
    SsEventLayout *layout = g_hash_table_lookup(decoder->layouts, event_class);
    if (!layout) {
        char *diagnostic = NULL;
        layout = ss_event_layout_new(event_class, &diagnostic);
        diagnose(decoder, diagnostic);
        g_hash_table_insert(decoder->layouts, (gpointer)event_class, layout);
    }
    *recent = layout;
    return layout;
}

/* What the metadata says was recorded, whether or not it ever happened. */
static void take_metadata(Decoder *decoder, const bt_trace *trace, guint index)
{
    const bt_trace_class *trace_class = bt_trace_borrow_class_const(trace);
    for (guint64 s = 0; s < bt_trace_class_get_stream_class_count(trace_class); s++) {
        const bt_stream_class *stream_class =
            bt_trace_class_borrow_stream_class_by_index_const(trace_class, s);
        for (guint64 e = 0; e < bt_stream_class_get_event_class_count(stream_class); e++) {
            const SsEventLayout *layout = layout_of(
                decoder, bt_stream_class_borrow_event_class_by_index_const(stream_class, e));
            if (!layout->info) {
                continue;
            }
            ss_model_set_recorded(decoder->model, index, layout->id);
            if (layout->context.missing && !decoder->error) {
                decoder->error = g_strdup_printf(
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

/* What the streams' files tell of when they are all there. */
static void take_streams(Decoder *decoder, const bt_trace *trace, const SsTraceGroup *group,
                         guint index)
{
    const bt_trace_class *trace_class = bt_trace_borrow_class_const(trace);
    const bt_clock_class *clock = NULL;
    for (guint64 s = 0; !clock && s < bt_trace_class_get_stream_class_count(trace_class); s++) {
        clock = bt_stream_class_borrow_default_clock_class_const(
            bt_trace_class_borrow_stream_class_by_index_const(trace_class, s));
    }
    SsStreams streams = ss_streams_look(group->directories);
    gint64 from_ns = 0, until_ns = 0;
    if (streams.from_cycles) {
        from_ns = ns_of(clock, streams.from_cycles);
    }
    if (streams.until_cycles != G_MAXUINT64) {
        until_ns = ns_of(clock, streams.until_cycles);
    }
    ss_model_set_complete(decoder->model, index, from_ns, until_ns, streams.missing);
}

static guint trace_index(Decoder *decoder, const bt_trace *trace)
{
    if (trace == decoder->last_trace) {
        return decoder->last_index;
    }
    decoder->last_trace = trace;
    gpointer known = g_hash_table_lookup(decoder->traces, trace);
    if (known) {
        return decoder->last_index = GPOINTER_TO_UINT(known) - 1;
    }
    bt_uuid bytes = bt_trace_get_uuid(trace);
    g_autofree char *uuid = bytes ? ss_uuid_text(bytes) : g_strdup("");
    const SsTraceGroup *group = group_of(decoder, uuid);
    const char *path = group ? g_ptr_array_index(group->directories, 0) : bt_trace_get_name(trace);
    const bt_value *host = bt_trace_borrow_environment_entry_value_by_name_const(trace, "hostname");
    guint index =
        ss_model_add_trace(decoder->model, path, uuid,
                           host && bt_value_is_string(host) ? bt_value_string_get(host) : NULL);
    bt_trace_get_ref(trace);
    g_hash_table_insert(decoder->traces, (gpointer)trace, GUINT_TO_POINTER(index + 1));
    if (group) {
        g_ptr_array_add(decoder->seen, (gpointer)group);
        take_streams(decoder, trace, group, index);
    }
    take_metadata(decoder, trace, index);
    return decoder->last_index = index;
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

static void take_tracer(Decoder *decoder, const bt_message *message, const SsEventLayout *layout)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    gint64 ns;
    if (time_of(bt_message_event_borrow_default_clock_snapshot_const(message), &ns)) {
        ss_model_tracer_begins(
            decoder->model,
            trace_index(decoder, bt_stream_borrow_trace_const(bt_event_borrow_stream_const(event))),
            ss_event_layout_pid(layout, event), ns);
    }
}

/* FALSE: the rest is not wanted. */
static void name_thread(Decoder *decoder, const SsEventLayout *layout, const bt_event *event,
                        SsEvent *ours)
{
    NamedThread *named = &decoder->named[(guint32)ours->tid % NAMED_THREADS];
    if (layout->info->event_class == SS_CLASS_WIRE) {
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

static bool take_event(Decoder *decoder, const bt_message *message)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    const SsEventLayout *layout = layout_of(decoder, bt_event_borrow_class_const(event));
    gint64 ns;
    if (layout->tracer_begins) {
        take_tracer(decoder, message, layout);
    }
    if (!layout->info ||
        !time_of(bt_message_event_borrow_default_clock_snapshot_const(message), &ns)) {
        return true;
    }
    if (!decoder->events++) {
        decoder->first_ns = ns;
    }
    if (decoder->options->until_ns && ns - decoder->first_ns > decoder->options->until_ns) {
        return false;
    }
    SsEvent ours;
    ours.trace =
        trace_index(decoder, bt_stream_borrow_trace_const(bt_event_borrow_stream_const(event)));
    ours.ns = ns;
    ss_event_layout_read(layout, event, &ours);
    name_thread(decoder, layout, event, &ours);
    ss_wire_event(decoder->wire, &ours);
    if (decoder->options->progress && decoder->events % PROGRESS_EVENTS == 0) {
        decoder->options->progress(decoder->events, decoder->options->progress_data);
    }
    return true;
}

static void take_discarded(Decoder *decoder, const bt_message *message, bool packets)
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
    ss_model_add_loss(decoder->model, trace_index(decoder, bt_stream_borrow_trace_const(stream)),
                      begin, end, count);
}

static void take_packet_end(Decoder *decoder, const bt_message *message)
{
    const bt_stream *stream =
        bt_packet_borrow_stream_const(bt_message_packet_end_borrow_packet_const(message));
    gint64 ns;
    if (bt_stream_class_packets_have_end_default_clock_snapshot(
            bt_stream_borrow_class_const(stream)) &&
        time_of(bt_message_packet_end_borrow_default_clock_snapshot_const(message), &ns)) {
        ss_model_reached(decoder->model, trace_index(decoder, bt_stream_borrow_trace_const(stream)),
                         ns);
    }
}

static bool take_message(Decoder *decoder, const bt_message *message)
{
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_STREAM_BEGINNING:
        (void)trace_index(decoder, bt_stream_borrow_trace_const(
                                       bt_message_stream_beginning_borrow_stream_const(message)));
        return !decoder->error;
    case BT_MESSAGE_TYPE_EVENT:
        return take_event(decoder, message);
    case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
        take_discarded(decoder, message, false);
        return true;
    case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
        take_discarded(decoder, message, true);
        return true;
    case BT_MESSAGE_TYPE_PACKET_END:
        take_packet_end(decoder, message);
        return true;
    default:
        return true;
    }
}

static bt_graph_simple_sink_component_consume_func_status consume(bt_message_iterator *iterator,
                                                                  void *user_data)
{
    Decoder *decoder = user_data;
    bt_message_array_const messages;
    uint64_t count = 0;
    bt_message_iterator_next_status status = bt_message_iterator_next(iterator, &messages, &count);
    if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
        /* END, AGAIN and the errors have the same values in both. */
        return (bt_graph_simple_sink_component_consume_func_status)status;
    }
    bool wanted = true;
    for (uint64_t i = 0; i < count; i++) {
        wanted = wanted && take_message(decoder, messages[i]);
        bt_message_put_ref(messages[i]);
    }
    return wanted ? BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_OK
                  : BT_GRAPH_SIMPLE_SINK_COMPONENT_CONSUME_FUNC_STATUS_END;
}

/* The reason babeltrace gives: its first cause is the deepest. NULL when there was no error. */
static char *take_bt_error(void)
{
    const bt_error *error = bt_current_thread_take_error();
    if (!error) {
        return NULL;
    }
    char *text = bt_error_get_cause_count(error)
                     ? ss_text_sanitize(
                           bt_error_cause_get_message(bt_error_borrow_cause_by_index(error, 0)), 0)
                     : g_strdup("babeltrace gives no reason");
    bt_error_release(error);
    return text;
}

/* babeltrace may go on after an error, and ends the program at the next one that it is not asked
 * about. */
static void note_error(Decoder *decoder, const SsTraceGroup *group)
{
    g_autofree char *why = take_bt_error();
    if (why) {
        const SsTraceGroup *any = group ? group : g_ptr_array_index(decoder->groups, 0);
        const char *path = g_ptr_array_index(any->directories, 0);
        diagnose(decoder, g_strdup_printf("Cannot read all of trace: path=\"%s\": %s", path, why));
    }
}

static const bt_component_source *add_source(bt_graph *graph,
                                             const bt_component_class_source *source_class,
                                             const SsTraceGroup *group, guint number)
{
    bt_value *params = bt_value_map_create();
    bt_value *inputs = NULL;
    const bt_component_source *source = NULL;
    g_autofree char *name = g_strdup_printf("trace%u", number);
    if (!params || bt_value_map_insert_empty_array_entry(params, "inputs", &inputs) !=
                       BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK) {
        bt_value_put_ref(params);
        return NULL;
    }
    for (guint i = 0; i < group->directories->len; i++) {
        if (bt_value_array_append_string_element(inputs,
                                                 g_ptr_array_index(group->directories, i)) !=
            BT_VALUE_ARRAY_APPEND_ELEMENT_STATUS_OK) {
            bt_value_put_ref(params);
            return NULL;
        }
    }
    if (bt_graph_add_source_component(graph, source_class, name, params, BT_LOGGING_LEVEL_NONE,
                                      &source) != BT_GRAPH_ADD_COMPONENT_STATUS_OK) {
        source = NULL;
    }
    bt_value_put_ref(params);
    return source;
}

static bool connect_source(bt_graph *graph, const bt_component_source *source,
                           const bt_component_filter *muxer)
{
    uint64_t ports = bt_component_get_class_type(bt_component_source_as_component_const(source)) ==
                             BT_COMPONENT_CLASS_TYPE_SOURCE
                         ? bt_component_source_get_output_port_count(source)
                         : 0;
    for (uint64_t i = 0; i < ports; i++) {
        /* The muxer has one free port, and makes another when that is taken. */
        uint64_t inputs = bt_component_filter_get_input_port_count(muxer);
        if (bt_graph_connect_ports(
                graph, bt_component_source_borrow_output_port_by_index_const(source, i),
                bt_component_filter_borrow_input_port_by_index_const(muxer, inputs - 1),
                NULL) != BT_GRAPH_CONNECT_PORTS_STATUS_OK) {
            return false;
        }
    }
    return true;
}

static const bt_plugin *find_plugin(const char *name)
{
    const bt_plugin *plugin = NULL;
    return bt_plugin_find(name, BT_TRUE, BT_TRUE, BT_TRUE, BT_TRUE, BT_FALSE, &plugin) ==
                   BT_PLUGIN_FIND_STATUS_OK
               ? plugin
               : NULL;
}

/* Builds and runs the graph; FALSE: *ret_why says why not, and *ret_group where. */
static bool run(Decoder *decoder, bt_graph *graph, const bt_plugin *ctf, const bt_plugin *utils,
                const SsTraceGroup **ret_group)
{
    const bt_component_class_source *source_class =
        bt_plugin_borrow_source_component_class_by_name_const(ctf, "fs");
    const bt_component_class_filter *muxer_class =
        bt_plugin_borrow_filter_component_class_by_name_const(utils, "muxer");
    const bt_component_filter *muxer = NULL;
    const bt_component_sink *sink = NULL;
    if (!source_class || !muxer_class ||
        bt_graph_add_filter_component(graph, muxer_class, "muxer", NULL, BT_LOGGING_LEVEL_NONE,
                                      &muxer) != BT_GRAPH_ADD_COMPONENT_STATUS_OK ||
        bt_graph_add_simple_sink_component(graph, "shmemscope", NULL, consume, NULL, decoder,
                                           &sink) != BT_GRAPH_ADD_COMPONENT_STATUS_OK) {
        return false;
    }
    for (guint i = 0; i < decoder->groups->len; i++) {
        *ret_group = g_ptr_array_index(decoder->groups, i);
        const bt_component_source *source = add_source(graph, source_class, *ret_group, i);
        if (!source) {
            return false;
        }
        note_error(decoder, *ret_group);
        if (!connect_source(graph, source, muxer)) {
            return false;
        }
    }
    if (decoder->groups->len > 1) {
        *ret_group = NULL;
    }
    if (bt_graph_connect_ports(graph,
                               bt_component_filter_borrow_output_port_by_index_const(muxer, 0),
                               bt_component_sink_borrow_input_port_by_index_const(sink, 0),
                               NULL) != BT_GRAPH_CONNECT_PORTS_STATUS_OK) {
        return false;
    }
    bt_graph_run_status status;
    do {
        status = bt_graph_run(graph);
    } while (status == BT_GRAPH_RUN_STATUS_AGAIN);
    if (status != BT_GRAPH_RUN_STATUS_OK) {
        return false;
    }
    note_error(decoder, *ret_group);
    return true;
}

/* Traces without a single packet tell nothing, and that must be said. */
static void note_empty(Decoder *decoder)
{
    gint64 until_ns =
        decoder->options->until_ns ? decoder->first_ns + decoder->options->until_ns : 0;
    for (guint i = 0; i < decoder->groups->len; i++) {
        const SsTraceGroup *group = g_ptr_array_index(decoder->groups, i);
        const char *path = g_ptr_array_index(group->directories, 0);
        if (!g_ptr_array_find(decoder->seen, group, NULL)) {
            (void)ss_model_add_trace(decoder->model, path, group->uuid, NULL);
            diagnose(decoder, g_strdup_printf("Cannot use trace: path=\"%s\": it is empty", path));
        }
        for (guint d = 0; d < group->directories->len; d++) {
            ss_run_info_read(decoder->model, g_ptr_array_index(group->directories, d), until_ns,
                             decoder->diagnostics);
        }
    }
}

gboolean ss_decode(SsModel *model, const char *const *paths, const SsDecodeOptions *options,
                   GPtrArray *diagnostics, GError **error)
{
    g_autoptr(GPtrArray) groups = ss_trace_set_find(paths, error);
    if (!groups) {
        return FALSE;
    }
    g_autoptr(SsWire) wire = ss_wire_new(model);
    Decoder decoder = { .model = model,
                        .wire = wire,
                        .options = options,
                        .diagnostics = diagnostics,
                        .groups = groups };
    decoder.layouts = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL,
                                            (GDestroyNotify)ss_event_layout_free);
    decoder.traces = g_hash_table_new_full(g_direct_hash, g_direct_equal, trace_put, NULL);
    decoder.seen = g_ptr_array_new();
    const bt_plugin *ctf = find_plugin("ctf");
    const bt_plugin *utils = find_plugin("utils");
    bt_graph *graph = bt_graph_create(0);
    const SsTraceGroup *group = NULL;
    g_autofree char *why = NULL;
    if (!ctf || !utils || !graph) {
        why = g_strdup("babeltrace2's plugins \"ctf\" and \"utils\" cannot be found");
    } else if (!run(&decoder, graph, ctf, utils, &group)) {
        why = take_bt_error();
        why = why ? why : g_strdup("babeltrace gives no reason");
    } else if (decoder.error) {
        why = g_steal_pointer(&decoder.error);
    }
    if (why) {
        g_autofree char *path =
            ss_text_sanitize(group ? g_ptr_array_index(group->directories, 0) : paths[0], 0);
        g_set_error(error, SS_DECODE_ERROR, 0, "Cannot read trace: path=\"%s\": %s", path, why);
    } else {
        note_empty(&decoder);
        ss_wire_finish(wire);
    }
    g_hash_table_unref(decoder.layouts);
    g_hash_table_unref(decoder.traces);
    g_ptr_array_unref(decoder.seen);
    g_free(decoder.error);
    bt_graph_put_ref(graph);
    bt_plugin_put_ref(ctf);
    bt_plugin_put_ref(utils);
    return why == NULL;
}
