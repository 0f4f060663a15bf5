/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the stacks of processes: for tests, and to look at. With --json as `now --save` has them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/autopsy/stacks.h"

static void print_text(const SsStacks *stacks)
{
    printf("process %d: %s\n", stacks->pid, stacks->why ? stacks->why : "stacks");
    for (guint i = 0; i < stacks->threads->len; i++) {
        const SsStack *stack = g_ptr_array_index(stacks->threads, i);

        printf("  thread %d \"%s\", stopped for %.3f ms\n", stack->tid, stack->comm,
               (double)stack->stopped_ns / 1e6);
        for (guint j = 0; j < stack->frames->len; j++) {
            g_autofree char *text = ss_frame_text(g_ptr_array_index(stack->frames, j));

            printf("    #%-2u %s\n", j, text);
        }
        if (stack->why) {
            printf("    %s\n", stack->why);
        }
    }
}

static void print_json(const SsStacks *stacks)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    ss_stacks_save(stacks, builder);
    root = json_builder_get_root(builder);
    text = json_to_string(root, FALSE);
    puts(text);
}

int main(int argc, char **argv)
{
    gboolean json = argc > 1 && strcmp(argv[1], "--json") == 0;

    for (int i = json ? 2 : 1; i < argc; i++) {
        g_autoptr(SsStacks) stacks = ss_stacks_take(atoi(argv[i]), 0);

        if (json) {
            print_json(stacks);
        } else {
            print_text(stacks);
        }
    }
    return 0;
}
