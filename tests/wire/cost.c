/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bytes through a pipe, one at a time: usage: cost COUNT. Prints the time of it in ns.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv)
{
    int ends[2];
    char byte = 'x';
    if (argc != 2 || pipe(ends) < 0) {
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
