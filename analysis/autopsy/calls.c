/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "analysis/autopsy/parts.h"

#define SS_MAX_POLLED 4096
#define SS_NS_PER_S G_GINT64_CONSTANT(1000000000)
#define SS_NS_PER_MS G_GINT64_CONSTANT(1000000)

typedef struct SsCall {
    gint32 nr;
    const char *name;
    SsCallWait wait;
} SsCall;

static const SsCall calls[] = {
    { SYS_read, "read", SS_WAIT_FD },
    { SYS_write, "write", SS_WAIT_FD },
    { SYS_readv, "readv", SS_WAIT_FD },
    { SYS_writev, "writev", SS_WAIT_FD },
    { SYS_recvfrom, "recvfrom", SS_WAIT_FD },
    { SYS_sendto, "sendto", SS_WAIT_FD },
    { SYS_recvmsg, "recvmsg", SS_WAIT_FD },
    { SYS_sendmsg, "sendmsg", SS_WAIT_FD },
    { SYS_recvmmsg, "recvmmsg", SS_WAIT_FD },
    { SYS_sendmmsg, "sendmmsg", SS_WAIT_FD },
    { SYS_accept, "accept", SS_WAIT_FD },
    { SYS_accept4, "accept4", SS_WAIT_FD },
    { SYS_connect, "connect", SS_WAIT_FD },
    { SYS_ioctl, "ioctl", SS_WAIT_FD },
    { SYS_fcntl, "fcntl", SS_WAIT_FD },
    { SYS_flock, "flock", SS_WAIT_FD },
    { SYS_fsync, "fsync", SS_WAIT_FD },
    { SYS_fdatasync, "fdatasync", SS_WAIT_FD },
    { SYS_fallocate, "fallocate", SS_WAIT_FD },
    { SYS_pread64, "pread64", SS_WAIT_FD },
    { SYS_pwrite64, "pwrite64", SS_WAIT_FD },
    { SYS_preadv, "preadv", SS_WAIT_FD },
    { SYS_pwritev, "pwritev", SS_WAIT_FD },
    { SYS_io_uring_enter, "io_uring_enter", SS_WAIT_FD },
    { SYS_close, "close", SS_WAIT_FD },
    { SYS_poll, "poll", SS_WAIT_POLL },
    { SYS_ppoll, "ppoll", SS_WAIT_PPOLL },
    { SYS_select, "select", SS_WAIT_SELECT },
    { SYS_pselect6, "pselect6", SS_WAIT_PSELECT },
    { SYS_epoll_wait, "epoll_wait", SS_WAIT_EPOLL },
    { SYS_epoll_pwait, "epoll_pwait", SS_WAIT_EPOLL },
    { 441, "epoll_pwait2", SS_WAIT_EPOLL2 }, /* newer than some headers */
    { SYS_futex, "futex", SS_WAIT_FUTEX },
    { SYS_nanosleep, "nanosleep", SS_WAIT_SLEEP },
    { SYS_clock_nanosleep, "clock_nanosleep", SS_WAIT_SLEEP },
    { SYS_wait4, "wait4", SS_WAIT_OTHER },
    { SYS_waitid, "waitid", SS_WAIT_OTHER },
    { SYS_pause, "pause", SS_WAIT_OTHER },
    { SYS_rt_sigsuspend, "rt_sigsuspend", SS_WAIT_OTHER },
    { SYS_rt_sigtimedwait, "rt_sigtimedwait", SS_WAIT_SIGNAL },
    { SYS_restart_syscall, "restart_syscall", SS_WAIT_OTHER },
    { SYS_io_getevents, "io_getevents", SS_WAIT_OTHER },
    { SYS_mmap, "mmap", SS_WAIT_OTHER },
    { SYS_munmap, "munmap", SS_WAIT_OTHER },
    { SYS_mprotect, "mprotect", SS_WAIT_OTHER },
    { SYS_madvise, "madvise", SS_WAIT_OTHER },
    { SYS_mremap, "mremap", SS_WAIT_OTHER },
    { SYS_exit_group, "exit_group", SS_WAIT_OTHER },
};

static const SsCall *call_of(gint32 nr)
{
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        if (calls[i].nr == nr) {
            return &calls[i];
        }
    }
    return NULL;
}

const char *ss_call_name(gint32 nr)
{
    const SsCall *call = call_of(nr);
    return call ? call->name : NULL;
}

SsCallWait ss_call_wait(gint32 nr)
{
    const SsCall *call = call_of(nr);
    return call ? call->wait : SS_WAIT_OTHER;
}

static void set_timeout(SsSeenThread *thread, gint64 ns)
{
    thread->timeout_known = true;
    thread->timeout_ns = ns < 0 ? -1 : ns;
}

static gint64 now_ns(clockid_t clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) == 0 ? now.tv_sec * SS_NS_PER_S + now.tv_nsec : 0;
}

/* A struct timespec, or with `unit` 1000 a struct timeval, in the program's memory; 0: for ever. */
static void read_timeout(const SsSeenProcess *process, SsSeenThread *thread, guint64 address,
                         gint64 unit)
{
    gint64 time[2];
    if (!address) {
        set_timeout(thread, -1);
    } else if (ss_process_memory(process->pid, address, time, sizeof time) == sizeof time &&
               time[0] >= 0 && time[0] < G_MAXINT64 / SS_NS_PER_S - 1) {
        set_timeout(thread, time[0] * SS_NS_PER_S + CLAMP(time[1], 0, SS_NS_PER_S / unit) * unit);
    }
}

static void add_poll(SsSeenThread *thread, gint32 fd, guint32 events)
{
    SsSeenPoll poll = { .fd = fd, .events = events };
    g_array_append_val(thread->polls, poll);
}

/* What an epoll watches, of its own fdinfo; one in it is one more set. */
static bool read_epoll(int dir, const SsSeenProcess *process, SsSeenThread *thread, gint32 epoll,
                       guint depth)
{
    char name[32];
    (void)g_snprintf(name, sizeof name, "fdinfo/%d", epoll);
    g_autofree char *text = ss_proc_text(dir, name, 1u << 20, NULL);
    bool known = text != NULL;
    for (const char *line = text; line && known; line = strchr(line, '\n')) {
        line += *line == '\n';
        gint32 fd;
        guint32 events;
        if (sscanf(line, "tfd: %d events: %x", &fd, &events) != 2) {
            continue;
        }
        const SsSeenFd *seen = ss_seen_fd(process, fd);
        if (seen && seen->kind == SS_FD_EPOLL) {
            known = depth < 4 && read_epoll(dir, process, thread, fd, depth + 1);
        } else if (thread->polls->len < SS_MAX_POLLED) {
            /* Disarmed ones, of EPOLLONESHOT, tell nothing. */
            if (events & ~(guint32)(EPOLLONESHOT | EPOLLET)) {
                add_poll(thread, fd, events & 0xffff);
            }
        } else {
            known = false;
        }
    }
    return known;
}

static void read_polled(int dir, const SsSeenProcess *process, SsSeenThread *thread)
{
    guint64 n = thread->args[1];
    if (n > SS_MAX_POLLED) {
        return;
    }
    g_autofree struct pollfd *set = g_new0(struct pollfd, n + 1);
    thread->polls_known =
        ss_process_memory(process->pid, thread->args[0], set, n * sizeof *set) == n * sizeof *set;
    for (guint64 i = 0; thread->polls_known && i < n; i++) {
        const SsSeenFd *seen = ss_seen_fd(process, set[i].fd);
        if (seen && seen->kind == SS_FD_EPOLL) {
            thread->polls_known = read_epoll(dir, process, thread, set[i].fd, 1);
        } else if (set[i].fd >= 0) {
            add_poll(thread, set[i].fd, (guint16)set[i].events);
        }
    }
}

static void read_selected(const SsSeenProcess *process, SsSeenThread *thread)
{
    static const guint32 events[] = { POLLIN, POLLOUT, POLLPRI };
    guint64 n = MIN(thread->args[0], FD_SETSIZE);
    fd_set set[3];
    gsize len = (n + 63) / 64 * 8;
    thread->polls_known = true;
    for (guint i = 0; i < 3; i++) {
        FD_ZERO(&set[i]);
        if (thread->args[i + 1] &&
            ss_process_memory(process->pid, thread->args[i + 1], &set[i], len) != len) {
            thread->polls_known = false;
        }
    }
    for (guint64 fd = 0; thread->polls_known && fd < n; fd++) {
        guint32 asked = 0;
        for (guint i = 0; i < 3; i++) {
            asked |= FD_ISSET((int)fd, &set[i]) ? events[i] : 0;
        }
        if (asked) {
            add_poll(thread, (gint32)fd, asked);
        }
    }
}

static void read_futex(const SsSeenProcess *process, SsSeenThread *thread)
{
    guint64 op = thread->args[1] & FUTEX_CMD_MASK;
    if (op == FUTEX_WAIT_BITSET && thread->args[3]) {
        /* The time at which it ends. */
        read_timeout(process, thread, thread->args[3], 1);
        if (thread->timeout_known) {
            gint64 now =
                now_ns(thread->args[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
            thread->timeout_ns = MAX(thread->timeout_ns - now, 0);
        }
    } else if (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) {
        read_timeout(process, thread, thread->args[3], 1);
    }
    /* glibc's mutex waits so, and its owner's tid lies behind two other words. */
    gint32 mutex[3];
    if (op == FUTEX_WAIT && thread->args[2] == 2 &&
        ss_process_memory(process->pid, thread->args[0], mutex, sizeof mutex) == sizeof mutex) {
        thread->futex_owner = mutex[2];
    }
}

static void read_sleep(const SsSeenProcess *process, SsSeenThread *thread)
{
    if (thread->nr == SYS_nanosleep) {
        read_timeout(process, thread, thread->args[0], 1);
        return;
    }
    read_timeout(process, thread, thread->args[2], 1);
    if (thread->timeout_known && thread->args[1] & TIMER_ABSTIME) {
        thread->timeout_ns = MAX(thread->timeout_ns - now_ns((clockid_t)thread->args[0]), 0);
    }
}

void ss_call_read(int dir, const SsSeenProcess *process, SsSeenThread *thread)
{
    switch (ss_call_wait(thread->nr)) {
    case SS_WAIT_FD:
        thread->fd = (gint32)thread->args[0];
        break;
    case SS_WAIT_POLL:
        read_polled(dir, process, thread);
        set_timeout(thread, (gint64)(gint32)thread->args[2] * SS_NS_PER_MS);
        break;
    case SS_WAIT_PPOLL:
        read_polled(dir, process, thread);
        read_timeout(process, thread, thread->args[2], 1);
        break;
    case SS_WAIT_SELECT:
        read_selected(process, thread);
        read_timeout(process, thread, thread->args[4], 1000);
        break;
    case SS_WAIT_PSELECT:
        read_selected(process, thread);
        read_timeout(process, thread, thread->args[4], 1);
        break;
    case SS_WAIT_EPOLL:
        thread->fd = (gint32)thread->args[0];
        thread->polls_known = read_epoll(dir, process, thread, thread->fd, 0);
        set_timeout(thread, (gint64)(gint32)thread->args[3] * SS_NS_PER_MS);
        break;
    case SS_WAIT_EPOLL2:
        thread->fd = (gint32)thread->args[0];
        thread->polls_known = read_epoll(dir, process, thread, thread->fd, 0);
        read_timeout(process, thread, thread->args[3], 1);
        break;
    case SS_WAIT_FUTEX:
        read_futex(process, thread);
        break;
    case SS_WAIT_SLEEP:
        read_sleep(process, thread);
        break;
    case SS_WAIT_SIGNAL:
        read_timeout(process, thread, thread->args[2], 1);
        break;
    case SS_WAIT_OTHER:
        break;
    }
    if (!thread->polls_known) {
        g_array_set_size(thread->polls, 0);
    }
}
