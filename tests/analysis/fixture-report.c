/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fixture-report FORMAT FIXTURE [WITHOUT]: what the tool would say about the fixture.
 * FORMAT: report-text, report-json, mappings-text, ..., or "ids": one line
 * "ID CERTAINTY COUNT" for each finding. WITHOUT: a class or event that is left out.
 */
#include <stdio.h>
#include <string.h>

#include "analysis/report/formats.h"
#include "analysis/report/report.h"
#include "analysis/reproduce/reproduce.h"
#include "tests/analysis/fixture.h"

typedef struct Format {
    const char *name;
    char *(*render)(const SsReport *report);
} Format;

static char *ids(const SsReport *report)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        g_string_append_printf(text, "%s %s %" G_GUINT64_FORMAT "\n", finding->id,
                               ss_certainty_name(finding->certainty), finding->count);
    }
    return g_string_free(text, FALSE);
}

/* What `waits --reproduce` makes of each finding that has an order of messages: a line
 * "@ ID:N", and the program; or "@ ID:N cannot REASON". */
static char *programs(const SsReport *report)
{
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        guint number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, finding->id)) + 1;
        g_hash_table_insert(numbers, (gpointer)finding->id, GUINT_TO_POINTER(number));
        g_autofree char *name = g_strdup_printf("%s:%u", finding->id, number);
        g_autoptr(GError) error = NULL;
        const SsFinding *found = ss_reproduce_find(report->checks, name, &error);
        g_autofree char *program = found ? ss_reproduce_program(found, &error) : NULL;
        if (program) {
            g_string_append_printf(text, "@ %s\n%s", name, program);
        } else if (finding->order) {
            g_string_append_printf(text, "@ %s cannot %s\n", name, error->message);
        }
    }
    return g_string_free(text, FALSE);
}

static const Format formats[] = {
    { "programs", programs },
    { "ids", ids },
    { "report-text", ss_report_text },
    { "report-json", ss_report_json },
    { "report-junit", ss_report_junit },
    { "mappings-text", ss_mappings_text },
    { "mappings-json", ss_mappings_json },
    { "fds-text", ss_fds_text },
    { "fds-json", ss_fds_json },
    { "waits-text", ss_waits_text },
    { "waits-json", ss_waits_json },
};

static bool leave_out(SsFixture *fixture, const char *name)
{
    bool any = false;
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        const SsEventInfo *info = &ss_catalogue_events[id];
        if (g_str_equal(info->name, name) ||
            g_str_equal(ss_catalogue_classes[info->event_class], name)) {
            fixture->recorded[id] = false;
            any = true;
        }
    }
    return any;
}

int main(int argc, char **argv)
{
    const Format *format = NULL;
    for (guint i = 0; argc > 2 && i < G_N_ELEMENTS(formats); i++) {
        if (g_str_equal(argv[1], formats[i].name)) {
            format = &formats[i];
        }
    }
    if (!format) {
        (void)fprintf(stderr, "Usage: fixture-report FORMAT FIXTURE [WITHOUT]\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(SsFixture) fixture = ss_fixture_load(argv[2], &error);
    if (!fixture) {
        (void)fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    if (argc > 3 && !leave_out(fixture, argv[3])) {
        (void)fprintf(stderr, "No such class or event: %s\n", argv[3]);
        return 2;
    }
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    ss_fixture_feed(fixture, model);
    ss_checks_finish(checks);
    SsReport report = { .model = model, .checks = checks, .version = "test" };
    g_autofree char *text = format->render(&report);
    (void)fputs(text, stdout);
    return 0;
}
