/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks as data, apart from what takes them: who reads them from a file needs no more. */
#include "analysis/autopsy/stacks-parts.h"

void ss_frame_free(SsFrame *frame)
{
    if (frame) {
        g_free(frame->module);
        g_free(frame->symbol);
        g_free(frame);
    }
}

SsStack *ss_stack_new(int tid, const char *comm)
{
    SsStack *stack = g_new0(SsStack, 1);

    stack->tid = tid;
    stack->comm = g_strdup(comm);
    stack->frames = g_ptr_array_new_with_free_func((GDestroyNotify)ss_frame_free);
    return stack;
}

void ss_stack_free(SsStack *stack)
{
    if (stack) {
        g_free(stack->comm);
        g_ptr_array_unref(stack->frames);
        g_free(stack->why);
        g_free(stack);
    }
}

SsStacks *ss_stacks_new(int pid)
{
    SsStacks *stacks = g_new0(SsStacks, 1);

    stacks->pid = pid;
    stacks->threads = g_ptr_array_new_with_free_func((GDestroyNotify)ss_stack_free);
    return stacks;
}

void ss_stacks_free(SsStacks *stacks)
{
    if (stacks) {
        g_ptr_array_unref(stacks->threads);
        g_free(stacks->why);
        g_free(stacks);
    }
}
