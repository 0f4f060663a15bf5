/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stacks as text: of each process its threads, the innermost frame first.
 */
#include "analysis/autopsy/stacks.h"
#include "analysis/model/text.h"
#include "analysis/report/layout.h"
#include "analysis/report/now.h"

#define FRAME_INDENT 6

static void add_stack(GString *out, const SsStack *stack)
{
    g_autofree char *comm = ss_text_sanitize(stack->comm ? stack->comm : "", 0);
    g_string_append_printf(out, "  thread %d %s\n", stack->tid, comm);
    for (guint i = 0; i < stack->frames->len; i++) {
        g_autofree char *frame = ss_frame_text(g_ptr_array_index(stack->frames, i));
        g_autofree char *text = g_strdup_printf("#%-2u %s", i, frame);
        g_string_append_printf(out, "%*s", FRAME_INDENT, "");
        ss_text_cell(out, text, SS_COLUMNS - FRAME_INDENT, false);
        g_string_append_c(out, '\n');
    }
    if (stack->why) {
        g_autofree char *why = ss_text_sanitize(stack->why, 0);
        g_string_append_printf(out, "%*s", FRAME_INDENT, "");
        ss_text_wrap(out, FRAME_INDENT, FRAME_INDENT, why);
    }
}

void ss_now_stacks_text(GString *out, const GPtrArray *stacks)
{
    for (guint i = 0; i < stacks->len; i++) {
        const SsStacks *one = g_ptr_array_index(stacks, i);
        guint64 stopped = ss_stacks_longest_stop(one);
        g_autofree char *time = ss_duration_text((gint64)stopped);
        g_string_append_printf(out, "\nstacks of process %d", one->pid);
        if (stopped) {
            g_string_append_printf(out, ", of which no thread was stopped for more than %s", time);
        }
        g_string_append_c(out, '\n');
        if (one->why) {
            g_autofree char *why = ss_text_sanitize(one->why, 0);
            g_string_append(out, "  ");
            ss_text_wrap(out, 2, 2, why);
        }
        for (guint t = 0; t < one->threads->len; t++) {
            add_stack(out, g_ptr_array_index(one->threads, t));
        }
    }
}
