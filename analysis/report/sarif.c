/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SARIF 2.1.0. A check is a rule, with its page as help; a finding is a result. What is found is of
 * kind "fail"; a hazard is one for "review", since it did not happen; what cannot be decided is
 * "open". A deadlock has one thread flow for each of its parties.
 */
#include <string.h>

#include "analysis/report/fingerprint.h"
#include "analysis/report/formats.h"
#include "analysis/report/json.h"
#include "analysis/report/names.h"
#include "analysis/report/pages.h"

#define SCHEMA \
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#define FINGERPRINT "shmemscope/v1"

static void add_text(JsonBuilder *json, const char *name, const char *text)
{
    ss_json_begin_object(json, name);
    ss_json_string(json, "text", text);
    json_builder_end_object(json);
}

static const char *page_of(const char *id)
{
    for (const SsPage *page = ss_pages; page->id; page++) {
        if (g_str_equal(page->id, id)) {
            return page->text;
        }
    }
    return NULL;
}

static void add_rule(JsonBuilder *json, const SsCheck *check)
{
    const char *page = page_of(check->id);
    g_autofree char *installed = g_strdup_printf("%s/%s.md", SS_PAGES, check->id);
    g_autofree char *uri = g_filename_to_uri(installed, NULL, NULL);
    GString *help = g_string_new(check->rule);
    if (check->remedy_now) {
        g_string_append_printf(help, "\nNow: %s", check->remedy_now);
    }
    if (check->remedy_for_good) {
        g_string_append_printf(help, "\nFor good: %s", check->remedy_for_good);
    }
    json_builder_begin_object(json);
    ss_json_string(json, "id", check->id);
    add_text(json, "shortDescription", check->title);
    add_text(json, "fullDescription", check->rule);
    ss_json_string(json, "helpUri", uri);
    ss_json_begin_object(json, "help");
    ss_json_string(json, "text", help->str);
    if (page) {
        ss_json_string(json, "markdown", page);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
    g_string_free(help, TRUE);
}

static void add_tool(JsonBuilder *json, const SsReport *report)
{
    ss_json_begin_object(json, "tool");
    ss_json_begin_object(json, "driver");
    ss_json_string(json, "name", "shmemscope");
    ss_json_string(json, "version", report->version);
    ss_json_begin_array(json, "rules");
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        add_rule(json, *check);
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
    json_builder_end_object(json);
}

static guint rule_index(const char *id)
{
    guint index = 0;
    while (ss_all_checks[index] && !g_str_equal(ss_all_checks[index]->id, id)) {
        index++;
    }
    return index;
}

static void add_logical(JsonBuilder *json, const SsFinding *finding)
{
    g_autofree char *device =
        finding->has_device
            ? ss_device_name(finding->device_id, finding->chardev, finding->dev, finding->vdev)
            : g_strdup("");
    const char *vm = *finding->vm ? finding->vm : finding->process_name;
    g_autofree char *full = g_strdup_printf("%s/%s", vm, device);
    ss_json_begin_array(json, "logicalLocations");
    json_builder_begin_object(json);
    ss_json_string(json, "name", *device ? device : vm);
    ss_json_string(json, "fullyQualifiedName", *device ? full : vm);
    ss_json_string(json, "kind", *device ? "resource" : "process");
    json_builder_end_object(json);
    json_builder_end_array(json);
}

/* Where the trace is; a result without a process is of all traces. */
static void add_locations(JsonBuilder *json, const SsReport *report, const SsFinding *finding)
{
    const SsProcess *process = ss_finding_process(report->model, finding);
    g_autoptr(GPtrArray) traces = ss_model_traces(report->model);
    const SsTraceInfo *trace = process       ? ss_model_trace(report->model, process->trace)
                               : traces->len ? g_ptr_array_index(traces, 0)
                                             : NULL;
    g_autofree char *uri = trace && g_path_is_absolute(trace->path)
                               ? g_filename_to_uri(trace->path, NULL, NULL)
                               : NULL;
    ss_json_begin_array(json, "locations");
    if (uri || finding->has_process) {
        json_builder_begin_object(json);
        if (uri) {
            ss_json_begin_object(json, "physicalLocation");
            ss_json_begin_object(json, "artifactLocation");
            ss_json_string(json, "uri", uri);
            json_builder_end_object(json);
            json_builder_end_object(json);
        }
        if (finding->has_process) {
            add_logical(json, finding);
        }
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_flow_location(JsonBuilder *json, const char *text, guint nesting, guint order)
{
    json_builder_begin_object(json);
    ss_json_begin_object(json, "location");
    add_text(json, "message", text);
    json_builder_end_object(json);
    ss_json_int(json, "nestingLevel", nesting);
    ss_json_int(json, "executionOrder", order);
    json_builder_end_object(json);
}

static bool is_backend(const SsStatement *statement)
{
    return g_str_has_prefix(statement->who, "back-end");
}

/* The only party of its side did what the witness has of that side. */
static bool alone(const SsFinding *finding, const SsStatement *statement)
{
    guint others = 0;
    for (guint i = 0; i < finding->statements->len; i++) {
        const SsStatement *other = g_ptr_array_index(finding->statements, i);
        others += other != statement && is_backend(other) == is_backend(statement);
    }
    return !others;
}

static void add_party(JsonBuilder *json, const SsReport *report, const SsFinding *finding,
                      const SsStatement *statement)
{
    guint order = 0, depth = 0;
    json_builder_begin_object(json);
    ss_json_string(json, "id", statement->who);
    add_text(json, "message", statement->who);
    ss_json_begin_array(json, "locations");
    for (guint i = 0; i < finding->witness->len && alone(finding, statement); i++) {
        const SsWitness *witness = g_ptr_array_index(finding->witness, i);
        order++;
        if (witness->backend == is_backend(statement)) {
            g_autofree char *text = g_strdup_printf(
                "+%.6f s %s", (double)(witness->ns - report->model->begin_ns) / SS_NS_PER_S,
                witness->text);
            depth = witness->indent;
            add_flow_location(json, text, depth, order);
        }
    }
    add_flow_location(json, statement->text, depth, finding->witness->len + 1);
    json_builder_end_array(json);
    json_builder_end_object(json);
}

static void add_flows(JsonBuilder *json, const SsReport *report, const SsFinding *finding)
{
    if (!finding->statements->len) {
        return;
    }
    ss_json_begin_array(json, "codeFlows");
    json_builder_begin_object(json);
    ss_json_begin_array(json, "threadFlows");
    for (guint i = 0; i < finding->statements->len; i++) {
        add_party(json, report, finding, g_ptr_array_index(finding->statements, i));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
    json_builder_end_array(json);
}

static void add_result(JsonBuilder *json, const SsReport *report, const SsFinding *finding,
                       GHashTable *fingerprints)
{
    static const char *const kinds[] = { [SS_UNKNOWN] = "open",
                                         [SS_HAZARD] = "review",
                                         [SS_SUSPECTED] = "fail",
                                         [SS_OBSERVED] = "fail" };
    static const char *const levels[] = { [SS_UNKNOWN] = "none",
                                          [SS_HAZARD] = "none",
                                          [SS_SUSPECTED] = "warning",
                                          [SS_OBSERVED] = "error" };
    g_autofree char *sum = ss_fingerprint_number(fingerprints, ss_fingerprint(finding));
    g_autofree char *labels = ss_finding_labels_text(finding);
    g_autofree char *summary =
        labels ? g_strdup_printf("%s; %s", finding->summary, labels) : g_strdup(finding->summary);
    g_autofree char *message = finding->condition
                                   ? g_strdup_printf("%s (%s)", summary, finding->condition)
                                   : g_strdup(summary);
    json_builder_begin_object(json);
    ss_json_string(json, "ruleId", finding->id);
    ss_json_int(json, "ruleIndex", rule_index(finding->id));
    ss_json_string(json, "kind", kinds[finding->certainty]);
    ss_json_string(json, "level", levels[finding->certainty]);
    add_text(json, "message", message);
    add_locations(json, report, finding);
    add_flows(json, report, finding);
    ss_json_int(json, "occurrenceCount", MAX(finding->count, 1));
    ss_json_begin_object(json, "partialFingerprints");
    ss_json_string(json, FINGERPRINT, sum);
    json_builder_end_object(json);
    ss_json_begin_object(json, "properties");
    ss_json_string(json, "certainty", ss_certainty_name(finding->certainty));
    ss_json_time(json, report, "first_t_ns", finding->first_ns);
    ss_json_time(json, report, "last_t_ns", finding->last_ns);
    if (finding->has_process) {
        ss_json_signed(json, "pid", finding->pid);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
}

char *ss_report_sarif(const SsReport *report)
{
    g_autoptr(GHashTable) fingerprints =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    JsonBuilder *json = json_builder_new();
    json_builder_begin_object(json);
    ss_json_string(json, "$schema", SCHEMA);
    ss_json_string(json, "version", "2.1.0");
    ss_json_begin_array(json, "runs");
    json_builder_begin_object(json);
    add_tool(json, report);
    ss_json_begin_array(json, "results");
    for (guint i = 0; i < report->checks->findings->len; i++) {
        add_result(json, report, g_ptr_array_index(report->checks->findings, i), fingerprints);
    }
    json_builder_end_array(json);
    ss_json_string(json, "columnKind", "utf16CodeUnits");
    ss_json_begin_object(json, "properties");
    ss_json_int(json, "checks", ss_checks_count(report->checks));
    ss_json_int(json, "checks_decided", ss_checks_decided(report->checks));
    json_builder_end_object(json);
    json_builder_end_object(json);
    json_builder_end_array(json);
    return ss_json_end(json, true);
}
