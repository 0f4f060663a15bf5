/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

#define SS_MAX_WORDS 4096
#define SS_MAX_WORD 4096
#define SS_MAX_CMDLINE (1u << 20)

int ss_proc_open(gint32 pid)
{
    char path[32];
    (void)g_snprintf(path, sizeof path, "/proc/%d", pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

gssize ss_proc_read(int dir, const char *name, char *buffer, gsize size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    gsize len = 0;
    gssize got = 0;
    while (len < size - 1 && (got = read(fd, buffer + len, size - 1 - len)) > 0) {
        len += (gsize)got;
    }
    int error = errno;
    (void)close(fd);
    buffer[len] = '\0';
    errno = error;
    return got < 0 ? -1 : (gssize)len;
}

char *ss_proc_text(int dir, const char *name, gsize max, gsize *ret_len)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    g_autoptr(GString) text = g_string_sized_new(4096);
    char buffer[16384];
    gssize got = 0;
    while (text->len < max && (got = read(fd, buffer, MIN(sizeof buffer, max - text->len))) > 0) {
        g_string_append_len(text, buffer, got);
    }
    int error = errno;
    (void)close(fd);
    if (got < 0) {
        errno = error;
        return NULL;
    }
    if (ret_len) {
        *ret_len = text->len;
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *ss_proc_link(int dir, const char *name)
{
    char target[4096];
    gssize len = readlinkat(dir, name, target, sizeof target);
    return len < 0 ? NULL : g_strndup(target, (gsize)len);
}

guint64 ss_proc_namespace(int dir, const char *name)
{
    /* "net:[4026531840]" */
    g_autofree char *target = ss_proc_link(dir, name);
    const char *number = target ? strchr(target, '[') : NULL;
    return number ? g_ascii_strtoull(number + 1, NULL, 10) : 0;
}

bool ss_proc_number(const char *text, const char *name, gint64 *ret_number)
{
    gsize len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0) {
            *ret_number = g_ascii_strtoll(line + len, NULL, 10);
            return true;
        }
    }
    return false;
}

const char *ss_proc_after_name(const char *stat)
{
    const char *end = strrchr(stat, ')');
    return end && end[1] == ' ' ? end + 2 : NULL;
}

guint64 ss_proc_field(const char *stat, guint number)
{
    const char *at = ss_proc_after_name(stat);
    for (guint i = 3; at && i < number; i++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    return at ? g_ascii_strtoull(at, NULL, 10) : 0;
}

void ss_process_deny(int dir, SsSeenProcess *process, const char *what, const char *needs,
                     int error)
{
    struct stat proc;
    /* /proc/PID is root's where the kernel lets nobody but root look: after a change of user, or
     * when the program asked for it. */
    if (fstat(dir, &proc) == 0 && proc.st_uid != (uid_t)process->uid &&
        process->uid == (gint32)geteuid()) {
        needs = "CAP_SYS_PTRACE: the process is not dumpable";
    }
    ss_deny(process->denied, what, needs, error);
}

static void read_argv(int dir, SsSeenProcess *process)
{
    gsize len = 0;
    g_autofree char *words = ss_proc_text(dir, "cmdline", SS_MAX_CMDLINE, &len);
    for (gsize at = 0; words && at < len && process->argv->len < SS_MAX_WORDS;) {
        gsize word = strnlen(words + at, len - at);
        g_ptr_array_add(process->argv, ss_evidence_string(words + at, word, SS_MAX_WORD));
        at += word + 1;
    }
}

/* The last number of a line "NSpid:\t4242\t17": in the innermost namespace. */
static gint32 innermost(const char *status, const char *name, gint32 otherwise)
{
    const char *line = strstr(status, name);
    if (!line) {
        return otherwise;
    }
    const char *end = line + strcspn(line, "\n");
    while (end > line && end[-1] != '\t') {
        end--;
    }
    return (gint32)g_ascii_strtoll(end, NULL, 10);
}

static guint64 namespace_of(int dir, const char *name)
{
    guint64 inode = ss_proc_namespace(dir, name);
    return inode == ss_namespace_own(name) ? 0 : inode;
}

static void read_start(const char *stat, SsSeenProcess *process)
{
    process->start_ticks = ss_proc_field(stat, 22);
    struct timespec now;
    long hz = sysconf(_SC_CLK_TCK);
    if (hz > 0 && clock_gettime(CLOCK_BOOTTIME, &now) == 0) {
        gint64 up = now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
        gint64 began =
            (gint64)(process->start_ticks * (G_GUINT64_CONSTANT(1000000000) / (guint64)hz));
        process->start_ns = g_get_real_time() * 1000 - (up - began);
    }
}

bool ss_process_read(int dir, SsSeenProcess *process)
{
    char stat[1024];
    char status[4096];
    gssize len = ss_proc_read(dir, "stat", stat, sizeof stat);
    if (len <= 0 || !ss_proc_after_name(stat) ||
        ss_proc_read(dir, "status", status, sizeof status) <= 0) {
        return false;
    }
    const char *state = ss_proc_after_name(stat);
    if (*state == 'Z' || *state == 'X') {
        errno = ESRCH;
        return false;
    }
    read_start(stat, process);
    const char *name = strchr(stat, '(');
    const char *end = strrchr(stat, ')');
    if (name && end && name < end) {
        g_free(process->comm);
        process->comm = ss_evidence_string(name + 1, (gsize)(end - name - 1), 64);
    }
    gint64 uid;
    if (ss_proc_number(status, "Uid:", &uid)) {
        process->uid = (gint32)uid;
    }
    process->own_pid = innermost(status, "NSpid:", process->pid);
    read_argv(dir, process);
    g_autofree char *exe = ss_proc_link(dir, "exe");
    if (exe) {
        g_free(process->exe);
        process->exe = ss_evidence_string(exe, strlen(exe), SS_MAX_WORD);
    }
    process->netns = namespace_of(dir, "ns/net");
    process->pidns = namespace_of(dir, "ns/pid");
    process->mntns = namespace_of(dir, "ns/mnt");
    return true;
}

gsize ss_process_memory(gint32 pid, guint64 address, void *buffer, gsize len)
{
    struct iovec to = { .iov_base = buffer, .iov_len = len };
    struct iovec from = { .iov_base = (void *)(guintptr)address, .iov_len = len };
    gssize got = process_vm_readv(pid, &to, 1, &from, 1, 0);
    return got < 0 ? 0 : (gsize)got;
}
