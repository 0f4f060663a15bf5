/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

static void test_lines(void)
{
    g_autofree char *directory = g_dir_make_tmp("shmemscope-log-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "log", NULL);
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *text = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GError) error = NULL;
    uint64_t before = ss_now_ns();
    SsLog *log = ss_log_open(path, &error);
    JsonObject *object;
    SsLogLine *line;

    g_assert_no_error(error);
    ss_log_end(ss_log_begin(log, "main", "first", 17));
    g_hash_table_insert(counts, (void *)"overlap", GUINT_TO_POINTER(50));
    g_hash_table_insert(counts, (void *)"bad-flags", GUINT_TO_POINTER(3));
    line = ss_log_begin(log, "a \"b\"\\\n\x01", "second", 0);
    ss_log_number(line, "len", UINT64_MAX);
    ss_log_boolean(line, "need_reply", TRUE);
    ss_log_null(line, "value");
    ss_log_counts(line, "refused", counts);
    ss_log_end(line);

    /* Flushed line by line: readable before the log is closed. */
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_cmpstr(lines[0], ==, "{\"t\":17,\"thread\":\"main\",\"op\":\"first\"}");
    node = json_from_string(lines[1], &error);
    g_assert_no_error(error);
    object = json_node_get_object(node);
    g_assert_cmpstr(json_object_get_string_member(object, "thread"), ==, "a \"b\"\\\n\x01");
    g_assert_cmpuint((uint64_t)json_object_get_int_member(object, "t"), >=, before);
    g_assert_true(json_object_get_boolean_member(object, "need_reply"));
    g_assert_true(json_object_get_null_member(object, "value"));
    g_assert_nonnull(strstr(lines[1], "\"len\":18446744073709551615,"));
    g_assert_nonnull(strstr(lines[1], "\"refused\":{\"bad-flags\":3,\"overlap\":50}}"));
    g_assert_true(ss_log_close(log, &error));
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void test_held(void)
{
    g_autofree char *directory = g_dir_make_tmp("shmemscope-log-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "log", NULL);
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    const uint64_t times[] = { 3, UINT64_MAX };
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    SsLog *log = ss_log_open(path, &error);
    SsLogLine *line;

    g_assert_no_error(error);
    ss_log_hold(log);
    line = ss_log_begin(log, "main", "unseen", 1);
    ss_log_number(line, "a", 1);
    ss_log_boolean(line, "b", TRUE);
    ss_log_string(line, "c", "c");
    ss_log_null(line, "d");
    ss_log_counts(line, "e", counts);
    ss_log_numbers(line, "f", times, 1);
    ss_log_end(line);
    ss_log_release(log);
    line = ss_log_begin(log, "main", "seen", 2);
    ss_log_numbers(line, "none", NULL, 0);
    ss_log_numbers(line, "ns", times, G_N_ELEMENTS(times));
    ss_log_end(line);
    g_assert_true(ss_log_close(log, &error));
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==,
                    "{\"t\":2,\"thread\":\"main\",\"op\":\"seen\",\"none\":[],"
                    "\"ns\":[3,18446744073709551615]}\n");
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void test_unwritable(void)
{
    g_autoptr(GError) error = NULL;
    SsLog *log;

    g_assert_null(ss_log_open("/nonexistent/log", &error));
    g_assert_true(g_str_has_prefix(error->message, "Cannot open log: path=\"/nonexistent/log\""));
    g_clear_error(&error);

    log = ss_log_open("/dev/full", &error);
    g_assert_no_error(error);
    ss_log_end(ss_log_begin(log, "main", "lost", 0));
    g_assert_false(ss_log_close(log, &error));
    g_assert_true(g_str_has_prefix(error->message, "Cannot write log: path=\"/dev/full\": "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/lines", test_lines);
    g_test_add_func("/log/held", test_held);
    g_test_add_func("/log/unwritable", test_unwritable);
    return g_test_run();
}
