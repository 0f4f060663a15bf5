/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread is stopped in every call it may stand in, and its program notices nothing. */
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analysis/autopsy/stop.h"
#include "target.h"

#define STOPS 50

/* Calls that last until a byte comes. */

static int in_poll(int theirs, SsTargetShared *shared)
{
    struct pollfd one = { theirs, POLLIN, 0 };

    return poll(&one, 1, 60000);
}

static int in_ppoll(int theirs, SsTargetShared *shared)
{
    struct pollfd one = { theirs, POLLIN, 0 };

    return ppoll(&one, 1, NULL, NULL);
}

static int in_ppoll_masked(int theirs, SsTargetShared *shared)
{
    struct pollfd one = { theirs, POLLIN, 0 };
    struct timespec minute = { 60, 0 };
    sigset_t none;

    sigemptyset(&none);
    return ppoll(&one, 1, &minute, &none);
}

static int in_select(int theirs, SsTargetShared *shared)
{
    struct timeval minute = { 60, 0 };
    fd_set set;

    FD_ZERO(&set);
    FD_SET(theirs, &set);
    return select(theirs + 1, &set, NULL, NULL, &minute);
}

static int new_epoll(int theirs)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    g_assert_cmpint(epoll_ctl(epoll, EPOLL_CTL_ADD, theirs, &event), ==, 0);
    return epoll;
}

static int in_epoll_wait(int theirs, SsTargetShared *shared)
{
    struct epoll_event event;
    int epoll = new_epoll(theirs);

    return (int)syscall(SYS_epoll_wait, epoll, &event, 1, -1);
}

static int in_epoll_pwait(int theirs, SsTargetShared *shared)
{
    struct epoll_event event;
    int epoll = new_epoll(theirs);
    sigset_t none;

    sigemptyset(&none);
    return epoll_pwait(epoll, &event, 1, 60000, &none);
}

static int in_recvmsg(int theirs, SsTargetShared *shared)
{
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    return (int)recvmsg(theirs, &message, 0);
}

static int in_recv_with_time_out(int theirs, SsTargetShared *shared)
{
    struct timeval minute = { 60, 0 };
    char byte;

    g_assert_cmpint(setsockopt(theirs, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute), ==, 0);
    return (int)recv(theirs, &byte, 1, 0);
}

static int in_read(int theirs, SsTargetShared *shared)
{
    char byte;

    return (int)read(theirs, &byte, 1);
}

static int in_io_uring_like_aio(int theirs, SsTargetShared *shared)
{
    aio_context_t context = 0;
    struct iocb poll_it = { .aio_fildes = (guint)theirs,
                            .aio_lio_opcode = IOCB_CMD_POLL,
                            .aio_buf = POLLIN };
    struct iocb *list[] = { &poll_it };
    struct io_event event;

    g_assert_cmpint(syscall(SYS_io_setup, 1, &context), ==, 0);
    g_assert_cmpint(syscall(SYS_io_submit, context, 1, list), ==, 1);
    return (int)syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
}

/* Calls that another process, or time, ends. */

static int in_futex(int theirs, SsTargetShared *shared)
{
    struct timespec minute = { 60, 0 };

    return syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, &minute, NULL, 0) == 0 ? 1 : -1;
}

static int in_futex_without_end(int theirs, SsTargetShared *shared)
{
    return syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 1 : -1;
}

/* Of a second or two: the time that it was to last, it lasts, and returns 0. */
static int in_nanosleep(int theirs, SsTargetShared *shared)
{
    struct timespec second = { 1, 0 };
    gint64 begun = g_get_monotonic_time();
    int result = (int)syscall(SYS_nanosleep, &second, &second);

    return result == 0 && g_get_monotonic_time() - begun >= G_USEC_PER_SEC ? 1 : -1;
}

static int in_clock_nanosleep(int theirs, SsTargetShared *shared)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0 ? 1 : -1;
}

static void handle(int number)
{
}

static int in_sigtimedwait(int theirs, SsTargetShared *shared)
{
    struct timespec minute = { 60, 0 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return sigtimedwait(&set, NULL, &minute) == SIGUSR1 ? 1 : -1;
}

/* Returns -1 with EINTR when a handler ran, and then only. */
static int in_sigsuspend(int theirs, SsTargetShared *shared)
{
    sigset_t set;

    signal(SIGUSR1, handle);
    sigemptyset(&set);
    return sigsuspend(&set) == -1 && errno == EINTR ? 1 : -1;
}

/* A signal with a handler is what EINTR is for: that must stay so. */
static int in_epoll_wait_for_signal(int theirs, SsTargetShared *shared)
{
    struct sigaction action = { .sa_handler = handle };

    sigaction(SIGUSR1, &action, NULL);
    return in_epoll_wait(theirs, shared) == -1 && errno == EINTR ? 1 : -1;
}

static int in_wait4(int theirs, SsTargetShared *shared)
{
    pid_t child = fork();
    char byte;

    if (child == 0) {
        _exit(read(theirs, &byte, 1) == 1 ? 0 : 1);
    }
    return waitpid(child, NULL, 0) == child ? 1 : -1;
}

static int in_semop(int theirs, SsTargetShared *shared)
{
    struct sembuf down = { 0, -1, 0 };
    int id = semget(IPC_PRIVATE, 1, 0600);

    shared->word = (guint)id;
    int result = (int)syscall(SYS_semop, id, &down, 1);
    return semctl(id, 0, IPC_RMID) == 0 && result == 0 ? 1 : -1;
}

typedef enum End {
    BY_BYTE,
    BY_FUTEX,
    BY_TIME,
    BY_SIGNAL,
    BY_SEMAPHORE,
} End;

typedef struct Call {
    const char *name;
    SsTargetFunc stand; /* returns 1 when the call ended as it has to */
    long number;
    End end;
    long later; /* what it stands in after a stop, when that is another number */
} Call;

static const Call calls[] = {
    { "poll", in_poll, SYS_poll, BY_BYTE, SYS_restart_syscall },
    { "ppoll", in_ppoll, SYS_ppoll, BY_BYTE },
    { "ppoll-masked", in_ppoll_masked, SYS_ppoll, BY_BYTE },
    { "select", in_select, SYS_pselect6, BY_BYTE },
    { "epoll_wait", in_epoll_wait, SYS_epoll_wait, BY_BYTE },
    { "epoll_pwait", in_epoll_pwait, SYS_epoll_pwait, BY_BYTE },
    { "epoll_wait-signal", in_epoll_wait_for_signal, SYS_epoll_wait, BY_SIGNAL },
    { "recvmsg", in_recvmsg, SYS_recvmsg, BY_BYTE },
    { "recv-time-out", in_recv_with_time_out, SYS_recvfrom, BY_BYTE },
    { "read", in_read, SYS_read, BY_BYTE },
    { "io_getevents", in_io_uring_like_aio, SYS_io_getevents, BY_BYTE },
    { "futex", in_futex, SYS_futex, BY_FUTEX, SYS_restart_syscall },
    { "futex-without-end", in_futex_without_end, SYS_futex, BY_FUTEX },
    { "nanosleep", in_nanosleep, SYS_nanosleep, BY_TIME, SYS_restart_syscall },
    { "clock_nanosleep", in_clock_nanosleep, SYS_clock_nanosleep, BY_TIME },
    { "sigtimedwait", in_sigtimedwait, SYS_rt_sigtimedwait, BY_SIGNAL },
    { "sigsuspend", in_sigsuspend, SYS_rt_sigsuspend, BY_SIGNAL },
    { "wait4", in_wait4, SYS_wait4, BY_BYTE },
    { "semop", in_semop, SYS_semop, BY_SEMAPHORE },
};

static void end_call(const Call *call, SsTarget *target)
{
    struct sembuf up = { 0, 1, 0 };

    switch (call->end) {
    case BY_BYTE:
        g_assert_cmpint(write(target->ours, "x", 1), ==, 1);
        break;
    case BY_FUTEX:
        target->shared->word = 1;
        g_assert_cmpint(syscall(SYS_futex, &target->shared->word, FUTEX_WAKE, 1, NULL, NULL, 0), ==,
                        1);
        break;
    case BY_TIME:
        break;
    case BY_SIGNAL:
        g_assert_cmpint(kill(target->pid, SIGUSR1), ==, 0);
        break;
    case BY_SEMAPHORE:
        g_assert_cmpint(semop((int)target->shared->word, &up, 1), ==, 0);
        break;
    }
}

static void keep_registers(int tid, const struct user_regs_struct *registers, gpointer data)
{
    *(struct user_regs_struct *)data = *registers;
}

static void test_call(gconstpointer data)
{
    const Call *call = data;
    SsTarget target = ss_target_start(call->stand);
    long number = call->number;

    for (guint i = 0; i < STOPS; i++) {
        struct user_regs_struct registers = { 0 };
        guint64 stopped_ns = 0;
        g_autofree char *why = NULL;

        ss_target_await_call(&target, number);
        why = ss_stop_thread(target.pid, keep_registers, &registers, &stopped_ns);
        g_assert_cmpstr(why, ==, NULL);
        g_assert_cmpint((long)registers.orig_rax, ==, number);
        g_assert_cmpuint(stopped_ns, >, 0);
        number = call->later ? call->later : number;
    }
    ss_target_await_call(&target, number);
    g_assert_cmpuint(target.shared->returns, ==, 0);
    end_call(call, &target);

    SsTargetShared *shared = target.shared;
    while (ss_target_state(&target) != 'Z') {
        g_thread_yield();
    }
    g_test_message("%s: result %d, errno %d", call->name, shared->result, shared->error);
    g_assert_cmpint(shared->result, ==, 1);
    g_assert_cmpuint(shared->returns, ==, 1);
    ss_target_await_end(&target);
}

/* What would be cut short is known before. */
static void test_not_harmless(void)
{
    const guint64 none[6] = { 0 };
    const guint64 all_of_recvmsg[6] = { 0, 0, MSG_WAITALL };
    const guint64 all_of_recv[6] = { 0, 0, 0, MSG_WAITALL };
    const int inotify = inotify_init1(IN_CLOEXEC);
    const int event = eventfd(0, EFD_CLOEXEC);
    const guint64 of_inotify[6] = { (guint64)inotify };
    const guint64 of_event[6] = { (guint64)event };
    const int us = getpid();

    g_assert_true(ss_stop_is_harmless(us, SYS_recvmsg, none));
    g_assert_true(ss_stop_is_harmless(us, SYS_ppoll, none));
    g_assert_true(ss_stop_is_harmless(us, SYS_read, of_event));
    g_assert_false(ss_stop_is_harmless(us, SYS_read, of_inotify));
    g_assert_false(ss_stop_is_harmless(us, SYS_recvmsg, all_of_recvmsg));
    g_assert_false(ss_stop_is_harmless(us, SYS_recvfrom, all_of_recv));
    g_assert_false(ss_stop_is_harmless(us, SYS_write, none));
    g_assert_false(ss_stop_is_harmless(us, SYS_sendmsg, none));
    g_assert_false(ss_stop_is_harmless(us, SYS_connect, none));
    g_assert_false(ss_stop_is_harmless(us, SYS_ioctl, none));
    g_assert_false(ss_stop_is_harmless(us, -1, none));
    close(inotify);
    close(event);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autofree char *path = g_strdup_printf("/stop/%s", calls[i].name);

        g_test_add_data_func(path, &calls[i], test_call);
    }
    g_test_add_func("/stop/not-harmless", test_not_harmless);
    return g_test_run();
}
