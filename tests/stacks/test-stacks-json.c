/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks out to JSON and back, and JSON that is none. */
#include <gio/gio.h>
#include <string.h>

#include "analysis/autopsy/stacks.h"

#define FRAME \
    "{\"address\":\"0xffffffffff600000\",\"module\":\"/a/b\",\"symbol\":\"f\",\"offset\":7}"
#define STACK "{\"tid\":5,\"comm\":\"main\",\"stopped_ns\":12,\"why\":null,\"frames\":[" FRAME "]}"
#define STACKS "{\"pid\":4,\"why\":null,\"threads\":[" STACK "]}"

static SsStacks *load(const char *text, GError **error)
{
    g_autoptr(JsonNode) node = json_from_string(text, NULL);

    g_assert_nonnull(node);
    return ss_stacks_load(node, error);
}

static char *save(const SsStacks *stacks)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    ss_stacks_save(stacks, builder);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

static void test_round_trip(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SsStacks) stacks = load(STACKS, &error);
    g_autofree char *text = NULL;

    g_assert_no_error(error);
    const SsStack *stack = g_ptr_array_index(stacks->threads, 0);
    const SsFrame *frame = g_ptr_array_index(stack->frames, 0);
    g_assert_cmpint(stacks->pid, ==, 4);
    g_assert_cmpint(stack->tid, ==, 5);
    g_assert_cmpstr(stack->comm, ==, "main");
    g_assert_cmpuint(ss_stacks_longest_stop(stacks), ==, 12);
    g_assert_cmphex(frame->address, ==, 0xffffffffff600000);
    g_assert_cmpstr(frame->module, ==, "/a/b");
    g_assert_cmpuint(frame->offset, ==, 7);
    text = save(stacks);
    g_assert_cmpstr(text, ==, STACKS);
}

/* Each of its values left out, and made of another type. */
static void test_refused(void)
{
    const char *const wrong[][2] = {
        { "\"pid\":4,", "" },
        { "\"pid\":4", "\"pid\":\"4\"" },
        { "\"pid\":4", "\"pid\":-4" },
        { "\"pid\":4", "\"pid\":4294967296" },
        { "\"threads\":[" STACK "]", "\"threads\":{}" },
        { "\"threads\":[" STACK "]", "\"threads\":[7]" },
        { "\"tid\":5", "\"tid\":true" },
        { "\"comm\":\"main\"", "\"comm\":null" },
        { "\"stopped_ns\":12", "\"stopped_ns\":1.5" },
        { "\"stopped_ns\":12,\"why\":null", "\"stopped_ns\":12,\"why\":3" },
        { "[" FRAME "]", "[null]" },
        { "[" FRAME "]", "null" },
        { "\"0xffffffffff600000\"", "\"0x1ffffffffff600000\"" },
        { "\"0xffffffffff600000\"", "\"12\"" },
        { "\"0xffffffffff600000\"", "\"0x\"" },
        { "\"0xffffffffff600000\"", "null" },
        { "\"module\":\"/a/b\"", "\"module\":[]" },
        { "\"offset\":7", "\"offset\":-7" },
        { STACKS, "[]" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_auto(GStrv) parts = g_strsplit(STACKS, wrong[i][0], 2);
        g_autofree char *text = g_strjoinv(wrong[i][1], parts);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", text);
        g_assert_cmpuint(g_strv_length(parts), ==, 2);
        g_assert_null(load(text, &error));
        g_assert_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    }
}

static void test_text(void)
{
    SsFrame frame = { .address = 0x1234, .offset = 0x10 };
    g_autofree char *address = ss_frame_text(&frame);

    g_assert_cmpstr(address, ==, "0x1234");
    frame.module = "/usr/lib/a\x1b[2J.so";
    g_autofree char *module = ss_frame_text(&frame);
    g_assert_cmpstr(module, ==, "a\\x1b[2J.so+0x10");
    frame.symbol = "f\ng";
    g_autofree char *symbol = ss_frame_text(&frame);
    g_assert_cmpstr(symbol, ==, "f\\x0ag+0x10 (a\\x1b[2J.so)");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/round-trip", test_round_trip);
    g_test_add_func("/json/refused", test_refused);
    g_test_add_func("/json/text", test_text);
    return g_test_run();
}
