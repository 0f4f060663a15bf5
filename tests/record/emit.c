/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A traced process for the recorder's tests: it has QEMU's events and tells them on demand.
 *
 *   emit [FIRST]    fires FIRST events at once, prints "fired FIRST", then obeys stdin:
 *     fire N        fires N more, prints "fired TOTAL"
 *     exit CODE     exits
 *     abort         dies of SIGABRT
 *   end of input    exits with 0
 *
 * The events are qemu:vhost_user_reply_read with seq 1, 2, 3, ..., each followed by a
 * qemu:memory_commit_start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "ss-provider.h"

static unsigned long long fired;

static void fire(unsigned long long count)
{
    for (unsigned long long i = 0; i < count; i++) {
        fired++;
        lttng_ust_tracepoint(qemu, vhost_user_reply_read, 0x1234, fired, 5, 0, 0);
        lttng_ust_tracepoint(qemu, memory_commit_start, 0, 1);
    }
    (void)printf("fired %llu\n", fired);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[128];

    fire(argc > 1 ? strtoull(argv[1], NULL, 10) : 0);
    while (fgets(line, sizeof(line), stdin)) {
        if (strncmp(line, "fire ", 5) == 0) {
            fire(strtoull(line + 5, NULL, 10));
        } else if (strncmp(line, "exit ", 5) == 0) {
            return atoi(line + 5);
        } else if (strcmp(line, "abort\n") == 0) {
            abort();
        } else {
            (void)fprintf(stderr, "emit: unknown command: %s", line);
            return 2;
        }
    }
    return 0;
}
