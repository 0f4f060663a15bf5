/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bytes through a pipe, one at a time. Prints the processor time of it in ns.
 *
 * usage: cost COUNT [threads]
 * With `threads` there is a second one, as in QEMU: the C library's calls take longer then.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *wait_for_ever(void *data)
{
    for (;;) {
        pause();
    }
    return data;
}

int main(int argc, char **argv)
{
    int ends[2];
    char byte = 'x';
    pthread_t thread;
    if (argc < 2 || pipe(ends) < 0 ||
        (argc > 2 && pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)) {
        return 2;
    }
    uint64_t begin = now();
    for (int i = 0; i < atoi(argv[1]); i++) {
        if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) {
            return 1;
        }
    }
    printf("%ju\n", (uintmax_t)(now() - begin));
    return 0;
}
