/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

/* Of one process; what is above is counted only. */
#define SS_MAX_KEPT 65536

static DIR *open_fds(int dir)
{
    int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list && fd >= 0) {
        (void)close(fd);
    }
    return list;
}

/* "socket:[4711]" */
static guint64 socket_inode(const char *target)
{
    return g_str_has_prefix(target, "socket:[") ? g_ascii_strtoull(target + 8, NULL, 10) : 0;
}

static bool read_target(DIR *list, const char *name, char *target, gsize size)
{
    gssize len = readlinkat(dirfd(list), name, target, size - 1);
    if (len >= 0) {
        target[len] = '\0';
    }
    return len >= 0;
}

int ss_fds_scan(int dir, gint32 pid, GArray *sockets, bool *ret_has_vm)
{
    DIR *list = open_fds(dir);
    if (!list) {
        return errno;
    }
    bool has_vm = false;
    char target[64];
    for (struct dirent *entry; (entry = readdir(list));) {
        if (!g_ascii_isdigit(entry->d_name[0]) ||
            !read_target(list, entry->d_name, target, sizeof target)) {
            continue;
        }
        SsSocketFd socket = { .pid = pid,
                              .fd = (gint32)strtol(entry->d_name, NULL, 10),
                              .inode = socket_inode(target) };
        if (socket.inode) {
            g_array_append_val(sockets, socket);
        }
        has_vm = has_vm || g_str_equal(target, "anon_inode:kvm-vm");
    }
    (void)closedir(list);
    *ret_has_vm = has_vm;
    return 0;
}

static void add_file(DIR *list, const char *name, const char *target, SsSeenFd *seen)
{
    struct stat file;
    if (target[0] == '/' && fstatat(dirfd(list), name, &file, 0) == 0 && S_ISREG(file.st_mode)) {
        seen->kind = SS_FD_FILE;
        seen->dev = file.st_dev;
        seen->inode = file.st_ino;
        seen->size = (guint64)file.st_size;
    }
}

static gint compare_fds(gconstpointer a, gconstpointer b)
{
    const SsSeenFd *one = *(SsSeenFd *const *)a;
    const SsSeenFd *other = *(SsSeenFd *const *)b;
    return (one->fd > other->fd) - (one->fd < other->fd);
}

static void read_limit(int dir, SsSeenProcess *process)
{
    g_autofree char *limits = ss_proc_text(dir, "limits", 65536, NULL);
    gint64 limit;
    if (limits && ss_proc_number(limits, "Max open files", &limit) && limit > 0) {
        process->fd_limit = (guint64)limit;
    }
}

void ss_fds_read(int dir, SsSeenProcess *process)
{
    DIR *list = open_fds(dir);
    if (!list) {
        if (errno != ENOENT && errno != ESRCH) {
            ss_process_deny(dir, process, "descriptors", SS_NEEDS_READ, errno);
        }
        return;
    }
    char target[4096];
    process->n_fds = 0;
    for (struct dirent *entry; (entry = readdir(list));) {
        if (!g_ascii_isdigit(entry->d_name[0]) ||
            !read_target(list, entry->d_name, target, sizeof target)) {
            continue;
        }
        process->n_fds++;
        SsSeenFd seen = { .fd = (gint32)strtol(entry->d_name, NULL, 10), .flags = -1 };
        seen.inode = socket_inode(target);
        if (seen.inode) {
            seen.kind = SS_FD_SOCKET;
        } else if (g_str_equal(target, "anon_inode:[eventpoll]")) {
            seen.kind = SS_FD_EPOLL;
        } else {
            add_file(list, entry->d_name, target, &seen);
        }
        if (seen.kind != SS_FD_OTHER && process->fds->len < SS_MAX_KEPT) {
            seen.name = seen.kind == SS_FD_FILE ? ss_evidence_string(target, strlen(target), 4096)
                                                : g_strdup("");
            g_ptr_array_add(process->fds, g_memdup2(&seen, sizeof seen));
        }
    }
    (void)closedir(list);
    g_ptr_array_sort(process->fds, compare_fds);
    read_limit(dir, process);
}

bool ss_fds_info(int dir, gint32 fd, gint32 *ret_flags, gint32 *ret_unread_fds)
{
    char name[32];
    char text[2048];
    (void)g_snprintf(name, sizeof name, "fdinfo/%d", fd);
    if (ss_proc_read(dir, name, text, sizeof text) < 0) {
        return false;
    }
    gint64 number;
    const char *flags = strstr(text, "flags:\t");
    *ret_flags = flags ? (gint32)g_ascii_strtoull(flags + 7, NULL, 8) : -1;
    *ret_unread_fds = ss_proc_number(text, "scm_fds:", &number) ? (gint32)number : -1;
    return true;
}
