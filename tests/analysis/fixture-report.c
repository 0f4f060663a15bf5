/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fixture-report FORMAT FIXTURE [WITHOUT]: what the tool would say about the fixture.
 * FORMAT: report-text, report-json, report-html, mappings-text, ..., or "ids": one line
 * "ID CERTAINTY COUNT" for each finding; or several with commas between, of one reading, each of
 * which ends with a zero byte. WITHOUT: a class or event that is left out.
 * Or "why-text" and "why-json" with a WHAT behind the FIXTURE: 0x1000+0x1000, 0x1000, fd:31 or
 * inode:7000, and @SECONDS behind that.
 */
#include <stdio.h>
#include <string.h>

#include "analysis/model/lives.h"
#include "analysis/report/formats.h"
#include "analysis/report/why.h"
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
    { "report-html", ss_report_html },
    { "report-sarif", ss_report_sarif },
    { "report-chrome", ss_report_chrome },
    { "report-junit", ss_report_junit },
    { "mappings-text", ss_mappings_text },
    { "mappings-json", ss_mappings_json },
    { "fds-text", ss_fds_text },
    { "fds-json", ss_fds_json },
    { "waits-text", ss_waits_text },
    { "waits-json", ss_waits_json },
    { "why-text", ss_why_text },
    { "why-json", ss_why_json },
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

/* Of well-formed words only: they are the tests' own. */
static SsWanted wanted_of(const char *word)
{
    SsWanted wanted = { .fd = -1 };
    const char *at = strchr(word, '@');
    char *end = NULL;
    if (g_str_has_prefix(word, "fd:")) {
        wanted.kind = SS_WANTED_FD;
        wanted.fd = (gint32)g_ascii_strtoll(word + 3, NULL, 0);
    } else if (g_str_has_prefix(word, "inode:")) {
        wanted.kind = SS_WANTED_INODE;
        wanted.ino = g_ascii_strtoull(word + 6, NULL, 0);
    } else {
        wanted.offset = g_ascii_strtoull(word, &end, 0);
        wanted.kind = *end == '+' ? SS_WANTED_RANGE : SS_WANTED_OFFSET;
        wanted.len = *end == '+' ? g_ascii_strtoull(end + 1, NULL, 0) : 0;
    }
    wanted.at_given = at != NULL;
    wanted.at_ns = at ? (gint64)(g_ascii_strtod(at + 1, NULL) * SS_NS_PER_S + 0.5) : 0;
    return wanted;
}

static const Format *find(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_str_equal(name, formats[i].name)) {
            return &formats[i];
        }
    }
    return NULL;
}

static void render(const SsReport *report, char **names)
{
    for (guint i = 0; names[i]; i++) {
        g_autofree char *text = find(names[i])->render(report);
        (void)fputs(text, stdout);
        if (names[1]) {
            (void)putchar('\0');
        }
    }
}

int main(int argc, char **argv)
{
    g_auto(GStrv) names = g_strsplit(argc > 2 ? argv[1] : "", ",", -1);
    bool known = names[0] != NULL;
    for (guint i = 0; names[i]; i++) {
        known = known && find(names[i]);
    }
    if (!known) {
        (void)fprintf(stderr, "Usage: fixture-report FORMAT FIXTURE [WITHOUT]\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(SsFixture) fixture = ss_fixture_load(argv[2], &error);
    if (!fixture) {
        (void)fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    bool why = g_str_has_prefix(argv[1], "why-");
    if (why && argc < 4) {
        (void)fprintf(stderr, "Of what?\n");
        return 2;
    }
    if (!why && argc > 3 && !leave_out(fixture, argv[3])) {
        (void)fprintf(stderr, "No such class or event: %s\n", argv[3]);
        return 2;
    }
    g_autoptr(GPtrArray) lives = NULL;
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    lives = ss_lives_new(model);
    SsWanted wanted = why ? wanted_of(argv[3]) : (SsWanted){ 0 };
    SsChains *chains = why ? ss_chains_new(model, &wanted) : NULL;
    ss_fixture_feed(fixture, model);
    ss_checks_finish(checks);
    SsReport report = {
        .model = model, .checks = checks, .lives = lives, .chains = chains, .version = "test"
    };
    render(&report, names);
    ss_chains_free(chains);
    return 0;
}
