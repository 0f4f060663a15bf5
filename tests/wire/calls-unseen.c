/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What happens behind the library's back, and is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "ss-names.h"

#define FREE_NUMBERS 16

/* The program goes on until its recording has told this; the test ends it. */
static void wait_to_be_ended(void)
{
    sigset_t ends;
    int number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    MUST(sigprocmask(SIG_BLOCK, &ends, NULL) == 0);
    expect("end");
    fflush(NULL);
    MUST(sigwait(&ends, &number) == 0);
}

/* A number that a thread of the tracer's will not be given when it is closed: it opens files, too,
 * and lower numbers are free. */
static int receive_behind_free_numbers(Pair *pair)
{
    int free_later[FREE_NUMBERS];
    for (int i = 0; i < FREE_NUMBERS; i++) {
        free_later[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        MUST(free_later[i] >= 0);
    }
    int came = receive_memfd(pair, 4096);
    for (int i = 0; i < FREE_NUMBERS; i++) {
        MUST(close(free_later[i]) == 0);
    }
    return came;
}

/* As a static binary, or one in another language, would. */
static void run_direct_close(void)
{
    Pair pair = open_channel();
    int came = receive_behind_free_numbers(&pair);
    const char *is = identity(came);
    MUST(syscall(SYS_close, came) == 0);
    expect("fd_lost fd=%d %s how=0", came, is);
    wait_to_be_ended();
}

/* The number is another file's soon: whether the library looks before or after that, it says. */
static void run_stream(void)
{
    Pair pair = open_channel();
    int came = receive_behind_free_numbers(&pair);
    const char *is = identity(came);
    FILE *stream = fdopen(came, "r");
    MUST(stream && fclose(stream) == 0);
    MUST(syscall(SYS_fcntl, STDIN_FILENO, F_DUPFD, came) == came);
    expect("fd_lost fd=%d %s", came, is);
    wait_to_be_ended();
}

/* Noticed at once, by the next call that has to do with the number, if the library's thread has not
 * looked just before. */
static void run_closed_twice(void)
{
    Pair pair = open_channel();
    int came = receive_behind_free_numbers(&pair);
    const char *is = identity(came);
    MUST(syscall(SYS_close, came) == 0);
    MUST(close(came) < 0 && errno == EBADF);
    expect("fd_lost fd=%d %s how=0", came, is);
    expect("fd_close fd=%d ret=%d %s again=1", came, -EBADF, is);
    came = receive_behind_free_numbers(&pair);
    is = identity(came);
    MUST(syscall(SYS_close, came) == 0 && fcntl(STDIN_FILENO, F_DUPFD, came) == came);
    expect("fd_lost fd=%d %s", came, is);
    came = receive_behind_free_numbers(&pair);
    is = identity(came);
    MUST(syscall(SYS_dup2, STDIN_FILENO, came) == came && close(came) == 0);
    expect("fd_lost fd=%d %s how=1", came, is);
    close_channel(&pair);
}

/* What a child of this program sends, of which nothing is recorded. */
static void send_from_child(int socket)
{
    SsWireHeader first = { SS_FRONTEND_GET_FEATURES, 1, 0 };
    struct {
        SsWireHeader header;
        uint64_t value;
    } __attribute__((packed)) second = { { SS_FRONTEND_SET_VRING_ERR, 1, 8 }, 0 };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec iov = { &second, 20 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int memfd = memfd_create("calls", MFD_CLOEXEC);
    memcpy(CMSG_DATA(&control.header), &memfd, sizeof(memfd));
    MUST(write(socket, &first, sizeof(first)) == sizeof(first));
    MUST(sendmsg(socket, &message, 0) == 20);
}

/* A duplicate that nobody told of. What the program has sent itself would not count. */
static void run_direct_dup(void)
{
    int fds[2], status;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        send_from_child(fds[0]);
        _exit(0);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    Pair pair = { .front = fds[0], .back = fds[1], .back_conn = 1, .front_seq = 1 };
    expect("channel conn=1 fd=%d role=1 backend=0", pair.back);
    (void)receive_message(&pair, false, SS_FRONTEND_GET_FEATURES, 1, 0, 0);
    pair.front_seq = 2;
    int came = receive_message(&pair, false, SS_FRONTEND_SET_VRING_ERR, 1, 8, 1);
    int copy = (int)syscall(SYS_dup, came);
    MUST(copy >= 0);
    expect("fd_found fd=%d %s", copy, identity(came));
    wait_to_be_ended();
}

const Act unseen_acts[] = {
    { "direct-close", run_direct_close },
    { "stream", run_stream },
    { "closed-twice", run_closed_twice },
    { "direct-dup", run_direct_dup },
    { NULL, NULL },
};
