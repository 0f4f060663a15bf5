/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A timer's signals that come all the time, and whose handler has to do with what the library
 * watches: while another thread forks, in the middle of malloc(); and in the middle of messages
 * that another thread exchanges over the same channels. Nobody is held up by it. At the end the
 * program writes down how many messages passed.
 *
 * usage: storm fork|messages|asks ROUNDS COUNTS
 * With asks the messages are requests and replies, of which both directions have an account.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/wire/stream.h"
#include "ss-names.h"

/* In ticks of a millisecond, of a clock that stands when this program does not get to run. */
#define HELD_UP 500u
#define SIGNALS_NS 100000
#define SIZE (2 << 20)

static unsigned int rounds;
static uint32_t request = SS_FRONTEND_SET_FEATURES;
static atomic_uint messages, handled, ticks, longest;
static atomic_bool ending;
static int ends[2];  /* of the handlers' channel */
static int pairs[2]; /* of that of the two threads */

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}
#define MUST(expression) must(expression, #expression)

/* ---- messages ---- */

static void pass(int from, int to, uint32_t what, uint32_t flags)
{
    struct {
        SsWireHeader header;
        uint64_t value;
    } __attribute__((packed)) bytes = { { what, flags, 8 }, 9 }, came;
    MUST(write(from, &bytes, sizeof(bytes)) == sizeof(bytes));
    MUST(read(to, &came, sizeof(came)) == sizeof(came));
    MUST(memcmp(&came, &bytes, sizeof(came)) == 0);
    messages += 2;
}

static void open_ends(int fds[2])
{
    SsWireHeader first = { SS_FRONTEND_SET_OWNER, 1, 0 };
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    MUST(write(fds[0], &first, sizeof(first)) == sizeof(first));
    MUST(read(fds[1], &first, sizeof(first)) == sizeof(first));
    messages += 2;
}

/* ---- signals ---- */

static void handle(int number)
{
    int error = errno;
    unsigned int begin = ticks;
    pass(ends[0], ends[1], SS_FRONTEND_SET_FEATURES, 1);
    unsigned int lasted = ticks - begin;
    if (lasted > longest) {
        longest = lasted;
    }
    handled++;
    errno = error;
}

/* To the thread that calls. */
static timer_t begin_signals(void)
{
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec time = { { 0, SIGNALS_NS }, { 0, SIGNALS_NS } };
    MUST(timer_settime(timer, 0, &time, NULL) == 0);
    return timer;
}

static void *tick(void *data)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    while (!ending) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        ticks++;
    }
    return data;
}

/* ---- a fork, while malloc() is interrupted ---- */

static void *allocate(void *data)
{
    timer_t timer = begin_signals();
    void *volatile before, *volatile behind;
    while (!ending) {
        MUST((before = malloc(SIZE)) && (behind = malloc(1)));
        memset(before, 'x', SIZE);
        free(before);
        /* With the lock of malloc() held its memory goes back to the kernel. */
        (void)malloc_trim(0);
        free(behind);
    }
    MUST(timer_delete(timer) == 0);
    return data;
}

static void make_children(void)
{
    for (unsigned int i = 0; i < rounds; i++) {
        int status;
        unsigned int begin = ticks;
        pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        MUST(child > 0 && ticks - begin < HELD_UP);
        MUST(waitpid(child, &status, 0) == child && status == 0);
    }
}

/* ---- two threads at one channel, and one of them is interrupted ---- */

static void *answer(void *data)
{
    while (!ending) {
        pass(pairs[1], pairs[0], SS_FRONTEND_GET_FEATURES, 5);
    }
    return data;
}

static void ask(void)
{
    timer_t timer = begin_signals();
    for (unsigned int i = 0; i < rounds; i++) {
        unsigned int begin = ticks;
        pass(pairs[0], pairs[1], request, 1);
        MUST(ticks - begin < HELD_UP);
    }
    MUST(timer_delete(timer) == 0);
}

int main(int argc, char **argv)
{
    pthread_t ticker, other;
    if (argc != 4) {
        return 2;
    }
    bool forks = strcmp(argv[1], "fork") == 0;
    if (strcmp(argv[1], "asks") == 0) {
        request = SS_FRONTEND_GET_FEATURES;
    }
    rounds = (unsigned int)atoi(argv[2]);
    (void)mallopt(M_MMAP_THRESHOLD, 2 * SIZE); /* a sanitizer has none */
    open_ends(ends);
    open_ends(pairs);
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST(pthread_create(&ticker, NULL, tick, NULL) == 0);
    MUST(pthread_create(&other, NULL, forks ? allocate : answer, NULL) == 0);
    if (forks) {
        make_children();
    } else {
        ask();
    }
    ending = true;
    MUST(pthread_join(other, NULL) == 0);
    MUST(pthread_join(ticker, NULL) == 0);
    MUST(handled > 0 && longest < HELD_UP);
    FILE *out = fopen(argv[3], "we");
    MUST(out);
    fprintf(out, "channel 4\nmessage %u\n", messages);
    MUST(fclose(out) == 0);
    return 0;
}
