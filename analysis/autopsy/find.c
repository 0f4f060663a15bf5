/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Looking: what is cheap to read of every process first, and what is costly only of those that
 * have vhost-user channels.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <gio/gio.h>

#include "analysis/autopsy/parts.h"

#define SS_NS_PER_S G_GINT64_CONSTANT(1000000000)

static gint64 monotonic_ns(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? now.tv_sec * SS_NS_PER_S + now.tv_nsec : 0;
}

static SsLook *look_begin(void)
{
    SsLook *look = ss_look_new();
    look->ns = g_get_real_time() * 1000;
    look->monotonic_ns = monotonic_ns();
    return look;
}

/* Whether the name, without all that is costly, is a front-end's. */
static bool is_named_front(gint32 pid)
{
    int dir = ss_proc_open(pid);
    if (dir < 0) {
        return false;
    }
    char first[256] = "";
    SsSeenProcess *process = ss_seen_process_new(pid);
    (void)ss_proc_read(dir, "cmdline", first, sizeof first);
    g_ptr_array_add(process->argv, g_strdup(first));
    char *exe = ss_proc_link(dir, "exe");
    if (exe) {
        g_free(process->exe);
        process->exe = exe;
    }
    bool is_front = ss_argv_is_qemu(process);
    ss_seen_process_free(process);
    (void)close(dir);
    return is_front;
}

/* Front-ends among all processes: SsSeenProcess of the look, weak. */
static GPtrArray *find_fronts(SsFinder *finder, GError **error)
{
    g_autoptr(GPtrArray) fronts = g_ptr_array_new();
    DIR *list = opendir("/proc");
    if (!list) {
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno),
                    "Cannot look at processes: path=\"/proc\": %s", g_strerror(errno));
        return NULL;
    }
    for (struct dirent *entry; (entry = readdir(list));) {
        gint32 pid = (gint32)strtol(entry->d_name, NULL, 10);
        if (!g_ascii_isdigit(entry->d_name[0]) || pid == (gint32)getpid()) {
            continue;
        }
        bool has_vm = ss_finder_scan(finder, pid);
        if (has_vm || is_named_front(pid)) {
            SsSeenProcess *front = ss_finder_process(finder, pid);
            if (front) {
                front->roles |= SS_ROLE_FRONT_END;
                g_ptr_array_add(fronts, front);
            }
        }
    }
    (void)closedir(list);
    finder->all = true;
    if (access("/proc/1", F_OK) != 0) {
        ss_deny(finder->look->denied, "processes of other users",
                "/proc mounted without hidepid, or CAP_SYS_PTRACE", errno);
    }
    return g_steal_pointer(&fronts);
}

static void find_channels(SsFinder *finder, GPtrArray *fronts, const SsLookOptions *options)
{
    for (guint i = 0; i < fronts->len; i++) {
        SsSeenProcess *front = g_ptr_array_index(fronts, i);
        if (!options->vm || g_str_equal(front->vm, options->vm)) {
            ss_channels_find(finder, front);
        }
    }
}

/* Keeps the VMs asked for. Returns false with an error when there are none. */
static bool keep_asked(SsFinder *finder, const SsLookOptions *options, GError **error)
{
    SsLook *look = finder->look;
    if (options->vm) {
        bool found = false;
        for (guint i = 0; i < look->processes->len; i++) {
            const SsSeenProcess *process = g_ptr_array_index(look->processes, i);
            found = found ||
                    (process->roles & SS_ROLE_FRONT_END && g_str_equal(process->vm, options->vm));
        }
        if (!found) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                        "Cannot find VM: name=\"%s\": no such VM runs on this host", options->vm);
            return false;
        }
    }
    if (options->pid && !ss_finder_process(finder, options->pid)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "Cannot find process: pid=%d: no such process", options->pid);
        return false;
    }
    g_autoptr(GHashTable) asked = g_hash_table_new(NULL, NULL); /* front-ends */
    for (guint i = 0; i < look->processes->len; i++) {
        const SsSeenProcess *process = g_ptr_array_index(look->processes, i);
        if (options->pid ? process->pid == options->pid
                         : !options->vm || g_str_equal(process->vm, options->vm)) {
            g_hash_table_add(asked, GINT_TO_POINTER(process->pid));
        }
    }
    for (guint i = 0; i < look->channels->len && options->pid; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(look->channels, i);
        if (channel->back_pid == options->pid) {
            g_hash_table_add(asked, GINT_TO_POINTER(channel->front_pid));
        }
    }
    g_autoptr(GHashTable) kept = g_hash_table_new(NULL, NULL);
    g_autofree gint32 *place = g_new0(gint32, look->channels->len + 1);
    guint n_kept = 0;
    for (guint i = 0, n = look->channels->len; i < n; i++) {
        SsSeenChannel *channel = g_ptr_array_index(look->channels, n_kept);
        if (!g_hash_table_contains(asked, GINT_TO_POINTER(channel->front_pid))) {
            g_ptr_array_remove_index(look->channels, n_kept);
            continue;
        }
        place[i] = (gint32)n_kept++;
        if (channel->main >= 0) {
            channel->main = place[channel->main];
        }
        g_hash_table_add(kept, GINT_TO_POINTER(channel->back_pid));
    }
    for (guint i = look->processes->len; i-- > 0;) {
        const SsSeenProcess *process = g_ptr_array_index(look->processes, i);
        if (!g_hash_table_contains(asked, GINT_TO_POINTER(process->pid)) &&
            !g_hash_table_contains(kept, GINT_TO_POINTER(process->pid))) {
            g_ptr_array_remove_index(look->processes, i);
        }
    }
    return true;
}

static void look_closely(SsFinder *finder)
{
    SsLook *look = finder->look;
    g_autoptr(SsSince) since = ss_since_new();
    ss_details_sockets(finder);
    for (guint i = 0; i < look->processes->len; i++) {
        SsSeenProcess *process = g_ptr_array_index(look->processes, i);
        if (process->detailed && !process->ended) {
            ss_details_process(finder, process, since);
        }
    }
    ss_details_finish(look);
    look->took_ns = monotonic_ns() - look->monotonic_ns;
}

static char *line_of(const char *path)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return g_strdup("");
    }
    return g_strdup(g_strchomp(text));
}

SsEvidence *ss_look_first(const SsLookOptions *options, GError **error)
{
    static const SsLookOptions all = { 0 };
    options = options ? options : &all;
    SsLook *look = look_begin();
    g_autoptr(SsEvidence) evidence = ss_evidence_new();
    g_ptr_array_add(evidence->looks, look);
    g_autoptr(SsFinder) finder = ss_finder_new(look);
    g_autoptr(GPtrArray) fronts = find_fronts(finder, error);
    if (!fronts) {
        return NULL;
    }
    find_channels(finder, fronts, options);
    if (options->pid) {
        /* A front-end that nothing but this names. */
        SsSeenProcess *process = ss_finder_process(finder, options->pid);
        if (process && !process->roles) {
            ss_channels_find(finder, process);
        }
        /* Who asks for it wants to know why nothing is seen, too. */
        if (process) {
            process->detailed = true;
        }
    }
    if (!keep_asked(finder, options, error)) {
        return NULL;
    }
    look_closely(finder);
    struct utsname name;
    if (uname(&name) == 0) {
        g_free(evidence->host);
        evidence->host = ss_evidence_string(name.nodename, strlen(name.nodename), 256);
        g_free(evidence->kernel);
        evidence->kernel = ss_evidence_string(name.release, strlen(name.release), 256);
    }
    g_free(evidence->boot_id);
    evidence->boot_id = line_of("/proc/sys/kernel/random/boot_id");
    g_free(evidence->tool);
    evidence->tool = g_strdup("shmemscope " SS_VERSION);
    return g_steal_pointer(&evidence);
}

/* What the look before knew of a process that is not there any more. */
static void add_ended(SsLook *look, const SsSeenProcess *before)
{
    SsSeenProcess *process = ss_seen_process_new(before->pid);
    process->start_ticks = before->start_ticks;
    process->start_ns = before->start_ns;
    process->ended = true;
    process->roles = before->roles;
    process->is_qemu = before->is_qemu;
    process->own_pid = before->own_pid;
    process->uid = before->uid;
    g_free(process->comm);
    process->comm = g_strdup(before->comm);
    g_free(process->exe);
    process->exe = g_strdup(before->exe);
    g_free(process->vm);
    process->vm = g_strdup(before->vm);
    ss_look_add(look, process);
}

/* Whether somebody has the other end, or listens for it, whom the look before did not see. */
static bool has_unfound(SsFinder *finder)
{
    for (guint i = 0; i < finder->look->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(finder->look->channels, i);
        const SsDiag *end = ss_finder_diag(finder, channel->front_inode);
        bool listened = !channel->back_pid && end && end->pending_at;
        if ((channel->back_inode && channel->back_fd < 0) || listened) {
            return true;
        }
    }
    return false;
}

gboolean ss_look_again(SsEvidence *evidence, GError **error)
{
    const SsLook *before = g_ptr_array_index(evidence->looks, 0);
    SsLook *look = look_begin();
    g_autoptr(SsFinder) finder = ss_finder_new(look);
    g_autoptr(GPtrArray) fronts = g_ptr_array_new();
    for (guint i = 0; i < before->processes->len; i++) {
        const SsSeenProcess *known = g_ptr_array_index(before->processes, i);
        SsSeenProcess *process = known->ended ? NULL : ss_finder_process(finder, known->pid);
        if (!process || process->start_ticks != known->start_ticks) {
            if (process) {
                g_ptr_array_remove(look->processes, process);
            }
            add_ended(look, known);
            continue;
        }
        (void)ss_finder_scan(finder, known->pid);
        process->roles = known->roles;
        if (known->roles & SS_ROLE_FRONT_END) {
            g_ptr_array_add(fronts, process);
        }
    }
    static const SsLookOptions all = { 0 };
    find_channels(finder, fronts, &all);
    if (has_unfound(finder)) {
        ss_finder_scan_all(finder);
        g_ptr_array_set_size(look->channels, 0);
        find_channels(finder, fronts, &all);
    }
    look_closely(finder);
    g_ptr_array_set_size(evidence->looks, 1);
    g_ptr_array_add(evidence->looks, look);
    return TRUE;
}
