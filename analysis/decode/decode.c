/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The graph: a source.ctf.fs for each trace, a flt.utils.muxer, and a sink of our own.
 */
#include "analysis/decode/decode.h"

#include <babeltrace2/babeltrace.h>

#include "analysis/decode/reader.h"
#include "analysis/decode/trace-set.h"
#include "analysis/model/text.h"

/* What the graph's parts share. */
typedef struct Decoder {
    SsReader *reader;       /* weak */
    GPtrArray *groups;      /* weak; of SsTraceGroup */
    GPtrArray *diagnostics; /* weak */
} Decoder;

G_DEFINE_QUARK(ss - decode - error, ss_decode_error)

static bt_graph_simple_sink_component_consume_func_status consume(bt_message_iterator *iterator,
                                                                  void *user_data)
{
    SsReader *reader = user_data;
    bt_message_array_const messages;
    uint64_t count = 0;
    bt_message_iterator_next_status status = bt_message_iterator_next(iterator, &messages, &count);
    if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
        /* END, AGAIN and the errors have the same values in both. */
        return (bt_graph_simple_sink_component_consume_func_status)status;
    }
    bool wanted = true;
    for (uint64_t i = 0; i < count; i++) {
        wanted = wanted && ss_reader_take(reader, messages[i]);
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
        g_autofree char *text =
            g_strdup_printf("Cannot read all of trace: path=\"%s\": %s", path, why);
        g_ptr_array_add(decoder->diagnostics, ss_text_sanitize(text, 0));
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
        bt_graph_add_simple_sink_component(graph, "shmemscope", NULL, consume, NULL,
                                           decoder->reader,
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

gboolean ss_decode(SsModel *model, const char *const *paths, const SsDecodeOptions *options,
                   GPtrArray *diagnostics, GError **error)
{
    g_autoptr(GPtrArray) groups = ss_trace_set_find(paths, error);
    if (!groups) {
        return FALSE;
    }
    g_autoptr(SsReader) reader = ss_reader_new(model, options, groups, diagnostics);
    Decoder decoder = { .reader = reader, .groups = groups, .diagnostics = diagnostics };
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
    } else {
        why = g_strdup(ss_reader_error(reader));
    }
    if (why) {
        g_autofree char *path =
            ss_text_sanitize(group ? g_ptr_array_index(group->directories, 0) : paths[0], 0);
        g_set_error(error, SS_DECODE_ERROR, 0, "Cannot read trace: path=\"%s\": %s", path, why);
    } else {
        ss_reader_finish(reader);
    }
    bt_graph_put_ref(graph);
    bt_plugin_put_ref(ctf);
    bt_plugin_put_ref(utils);
    return why == NULL;
}
