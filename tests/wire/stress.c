/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Threads, signals, fork, vfork, posix_spawn, cancellation and close_range all at once, in a
 * program whose channels and descriptors the library watches. Each thread knows what its own calls
 * have to return. At the end the program writes down how often it did what has to be told.
 *
 * usage: stress ROUNDS COUNTS [END]
 * With END messages go on, after their ROUNDS, until there is a file of that name.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/wire/stream.h"
#include "ss-names.h"

#define PAGE 4096ul

static unsigned int rounds;
static const char *end_file;
static atomic_uint messages, dups, closes, maps, unmaps, channels, handled;
static atomic_bool ending;
static int shared_came = -1; /* a descriptor that came; the handlers duplicate it */
static int spill[2];         /* a pipe that the handlers write to and read from */

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "stress: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}
#define MUST(expression) must(expression, #expression)

/* ---- a channel ---- */

static void put(int fd, uint32_t request, uint32_t flags, uint64_t value, int carried)
{
    struct {
        SsWireHeader header;
        uint64_t value;
    } __attribute__((packed)) bytes = { { request, flags, 8 }, value };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec iov = { &bytes, sizeof(bytes) };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (carried >= 0) {
        memcpy(CMSG_DATA(&control.header), &carried, sizeof(carried));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    MUST(sendmsg(fd, &message, 0) == sizeof(bytes));
    messages++;
}

static int get(int fd, uint32_t request, uint64_t value)
{
    SsWireHeader header;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { &header, sizeof(header) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    uint64_t got;
    int came = -1;
    ssize_t result;
    do {
        result = recvmsg(fd, &message, 0);
    } while (result < 0 && errno == EINTR);
    MUST(result == sizeof(header) && header.request == request && header.size == 8);
    if (message.msg_controllen) {
        memcpy(&came, CMSG_DATA(&control.header), sizeof(came));
    }
    MUST(read(fd, &got, sizeof(got)) == sizeof(got) && got == value);
    messages++;
    return came;
}

static void open_ends(int fds[2])
{
    SsWireHeader first = { SS_FRONTEND_GET_FEATURES, 1, 0 };
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    MUST(write(fds[0], &first, sizeof(first)) == sizeof(first));
    MUST(read(fds[1], &first, sizeof(first)) == sizeof(first));
    messages += 2;
    channels += 2;
    put(fds[1], SS_FRONTEND_GET_FEATURES, 5, 9, -1);
    (void)get(fds[0], SS_FRONTEND_GET_FEATURES, 9);
}

static int receive_memfd(const int fds[2], uint64_t value)
{
    int memfd = memfd_create("stress", MFD_CLOEXEC);
    MUST(memfd >= 0 && ftruncate(memfd, 4 * PAGE) == 0);
    put(fds[0], SS_FRONTEND_SET_VRING_ERR, 1, value, memfd);
    MUST(close(memfd) == 0);
    int came = get(fds[1], SS_FRONTEND_SET_VRING_ERR, value);
    MUST(came >= 0);
    return came;
}

static void *serve(void *data)
{
    int fds[2] = { -1, -1 };
    for (unsigned int i = 0; i < rounds || (end_file && access(end_file, F_OK) != 0); i++) {
        if (i % 16 == 0) {
            if (i) {
                MUST(close(fds[0]) == 0 && close(fds[1]) == 0);
            }
            open_ends(fds);
        }
        int came = receive_memfd(fds, i);
        int copy = fcntl(came, F_DUPFD_CLOEXEC, 3);
        MUST(copy >= 0);
        dups++;
        char *range = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MUST(range != MAP_FAILED);
        MUST(mmap(range, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, copy, PAGE) ==
             range);
        maps++;
        MUST(close(came) == 0 && close(copy) == 0);
        closes += 2;
        range[0] = 'x';
        MUST(munmap(range, 3 * PAGE) == 0);
        unmaps++;
    }
    MUST(close(fds[0]) == 0 && close(fds[1]) == 0);
    return data;
}

/* ---- children ---- */

static void await(pid_t child)
{
    int status;
    pid_t gone;
    while ((gone = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
    }
    MUST(gone == child && status == 0);
}

static void *make_children(void *data)
{
    for (unsigned int i = 0; i < rounds / 8; i++) {
        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            /* What a child does with what it inherited: nothing of it is the parent's. */
            int copy = dup(shared_came);
            _exit(copy < 0 || close(copy) != 0 || close(shared_came) != 0 ||
                  close_range(3, ~0u, 0) != 0);
        }
        await(child);
    }
    return data;
}

static void borrow_memory_once(void)
{
    pid_t child = vfork();
    if (child == 0) {
        close(shared_came);
        close_range(3, ~0u, 0);
        _exit(0);
    }
    MUST(child > 0);
    await(child);
}

static void *borrow_memory(void *data)
{
    for (unsigned int i = 0; i < rounds / 8; i++) {
        borrow_memory_once();
    }
    return data;
}

static void *spawn(void *data)
{
    char *const argv[] = { "true", NULL };
    char *const environment[] = { NULL };
    for (unsigned int i = 0; i < rounds / 50; i++) {
        posix_spawn_file_actions_t actions;
        pid_t child;
        MUST(posix_spawn_file_actions_init(&actions) == 0);
        MUST(posix_spawn_file_actions_addclose(&actions, shared_came) == 0);
        MUST(posix_spawn(&child, "/bin/true", &actions, NULL, argv, environment) == 0);
        MUST(posix_spawn_file_actions_destroy(&actions) == 0);
        await(child);
    }
    return data;
}

/* ---- numbers ---- */

static void *close_many(void *data)
{
    const int base = 3000;
    for (unsigned int i = 0; i < rounds / 4; i++) {
        for (int k = 0; k < 8; k++) {
            MUST(dup2(k % 2 ? 2 : shared_came, base + 3 * k) == base + 3 * k);
            dups += k % 2 ? 0 : 1;
        }
        MUST(close_range((unsigned int)base, (unsigned int)base + 100, 0) == 0);
        closes += 4;
        MUST(close(base) < 0 && errno == EBADF);
        closes++;
        /* Something else by that number, and by others that were ours. */
        MUST(dup2(2, base) == base && close(base) == 0);
    }
    return data;
}

static void *map_other_things(void *data)
{
    for (unsigned int i = 0; i < rounds * 4; i++) {
        size_t size = (i % 5 + 1) * PAGE;
        char *range = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MUST(range != MAP_FAILED);
        range = mremap(range, size, size + PAGE, MREMAP_MAYMOVE);
        MUST(range != MAP_FAILED);
        MUST(munmap(range, size + PAGE) == 0);
    }
    return data;
}

/* ---- cancelled in the middle of a receive ---- */

static void *receive_for_ever(void *data)
{
    char byte;
    for (;;) {
        (void)recv(*(int *)data, &byte, 1, 0);
    }
    return NULL;
}

static void *cancel(void *data)
{
    for (unsigned int i = 0; i < rounds / 8; i++) {
        int fds[2];
        pthread_t thread;
        void *result;
        open_ends(fds);
        MUST(pthread_create(&thread, NULL, receive_for_ever, &fds[1]) == 0);
        MUST(pthread_cancel(thread) == 0);
        MUST(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        put(fds[0], SS_FRONTEND_SET_FEATURES, 1, i, -1);
        (void)get(fds[1], SS_FRONTEND_SET_FEATURES, i);
        MUST(close(fds[0]) == 0 && close(fds[1]) == 0);
    }
    return data;
}

/* ---- or between a duplicate and its close, which closes nothing then */

static int left_open;

static void *close_for_ever(void *data)
{
    for (;;) {
        left_open = dup(shared_came);
        MUST(left_open >= 0);
        dups++;
        MUST(close(left_open) == 0);
        left_open = -1;
        closes++;
    }
    return data;
}

static void *cancel_closes(void *data)
{
    for (unsigned int i = 0; i < rounds / 8; i++) {
        pthread_t thread;
        void *result;
        unsigned int before = closes;
        MUST(pthread_create(&thread, NULL, close_for_ever, NULL) == 0);
        while (closes - before < 8) {
            (void)sched_yield();
        }
        MUST(pthread_cancel(thread) == 0);
        MUST(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        if (left_open >= 0) {
            MUST(close(left_open) == 0);
            closes++;
        }
    }
    return data;
}

/* ---- handlers ---- */

static void handle(int number)
{
    int error = errno;
    char byte = 'x';
    int copy = dup(shared_came);
    if (copy >= 0) {
        dups++;
        if (close(copy) == 0) {
            closes++;
        }
    }
    if (write(spill[1], &byte, 1) == 1) {
        (void)!read(spill[0], &byte, 1);
    }
    handled++;
    errno = error;
}

static void *send_signals(void *data)
{
    const pthread_t *threads = data;
    while (!atomic_load(&ending)) {
        for (int i = 0; threads[i]; i++) {
            MUST(pthread_kill(threads[i], SIGUSR1) == 0);
        }
        (void)poll(NULL, 0, 1);
    }
    return NULL;
}

typedef void *(*Part)(void *);

static const Part parts[] = { serve,        serve,      make_children,    borrow_memory,
                              spawn,        close_many, map_other_things, cancel,
                              cancel_closes };
enum {
    PARTS = sizeof(parts) / sizeof(parts[0])
};
static sem_t ended;

static void *run_part(void *data)
{
    (void)((const Part *)data)[0](NULL);
    MUST(sem_post(&ended) == 0);
    return NULL;
}

static void write_counts(const char *path)
{
    FILE *out = fopen(path, "we");
    MUST(out);
    fprintf(out, "channel %u\nmessage %u\nfd_dup %u\nfd_close %u\nmap %u\nunmap %u\n", channels,
            messages, dups, closes, maps, unmaps);
    MUST(fclose(out) == 0);
}

int main(int argc, char **argv)
{
    pthread_t threads[PARTS + 1] = { 0 }, sender;
    int fds[2];
    if (argc != 3 && argc != 4) {
        return 2;
    }
    end_file = argv[3];
    rounds = (unsigned int)atoi(argv[1]);
    MUST(pipe2(spill, O_NONBLOCK | O_CLOEXEC) == 0);
    open_ends(fds);
    shared_came = receive_memfd(fds, 0);
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST(sem_init(&ended, 0, 0) == 0);
    for (int i = 0; i < PARTS; i++) {
        MUST(pthread_create(&threads[i], NULL, run_part, (void *)&parts[i]) == 0);
    }
    MUST(pthread_create(&sender, NULL, send_signals, threads) == 0);
    /* Signals go to threads that have not been joined. */
    for (int i = 0; i < PARTS; i++) {
        while (sem_wait(&ended) < 0 && errno == EINTR) {
        }
    }
    ending = true;
    MUST(pthread_join(sender, NULL) == 0);
    for (int i = 0; i < PARTS; i++) {
        MUST(pthread_join(threads[i], NULL) == 0);
    }
    MUST(handled > rounds / 10);
    write_counts(argv[2]);
    return 0;
}
