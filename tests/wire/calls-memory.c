/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is mapped of descriptors that came over a channel.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"

#define PAGE 4096ul
#define SHARED (PROT_READ | PROT_WRITE), (MAP_SHARED)

static uintmax_t number(const void *address)
{
    return (uintmax_t)(uintptr_t)address;
}

/* As QEMU does: a range of its own, then the file over it, and both go together. */
static void run_fixed(void)
{
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 8 * PAGE);
    char *range = mmap(NULL, 6 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(range != MAP_FAILED);
    range += PAGE;
    MUST(mmap64(range, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, came, PAGE) ==
         range);
    expect("map fd=%d addr=%ju len=%lu offset=%lu prot=3 flags=%d ret=0", came, number(range),
           4 * PAGE, PAGE, MAP_SHARED | MAP_FIXED);
    MUST(close(came) == 0);
    expect("fd_close fd=%d ret=0 again=0", came);
    MUST(munmap(range + 4 * PAGE, PAGE) == 0); /* not a byte of it */
    MUST(munmap(range - PAGE, 2 * PAGE) == 0); /* its first page */
    expect("unmap addr=%ju len=%lu ret=0", number(range - PAGE), 2 * PAGE);
    MUST(munmap(range, PAGE) == 0); /* which is gone */
    MUST(munmap(range + PAGE, 4 * PAGE) == 0);
    expect("unmap addr=%ju len=%lu ret=0", number(range + PAGE), 4 * PAGE);
    MUST(munmap(range, 5 * PAGE) == 0);
    close_channel(&pair);
}

static void run_over(void)
{
    Pair pair = open_channel();
    int came = receive_memfd(&pair, 8 * PAGE);
    char *range = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, came, 0);
    MUST(range != MAP_FAILED);
    expect("map fd=%d addr=%ju len=%lu offset=0 prot=1 flags=1 ret=0", came, number(range),
           4 * PAGE);
    /* Mapped over by something else, and by itself. */
    MUST(mmap(range + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
         range + PAGE);
    expect("unmap addr=%ju len=%lu ret=0", number(range + PAGE), PAGE);
    MUST(mmap(range + 2 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, came, 0) ==
         range + 2 * PAGE);
    expect("unmap addr=%ju len=%lu ret=0", number(range + 2 * PAGE), PAGE);
    expect("map fd=%d addr=%ju len=%lu offset=0", came, number(range + 2 * PAGE), PAGE);
    MUST(munmap(range + PAGE, PAGE) == 0); /* which is the other's */
    MUST(mmap(NULL, 0, PROT_READ, MAP_SHARED, came, 0) == MAP_FAILED && errno == EINVAL);
    expect("map fd=%d addr=0 len=0 ret=%d", came, -EINVAL);
    char *far = mremap(range + 3 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    MUST(far != MAP_FAILED);
    expect("remap old_addr=%ju old_len=%lu addr=%ju len=%lu ret=0", number(range + 3 * PAGE), PAGE,
           number(far), 2 * PAGE);
    MUST(munmap(far, 2 * PAGE) == 0);
    expect("unmap addr=%ju len=%lu ret=0", number(far), 2 * PAGE);
    MUST(munmap(range + 1, PAGE) < 0 && errno == EINVAL);
    expect("unmap addr=%ju len=%lu ret=%d", number(range + 1), PAGE, -EINVAL);
    MUST(munmap(range, PAGE) == 0);
    expect("unmap addr=%ju len=%lu ret=0", number(range), PAGE);
    close_channel(&pair);
}

const Act memory_acts[] = {
    { "fixed", run_fixed },
    { "over", run_over },
    { NULL, NULL },
};
