/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/autopsy/stop.h"

#include <elf.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define ENDED "it ended meanwhile"
#define STOP_TIMEOUT_NS (500 * 1000 * 1000)
#define POLL_NS 20000
#define NS_PER_S 1000000000
/* The kernel's own, of no header for programs: begin the call again unless a handler runs. */
#define ERESTARTNOHAND 514

typedef struct Stop {
    int tid;
    SsStoppedFunc stopped;
    gpointer data; /* weak */
    guint64 asked_ns;
    guint64 since_ns; /* when it was last seen not to stand yet */
    guint64 stopped_ns;
    char *why; /* owned */
} Stop;

static guint64 now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (guint64)now.tv_sec * NS_PER_S + (guint64)now.tv_nsec;
}

/* Calls of which a signal, or a stop, gives EINTR only before they have done anything. */
static gboolean returns_eintr_undone(long number, guint64 second)
{
    switch (number) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_rt_sigtimedwait:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_io_getevents:
    case SYS_io_pgetevents:
    case SYS_io_uring_enter:
        return TRUE;
    case SYS_ioctl:
        return second == KVM_RUN;
    default:
        return FALSE;
    }
}

/* A file system in user space may end a read of its own files early; these do not. */
static gboolean reads_at_once(int tid, guint64 fd)
{
    static const char *const kinds[] = { "socket:", "pipe:", "anon_inode:[eventfd]" };
    g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", tid, (int)fd);
    g_autofree char *target = g_file_read_link(path, NULL);

    for (guint i = 0; target && i < G_N_ELEMENTS(kinds); i++) {
        if (g_str_has_prefix(target, kinds[i])) {
            return TRUE;
        }
    }
    return FALSE;
}

gboolean ss_stop_is_harmless(int tid, long number, const guint64 *arguments)
{
    switch (number) {
    case SYS_read:
    case SYS_readv:
        return reads_at_once(tid, arguments[0]);
    case SYS_recvfrom:
        return !(arguments[3] & MSG_WAITALL);
    case SYS_recvmsg:
        return !(arguments[2] & MSG_WAITALL);
    case SYS_accept:
    case SYS_accept4:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_futex:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_restart_syscall:
    case SYS_pause:
    case SYS_rt_sigsuspend:
    case SYS_rt_sigtimedwait:
    case SYS_wait4:
    case SYS_waitid:
        return TRUE;
    default:
        return FALSE;
    }
}

/* Of a call that our stop ended with EINTR, and that the kernel would not begin again by itself. */
static void mend(int tid, struct user_regs_struct *registers)
{
    struct iovec area = { registers, sizeof *registers };

    if ((gint64)registers->rax == -EINTR &&
        returns_eintr_undone((long)registers->orig_rax, registers->rsi)) {
        registers->rax = (guint64)-ERESTARTNOHAND;
        (void)ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &area);
    }
}

/* The signal with which the thread has to go on: one that was about to be delivered to it. */
static int signal_of(int status)
{
    return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
}

/* Waits until it stands. Returns NULL and sets `ret_status`, or says why it does not. */
static char *await_stop(Stop *stop, int *ret_status)
{
    const struct timespec pause = { 0, POLL_NS };

    for (;;) {
        guint64 begun_ns = now_ns();
        pid_t changed = waitpid(stop->tid, ret_status, __WALL | WNOHANG);

        if (changed == stop->tid) {
            return WIFSTOPPED(*ret_status) ? NULL : g_strdup(ENDED);
        }
        if (changed < 0) {
            return g_strdup(ENDED);
        }
        stop->since_ns = begun_ns;
        if (begun_ns - stop->asked_ns > STOP_TIMEOUT_NS) {
            return g_strdup("it could not be stopped within 0.5 s, and was let go");
        }
        nanosleep(&pause, NULL);
    }
}

static char *reason_of_seize(int tid, int error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", tid);
    g_autofree char *status = NULL;
    const char *line;
    int tracer = 0;

    /* Of one that nobody has waited for yet the error is EPERM. */
    if (error == ESRCH || !g_file_get_contents(path, &status, NULL, NULL) ||
        strstr(status, "\nState:\tZ") || strstr(status, "\nState:\tX")) {
        return g_strdup(ENDED);
    }
    if ((line = strstr(status, "\nTracerPid:")) != NULL) {
        (void)sscanf(line, "\nTracerPid: %d", &tracer);
    }
    if (tracer) {
        return g_strdup_printf("process %d traces it already", tracer);
    }
    return g_strdup_printf("it cannot be stopped: %s", g_strerror(error));
}

/* Whatever becomes of it, when this thread ends the kernel releases what it traces. */
static gpointer stop_and_go_on(gpointer data)
{
    Stop *stop = data;
    struct user_regs_struct registers;
    struct iovec area = { &registers, sizeof registers };
    int status;

    /* The thread must not stand because we wait for a CPU; where that is not permitted it may. */
    (void)setpriority(PRIO_PROCESS, 0, -20);
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    stop->asked_ns = stop->since_ns = now_ns();
    if (ptrace(PTRACE_SEIZE, stop->tid, NULL, NULL) != 0) {
        stop->why = reason_of_seize(stop->tid, errno);
        return NULL;
    }
    if (ptrace(PTRACE_INTERRUPT, stop->tid, NULL, NULL) != 0) {
        stop->why = g_strdup(ENDED);
        return NULL;
    }
    stop->why = await_stop(stop, &status);
    if (!stop->why) {
        if (ptrace(PTRACE_GETREGSET, stop->tid, NT_PRSTATUS, &area) == 0 &&
            area.iov_len == sizeof registers) {
            stop->stopped(stop->tid, &registers, stop->data);
            if (signal_of(status) == 0) {
                mend(stop->tid, &registers);
            }
        } else {
            stop->why = g_strdup("its registers cannot be read");
        }
        (void)ptrace(PTRACE_DETACH, stop->tid, NULL, GINT_TO_POINTER(signal_of(status)));
        stop->stopped_ns = now_ns() - stop->since_ns;
    }
    return NULL;
}

char *ss_stop_thread(int tid, SsStoppedFunc stopped, gpointer data, guint64 *ret_stopped_ns)
{
    Stop stop = { .tid = tid, .stopped = stopped, .data = data };

    g_thread_join(g_thread_new("stop", stop_and_go_on, &stop));
    *ret_stopped_ns = stop.stopped_ns;
    return stop.why;
}
