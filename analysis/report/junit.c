/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JUnit's XML: a check is a test. It fails by what is observed or suspected; one that could not
 * decide, or was not looked for, is skipped, with the reason: nothing passes that could not have
 * failed. What is a hazard is told in its output, as is what it could not decide of in part.
 */
#include "analysis/model/text.h"
#include "analysis/report/formats.h"
#include "analysis/report/layout.h"
#include "analysis/report/names.h"

typedef struct Test {
    const SsCheck *check;
    GString *failures, *hazards, *unknown;
    bool findings_unknown;
    GString *skipped; /* why it did not decide; "": it did */
} Test;

/* What a text of the report has is harmless; here it is text of XML as well. */
static void append_escaped(GString *out, const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    g_string_append(out, escaped);
}

static void add_line(GString *text, const SsFinding *finding)
{
    g_string_append_printf(text, "%s: %s", ss_certainty_name(finding->certainty), finding->summary);
    g_autofree char *labels = ss_finding_labels_text(finding);
    if (labels) {
        g_string_append_printf(text, "; %s", labels);
    }
    if (finding->has_process) {
        g_autofree char *process =
            ss_process_text(finding->vm, finding->process_name, finding->pid);
        g_string_append_printf(text, " [%s", process);
        if (finding->has_device) {
            g_autofree char *device =
                ss_device_name(finding->device_id, finding->chardev, finding->dev, finding->vdev);
            g_string_append_printf(text, ", device %s", device);
        }
        g_string_append_c(text, ']');
    }
    if (finding->count > 1) {
        g_string_append_printf(text, ", %" G_GUINT64_FORMAT " times", finding->count);
    }
    if (finding->condition) {
        g_string_append_printf(text, "; %s", finding->condition);
    }
    g_string_append_c(text, '\n');
    for (guint i = 0; i < finding->statements->len; i++) {
        const SsStatement *statement = g_ptr_array_index(finding->statements, i);
        g_string_append_printf(text, "  %s: %s\n", statement->who, statement->text);
    }
}

static void take_findings(const SsReport *report, Test *test)
{
    for (guint i = 0; i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        if (finding->id != test->check->id) {
            continue;
        }
        test->findings_unknown |= finding->certainty == SS_UNKNOWN;
        add_line(finding->certainty >= SS_SUSPECTED ? test->failures
                 : finding->certainty == SS_HAZARD  ? test->hazards
                                                    : test->unknown,
                 finding);
    }
}

static bool is_in(const GPtrArray *ids, const Test *test)
{
    return g_ptr_array_find((GPtrArray *)ids, test->check->id, NULL);
}

static void add_reason(Test *test, const char *why)
{
    g_string_append_printf(test->skipped, "%s%s", test->skipped->len ? "; " : "", why);
}

/* What a look shows is that a VM is well only where it shows the VM. */
static void take_unseen(const SsModel *model, Test *test)
{
    for (guint p = 0; test->check->look && p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if (!process->unseen || !ss_process_looked(process) || ss_process_is_backend(process)) {
            continue;
        }
        g_autofree char *name = ss_process_text(process->vm, process->name, process->pid);
        g_autofree char *unseen = ss_text_sanitize(process->unseen, 0);
        g_autofree char *why = g_strdup_printf("of %s is not visible: %s", name, unseen);
        add_reason(test, why);
    }
}

static void take_reasons(const SsReport *report, Test *test)
{
    const SsChecks *checks = report->checks;
    if (is_in(checks->left_out, test)) {
        add_reason(test, "not looked for: it needs events that are recorded with --set catalogue");
    }
    if (is_in(checks->not_here, test)) {
        add_reason(test, "not looked for: it looks into a front-end, and none told");
    }
    if (is_in(checks->alone, test)) {
        add_reason(test,
                   "not looked for: it compares tracepoints and wire, and no process has both");
    }
    for (guint i = 0; i < checks->undecided->len; i++) {
        const SsUndecided *undecided = g_ptr_array_index(checks->undecided, i);
        if (undecided->check != test->check->id) {
            continue;
        }
        if (undecided->partial) {
            g_string_append_printf(test->unknown, "in part: %s\n", undecided->why);
        } else {
            add_reason(test, undecided->why);
        }
    }
    take_unseen(report->model, test);
    if (!test->skipped->len && test->findings_unknown) {
        add_reason(test, "cannot be decided");
    }
}

static void add_element(GString *out, const char *element, const char *message, const char *text)
{
    g_string_append_printf(out, "      <%s", element);
    if (message) {
        g_string_append(out, " message=\"");
        append_escaped(out, message);
        g_string_append_c(out, '"');
    }
    g_string_append_c(out, '>');
    append_escaped(out, text);
    g_string_append_printf(out, "</%s>\n", element);
}

/* The seconds of the recording are those of the suite; no test has a time of its own. */
static void add_test(GString *out, const Test *test)
{
    g_string_append_printf(out, "    <testcase name=\"%s\" classname=\"shmemscope\" time=\"0\">\n",
                           test->check->id);
    if (test->failures->len) {
        add_element(out, "failure", test->check->title, test->failures->str);
    } else if (test->skipped->len) {
        add_element(out, "skipped", test->skipped->str, "");
    }
    if (test->hazards->len) {
        add_element(out, "system-out", NULL, test->hazards->str);
    }
    if (test->unknown->len) {
        add_element(out, "system-err", NULL, test->unknown->str);
    }
    g_string_append(out, "    </testcase>\n");
}

char *ss_report_junit(const SsReport *report)
{
    const SsModel *model = report->model;
    guint tests = 0, failures = 0, skipped = 0;
    GString *body = g_string_new(NULL);
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        /* Those that somebody chose are all that there is. */
        if (g_ptr_array_find(report->checks->not_asked, (*check)->id, NULL)) {
            continue;
        }
        Test test = { .check = *check,
                      .failures = g_string_new(NULL),
                      .hazards = g_string_new(NULL),
                      .unknown = g_string_new(NULL),
                      .skipped = g_string_new(NULL) };
        take_findings(report, &test);
        take_reasons(report, &test);
        add_test(body, &test);
        tests++;
        failures += test.failures->len > 0;
        skipped += !test.failures->len && test.skipped->len;
        g_string_free(test.failures, TRUE);
        g_string_free(test.hazards, TRUE);
        g_string_free(test.unknown, TRUE);
        g_string_free(test.skipped, TRUE);
    }
    char seconds[G_ASCII_DTOSTR_BUF_SIZE];
    (void)g_ascii_formatd(seconds, sizeof(seconds), "%.6f",
                          (double)ss_model_length(model) / SS_NS_PER_S);
    GString *out = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    g_string_append_printf(out,
                           "  <testsuite name=\"shmemscope\" tests=\"%u\" failures=\"%u\" "
                           "errors=\"0\" skipped=\"%u\" time=\"%s\">\n",
                           tests, failures, skipped, seconds);
    g_string_append(out, "    <properties>\n");
    g_string_append_printf(out, "      <property name=\"version\" value=\"%s\"/>\n",
                           report->version);
    g_autoptr(GPtrArray) traces = ss_model_traces(model);
    for (guint t = 0; t < traces->len; t++) {
        const SsTraceInfo *trace = g_ptr_array_index(traces, t);
        g_string_append(out, "      <property name=\"trace\" value=\"");
        append_escaped(out, trace->path);
        g_string_append(out, "\"/>\n");
    }
    g_string_append(out, "    </properties>\n");
    g_string_append(out, body->str);
    g_string_append(out, "  </testsuite>\n</testsuites>\n");
    g_string_free(body, TRUE);
    return g_string_free(out, FALSE);
}
