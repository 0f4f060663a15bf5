/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of a thread and the top of its stack, copied at one moment. */
#pragma once

#include <glib.h>

#include "analysis/autopsy/parts.h"

/* DWARF's numbers of x86_64: rax is 0, rsp 7, the return address 16. */
#define SS_COPY_REGISTERS 17
#define SS_COPY_RSP 7
#define SS_COPY_PC 16

#define SS_COPY_DENIED "not permitted: needs " SS_NEEDS_ATTACH
#define SS_COPY_ENDED "it ended meanwhile"

typedef struct SsStackCopy {
    int tid;
    guint64 registers[SS_COPY_REGISTERS];
    gboolean all_known; /* FALSE: stack pointer and program counter only */
    guint64 begin;      /* address of the first of the bytes */
    guint8 *bytes;      /* owned */
    gsize length;
    guint64 stopped_ns; /* 0: it was not stopped for this */
    char *why;          /* why there is no copy; NULL: there is one; owned */
} SsStackCopy;

/*
 * Copies from thread `tid` of process `pid`, without a stop when it stands in a call, else with
 * one. With `all_registers` it is stopped in any case, unless a stop would change what its call
 * returns. Never NULL.
 */
SsStackCopy *ss_stack_copy(int pid, int tid, gboolean all_registers);

/* The 64 bits at an address of the stack; FALSE when they were not copied. */
gboolean ss_stack_copy_read(const SsStackCopy *copy, guint64 address, guint64 *ret_value);

void ss_stack_copy_free(SsStackCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsStackCopy, ss_stack_copy_free)
