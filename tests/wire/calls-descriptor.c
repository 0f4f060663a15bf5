/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptors that came over a channel: each way to duplicate and to close them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "ss-names.h"

/* What closefrom() and close_range() close lies behind all that the program needs, as does what is
 * closed twice: threads of the tracer's open files, too, and are given the lowest number. */
#define FAR 500

static void run_duplicates(void)
{
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 4096);
    const char *is = identity(came);
    int copies[6];
    errno = 4711;
    copies[0] = dup(came);
    copies[1] = dup2(came, FAR);
    copies[2] = dup3(copies[1], FAR + 1, O_CLOEXEC);
    copies[3] = fcntl(came, F_DUPFD, FAR + 5);
    copies[4] = fcntl64(came, F_DUPFD_CLOEXEC, FAR + 5);
    copies[5] = dup(copies[3]);
    MUST(errno == 4711);
    int from[6] = { came, came, copies[1], came, came, copies[3] };
    for (int i = 0; i < 6; i++) {
        MUST(copies[i] >= 0);
        expect("fd_dup fd=%d newfd=%d ret=0 %s", from[i], copies[i], is);
    }
    MUST(dup2(came, 1 << 30) < 0 && errno == EBADF);
    expect("fd_dup fd=%d newfd=-1 ret=%d %s", came, -EBADF, is);
    MUST(dup2(came, came) == came); /* which does nothing */
    MUST(fcntl(came, F_GETFD) >= 0);
    /* Over one that came itself: that one is closed by it. */
    MUST(dup2(copies[0], copies[5]) == copies[5]);
    expect("fd_close fd=%d ret=0 %s again=0", copies[5], is);
    expect("fd_dup fd=%d newfd=%d ret=0 %s", copies[0], copies[5], is);
    /* Over one that came, by one that did not. */
    MUST(dup2(2, copies[4]) == copies[4]);
    expect("fd_close fd=%d ret=0 %s again=0", copies[4], is);
    MUST(close(copies[4]) == 0); /* standard error's copy */
    for (int i = 0; i < 6; i++) {
        if (i != 4) {
            MUST(close(copies[i]) == 0);
            expect("fd_close fd=%d ret=0 %s again=0", copies[i], is);
        }
    }
    errno = 0;
    MUST(close(copies[1]) < 0 && errno == EBADF);
    expect("fd_close fd=%d ret=%d %s again=1", copies[1], -EBADF, is);
    /* The number is another file's: not again. */
    MUST(dup2(STDERR_FILENO, copies[1]) == copies[1] && close(copies[1]) == 0);
    MUST(close(copies[1]) < 0);
    MUST(close(came) == 0);
    expect("fd_close fd=%d ret=0 %s again=0", came, is);
    close_channel(&pair);
}

static void run_ranges(void)
{
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 4096);
    const char *is = identity(came);
    for (int i = 0; i < 6; i++) {
        MUST(dup2(came, FAR + 2 * i) == FAR + 2 * i);
        expect("fd_dup fd=%d newfd=%d ret=0 %s", came, FAR + 2 * i, is);
    }
    MUST(close_range(FAR, FAR + 2, CLOSE_RANGE_CLOEXEC) == 0); /* which closes nothing */
    MUST(fcntl(FAR, F_GETFD) == FD_CLOEXEC);
    MUST(close_range(FAR, FAR + 4, 0) == 0);
    for (int i = 0; i < 3; i++) {
        expect("fd_close fd=%d ret=0 %s again=0", FAR + 2 * i, is);
    }
    MUST(close_range(FAR, FAR + 4, 0) == 0); /* nothing is there any more */
    MUST(close(FAR) < 0 && errno == EBADF);
    expect("fd_close fd=%d ret=%d %s again=1", FAR, -EBADF, is);
    MUST(close_range(FAR + 9, FAR, 0) < 0 && errno == EINVAL);
    closefrom(FAR);
    for (int i = 3; i < 6; i++) {
        expect("fd_close fd=%d ret=0 %s again=0", FAR + 2 * i, is);
    }
    /* The channel itself, with what came. */
    MUST(dup2(pair.front, FAR) == FAR && dup2(pair.back, FAR + 1) == FAR + 1);
    MUST(close(pair.front) == 0 && close(pair.back) == 0);
    pair.front = FAR;
    pair.back = FAR + 1;
    send_message(&pair, true, SS_FRONTEND_SET_OWNER, 1, NULL, 0, NULL, 0);
    (void)receive_message(&pair, false, SS_FRONTEND_SET_OWNER, 1, 0, 0);
    closefrom(FAR);
    expect("channel_closed conn=%d fd=%d reason=0 ret=0", pair.front_conn, pair.front);
    expect("channel_closed conn=%d fd=%d reason=0 ret=0", pair.back_conn, pair.back);
}

/* A child that shares the memory closes its own descriptors, and not the parent's. */
static void run_vfork(void)
{
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 4096);
    const char *is = identity(came);
    int front = pair.front, back = pair.back;
    pid_t child = vfork();
    if (child == 0) {
        close(came);
        dup2(2, front);
        close_range(3, ~0u, 0);
        _exit(back < 3);
    }
    int status;
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    int copy = dup(came);
    expect("fd_dup fd=%d newfd=%d ret=0 %s", came, copy, is);
    send_message(&pair, true, SS_FRONTEND_SET_OWNER, 1, NULL, 0, NULL, 0);
    (void)receive_message(&pair, false, SS_FRONTEND_SET_OWNER, 1, 0, 0);
    MUST(close(came) == 0);
    expect("fd_close fd=%d ret=0 %s again=0", came, is);
    close_channel(&pair);
}

static int close_it(void *data)
{
    const int *came = data;
    return close(*came) == 0 && dup2(2, *came) == *came ? 0 : 1;
}

/* Children made by clone() that share the memory, one in its parent's place and one beside it. */
static void run_clone(void)
{
    static _Alignas(16) char stack[65536];
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 4096);
    const char *is = identity(came);
    const int flags[] = { CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_VM | SIGCHLD };
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t child = clone(close_it, stack + sizeof(stack), flags[i], &came);
        MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
        int copy = dup(came);
        expect("fd_dup fd=%d newfd=%d ret=0 %s", came, copy, is);
    }
    MUST(close(came) == 0);
    expect("fd_close fd=%d ret=0 %s again=0", came, is);
    close_channel(&pair);
}

/* ---- a thread that tells for the first time in a handler, which may have interrupted malloc() */

void *__libc_malloc(size_t size);

static _Thread_local volatile bool in_handler; /* dup() is not thought to come back here */
static bool allocated;
static int handled;

/* Takes the place of the C library's, for what that allocates itself as well. */
void *malloc(size_t size)
{
    allocated = allocated || in_handler;
    return __libc_malloc(size);
}

static void handle(int number)
{
    in_handler = true;
    handled = dup(handled);
    in_handler = false;
}

static void *tell_in_handler(void *data)
{
    return pthread_kill(pthread_self(), SIGUSR1) == 0 ? data : NULL;
}

static void run_handler(void)
{
    struct sigaction action = { .sa_handler = handle };
    pthread_t thread;
    void *result;
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 4096);
    handled = came;
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST(pthread_create(&thread, NULL, tell_in_handler, &pair) == 0);
    MUST(pthread_join(thread, &result) == 0 && result == &pair);
    MUST(handled > came && !allocated);
    expect("fd_dup fd=%d newfd=%d ret=0 %s", came, handled, identity(came));
    close_channel(&pair);
}

const Act descriptor_acts[] = {
    { "duplicates", run_duplicates }, { "ranges", run_ranges },   { "vfork", run_vfork },
    { "clone", run_clone },           { "handler", run_handler }, { NULL, NULL },
};
