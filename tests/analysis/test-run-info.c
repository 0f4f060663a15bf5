/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope-run.json: what is taken of one, and that one that is not whole is refused as a whole.
 */
#include <string.h>

#include <glib/gstdio.h>

#include "analysis/decode/run-info.h"

#define DEEP "[[[[[[[[[[[[[[[["
#define ENDED "{\"processes\":[{\"pid\":42,\"ended\":true,\"signal\":9}]}"
#define ALIVE "{\"processes\":[{\"pid\":42,\"ended\":false}]}"

/* The diagnostic, owned, or NULL; and how the process 42 ended. */
static char *read_text(const char *text, gssize length, SsProcessEnd *ret_end)
{
    g_autofree char *directory = g_dir_make_tmp("ss-run-info-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, SS_RUN_INFO_NAME, NULL);
    g_autoptr(GPtrArray) diagnostics = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(SsModel) model = ss_model_new();
    SsEvent event = { .id = SS_EVENT_MEMORY_COMMIT_END, .ns = 1000, .pid = 42, .tid = 42 };
    event.trace = ss_model_add_trace(model, "run", "", "host");
    g_assert_true(g_file_set_contents(path, text, length, NULL));
    ss_model_event(model, &event);
    ss_run_info_read(model, directory, 0, diagnostics);
    ss_model_finish(model);
    g_assert_cmpuint(model->processes->len, ==, 1);
    *ret_end = ((SsProcess *)g_ptr_array_index(model->processes, 0))->end;
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    g_assert_cmpuint(diagnostics->len, <=, 1);
    return diagnostics->len ? g_strdup(g_ptr_array_index(diagnostics, 0)) : NULL;
}

static void test_taken(void)
{
    static const struct {
        const char *text;
        SsProcessEnd end;
    } cases[] = {
        { ENDED, SS_END_SIGNAL },
        { ALIVE, SS_END_ALIVE },
        { " \n" ALIVE "\n\n", SS_END_ALIVE },
        { "{\"complete\":false,\"processes\":[{\"pid\":42,\"ended\":false}]}", SS_END_UNKNOWN },
        { "{\"command\":[\"a\",\"]}{\\\"/*\"]," /* continued */
          "\"processes\":[{\"pid\":42,\"ended\":true,\"exit_code\":-1.5e+3}]}",
          SS_END_EXITED },
        /* The same name in another object is another member. */
        { "{\"pid\":41,\"processes\":[{\"pid\":7,\"ended\":true},{\"pid\":42,\"ended\":true}],"
          "\"more\":{\"pid\":{\"pid\":1}}}",
          SS_END_EXITED },
        { "{}", SS_END_UNKNOWN },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        SsProcessEnd end;
        g_autofree char *said = read_text(cases[i].text, -1, &end);
        g_assert_cmpstr(said, ==, NULL);
        g_assert_cmpint(end, ==, cases[i].end);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "", "it is empty" },
        { "\n", "it is not one JSON object" },
        { "[]", "it is not one JSON object" },
        { ALIVE ENDED, "it is not one JSON object" },
        { ALIVE "\n" ENDED "\n", "it is not one JSON object" },
        { ALIVE "," ENDED, "it is not one JSON object" },
        { ENDED "x", "it is not one JSON object" },
        { "7 " ENDED, "it is not one JSON object" },
        { "var run = " ENDED, "it is not one JSON object" },
        /* In a comment a quote is none: what follows would be a string for us alone. */
        { "{/*\"*/}" ENDED "/*\"*/", "it is no JSON" },
        { "{\"a\":1 // \"\n}" ENDED, "it is no JSON" },
        { "{\"a\":'b'}", "it is no JSON" },
        { "{\"a\":" DEEP "]]]]]]]]]]]]]]]]}", "it is nested too deeply" },
        { "{\"complete\":true,\"complete\":false}", "\"complete\" is there twice" },
        { "{\"processes\":[{\"pid\":42,\"ended\":true,\"pid\":42}]}", "\"pid\" is there twice" },
        { "{\"processes\":[{\"pid\":42,\"ended\":true,\"\\u0070id\":7}]}",
          "\"pid\" is there twice" },
        { "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"a\":1}", "\"a\" is there twice" },
        { "{\"processes\":[", "run record" },
        { "{\"command\":[\"\xff\"]}", "it is no UTF-8" },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        SsProcessEnd end;
        g_autofree char *said = read_text(cases[i].text, -1, &end);
        g_assert_nonnull(said);
        g_assert_true(g_str_has_prefix(said, "Cannot use run record: path=\""));
        if (!strstr(said, cases[i].said)) {
            g_error("%u: \"%s\" does not say: %s", i, said, cases[i].said);
        }
        g_assert_cmpint(end, ==, SS_END_UNKNOWN);
    }
    SsProcessEnd end;
    static const char zeros[] = ENDED "\0" ENDED;
    g_autofree char *said = read_text(zeros, sizeof zeros - 1, &end);
    g_assert_nonnull(strstr(said, "it is no UTF-8"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/run-info/taken", test_taken);
    g_test_add_func("/run-info/refused", test_refused);
    return g_test_run();
}
