/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Evidence in a file: what is saved is what is loaded, and what is not evidence is refused.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "analysis/autopsy/parts.h"
#include "analysis/autopsy/stacks-parts.h"

static SsEvidence *example(void)
{
    SsEvidence *evidence = ss_evidence_new();
    g_free(evidence->host);
    evidence->host = g_strdup("host \"\xc3\xa4\" \"}]/ \\ \x1b[31m");
    for (guint i = 0; i < 2; i++) {
        SsLook *look = ss_look_new();
        look->ns = 1700000000000000000 + i;
        SsSeenProcess *back = ss_seen_process_new(311);
        SsSeenProcess *front = ss_seen_process_new(42);
        front->start_ticks = G_MAXINT64;
        front->roles = SS_ROLE_FRONT_END;
        g_ptr_array_add(front->argv, g_strdup("qemu-system-x86_64"));
        SsSeenThread *thread = ss_seen_thread_new(42);
        thread->call = SS_CALL_IN;
        thread->state = 'S';
        thread->nr = 47;
        thread->args[0] = G_MAXUINT64;
        thread->sp = 0x7ffc00000000;
        SsSeenPoll poll = { .fd = -1, .events = 0xffffffff };
        g_array_append_val(thread->polls, poll);
        g_ptr_array_add(front->threads, thread);
        SsSeenFd fd = {
            .fd = 3, .kind = SS_FD_FILE, .inode = 7, .name = g_strdup("/x"), .flags = -1
        };
        g_ptr_array_add(front->fds, g_memdup2(&fd, sizeof fd));
        SsSeenMap map = { .begin = 1, .end = G_MAXUINT64, .path = g_strdup("/y") };
        g_ptr_array_add(front->maps, g_memdup2(&map, sizeof map));
        ss_deny(front->denied, "calls", "CAP", 1);
        ss_look_add(look, back);
        ss_look_add(look, front);
        SsSeenSocket *socket = ss_seen_socket_new(99);
        SsSeenHolder holder = { .pid = 42, .fd = 17 };
        g_array_append_val(socket->holders, holder);
        socket->peek = SS_PEEK_DONE;
        guint8 bytes[] = { 9, 0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 0xff };
        g_byte_array_append(socket->peeked, bytes, sizeof bytes);
        socket->recalled = 4;
        g_hash_table_insert(look->sockets, &socket->inode, socket);
        SsSeenChannel *main = ss_seen_channel_new(SS_CHANNEL_MAIN, SS_CHANNEL_BY_ARGV);
        main->front_pid = 42;
        main->back_pid = 311;
        SsSeenChannel *other = ss_seen_channel_new(SS_CHANNEL_BACK_END, SS_CHANNEL_BY_PAIR);
        other->front_pid = 42;
        other->main = 0;
        g_ptr_array_add(look->channels, main);
        g_ptr_array_add(look->channels, other);
        g_ptr_array_add(evidence->looks, look);
    }
    evidence->stacks = g_ptr_array_new_with_free_func((GDestroyNotify)ss_stacks_free);
    SsStacks *stacks = ss_stacks_new(42);
    SsStack *stack = ss_stack_new(42, "qemu");
    SsFrame frame = { .address = G_MAXUINT64, .module = g_strdup("/usr/bin/qemu"), .offset = 5 };
    g_ptr_array_add(stack->frames, g_memdup2(&frame, sizeof frame));
    stack->why = g_strdup("cut off");
    g_ptr_array_add(stacks->threads, stack);
    g_ptr_array_add(evidence->stacks, stacks);
    return evidence;
}

/* What a file holds once the evidence is saved in it. Owned. */
static char *saved(const SsEvidence *evidence, const char *path, gsize *ret_len)
{
    g_autoptr(GError) error = NULL;
    char *text;
    g_assert_true(ss_evidence_save(evidence, path, &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &text, ret_len, NULL));
    return text;
}

static char *example_text(gsize *ret_len)
{
    g_autofree char *directory = g_dir_make_tmp("ss-saved-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "evidence.json", NULL);
    g_autoptr(SsEvidence) evidence = example();
    char *text = saved(evidence, path, ret_len);
    g_assert_true(ss_evidence_is(path));
    GStatBuf file;
    g_assert_cmpint(g_stat(path, &file), ==, 0);
    g_assert_cmphex(file.st_mode & 0777, ==, 0600);
    g_autoptr(GError) error = NULL;
    g_autoptr(SsEvidence) loaded = ss_evidence_load(path, &error);
    g_assert_no_error(error);
    gsize again_len;
    g_autofree char *again = saved(loaded, path, &again_len);
    g_assert_cmpstr(again, ==, text);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    return text;
}

static void test_round_trip(void)
{
    gsize len;
    g_autofree char *text = example_text(&len);
    g_autoptr(SsEvidence) loaded = ss_evidence_parse(text, len, "text", NULL);
    g_assert_nonnull(loaded);
    g_assert_cmpstr(loaded->host, ==, "host \"\xc3\xa4\" \"}]/ \\ \x1b[31m");
    const SsLook *look = g_ptr_array_index(loaded->looks, 1);
    const SsSeenProcess *front = ss_look_process(look, 42);
    g_assert_nonnull(front);
    const SsSeenThread *thread = ss_seen_thread(front, 42);
    g_assert_cmpuint(thread->args[0], ==, G_MAXUINT64);
    g_assert_cmpint(thread->call, ==, SS_CALL_IN);
    g_assert_cmpint(g_array_index(thread->polls, SsSeenPoll, 0).fd, ==, -1);
    const SsSeenSocket *socket = ss_look_socket(look, 99);
    g_assert_cmpuint(socket->messages, ==, 1);
    SsUnread unread;
    gsize offset = 0;
    g_assert_true(ss_unread_next(socket, &offset, &unread));
    g_assert_cmpuint(unread.request, ==, 9);
    g_assert_cmpuint(unread.len, ==, 4);
    g_assert_cmphex(unread.payload[3], ==, 0xff);
    g_assert_true(unread.is_recalled);
    g_assert_false(ss_unread_next(socket, &offset, &unread));
    g_assert_cmpstr(ss_look_process(look, 42)->vm, ==, "");
    g_assert_null(ss_look_process(look, 43));
}

typedef struct Bad {
    const char *from, *to; /* in the text */
    const char *said;
} Bad;

/* One place is changed, and the whole is refused, with that place named. */
static void test_damaged(void)
{
    static const Bad cases[] = {
        { "shmemscope-evidence", "something-else", "no evidence" },
        { "\"version\" : 1", "\"version\" : 2", "another version" },
        { "\"version\" : 1", "\"version\" : \"1\"", "no integer" },
        { "\"tid\" : 42", "\"tid\" : 4294967296", "\"tid\" is out of range" },
        { "\"tid\" : 42", "\"tid\" : 4.5", "\"tid\" is no integer" },
        { "\"tid\" : 42", "\"tid\" : null", "\"tid\"" },
        { "\"tid\" : 42", "\"tid\" : {}", "\"tid\" is missing, or of another type" },
        { "\"tid\" : 42,", "", "\"tid\" is missing" },
        { "\"call\" : \"in\"", "\"call\" : \"on\"", "\"call\" is none of its words" },
        { "\"state\" : \"S\"", "\"state\" : \"SS\"", "\"state\" is not one letter" },
        { "\"sp\" : \"0x", "\"sp\" : \"", "\"sp\" is no number" },
        { "\"0xffffffffffffffff\"", "\"0xfffffffffffffffff\"", "\"args\" is no number" },
        { "\"ended\" : false", "\"ended\" : 0", "\"ended\" is neither true nor false" },
        { "\"peeked\" : \"09", "\"peeked\" : \"9", "\"peeked\" is not a row of bytes" },
        { "\"peeked\" : \"09", "\"peeked\" : \"zz", "\"peeked\" is not a row of bytes" },
        { "\"recalled\" : 4", "\"recalled\" : 17", "\"recalled\" is more" },
        { "\"recalled\" : 4", "\"recalled\" : -1", "\"recalled\" is out of range" },
        { "\"pid\" : 311", "\"pid\" : 42", "not in order of pid" },
        { "\"pid\" : 311", "\"pid\" : 1", "not in order of pid" },
        { "\"front_pid\" : 42", "\"front_pid\" : 43", "of a process that is not there" },
        { "\"back_pid\" : 311", "\"back_pid\" : 312", "of a process that is not there" },
        { "\"main\" : 0", "\"main\" : 1", "\"main\" is no main channel" },
        { "\"main\" : 0", "\"main\" : -2", "\"main\" is no main channel" },
        { "\"main\" : 0", "\"main\" : 7000000", "\"main\" is no main channel" },
        { "\"start_ticks\" : 9223372036854775807", "\"start_ticks\" : -1", "out of range" },
        { "\"holders\" : [", "\"holders\" : [[1],", "no pair" },
        { "\"holders\" : [", "\"holders\" : [7,", "no pair" },
        { "\"threads\" : [", "\"threads\" : [[],", "no object" },
        { "\"looks\" : [", "\"looks\" : [{},{},", "neither one nor two" },
        { "\"looks\"", "\"locks\"", "\"looks\" is missing" },
        { "\"stacks\" : [", "\"stacks\" : [7,", "stacks: \"stacks\" is missing" },
        { "\"stacks\" : [", "\"stacks\" : 7, \"more\" : [", "\"stacks\" is missing" },
        { "\"address\" : \"0xf", "\"address\" : \"x", "\"address\" is missing" },
        { "\"frames\" : [", "\"frames\" : [null,", "\"frames\" is missing" },
        { "\"looks\" : [", "\"looks\" : [[[[[[[[[[[[[[[[[[[", "nested too deeply" },
        { "{", "7 {", "not one JSON object" },
        { "{", "{} {", "not one JSON object" },
        { "{", "{ /* \" */ } { \"more\" : \"", "no JSON" },
        { "\"host\" : \"", "\"host\" : \"\", \"host\" : \"", "\"host\" is there twice" },
        { "\"tid\" : 42", "\"tid\" : 41, \"tid\" : 42", "\"tid\" is there twice" },
        { "\"host\" : \"", "\"host\" : \"\xff", "no UTF-8" },
        { "\"host\" : \"", "\"\\ud800\"\"host\" : \"", "" },
    };
    gsize len;
    g_autofree char *text = example_text(&len);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *place = strstr(text, cases[i].from);
        g_assert_nonnull(place);
        g_autoptr(GString) bad = g_string_new_len(text, place - text);
        g_string_append(bad, cases[i].to);
        g_string_append(bad, place + strlen(cases[i].from));
        g_autoptr(GError) error = NULL;
        g_autoptr(SsEvidence) loaded = ss_evidence_parse(bad->str, bad->len, "a/file", &error);
        g_assert_null(loaded);
        g_assert_nonnull(error);
        g_assert_true(g_str_has_prefix(error->message, "Cannot read evidence: path=\"a/file\": "));
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        if (!strstr(error->message, cases[i].said)) {
            g_error("%u: \"%s\" does not say: %s", i, error->message, cases[i].said);
        }
    }
}

/* Wherever it is cut off, it is refused and nothing worse. */
static void test_cut_off(void)
{
    gsize len;
    g_autofree char *text = example_text(&len);
    /* Behind the last brace there is nothing to miss. */
    len = (gsize)(strrchr(text, '}') - text);
    for (gsize cut = 0; cut < len; cut += 1 + cut % 7) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SsEvidence) loaded = ss_evidence_parse(text, cut, "file", &error);
        g_assert_null(loaded);
        g_assert_nonnull(error);
    }
}

static void test_no_file(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(ss_evidence_load("/nowhere/at/all", &error));
    g_assert_true(
        g_str_has_prefix(error->message, "Cannot read evidence: path=\"/nowhere/at/all\": "));
    g_assert_false(ss_evidence_is("/nowhere/at/all"));
    g_assert_false(ss_evidence_is("/proc/self/exe"));
    g_assert_false(ss_evidence_is("/"));
    g_clear_error(&error);
    g_autoptr(SsEvidence) evidence = example();
    g_assert_false(ss_evidence_save(evidence, "/nowhere/at/all", &error));
    g_assert_true(
        g_str_has_prefix(error->message, "Cannot write evidence: path=\"/nowhere/at/all\": "));
}

/* What is no file is written to, and stays what it is. */
static void test_into_a_pipe(void)
{
    g_autofree char *directory = g_dir_make_tmp("ss-saved-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "pipe", NULL);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    int pipe = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(pipe, >=, 0);
    g_autoptr(SsEvidence) evidence = example();
    g_autoptr(GError) error = NULL;
    g_assert_true(ss_evidence_save(evidence, path, &error));
    g_assert_no_error(error);
    GStatBuf file;
    g_assert_cmpint(g_stat(path, &file), ==, 0);
    g_assert_true(S_ISFIFO(file.st_mode));
    char text[65536];
    gssize len = read(pipe, text, sizeof text);
    g_assert_cmpint(len, >, 0);
    g_autoptr(SsEvidence) loaded = ss_evidence_parse(text, (gsize)len, "pipe", &error);
    g_assert_no_error(error);
    g_assert_nonnull(loaded);
    (void)close(pipe);
    /* Full, which is an error that is told. */
    g_assert_false(ss_evidence_save(evidence, "/dev/full", &error));
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, "Cannot write evidence: path=\"/dev/full\": "));
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void test_same_and_stood(void)
{
    SsSeenThread *a = ss_seen_thread_new(1);
    SsSeenThread *b = ss_seen_thread_new(1);
    a->call = b->call = SS_CALL_IN;
    g_assert_false(ss_seen_stood(a, b)); /* nobody counted */
    a->counts_known = true;
    g_assert_false(ss_seen_stood(a, b));
    g_assert_false(ss_seen_stood(b, a));
    b->counts_known = true;
    g_assert_true(ss_seen_stood(a, b));
    b->switches = 1;
    g_assert_false(ss_seen_stood(a, b));
    b->switches = 0;
    b->cpu_ns = 1;
    g_assert_false(ss_seen_stood(a, b));
    b->cpu_ns = 0;
    b->args[5] = 1;
    g_assert_false(ss_seen_stood(a, b));
    b->args[5] = 0;
    b->pc = 1;
    g_assert_false(ss_seen_stood(a, b));
    b->pc = 0;
    a->call = b->call = SS_CALL_RUNNING;
    g_assert_false(ss_seen_stood(a, b));
    g_assert_false(ss_seen_stood(a, NULL));
    ss_seen_thread_free(a);
    ss_seen_thread_free(b);
    SsSeenProcess *before = ss_seen_process_new(4);
    SsSeenProcess *after = ss_seen_process_new(4);
    g_assert_true(ss_seen_same(before, after));
    after->start_ticks = 1;
    g_assert_false(ss_seen_same(before, after));
    after->start_ticks = 0;
    after->ended = true;
    g_assert_false(ss_seen_same(before, after));
    g_assert_false(ss_seen_same(before, NULL));
    ss_seen_process_free(before);
    ss_seen_process_free(after);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/saved/round-trip", test_round_trip);
    g_test_add_func("/saved/damaged", test_damaged);
    g_test_add_func("/saved/cut-off", test_cut_off);
    g_test_add_func("/saved/no-file", test_no_file);
    g_test_add_func("/saved/into-a-pipe", test_into_a_pipe);
    g_test_add_func("/seen/same-and-stood", test_same_and_stood);
    return g_test_run();
}
