/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: pipe THREADS COUNT
 *
 * Writes a byte into a pipe and reads it, COUNT times, and prints what that took: nanoseconds of
 * processor, nanoseconds by the clock, and the file whose read() it was. With THREADS 2 another
 * thread sleeps meanwhile: C library and kernel take a longer way in a process of several.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *sleeper(void *data)
{
    for (;;) {
        pause();
    }
    return NULL;
}

/* A function of its own, whose instructions can be counted by its name. */
__attribute__((noinline)) void ss_pipe_rounds(const int ends[2], long count);

void ss_pipe_rounds(const int ends[2], long count)
{
    for (long i = 0; i < count; i++) {
        char byte = 'x';
        if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) {
            perror("pipe");
            exit(EXIT_FAILURE);
        }
    }
}

int main(int argc, char **argv)
{
    long threads = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    int ends[2];
    pthread_t other;
    Dl_info reader;
    if (threads < 1 || threads > 2 || count < 1) {
        fputs("usage: pipe THREADS COUNT\n", stderr);
        return 2;
    }
    if (pipe(ends) != 0 || !dladdr(dlsym(RTLD_DEFAULT, "read"), &reader) ||
        (threads == 2 && pthread_create(&other, NULL, sleeper, NULL) != 0)) {
        perror("pipe");
        return EXIT_FAILURE;
    }
    /* The first calls are bound, and the descriptors looked at. */
    ss_pipe_rounds(ends, 1);
    int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    int64_t clock = now(CLOCK_MONOTONIC);
    ss_pipe_rounds(ends, count);
    clock = now(CLOCK_MONOTONIC) - clock;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%" PRId64 " %" PRId64 " %s\n", cpu, clock, reader.dli_fname);
    return EXIT_SUCCESS;
}
