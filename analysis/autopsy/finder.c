/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

static void free_array(gpointer array)
{
    g_array_unref(array);
}

SsFinder *ss_finder_new(SsLook *look)
{
    SsFinder *finder = g_new0(SsFinder, 1);
    finder->look = look;
    finder->diag = ss_diag_new();
    finder->holders = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_array);
    finder->of_pid = g_hash_table_new_full(NULL, NULL, NULL, free_array);
    finder->asked = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    finder->maps = g_hash_table_new_full(NULL, NULL, NULL, ss_seen_process_free);
    return finder;
}

void ss_finder_free(SsFinder *finder)
{
    if (finder) {
        g_hash_table_unref(finder->diag);
        g_hash_table_unref(finder->holders);
        g_hash_table_unref(finder->of_pid);
        g_hash_table_unref(finder->asked);
        g_hash_table_unref(finder->maps);
        g_free(finder);
    }
}

static gint compare_sockets(gconstpointer a, gconstpointer b)
{
    const SsSocketFd *one = a;
    const SsSocketFd *other = b;
    return (one->fd > other->fd) - (one->fd < other->fd);
}

static void note_holder(SsFinder *finder, const SsSocketFd *socket)
{
    GArray *holders = g_hash_table_lookup(finder->holders, &socket->inode);
    if (!holders) {
        holders = g_array_new(FALSE, TRUE, sizeof(SsSeenHolder));
        g_hash_table_insert(finder->holders, g_memdup2(&socket->inode, sizeof socket->inode),
                            holders);
    }
    SsSeenHolder holder = { .pid = socket->pid, .fd = socket->fd };
    g_array_append_val(holders, holder);
}

bool ss_finder_scan(SsFinder *finder, gint32 pid)
{
    if (g_hash_table_contains(finder->of_pid, GINT_TO_POINTER(pid))) {
        return false;
    }
    int dir = ss_proc_open(pid);
    if (dir < 0) {
        return false;
    }
    bool has_vm = false;
    GArray *sockets = g_array_new(FALSE, TRUE, sizeof(SsSocketFd));
    if (ss_fds_scan(dir, pid, sockets, &has_vm) == 0) {
        g_array_sort(sockets, compare_sockets);
        for (guint i = 0; i < sockets->len; i++) {
            note_holder(finder, &g_array_index(sockets, SsSocketFd, i));
        }
        g_hash_table_insert(finder->of_pid, GINT_TO_POINTER(pid), sockets);
    } else {
        g_array_unref(sockets);
    }
    (void)close(dir);
    return has_vm;
}

void ss_finder_scan_all(SsFinder *finder)
{
    DIR *list = finder->all ? NULL : opendir("/proc");
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (g_ascii_isdigit(entry->d_name[0])) {
            (void)ss_finder_scan(finder, (gint32)strtol(entry->d_name, NULL, 10));
        }
    }
    if (list) {
        (void)closedir(list);
    }
    finder->all = true;
}

void ss_finder_ask(SsFinder *finder, gint32 pid)
{
    int dir = ss_proc_open(pid);
    guint64 netns = dir < 0 ? 0 : ss_proc_namespace(dir, "ns/net");
    guint64 own = ss_namespace_own("ns/net");
    /* Where it may not be known it is most often the same. */
    netns = netns ? netns : own;
    if (!g_hash_table_contains(finder->asked, &netns)) {
        g_hash_table_add(finder->asked, g_memdup2(&netns, sizeof netns));
        int diag = ss_namespace_diag(netns == own ? -1 : dir);
        int error = diag < 0 ? errno : ss_diag_dump(finder->diag, diag, netns == own ? 0 : netns);
        if (error == ENOENT || error == EOPNOTSUPP || error == EPROTONOSUPPORT) {
            ss_deny(finder->look->denied, "unix sockets", "the kernel's module unix_diag", error);
        } else if (error && netns != own) {
            ss_deny(finder->look->denied, "unix sockets of another network namespace",
                    SS_NEEDS_NETNS, error);
        } else if (error) {
            ss_deny(finder->look->denied, "unix sockets", "NETLINK_SOCK_DIAG", error);
        }
        if (diag >= 0) {
            (void)close(diag);
        }
    }
    if (dir >= 0) {
        (void)close(dir);
    }
}

const GArray *ss_finder_sockets(const SsFinder *finder, gint32 pid)
{
    return g_hash_table_lookup(finder->of_pid, GINT_TO_POINTER(pid));
}

const SsSeenHolder *ss_finder_holder(const SsFinder *finder, guint64 inode, gint32 but)
{
    const SsSeenHolder *found = NULL;
    const GArray *holders = g_hash_table_lookup(finder->holders, &inode);
    for (guint i = 0; holders && i < holders->len; i++) {
        const SsSeenHolder *holder = &g_array_index(holders, SsSeenHolder, i);
        if (holder->pid != but && (!found || holder->pid < found->pid ||
                                   (holder->pid == found->pid && holder->fd < found->fd))) {
            found = holder;
        }
    }
    return found;
}

const SsDiag *ss_finder_diag(SsFinder *finder, guint64 inode)
{
    if (!inode) {
        return NULL;
    }
    const SsDiag *diag = g_hash_table_lookup(finder->diag, &inode);
    if (!diag) {
        const SsSeenHolder *holder = ss_finder_holder(finder, inode, 0);
        if (holder) {
            ss_finder_ask(finder, holder->pid);
            diag = g_hash_table_lookup(finder->diag, &inode);
        }
    }
    if (!diag) {
        /* A connection lives where the one that connected is, at both ends; and that is most often
         * the host's. */
        ss_finder_ask(finder, (gint32)getpid());
        diag = g_hash_table_lookup(finder->diag, &inode);
    }
    return diag;
}

const SsDiag *ss_finder_end(SsFinder *finder, SsSeenProcess *front, const SsSocketFd *socket)
{
    const SsDiag *diag = ss_finder_diag(finder, socket->inode);
    if (diag && (diag->listens || diag->peer || diag->pending_at || diag->hidden)) {
        return diag;
    }
    g_autofree char *path = NULL;
    gint32 peer_pid = 0;
    int error = ss_peek_ends(socket, &path, &peer_pid);
    if (error == EPERM || error == EACCES) {
        ss_deny(front->denied, "unix sockets of which nothing is told here", SS_NEEDS_ATTACH,
                error);
    }
    if (error) {
        return diag;
    }
    if (peer_pid) {
        ss_finder_ask(finder, peer_pid);
    }
    SsDiag *found = ss_diag_of(finder->diag, socket->inode);
    if (!found->peer && !found->pending_at) {
        found->hidden = true;
        g_free(found->path);
        found->path = g_steal_pointer(&path);
    }
    return found;
}

const SsSeenProcess *ss_finder_maps(SsFinder *finder, gint32 pid)
{
    SsSeenProcess *process = g_hash_table_lookup(finder->maps, GINT_TO_POINTER(pid));
    if (!process) {
        process = ss_seen_process_new(pid);
        int dir = ss_proc_open(pid);
        if (dir >= 0) {
            ss_maps_read(dir, process);
            (void)close(dir);
        }
        g_hash_table_insert(finder->maps, GINT_TO_POINTER(pid), process);
    }
    return process;
}

bool ss_finder_take_maps(SsFinder *finder, SsSeenProcess *process)
{
    SsSeenProcess *known = g_hash_table_lookup(finder->maps, GINT_TO_POINTER(process->pid));
    if (!known || known->maps->len == 0) {
        return false;
    }
    g_ptr_array_unref(process->maps);
    process->maps = g_ptr_array_ref(known->maps);
    g_hash_table_remove(finder->maps, GINT_TO_POINTER(process->pid));
    return true;
}

SsSeenProcess *ss_finder_process(SsFinder *finder, gint32 pid)
{
    SsSeenProcess *process = ss_look_process(finder->look, pid);
    if (process) {
        return process;
    }
    int dir = ss_proc_open(pid);
    if (dir < 0) {
        return NULL;
    }
    process = ss_seen_process_new(pid);
    bool is_there = ss_process_read(dir, process);
    if (is_there) {
        process->is_qemu = ss_argv_is_qemu(process);
        g_autofree char *cgroup = ss_proc_text(dir, "cgroup", 65536, NULL);
        g_free(process->vm);
        process->vm = ss_argv_vm(process, cgroup);
    }
    (void)close(dir);
    if (!is_there) {
        ss_seen_process_free(process);
        return NULL;
    }
    ss_look_add(finder->look, process);
    return process;
}
