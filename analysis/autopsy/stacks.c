/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/autopsy/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/autopsy/stack-copy.h"
#include "analysis/autopsy/stacks-parts.h"
#include "analysis/autopsy/unwind.h"
#include "analysis/model/text.h"

#define GONE "the process is not there any more"

guint64 ss_stacks_longest_stop(const SsStacks *stacks)
{
    guint64 longest = 0;

    for (guint i = 0; i < stacks->threads->len; i++) {
        const SsStack *stack = g_ptr_array_index(stacks->threads, i);

        longest = MAX(longest, stack->stopped_ns);
    }
    return longest;
}

char *ss_frame_text(const SsFrame *frame)
{
    g_autofree char *symbol = ss_text_sanitize(frame->symbol, 128);
    g_autofree char *name = frame->module ? g_path_get_basename(frame->module) : NULL;
    g_autofree char *module = ss_text_sanitize(name, 64);

    if (!frame->module) {
        return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", frame->address);
    }
    if (!frame->symbol) {
        return g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", module, frame->offset);
    }
    return g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x (%s)", symbol, frame->offset, module);
}

static int by_tid(gconstpointer a, gconstpointer b)
{
    const SsStack *left = *(SsStack *const *)a;
    const SsStack *right = *(SsStack *const *)b;

    return left->tid < right->tid ? -1 : left->tid > right->tid;
}

/* One without frames for each thread. FALSE: the process is gone. */
static gboolean list_threads(SsStacks *stacks)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", stacks->pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *comm_path = g_build_filename(path, name, "comm", NULL);
        g_autofree char *comm = NULL;

        if (g_file_get_contents(comm_path, &comm, NULL, NULL)) {
            g_ptr_array_add(stacks->threads, ss_stack_new(atoi(name), g_strchomp(comm)));
        }
    }
    g_ptr_array_sort(stacks->threads, by_tid);
    return stacks->threads->len > 0;
}

/* In ticks since boot; 0: there is no such process. */
static guint64 start_time_of(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    const char *end;

    if (!g_file_get_contents(path, &text, NULL, NULL) || (end = strrchr(text, ')')) == NULL) {
        return 0;
    }
    /* Behind the name, which may have blanks of its own, it is the 20th of the fields. */
    g_auto(GStrv) fields = g_strsplit(end + 1, " ", 22);
    return g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
}

static void unwind_thread(SsUnwind *unwind, SsStack *stack, const SsStackCopy *copy)
{
    if (copy->why) {
        stack->why = g_strdup(copy->why);
    } else {
        stack->why = ss_unwind(unwind, copy, stack->frames);
    }
    stack->stopped_ns = copy->stopped_ns;
}

/*
 * Where the stack pointer and program counter alone did not lead to the outermost frame, all
 * registers may; they need a stop. It may stand elsewhere by now: the longer one is kept.
 */
static void unwind_further(SsUnwind *unwind, int pid, SsStack *stack)
{
    g_autoptr(SsStackCopy) copy = ss_stack_copy(pid, stack->tid, TRUE);
    g_autoptr(GPtrArray) frames = g_ptr_array_new_with_free_func((GDestroyNotify)ss_frame_free);
    g_autofree char *why = NULL;

    stack->stopped_ns = copy->stopped_ns;
    if (copy->why) {
        return;
    }
    why = ss_unwind(unwind, copy, frames);
    if (!why || frames->len > stack->frames->len) {
        g_ptr_array_unref(stack->frames);
        stack->frames = g_steal_pointer(&frames);
        g_free(stack->why);
        stack->why = g_steal_pointer(&why);
    }
}

/* What all threads have in common is said once, and of the process. */
static void say_once(SsStacks *stacks)
{
    const SsStack *first = g_ptr_array_index(stacks->threads, 0);

    for (guint i = 0; i < stacks->threads->len; i++) {
        const SsStack *stack = g_ptr_array_index(stacks->threads, i);

        if (stack->frames->len || g_strcmp0(stack->why, first->why) != 0) {
            return;
        }
    }
    stacks->why = g_strdup(first->why);
    g_ptr_array_set_size(stacks->threads, 0);
}

SsStacks *ss_stacks_take(int pid, guint64 start_time)
{
    SsStacks *stacks = ss_stacks_new(pid);
    g_autoptr(GPtrArray) copies =
        g_ptr_array_new_with_free_func((GDestroyNotify)ss_stack_copy_free);
    g_autoptr(SsUnwind) unwind = NULL;
    guint64 born = start_time_of(pid);

    if (born == 0 || (start_time != 0 && born != start_time) || !list_threads(stacks)) {
        stacks->why = g_strdup(GONE);
        return stacks;
    }
    unwind = ss_unwind_new(pid, &stacks->why);
    if (!unwind) {
        g_ptr_array_set_size(stacks->threads, 0);
        return stacks;
    }
    /* All are copied before the first file is read, so that they are of about the same time. */
    for (guint i = 0; i < stacks->threads->len; i++) {
        const SsStack *stack = g_ptr_array_index(stacks->threads, i);

        g_ptr_array_add(copies, ss_stack_copy(pid, stack->tid, FALSE));
    }
    for (guint i = 0; i < stacks->threads->len; i++) {
        const SsStackCopy *copy = g_ptr_array_index(copies, i);
        SsStack *stack = g_ptr_array_index(stacks->threads, i);

        unwind_thread(unwind, stack, copy);
        if (!copy->why && !copy->all_known && stack->why) {
            unwind_further(unwind, pid, stack);
        }
    }
    say_once(stacks);
    return stacks;
}
