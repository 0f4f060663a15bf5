/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

#define SS_MAX_THREADS 65536
#define SS_NS_PER_S G_GINT64_CONSTANT(1000000000)
/* By which the time that a thread ran last may be off. */
#define MOST_OFF_NS SS_NS_PER_S

/* "running", "-1 sp pc" or "nr a1 a2 a3 a4 a5 a6 sp pc" */
static void parse_call(const char *text, SsSeenThread *thread)
{
    if (g_str_has_prefix(text, "running")) {
        thread->call = SS_CALL_RUNNING;
        return;
    }
    char *at;
    gint64 nr = g_ascii_strtoll(text, &at, 10);
    if (at == text) {
        return;
    }
    thread->nr = (gint32)nr;
    thread->call = nr < 0 ? SS_CALL_OUTSIDE : SS_CALL_IN;
    for (guint i = 0; i < G_N_ELEMENTS(thread->args) && nr >= 0; i++) {
        thread->args[i] = g_ascii_strtoull(at, &at, 16);
    }
    thread->sp = g_ascii_strtoull(at, &at, 16);
    thread->pc = g_ascii_strtoull(at, &at, 16);
}

/* schedstat: ns run, ns waited to run, times put on a CPU */
static bool read_schedstat(int dir, SsSeenThread *thread)
{
    char text[128];
    char *at;
    if (ss_proc_read(dir, "schedstat", text, sizeof text) <= 0) {
        return false;
    }
    thread->cpu_ns = g_ascii_strtoull(text, &at, 10);
    (void)g_ascii_strtoull(at, &at, 10);
    thread->switches = g_ascii_strtoull(at, &at, 10);
    /* A kernel that keeps no such account says 0 of everybody. */
    return thread->switches != 0;
}

static bool read_counts(int dir, const char *stat, SsSeenThread *thread)
{
    if (read_schedstat(dir, thread)) {
        return true;
    }
    char status[4096];
    gint64 voluntary;
    gint64 other;
    long hz = sysconf(_SC_CLK_TCK);
    if (hz <= 0 || ss_proc_read(dir, "status", status, sizeof status) <= 0 ||
        !ss_proc_number(status, "voluntary_ctxt_switches:", &voluntary) ||
        !ss_proc_number(status, "nonvoluntary_ctxt_switches:", &other)) {
        return false;
    }
    thread->switches = (guint64)voluntary + (guint64)other;
    thread->cpu_ns =
        (ss_proc_field(stat, 14) + ss_proc_field(stat, 15)) * (guint64)(SS_NS_PER_S / hz);
    return true;
}

/* The tid that its program knows it by, where that is another one. */
static void read_own_tid(int dir, const SsSeenProcess *process, SsSeenThread *thread)
{
    char status[4096];
    if (process->own_pid == process->pid ||
        ss_proc_read(dir, "status", status, sizeof status) <= 0) {
        return;
    }
    const char *line = strstr(status, "NSpid:");
    if (line) {
        const char *end = line + strcspn(line, "\n");
        while (end > line && end[-1] != '\t') {
            end--;
        }
        thread->own_tid = (gint32)g_ascii_strtoll(end, NULL, 10);
    }
}

static bool read_thread(int dir, int process_dir, SsSeenProcess *process, SsSeenThread *thread,
                        SsSince *since, gint64 now_ns)
{
    char stat[1024];
    char call[256];
    if (ss_proc_read(dir, "stat", stat, sizeof stat) <= 0 || !ss_proc_after_name(stat)) {
        return false;
    }
    thread->state = *ss_proc_after_name(stat);
    const char *name = strchr(stat, '(');
    const char *end = strrchr(stat, ')');
    if (name && end && name < end) {
        g_free(thread->comm);
        thread->comm = ss_evidence_string(name + 1, (gsize)(end - name - 1), 64);
    }
    thread->counts_known = read_counts(dir, stat, thread);
    read_own_tid(dir, process, thread);
    if (ss_proc_read(dir, "syscall", call, sizeof call) <= 0) {
        if (errno == ENOENT || errno == ESRCH) {
            return faccessat(dir, "stat", R_OK, 0) == 0;
        }
        ss_process_deny(process_dir, process, "calls of threads", SS_NEEDS_ATTACH, errno);
        return true;
    }
    parse_call(call, thread);
    if (thread->call == SS_CALL_IN) {
        ss_call_read(process_dir, process, thread);
    }
    if (thread->call == SS_CALL_IN || thread->call == SS_CALL_OUTSIDE) {
        gint64 started = ss_since_exec_start(dir, "sched");
        gint64 ago =
            started < 0 ? -1 : ss_since_ago(since, started, (guint)ss_proc_field(stat, 39));
        thread->last_ran_ns = ago < 0 ? 0 : now_ns - ago;
        /* It did not run before its process did: what is little earlier is not that exact. */
        if (thread->last_ran_ns < process->start_ns - MOST_OFF_NS) {
            thread->last_ran_ns = 0;
        } else if (thread->last_ran_ns < process->start_ns) {
            thread->last_ran_ns = process->start_ns;
        }
    }
    return true;
}

static gint compare_threads(gconstpointer a, gconstpointer b)
{
    const SsSeenThread *one = *(SsSeenThread *const *)a;
    const SsSeenThread *other = *(SsSeenThread *const *)b;
    return (one->tid > other->tid) - (one->tid < other->tid);
}

void ss_threads_read(int dir, SsSeenProcess *process, SsSince *since)
{
    int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = tasks < 0 ? NULL : fdopendir(tasks);
    if (!list) {
        if (tasks >= 0) {
            (void)close(tasks);
        }
        return; /* the process has ended, which its caller finds out */
    }
    for (struct dirent *entry; (entry = readdir(list)) && process->threads->len < SS_MAX_THREADS;) {
        if (!g_ascii_isdigit(entry->d_name[0])) {
            continue;
        }
        int thread_dir = openat(tasks, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (thread_dir < 0) {
            continue; /* the thread has ended */
        }
        SsSeenThread *thread = ss_seen_thread_new((gint32)strtol(entry->d_name, NULL, 10));
        if (read_thread(thread_dir, dir, process, thread, since, g_get_real_time() * 1000)) {
            g_ptr_array_add(process->threads, thread);
        } else {
            ss_seen_thread_free(thread);
        }
        (void)close(thread_dir);
    }
    (void)closedir(list);
    g_ptr_array_sort(process->threads, compare_threads);
    /* Owners are known by the tid of their program. */
    for (guint i = 0; i < process->threads->len; i++) {
        SsSeenThread *waiter = g_ptr_array_index(process->threads, i);
        gint32 owner = waiter->futex_owner;
        waiter->futex_owner = 0;
        for (guint j = 0; owner && j < process->threads->len; j++) {
            const SsSeenThread *other = g_ptr_array_index(process->threads, j);
            if (other->own_tid == owner) {
                waiter->futex_owner = other->tid;
            }
        }
    }
}
