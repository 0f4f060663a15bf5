/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * judge-traces: reads CTF traces, one directory a line of standard input, and says of each on one
 * line of standard output what the tool would: "PATH<TAB>{json}". Many in one process, since
 * most of the time of a small one is the start of the program.
 */
#include <stdio.h>

#include "analysis/decode/decode.h"
#include "tests/analysis/cut.h"

static void print_set(const char *name, guint64 set)
{
    (void)printf(", \"%s\": [", name);
    const char *comma = "";
    for (guint i = 0; ss_all_checks[i]; i++) {
        if (set & (G_GUINT64_CONSTANT(1) << i)) {
            (void)printf("%s\"%s\"", comma, ss_check_name(i));
            comma = ", ";
        }
    }
    (void)printf("]");
}

static void judge(const char *path)
{
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    g_autoptr(GPtrArray) diagnostics = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    const char *const paths[] = { path, NULL };
    const SsDecodeOptions options = { 0 };
    gboolean read = ss_decode(model, paths, &options, diagnostics, &error);
    if (!read) {
        (void)fprintf(stderr, "%s\n", error->message);
    }
    ss_model_finish(model);
    ss_checks_finish(checks);
    SsVerdict verdict = ss_verdict_of(model, checks, true);
    (void)printf("%s\t{\"read\": %s, \"events\": %" G_GUINT64_FORMAT ", \"clear\": %s", path,
                 read ? "true" : "false", model->events, verdict.clear ? "true" : "false");
    print_set("alarms", verdict.alarms);
    print_set("found", verdict.found);
    print_set("undecided", verdict.undecided);
    print_set("doubted", verdict.doubted);
    (void)printf("}\n");
    (void)fflush(stdout);
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        g_strchomp(line);
        judge(line);
    }
    return 0;
}
