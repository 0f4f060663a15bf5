/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/babeltrace/report.h"

#include <stdio.h>

#include "analysis/babeltrace/parameters.h"
#include "analysis/decode/reader.h"
#include "analysis/model/lives.h"
#include "analysis/model/text.h"
#include "analysis/report/format.h"

#define INPUT "in"

typedef struct Sink {
    bt_self_component *self; /* weak */
    const SsFormat *format;  /* static */
    char *output;            /* owned; NULL: standard output */
    SsCertainty threshold;   /* of findings that end the graph with an error */
    SsSelection selection;
    GPtrArray *lives;              /* owned; NULL: the format does not ask for them */
    SsDecodeOptions options;       /* of the reader */
    SsModel *model;                /* owned */
    SsChecks *checks;              /* owned */
    GPtrArray *diagnostics;        /* owned, of char * */
    SsReader *reader;              /* owned */
    bt_message_iterator *iterator; /* a reference; NULL until the graph is configured */
} Sink;

static const SsParameter parameters[] = {
    { "format", SS_PARAMETER_TEXT },  { "output", SS_PARAMETER_TEXT },
    { "fail-on", SS_PARAMETER_TEXT }, { "checks", SS_PARAMETER_TEXTS },
    { "begin", SS_PARAMETER_TIME },   { "end", SS_PARAMETER_TIME },
    { "device", SS_PARAMETER_TEXTS }, { "vm", SS_PARAMETER_TEXTS },
    { NULL, SS_PARAMETER_TEXT },
};

static void sink_free(Sink *sink)
{
    bt_message_iterator_put_ref(sink->iterator);
    ss_reader_free(sink->reader);
    g_clear_pointer(&sink->diagnostics, g_ptr_array_unref);
    ss_checks_free(sink->checks);
    ss_model_free(sink->model);
    g_clear_pointer(&sink->lives, g_ptr_array_unref);
    ss_selection_clear(&sink->selection);
    g_free(sink->output);
    g_free(sink);
}

static char *choice_fault(const char *name, const char *value, const char *choices)
{
    g_autofree char *harmless = ss_text_sanitize(value, 100);
    return g_strdup_printf("Cannot use parameter: name=\"%s\": it takes %s, not \"%s\"", name,
                           choices, harmless);
}

static char *take_selection(Sink *sink, const bt_value *params)
{
    g_autoptr(GError) error = NULL;
    SsSelection *selection = &sink->selection;
    g_autofree char *begin = ss_parameters_text(params, "begin");
    g_autofree char *end = ss_parameters_text(params, "end");
    selection->devices = ss_parameters_texts(params, "device");
    selection->vms = ss_parameters_texts(params, "vm");
    if (!ss_selection_checks(selection, ss_parameters_texts(params, "checks"), &error) ||
        !ss_moment_parse(&selection->begin, "begin", begin, &error) ||
        !ss_moment_parse(&selection->end, "end", end, &error) ||
        !ss_selection_order(selection, 0, &error)) {
        return g_strdup(error->message);
    }
    sink->options.until = selection->end;
    return NULL;
}

/* What is wrong with the parameters; NULL when nothing is. */
static char *take_parameters(Sink *sink, const bt_value *params)
{
    char *fault = ss_parameters_fault(parameters, params);
    if (fault) {
        return fault;
    }
    g_autofree char *format = ss_parameters_text(params, "format");
    g_autofree char *fail_on = ss_parameters_text(params, "fail-on");
    sink->output = ss_parameters_text(params, "output");
    sink->format = ss_format_find(ss_report_formats, format);
    if (!sink->format) {
        g_autofree char *names = ss_format_names(ss_report_formats);
        return choice_fault("format", format, names);
    }
    sink->threshold = SS_SUSPECTED;
    if (fail_on && !ss_certainty_parse(fail_on, &sink->threshold)) {
        return choice_fault("fail-on", fail_on, SS_CERTAINTY_CHOICES);
    }
    return take_selection(sink, params);
}

bt_component_class_initialize_method_status
ss_report_sink_initialize(bt_self_component_sink *self,
                          bt_self_component_sink_configuration *configuration,
                          const bt_value *params, void *data)
{
    bt_self_component *component = bt_self_component_sink_as_self_component(self);
    Sink *sink = g_new0(Sink, 1);
    sink->self = component;
    g_autofree char *fault = take_parameters(sink, params);
    if (fault) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(component, "%s", fault);
        sink_free(sink);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    bt_self_component_add_port_status added =
        bt_self_component_sink_add_input_port(self, INPUT, NULL, NULL);
    if (added != BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
        sink_free(sink);
        /* The values are the same in both. */
        return (bt_component_class_initialize_method_status)added;
    }
    sink->diagnostics = g_ptr_array_new_with_free_func(g_free);
    sink->model = ss_model_new();
    sink->checks = ss_checks_new(sink->model);
    sink->lives = sink->format->lives ? ss_lives_new(sink->model) : NULL;
    sink->reader = ss_reader_new(sink->model, &sink->options, NULL, sink->diagnostics);
    bt_self_component_set_data(component, sink);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void ss_report_sink_finalize(bt_self_component_sink *self)
{
    Sink *sink = bt_self_component_get_data(bt_self_component_sink_as_self_component(self));
    if (sink) {
        sink_free(sink);
    }
}

bt_component_class_sink_graph_is_configured_method_status
ss_report_sink_configured(bt_self_component_sink *self)
{
    Sink *sink = bt_self_component_get_data(bt_self_component_sink_as_self_component(self));
    return (bt_component_class_sink_graph_is_configured_method_status)
        bt_message_iterator_create_from_sink_component(
            self, bt_self_component_sink_borrow_input_port_by_name(self, INPUT), &sink->iterator);
}

static bt_component_class_sink_consume_method_status fail(const Sink *sink, const char *why)
{
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(sink->self, "%s", why);
    return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
}

/* Says of what the graph's error is that ends it. */
static char *failure_text(const Sink *sink)
{
    g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < sink->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(sink->checks->findings, i);
        if (finding->certainty >= sink->threshold && g_hash_table_add(said, (char *)finding->id)) {
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", finding->id);
        }
    }
    if (!text->len) {
        g_string_free(text, TRUE);
        return NULL;
    }
    g_string_prepend(text, "Found: ");
    g_string_append_printf(text, "; fail-on is %s", ss_certainty_name(sink->threshold));
    return g_string_free(text, FALSE);
}

/* The graph has no message left, or none that is wanted. */
static bt_component_class_sink_consume_method_status finish(Sink *sink)
{
    g_autoptr(GError) error = NULL;
    if (ss_reader_error(sink->reader)) {
        g_autofree char *why =
            g_strdup_printf("Cannot read trace: %s", ss_reader_error(sink->reader));
        return fail(sink, why);
    }
    ss_reader_finish(sink->reader);
    ss_model_finish(sink->model);
    ss_checks_finish(sink->checks);
    if (!ss_selection_apply(&sink->selection, sink->checks, &error)) {
        return fail(sink, error->message);
    }
    for (guint i = 0; i < sink->diagnostics->len; i++) {
        (void)fprintf(stderr, "%s\n", (const char *)g_ptr_array_index(sink->diagnostics, i));
    }
    const SsReport report = {
        .model = sink->model,
        .checks = sink->checks,
        .selection = &sink->selection,
        .lives = sink->lives,
        .version = SS_VERSION,
        .colour = ss_output_colour(sink->output),
    };
    g_autofree char *text = sink->format->render(&report);
    if (!ss_output_write(sink->output, text, &error)) {
        return fail(sink, error->message);
    }
    g_autofree char *found = failure_text(sink);
    return found ? fail(sink, found) : BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END;
}

bt_component_class_sink_consume_method_status ss_report_sink_consume(bt_self_component_sink *self)
{
    Sink *sink = bt_self_component_get_data(bt_self_component_sink_as_self_component(self));
    bt_message_array_const messages;
    uint64_t count = 0;
    bt_message_iterator_next_status status =
        bt_message_iterator_next(sink->iterator, &messages, &count);
    if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_END) {
        return finish(sink);
    }
    if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
        /* AGAIN and the errors have the same values in both. */
        return (bt_component_class_sink_consume_method_status)status;
    }
    bool wanted = true;
    for (uint64_t i = 0; i < count; i++) {
        wanted = wanted && ss_reader_take(sink->reader, messages[i]);
        bt_message_put_ref(messages[i]);
    }
    return wanted ? BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK : finish(sink);
}
