/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fuzzer: directories of CTF traces through the decoder, and on to the reports.
 *
 * With SS_BABELTRACE_ALONE it is babeltrace2's reader over the same directories, without any
 * code of ours behind it: what ends that, too, is babeltrace2's.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <babeltrace2/babeltrace.h>
#include <glib/gstdio.h>

#include "analysis/decode/decode.h"
#include "analysis/decode/trace-set.h"
#include "analysis/report/report.h"
#include "tests/fuzz/archive.h"
#include "tests/fuzz/fuzz.h"

static char *directory; /* of this process, which run-fuzz removes should it die */
static const bt_plugin *kept[2];

static void clean_up(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        bt_plugin_put_ref(kept[i]);
    }
    ss_archive_unpack((const guint8 *)"", 0, directory);
    static const char *const below[] = { "a/index", "a", "b", "" };
    for (guint i = 0; i < G_N_ELEMENTS(below); i++) {
        g_autofree char *path = g_build_filename(directory, below[i], NULL);
        (void)g_rmdir(path);
    }
}

static const bt_plugin *plugin(const char *name)
{
    const bt_plugin *found = NULL;
    if (bt_plugin_find(name, BT_TRUE, BT_TRUE, BT_TRUE, BT_TRUE, BT_FALSE, &found) !=
        BT_PLUGIN_FIND_STATUS_OK) {
        (void)fprintf(stderr, "Cannot find babeltrace2's plugin: name=\"%s\"\n", name);
        abort();
    }
    return found;
}

/* Once: a library that is loaded again and again would be most of what is done. */
static void prepare(void)
{
    if (!directory) {
        (void)g_setenv("LIBBABELTRACE2_DISABLE_PYTHON_PLUGINS", "1", TRUE);
        kept[0] = plugin("ctf");
        kept[1] = plugin("utils");
        directory = g_build_filename(g_get_tmp_dir(), "shmemscope-fuzz-XXXXXX", NULL);
        if (!g_mkdtemp(directory)) {
            (void)fprintf(stderr, "Cannot make a directory: path=\"%s\"\n", directory);
            abort();
        }
        (void)atexit(clean_up);
    }
}

#ifdef SS_BABELTRACE_ALONE
static bool add_source(bt_graph *graph, const bt_plugin *ctf, const SsTraceGroup *group,
                       const bt_component_filter *muxer, guint number)
{
    const bt_component_source *source = NULL;
    g_autofree char *name = g_strdup_printf("trace%u", number);
    bt_value *params = bt_value_map_create();
    bt_value *inputs = NULL;
    (void)bt_value_map_insert_empty_array_entry(params, "inputs", &inputs);
    for (guint i = 0; i < group->directories->len; i++) {
        (void)bt_value_array_append_string_element(inputs,
                                                   g_ptr_array_index(group->directories, i));
    }
    bool added = bt_graph_add_source_component(
                     graph, bt_plugin_borrow_source_component_class_by_name_const(ctf, "fs"), name,
                     params, BT_LOGGING_LEVEL_NONE, &source) == BT_GRAPH_ADD_COMPONENT_STATUS_OK;
    bt_value_put_ref(params);
    guint64 ports = added ? bt_component_source_get_output_port_count(source) : 0;
    for (guint64 i = 0; i < ports && added; i++) {
        guint64 free_one = bt_component_filter_get_input_port_count(muxer) - 1;
        added = bt_graph_connect_ports(
                    graph, bt_component_source_borrow_output_port_by_index_const(source, i),
                    bt_component_filter_borrow_input_port_by_index_const(muxer, free_one),
                    NULL) == BT_GRAPH_CONNECT_PORTS_STATUS_OK;
    }
    return added;
}

static void read_traces(const char *const *paths)
{
    g_autoptr(GPtrArray) groups = ss_trace_set_find(paths, NULL);
    const bt_plugin *ctf = plugin("ctf"), *utils = plugin("utils");
    const bt_component_filter *muxer = NULL;
    const bt_component_sink *sink = NULL;
    bt_graph *graph = bt_graph_create(0);
    (void)bt_graph_add_filter_component(
        graph, bt_plugin_borrow_filter_component_class_by_name_const(utils, "muxer"), "muxer", NULL,
        BT_LOGGING_LEVEL_NONE, &muxer);
    (void)bt_graph_add_sink_component(
        graph, bt_plugin_borrow_sink_component_class_by_name_const(utils, "dummy"), "dummy", NULL,
        BT_LOGGING_LEVEL_NONE, &sink);
    bool complete = groups != NULL;
    for (guint i = 0; complete && i < groups->len; i++) {
        complete = add_source(graph, ctf, g_ptr_array_index(groups, i), muxer, i);
    }
    if (complete && bt_graph_connect_ports(
                        graph, bt_component_filter_borrow_output_port_by_index_const(muxer, 0),
                        bt_component_sink_borrow_input_port_by_index_const(sink, 0),
                        NULL) == BT_GRAPH_CONNECT_PORTS_STATUS_OK) {
        (void)bt_graph_run(graph);
    }
    const bt_error *error = bt_current_thread_take_error();
    if (error) {
        bt_error_release(error);
    }
    bt_graph_put_ref(graph);
    bt_plugin_put_ref(ctf);
    bt_plugin_put_ref(utils);
}
#else
static void read_traces(const char *const *paths)
{
    SsDecodeOptions options = { .progress = NULL };
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) diagnostics = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    if (!ss_decode(model, paths, &options, diagnostics, &error)) {
        if (!error || !g_utf8_validate(error->message, -1, NULL)) {
            abort(); /* without a reason, or with one that is no text */
        }
        return;
    }
    ss_model_finish(model);
    ss_checks_finish(checks);
    SsReport report = { .model = model, .checks = checks, .version = "test" };
    g_autofree char *text = ss_report_text(&report);
    g_autofree char *json = ss_report_json(&report);
    if (!g_utf8_validate(text, -1, NULL) || !g_utf8_validate(json, -1, NULL)) {
        abort();
    }
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    ss_archive_unpack(data, size, directory);
    g_autofree char *a = g_build_filename(directory, "a", NULL);
    g_autofree char *b = g_build_filename(directory, "b", NULL);
    const char *paths[] = { a, g_file_test(b, G_FILE_TEST_IS_DIR) ? b : NULL, NULL };
    read_traces(paths);
    return 0;
}

/* Changes one of the files, or leaves it out. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    gsize length = 0;
    guint file = seed % SS_ARCHIVE_FILES;
    if (size <= SS_ARCHIVE_HEAD || max_size <= SS_ARCHIVE_HEAD) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (guint i = 0; i < SS_ARCHIVE_FILES && !length; i++) {
        file = (seed + i) % SS_ARCHIVE_FILES;
        (void)ss_archive_find(data, size, file, &length);
    }
    gsize at = ss_archive_find(data, size, file, &length);
    gsize behind = size - at - length;
    gsize most = MIN(max_size - (size - length), 0xffff);
    g_autofree guint8 *changed = g_malloc(MAX(most, length) + 1);
    memcpy(changed, data + at, length);
    gsize now = seed % 251 ? LLVMFuzzerMutate(changed, length, MAX(most, 1)) : 0;
    now = MIN(now, most);
    memmove(data + at + now, data + at + length, behind);
    memcpy(data + at, changed, now);
    data[2 * file] = now & 0xff;
    data[2 * file + 1] = (guint8)(now >> 8);
    return size - length + now;
}

/* A file of one in place of the other's. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned int seed)
{
    gsize at = SS_ARCHIVE_HEAD;
    if (max_size < SS_ARCHIVE_HEAD) {
        return 0;
    }
    memset(out, 0, SS_ARCHIVE_HEAD);
    for (guint i = 0; i < SS_ARCHIVE_FILES; i++) {
        bool of_b = seed >> i & 1;
        gsize length;
        gsize from = ss_archive_find(of_b ? b : a, of_b ? b_size : a_size, i, &length);
        length = MIN(length, max_size - at);
        memcpy(out + at, (of_b ? b : a) + from, length);
        out[2 * i] = length & 0xff;
        out[2 * i + 1] = (guint8)(length >> 8);
        at += length;
    }
    return at;
}
