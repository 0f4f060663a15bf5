/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A process is looked at again for so many scans: it may not have loaded its libraries yet. */
#define SCANS_WHILE_YOUNG 12

typedef struct SsSeen {
    guint scans;
    guint round; /* of the last scan that found the pid */
} SsSeen;

gint64 ss_watch_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void clear_process(gpointer data)
{
    SsWatchedProcess *process = data;

    if (process->pidfd >= 0) {
        (void)close(process->pidfd);
    }
    g_free(process->name);
}

SsWatch *ss_watch_new(gboolean everything)
{
    SsWatch *watch = g_new0(SsWatch, 1);

    watch->processes = g_array_new(FALSE, TRUE, sizeof(SsWatchedProcess));
    g_array_set_clear_func(watch->processes, clear_process);
    watch->seen = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    watch->followed = everything ? NULL : g_hash_table_new(NULL, NULL);
    watch->fresh = g_array_new(FALSE, FALSE, sizeof(pid_t));
    return watch;
}

void ss_watch_free(SsWatch *watch)
{
    if (!watch) {
        return;
    }
    g_array_unref(watch->processes);
    g_hash_table_unref(watch->seen);
    g_clear_pointer(&watch->followed, g_hash_table_unref);
    g_array_unref(watch->fresh);
    g_free(watch);
}

static char *process_name(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid);
    char *name = NULL;

    if (!g_file_get_contents(path, &name, NULL, NULL)) {
        return NULL;
    }
    return g_strchomp(name);
}

static gboolean has_tracer(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", (int)pid);
    g_autofree char *maps = NULL;

    return g_file_get_contents(path, &maps, NULL, NULL) && strstr(maps, "/liblttng-ust.so");
}

/* QEMU raises its own limit as it starts, so it is asked again. */
static void refresh_limit(SsWatch *watch, SsWatchedProcess *process)
{
    struct rlimit limit;

    if (prlimit(process->pid, RLIMIT_NOFILE, NULL, &limit) == 0 &&
        process->nofile != limit.rlim_cur) {
        process->nofile = limit.rlim_cur;
        watch->changed = TRUE;
    }
}

static void begin_to_watch(SsWatch *watch, pid_t pid, char *name)
{
    SsWatchedProcess process = { .pid = pid, .name = name };

    process.pidfd = pidfd_open(pid, 0);
    if (process.pidfd < 0) {
        /* It ended between being seen and being opened. */
        process.ended_ns = ss_watch_now_ns();
    } else {
        refresh_limit(watch, &process);
    }
    g_array_append_val(watch->processes, process);
    watch->changed = TRUE;
}

/* Ended, and its parent has not asked for its status yet. */
static gboolean is_zombie(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    const char *rest;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return FALSE;
    }
    /* A name may hold a parenthesis; what follows it does not. */
    rest = strrchr(text, ')');
    return rest && g_str_has_prefix(rest, ") Z");
}

/* TRUE when the pid needs no further look. */
static gboolean look_at(SsWatch *watch, pid_t pid)
{
    g_autofree char *name = process_name(pid);

    if (!name || is_zombie(pid)) {
        return FALSE;
    }
    /* Another user's memory map cannot be read; a QEMU is known by its name as well. */
    if (g_str_has_prefix(name, "qemu-system") || has_tracer(pid)) {
        begin_to_watch(watch, pid, g_steal_pointer(&name));
        return TRUE;
    }
    return FALSE;
}

static gboolean is_gone(gpointer key, gpointer value, gpointer user_data)
{
    const SsSeen *seen = value;

    return seen->round != GPOINTER_TO_UINT(user_data);
}

static gboolean is_watched(const SsWatch *watch, pid_t pid)
{
    for (guint i = 0; i < watch->processes->len; i++) {
        const SsWatchedProcess *process = &g_array_index(watch->processes, SsWatchedProcess, i);

        if (process->pid == pid && process->pidfd >= 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static void follow(SsWatch *watch, pid_t pid)
{
    if (g_hash_table_add(watch->followed, GINT_TO_POINTER(pid))) {
        g_array_append_val(watch->fresh, pid);
    }
}

void ss_watch_follow(SsWatch *watch, pid_t pid)
{
    follow(watch, pid);
    if (!is_watched(watch, pid)) {
        char *name = process_name(pid);

        begin_to_watch(watch, pid, name ? name : g_strdup(""));
    }
}

/* The children of each thread of a process. */
void ss_watch_follow_children(SsWatch *watch, pid_t pid)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
    g_autoptr(GDir) directory = g_dir_open(tasks, 0, NULL);
    const char *thread;

    while (directory && (thread = g_dir_read_name(directory))) {
        g_autofree char *path = g_build_filename(tasks, thread, "children", NULL);
        g_autofree char *children = NULL;
        char *rest;

        if (!g_file_get_contents(path, &children, NULL, NULL)) {
            continue;
        }
        rest = children;
        for (pid_t child; (child = (pid_t)strtol(rest, &rest, 10)) > 0;) {
            follow(watch, child);
        }
    }
}

static void scan_followed(SsWatch *watch)
{
    g_autoptr(GList) pids = g_hash_table_get_keys(watch->followed);

    for (GList *link = pids; link; link = link->next) {
        pid_t pid = GPOINTER_TO_INT(link->data);
        g_autofree char *directory = g_strdup_printf("/proc/%d", (int)pid);

        if (!g_file_test(directory, G_FILE_TEST_IS_DIR)) {
            /* Its number may be a stranger's one day. */
            g_hash_table_remove(watch->followed, link->data);
            continue;
        }
        ss_watch_follow_children(watch, pid);
        if (!is_watched(watch, pid)) {
            (void)look_at(watch, pid);
        }
    }
}

static void scan_everything(SsWatch *watch)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *entry;

    if (!proc) {
        return;
    }
    watch->round++;
    while ((entry = g_dir_read_name(proc))) {
        pid_t pid = g_ascii_isdigit(entry[0]) ? atoi(entry) : 0;
        SsSeen *seen;

        if (pid <= 0 || pid == getpid()) {
            continue;
        }
        seen = g_hash_table_lookup(watch->seen, GINT_TO_POINTER(pid));
        if (!seen) {
            seen = g_new0(SsSeen, 1);
            g_hash_table_insert(watch->seen, GINT_TO_POINTER(pid), seen);
        }
        seen->round = watch->round;
        if (seen->scans < SCANS_WHILE_YOUNG) {
            seen->scans++;
            if (look_at(watch, pid)) {
                seen->scans = SCANS_WHILE_YOUNG;
            }
        }
    }
    /* A number that is handed out again is a new process. */
    g_hash_table_foreach_remove(watch->seen, is_gone, GUINT_TO_POINTER(watch->round));
}

void ss_watch_scan(SsWatch *watch)
{
    if (watch->followed) {
        scan_followed(watch);
    } else {
        scan_everything(watch);
    }
}

/* A shell becomes a QEMU. */
static void refresh_name(SsWatch *watch, SsWatchedProcess *process)
{
    char *name = process_name(process->pid);

    if (name && *name && !g_str_equal(name, process->name)) {
        g_free(process->name);
        process->name = g_steal_pointer(&name);
        watch->changed = TRUE;
    }
    g_free(name);
}

void ss_watch_check(SsWatch *watch)
{
    for (guint i = 0; i < watch->processes->len; i++) {
        SsWatchedProcess *process = &g_array_index(watch->processes, SsWatchedProcess, i);
        struct pollfd poller = { .fd = process->pidfd, .events = POLLIN };

        if (process->pidfd < 0) {
            continue;
        }
        if (poll(&poller, 1, 0) == 1) {
            process->ended_ns = ss_watch_now_ns();
            (void)close(process->pidfd);
            process->pidfd = -1;
            watch->changed = TRUE;
        } else {
            refresh_name(watch, process);
            refresh_limit(watch, process);
        }
    }
}

gboolean ss_watch_lives(const SsWatch *watch)
{
    for (guint i = 0; i < watch->processes->len; i++) {
        if (g_array_index(watch->processes, SsWatchedProcess, i).pidfd >= 0) {
            return TRUE;
        }
    }
    return FALSE;
}
