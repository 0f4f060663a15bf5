/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which traced processes lived during the recording, and which of them ended: a process that
 * ends inside a request tells so by no event of its own.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct SsWatchedProcess {
    pid_t pid;
    int pidfd;       /* owned; -1 when the process has ended */
    char *name;      /* owned: the kernel's short name */
    gint64 ended_ns; /* Unix time; 0 while it lives */
    guint64 nofile;  /* how many descriptors it may have open; 0: not known */
} SsWatchedProcess;

typedef struct SsWatch {
    GArray *processes;    /* SsWatchedProcess; owned */
    GHashTable *seen;     /* of a watch over everything: pid -> SsSeen; owned */
    GHashTable *followed; /* of the other: pids, themselves; owned. NULL: over everything */
    GArray *fresh;        /* pid_t newly followed; the caller takes them out; owned */
    guint round;
    gboolean changed; /* since the caller last cleared it */
} SsWatch;

/* Unix time in nanoseconds: the origin that the trace's clock has as well. */
gint64 ss_watch_now_ns(void);

/* everything: all of this host's; else those that are followed, and their descendants. */
SsWatch *ss_watch_new(gboolean everything);
void ss_watch_free(SsWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsWatch, ss_watch_free)

/* Follows a living process and what it starts, whether or not it is traced already. */
void ss_watch_follow(SsWatch *watch, pid_t pid);

/*
 * Looks for processes that are new and have LTTng's tracer loaded, or are a QEMU, and begins
 * to watch them. Over everything that costs one reading of /proc, and of the memory map of
 * each new process.
 */
void ss_watch_scan(SsWatch *watch);

/* Follows the children that a process has now, whether or not it is followed itself. */
void ss_watch_follow_children(SsWatch *watch, pid_t pid);

/* TRUE while one of the watched processes lives, as far as the last check has seen. */
gboolean ss_watch_lives(const SsWatch *watch);

/* Notes which of the watched processes have ended, or bear another name by now. */
void ss_watch_check(SsWatch *watch);
