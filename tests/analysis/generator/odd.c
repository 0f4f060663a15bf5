/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * odd: a provider that does not keep to the catalogue. It prints its pid, reads a line,
 * and tells one event of each.
 */
#include <stdio.h>
#include <unistd.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "odd.h"

int main(void)
{
    (void)printf("%d\n", getpid());
    if (fflush(stdout) != 0 || getchar() == EOF) {
        return 2;
    }
    lttng_ust_tracepoint(qemu, virtio_shmem_mapping_removed, 1);
    lttng_ust_tracepoint(qemu, memory_commit_start, 0);
    lttng_ust_tracepoint(qemu, never_heard_of, 1);
    lttng_ust_tracepoint(qemu, vhost_user_backend_read, -1, 1);
    return 0;
}
