/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JUnit's XML: a check is a test. It fails by what is observed or suspected; one that could not
 * decide is skipped, with the reason. What is a hazard is told in its output.
 */
#include "analysis/report/formats.h"
#include "analysis/report/layout.h"

typedef struct Test {
    const SsCheck *check;
    GString *failures, *hazards, *unknown;
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
    if (finding->has_process) {
        g_autofree char *process =
            ss_process_text(finding->vm, finding->process_name, finding->pid);
        g_string_append_printf(text, " [%s%s%s]", process, finding->has_device ? ", device " : "",
                               finding->has_device
                                   ? (*finding->device_id ? finding->device_id : finding->chardev)
                                   : "");
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
        add_line(finding->certainty >= SS_SUSPECTED ? test->failures
                 : finding->certainty == SS_HAZARD  ? test->hazards
                                                    : test->unknown,
                 finding);
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
    } else if (test->unknown->len) {
        add_element(out, "skipped", "cannot be decided", "");
    }
    if (test->hazards->len) {
        add_element(out, "system-out", NULL, test->hazards->str);
    }
    if (test->unknown->len) {
        add_element(out, "system-err", NULL, test->unknown->str);
    }
    g_string_append(out, "    </testcase>\n");
}

static bool looked_for(const SsChecks *checks, const SsCheck *check)
{
    return !g_ptr_array_find(checks->not_asked, check->id, NULL) &&
           !g_ptr_array_find(checks->left_out, check->id, NULL) &&
           !g_ptr_array_find(checks->not_here, check->id, NULL) &&
           !g_ptr_array_find(checks->alone, check->id, NULL);
}

char *ss_report_junit(const SsReport *report)
{
    const SsModel *model = report->model;
    guint tests = 0, failures = 0, skipped = 0;
    GString *body = g_string_new(NULL);
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        if (!looked_for(report->checks, *check)) {
            continue;
        }
        Test test = { .check = *check,
                      .failures = g_string_new(NULL),
                      .hazards = g_string_new(NULL),
                      .unknown = g_string_new(NULL) };
        take_findings(report, &test);
        add_test(body, &test);
        tests++;
        failures += test.failures->len > 0;
        skipped += !test.failures->len && test.unknown->len;
        g_string_free(test.failures, TRUE);
        g_string_free(test.hazards, TRUE);
        g_string_free(test.unknown, TRUE);
    }
    char seconds[G_ASCII_DTOSTR_BUF_SIZE];
    (void)g_ascii_formatd(seconds, sizeof(seconds), "%.6f",
                          (double)(model->end_ns - model->begin_ns) / SS_NS_PER_S);
    GString *out = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    g_string_append_printf(out,
                           "  <testsuite name=\"shmemscope\" tests=\"%u\" failures=\"%u\" "
                           "errors=\"0\" skipped=\"%u\" time=\"%s\">\n",
                           tests, failures, skipped, seconds);
    g_string_append(out, "    <properties>\n");
    g_string_append_printf(out, "      <property name=\"version\" value=\"%s\"/>\n",
                           report->version);
    for (guint t = 0; t < model->traces->len; t++) {
        g_string_append(out, "      <property name=\"trace\" value=\"");
        append_escaped(out, ss_model_trace(model, t)->path);
        g_string_append(out, "\"/>\n");
    }
    g_string_append(out, "    </properties>\n");
    g_string_append(out, body->str);
    g_string_append(out, "  </testsuite>\n</testsuites>\n");
    g_string_free(body, TRUE);
    return g_string_free(out, FALSE);
}
