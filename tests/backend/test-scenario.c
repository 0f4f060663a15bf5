/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scenario.h"

#include <string.h>

static SsScenario *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    SsScenario *scenario = ss_scenario_parse("test.scn", text, &error);

    g_assert_no_error(error);
    g_assert_nonnull(scenario);
    return scenario;
}

static const SsStatement *statement_at(const GPtrArray *body, unsigned index, SsStatementKind kind)
{
    const SsStatement *statement;

    g_assert_cmpuint(index, <, body->len);
    statement = g_ptr_array_index(body, index);
    g_assert_cmpint(statement->kind, ==, kind);
    return statement;
}

static void test_defaults(void)
{
    g_autoptr(SsScenario) scenario = parse("");

    g_assert_true(scenario->reply_ack);
    g_assert_true(scenario->mem_slots);
    g_assert_false(scenario->awaits_signals);
    g_assert_cmpuint(scenario->shmem_bit, ==, 22);
    g_assert_cmpuint(scenario->body->len, ==, 0);
    for (unsigned i = 0; i < SS_SCENARIO_MAX_REGIONS; i++) {
        g_assert_cmpuint(scenario->regions[i], ==, 0);
    }
}

static void test_declarations(void)
{
    g_autoptr(SsScenario) scenario = parse("# comment\n"
                                           "region 0 16M\n"
                                           "\t region 255 4K # the last\r\n"
                                           "feature reply-ack off\n"
                                           "feature mem-slots off\n"
                                           "feature shmem-bit 20\n"
                                           "file a 64K\n"
                                           "file b 0\n"
                                           "file c pipe");
    const SsScenarioFile *file;

    g_assert_cmpuint(scenario->regions[0], ==, 16 << 20);
    g_assert_cmpuint(scenario->regions[255], ==, 4096);
    g_assert_false(scenario->reply_ack);
    g_assert_false(scenario->mem_slots);
    g_assert_cmpuint(scenario->shmem_bit, ==, 20);
    g_assert_cmpuint(scenario->files->len, ==, 3);
    file = g_ptr_array_index(scenario->files, 0);
    g_assert_cmpstr(file->name, ==, "a");
    g_assert_cmpuint(file->size, ==, 65536);
    g_assert_false(file->is_pipe);
    file = g_ptr_array_index(scenario->files, 2);
    g_assert_true(file->is_pipe);
}

static void test_shmem(void)
{
    g_autoptr(SsScenario) scenario =
        parse("file a 1M\n"
              "map 1 0x1000 0x2000 file=a fd_offset=0x3000 ro nowait\n"
              "map 0 0 0x1000 file=a flags=6 fds=2 size=39 tag=bad-flags\n"
              "unmap 0 0 0x1000 expect=any noreply\n"
              "map 0 0 0x1000 fds=0 tag=bad-fd-count expect=ok raw\n"
              "map 0 0 0x1000 file=a serving cut=6 request=11\n");
    const SsShmemStatement *shmem;
    uint64_t value;

    shmem = statement_at(scenario->body, 0, SS_STATEMENT_MAP)->shmem;
    g_assert_true(shmem->read_only && shmem->no_wait);
    g_assert_false(shmem->no_reply || shmem->serving || shmem->raw);
    g_assert_cmpint(shmem->expect, ==, SS_EXPECT_OK);
    g_assert_cmpint(shmem->file, ==, 0);
    g_assert_true(ss_expr_eval(shmem->numbers[SS_SHMEM_FD_OFFSET], NULL, &value));
    g_assert_cmpuint(value, ==, 0x3000);
    g_assert_null(shmem->numbers[SS_SHMEM_FLAGS]);

    /* A tag asks for a refusal, an expectation that is given goes before it. */
    shmem = statement_at(scenario->body, 1, SS_STATEMENT_MAP)->shmem;
    g_assert_cmpstr(shmem->tag, ==, "bad-flags");
    g_assert_cmpint(shmem->expect, ==, SS_EXPECT_REFUSED);
    shmem = statement_at(scenario->body, 2, SS_STATEMENT_UNMAP)->shmem;
    g_assert_cmpint(shmem->expect, ==, SS_EXPECT_ANY);
    g_assert_true(shmem->no_reply);
    shmem = statement_at(scenario->body, 3, SS_STATEMENT_MAP)->shmem;
    g_assert_cmpint(shmem->expect, ==, SS_EXPECT_OK);
    g_assert_cmpint(shmem->file, ==, -1);
    g_assert_true(shmem->raw);
    shmem = statement_at(scenario->body, 4, SS_STATEMENT_MAP)->shmem;
    g_assert_true(shmem->serving);
    g_assert_nonnull(shmem->numbers[SS_SHMEM_CUT]);
    g_assert_nonnull(shmem->numbers[SS_SHMEM_REQUEST]);
}

static void test_blocks(void)
{
    g_autoptr(SsScenario) scenario = parse("file a 1M\n"
                                           "await thread mapper\n"
                                           "repeat 4 as round\n"
                                           "  timed 8 until stop\n"
                                           "    map 0 $i*$round 1 file=a\n"
                                           "  end\n"
                                           "  serve idle $round\n"
                                           "end\n"
                                           "thread mapper\n"
                                           "  unmap 0 0 1\n"
                                           "end\n"
                                           "kill\n");
    const SsStatement *outer;
    const SsStatement *inner;
    const SsScenarioThread *thread;
    const uint64_t values[] = { 3, 5 };
    uint64_t value;

    g_assert_cmpuint(scenario->body->len, ==, 3);
    outer = statement_at(scenario->body, 1, SS_STATEMENT_REPEAT);
    g_assert_cmpuint(outer->line, ==, 3);
    g_assert_cmpuint(outer->body->len, ==, 2);
    g_assert_false(outer->timed);
    inner = statement_at(outer->body, 0, SS_STATEMENT_REPEAT);
    g_assert_true(inner->timed);
    g_assert_cmpstr(outer->name, ==, NULL);
    g_assert_cmpstr(inner->name, ==, "stop");
    inner = statement_at(inner->body, 0, SS_STATEMENT_MAP);
    g_assert_true(ss_expr_eval(inner->shmem->numbers[SS_SHMEM_SHM_OFFSET], values, &value));
    g_assert_cmpuint(value, ==, 15);
    (void)statement_at(scenario->body, 2, SS_STATEMENT_KILL);

    g_assert_cmpuint(scenario->threads->len, ==, 1);
    thread = g_ptr_array_index(scenario->threads, 0);
    g_assert_cmpstr(thread->name, ==, "mapper");
    (void)statement_at(thread->body, 0, SS_STATEMENT_UNMAP);
}

static void test_statements(void)
{
    g_autoptr(SsScenario) scenario = parse("file a 64K\n"
                                           "await start\n"
                                           "await request SET_VRING_ENABLE\n"
                                           "await signal go\n"
                                           "signal done\n"
                                           "replies\n"
                                           "serve idle 5\n"
                                           "serve until stop\n"
                                           "serve until reset\n"
                                           "serve until close\n"
                                           "serve until ADD_MEM_REG\n"
                                           "delay SET_MEM_TABLE 10\n"
                                           "write a 8 1\n"
                                           "check a 8 1\n"
                                           "note a context  3\\040\\n\n"
                                           "note a\n"
                                           "close backend\n"
                                           "close main\n"
                                           "reconnect\n"
                                           "exit\n");
    static const SsStatementKind kinds[] = {
        SS_STATEMENT_AWAIT_START,
        SS_STATEMENT_AWAIT_REQUEST,
        SS_STATEMENT_AWAIT_SIGNAL,
        SS_STATEMENT_SIGNAL,
        SS_STATEMENT_REPLIES,
        SS_STATEMENT_SERVE_IDLE,
        SS_STATEMENT_SERVE_UNTIL_STOP,
        SS_STATEMENT_SERVE_UNTIL_STOP,
        SS_STATEMENT_SERVE_UNTIL_CLOSE,
        SS_STATEMENT_SERVE_UNTIL_REQUEST,
        SS_STATEMENT_DELAY,
        SS_STATEMENT_WRITE,
        SS_STATEMENT_CHECK,
        SS_STATEMENT_NOTE,
        SS_STATEMENT_NOTE,
        SS_STATEMENT_CLOSE_BACKEND,
        SS_STATEMENT_CLOSE_MAIN,
        SS_STATEMENT_RECONNECT,
        SS_STATEMENT_EXIT,
    };

    g_assert_cmpuint(scenario->body->len, ==, G_N_ELEMENTS(kinds));
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_assert_cmpuint(statement_at(scenario->body, i, kinds[i])->line, ==, i + 2);
    }
    g_assert_cmpuint(statement_at(scenario->body, 1, kinds[1])->request, ==, 18);
    g_assert_cmpuint(statement_at(scenario->body, 9, kinds[9])->request, ==, 37);
    g_assert_cmpuint(statement_at(scenario->body, 10, kinds[10])->request, ==, 5);
    g_assert_cmpstr(statement_at(scenario->body, 13, kinds[13])->name, ==, "context 3 \n");
    g_assert_null(statement_at(scenario->body, 14, kinds[14])->name);
    g_assert_true(scenario->awaits_signals);
}

static void test_refused(void)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *reason;
    } cases[] = {
        { "frobnicate", 1, "statement \"frobnicate\" is not known" },
        { "\n\nregion 0", 3, "expected \"region SHMID SIZE\"" },
        { "region 256 1M", 1, "region 256 is not below 256" },
        { "region 0 0", 1, "region of size 0: that is no region" },
        { "region 0 4K\nregion 0 8K", 2, "region 0 was given before" },
        { "region 0 1/0", 1, "\"1/0\" divides by zero" },
        { "region 0 $i", 1, "no loop variable \"$i\" here" },
        { "repeat 2\nregion 0 4K\nend", 2, "\"region\" inside a block" },
        { "feature reply-ack maybe", 1, "feature \"reply-ack\" is on or off, not \"maybe\"" },
        { "feature colour on", 1, "feature \"colour\" is none of reply-ack, mem-slots, shmem-bit" },
        { "feature shmem-bit 64", 1, "feature bit 64 is not below 64" },
        { "file a 4K\nfile a 4K", 2, "file \"a\" was given before" },
        { "file a 0-1", 1, "file of 18446744073709551615 bytes" },
        { "map 0 0", 1, "expected \"map SHMID SHM_OFFSET LEN [OPTION]...\"" },
        { "map 0 0 1", 1, "a map needs file=NAME (or fds=0)" },
        { "map 0 0 1 file=a", 1, "no file \"a\" above" },
        { "map 0 0 x fds=0", 1, "a number is expected at \"x\"" },
        { "map 0 0 1 fds=0 fds=1", 1, "\"fds\" is given twice" },
        { "map 0 0 1 fds=0 colour=1", 1, "option \"colour=1\" is not known" },
        { "map 0 0 1 fds=0 tag=", 1, "option \"tag=\" is not known" },
        { "map 0 0 1 fds=0 quick", 1, "option \"quick\" is not known" },
        { "map 0 0 1 fds=0 expect=maybe", 1, "expect=maybe: it is ok, refused or any" },
        { "map 0 0 1 fds=0 ro flags=0", 1, "ro and flags= contradict each other" },
        { "unmap 0 0 1 fds=1", 1, "an unmap with descriptors needs file=NAME" },
        { "await", 1, "expected \"await start | await signal|thread|request NAME\"" },
        { "await rain now", 1, "cannot await \"rain\"" },
        { "await request MAP", 1, "\"MAP\" is no request of the front-end" },
        { "\nawait thread t", 2, "no thread \"t\"" },
        { "repeat 2\nawait thread t\nend", 2, "no thread \"t\"" },
        { "serve until NOON", 1, "\"NOON\" is no request of the front-end" },
        { "serve for 5", 1, "\"for\" is neither idle nor until" },
        { "close window", 1, "channel \"window\" is neither backend nor main" },
        { "replies now", 1, "expected \"replies\"" },
        { "write a 0 1", 1, "no file \"a\" above" },
        { "note", 1, "expected \"note FILE [LABEL...]\"" },
        { "note a b", 1, "no file \"a\" above" },
        { "end", 1, "\"end\" without a block" },
        { "signal a\nrepeat 3\nkill", 2, "the block that begins here has no \"end\"" },
        { "repeat 3 to i", 1, "expected \"repeat COUNT [as NAME] [until SIGNAL]\"" },
        { "timed 3 to i", 1, "expected \"timed COUNT [as NAME] [until SIGNAL]\"" },
        { "timed 3 until", 1, "expected \"timed COUNT [as NAME] [until SIGNAL]\"" },
        { "repeat 3 until a as i", 1, "expected \"repeat COUNT [as NAME] [until SIGNAL]\"" },
        { "timed 3\nrepeat 2\ntimed 1", 3, "\"timed\" inside another" },
        { "repeat 2\nend\nserve idle $i", 3, "no loop variable \"$i\" here" },
        { "thread a\nend\nthread a\nend", 3, "thread \"a\" was given before" },
        { "thread main\nend", 1, "thread \"main\" is the one outside all blocks" },
        { "repeat 2\nthread a\nend\nend", 2, "a thread cannot begin inside another block" },
        { "thread a\nserve idle 1\nend", 2,
          "\"serve\" serves the main channel, which a thread does not" },
        { "thread a\nmap 0 0 1 fds=0 serving\nend", 2,
          "\"map\" serves the main channel, which a thread does not" },
        { "signal \xff", 1, "the text is not UTF-8" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SsScenario) scenario = ss_scenario_parse("test.scn", cases[i].text, &error);
        g_autofree char *expected = g_strdup_printf(
            "Cannot read scenario: file=\"test.scn\", line=%u: %s", cases[i].line, cases[i].reason);

        g_assert_null(scenario);
        g_assert_error(error, SS_SCENARIO_ERROR, 0);
        g_assert_cmpstr(error->message, ==, expected);
    }
}

static void test_depth(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(SsScenario) scenario = NULL;

    for (unsigned i = 0; i < 9; i++) {
        g_string_append(text, "repeat 2\n");
    }
    scenario = ss_scenario_parse("test.scn", text->str, &error);
    g_assert_null(scenario);
    g_assert_cmpstr(error->message, ==,
                    "Cannot read scenario: file=\"test.scn\", line=9: more than 8 loops deep");
}

static void test_missing_file(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SsScenario) scenario = ss_scenario_load("/nonexistent/test.scn", &error);

    g_assert_null(scenario);
    g_assert_true(
        g_str_has_prefix(error->message, "Cannot read scenario: file=\"/nonexistent/test.scn\": "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scenario/defaults", test_defaults);
    g_test_add_func("/scenario/declarations", test_declarations);
    g_test_add_func("/scenario/shmem", test_shmem);
    g_test_add_func("/scenario/blocks", test_blocks);
    g_test_add_func("/scenario/statements", test_statements);
    g_test_add_func("/scenario/refused", test_refused);
    g_test_add_func("/scenario/depth", test_depth);
    g_test_add_func("/scenario/missing-file", test_missing_file);
    return g_test_run();
}
