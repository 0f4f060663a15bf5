/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From copies of registers and stack to frames, with the files that a process has mapped. */
#pragma once

#include "analysis/autopsy/stack-copy.h"
#include "analysis/autopsy/stacks.h"

typedef struct SsUnwind SsUnwind;

/*
 * Notes what process `pid` has mapped. Returns NULL, and why in `ret_why` (to be freed), when
 * that cannot be read or it is no 64-bit x86 process.
 */
SsUnwind *ss_unwind_new(int pid, char **ret_why);

/*
 * Adds the frames of a copy to `frames` (SsFrame), the innermost first, and at least that one.
 * Returns NULL when the last is the thread's outermost, else why there are no more; to be freed.
 */
char *ss_unwind(SsUnwind *unwind, const SsStackCopy *copy, GPtrArray *frames);

void ss_unwind_free(SsUnwind *unwind);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsUnwind, ss_unwind_free)
