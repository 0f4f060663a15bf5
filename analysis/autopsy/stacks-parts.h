/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What taking stacks and loading them share. */
#pragma once

#include "analysis/autopsy/stacks.h"

/* `comm` is copied. */
SsStack *ss_stack_new(int tid, const char *comm);
SsStacks *ss_stacks_new(int pid);

void ss_frame_free(SsFrame *frame);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsFrame, ss_frame_free)
void ss_stack_free(SsStack *stack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsStack, ss_stack_free)
