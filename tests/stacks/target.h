/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A child process that stands in a call of the tester's choice, and tells what became of it. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* In memory that both processes have. */
typedef struct SsTargetShared {
    int result;    /* of its function */
    int error;     /* errno after it */
    guint returns; /* how often it came back; also what a function counts in */
    guint word;    /* to wait for, or whatever a function needs */
} SsTargetShared;

typedef struct SsTarget {
    pid_t pid;
    int ours;               /* end of a socket pair, to end its call with */
    SsTargetShared *shared; /* owned */
} SsTarget;

/* Runs in the child: makes the call once and returns its result. `theirs` is its end. */
typedef int (*SsTargetFunc)(int theirs, SsTargetShared *shared);

/* Starts it. It ends with the tester. */
SsTarget ss_target_start(SsTargetFunc function);
/* Until it stands in the system call of that number: it is asked of the kernel. */
void ss_target_await_call(const SsTarget *target, long number);
/* Until it ended by itself; its exit status must be 0. */
void ss_target_await_end(SsTarget *target);
/* Ends it, however it is. */
void ss_target_kill(SsTarget *target);
/* The letter of its state in /proc: S, T, t, ... */
char ss_target_state(const SsTarget *target);
