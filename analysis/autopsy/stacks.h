/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stacks of a process's threads, without holding the process up.
 *
 * A thread that waits in a call is not touched: the kernel tells its program counter and stack
 * pointer, its stack is copied out of its memory, and what says that it did not run meanwhile is
 * looked at again. Only a thread that runs, or one of which more registers are needed, is stopped
 * by itself, for the time in which its registers and the top of its stack are copied, and never
 * in a call that would not be restarted. Files and symbols are read when no thread stands any
 * more, from this host alone: nothing is asked of a debuginfod server.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <sys/types.h>

typedef struct SsFrame {
    guint64 address; /* of the instruction that goes on next in this frame; in the process */
    char *module;    /* path of the file as the process has it, "[vdso]"; NULL: none; owned */
    char *symbol;    /* NULL: no symbol table has one for it; owned */
    guint64 offset;  /* bytes from the symbol; without one from where the module begins */
} SsFrame;

typedef struct SsStack {
    int tid;
    char *comm;         /* owned */
    GPtrArray *frames;  /* SsFrame, the innermost first; may be empty; owned */
    guint64 stopped_ns; /* it stood still at most; 0: it was not stopped */
    char *why;          /* why the frames end early, or there are none; NULL: all there; owned */
} SsStack;

typedef struct SsStacks {
    int pid;
    GPtrArray *threads; /* SsStack, by tid; owned */
    char *why;          /* why there are none, as words for the reader; NULL: there are; owned */
} SsStacks;

/*
 * The stacks of all threads of process `pid`. `start_time` is in clock ticks since boot as
 * /proc/PID/stat has it, so that another process with the same number is not taken for it;
 * 0: whatever process has the number. Never NULL: what could not be had is told in `why`, of the
 * process or of the thread. Does not end while a symbol file is read, which may take a second.
 */
SsStacks *ss_stacks_take(int pid, guint64 start_time);

/* The longest time in ns for which any one of its threads stood still for us. */
guint64 ss_stacks_longest_stop(const SsStacks *stacks);

/* A frame as a line without its number, free of control characters: "recvmsg+0x5d (libc.so.6)",
 * or "libc.so.6+0x1093dd" without a symbol, or the address alone. To be freed. */
char *ss_frame_text(const SsFrame *frame);

/* The stacks as a JSON object, in place as the next value of `builder`, and back again. A load
 * returns NULL and sets `error` (G_IO_ERROR_INVALID_DATA) when it is not such an object. */
void ss_stacks_save(const SsStacks *stacks, JsonBuilder *builder);
SsStacks *ss_stacks_load(JsonNode *node, GError **error);

void ss_stacks_free(SsStacks *stacks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsStacks, ss_stacks_free)
