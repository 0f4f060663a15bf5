/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * When a thread ran last is in se.exec_start, by the clock of the CPU it ran on. Each CPU's clock
 * stands still while it serves interrupts, or while the host of a virtual machine has taken it
 * away, as the kernel was built. By what it lags is seen by whoever runs on it: the looker does,
 * for a moment, on those CPUs that it may use. Of the others it is guessed from /proc/stat, which
 * counts in ticks and is some seconds off on a host that has run for long: which of the two their
 * clocks leave out is found out by the looker's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

#define SS_NS_PER_S G_GINT64_CONSTANT(1000000000)
/* What the looker's clock may be off after all, from how the kernel started it. */
#define SS_MAX_OFF (5 * SS_NS_PER_S)

typedef struct SsStolen {
    gint64 interrupts, taken; /* ns */
} SsStolen;

struct SsSince {
    GArray *stolen;         /* SsStolen, by CPU */
    bool interrupts, taken; /* what the clocks leave out */
    gint64 now_ns;          /* of a clock that leaves nothing out; -1: not known */
    bool clocks;            /* the kernel tells what can be compared */
    cpu_set_t allowed;      /* CPUs that the looker may run on */
    cpu_set_t usable;       /* those of them that it can look at from there */
    GHashTable *lags;       /* CPU -> owned gint64: by what its clock lags, as was seen on it */
};

static void read_stolen(SsSince *since)
{
    g_autofree char *text = ss_proc_text(AT_FDCWD, "/proc/stat", 1u << 20, NULL);
    long hz = sysconf(_SC_CLK_TCK);
    for (const char *line = text; line && hz > 0; line = strchr(line, '\n')) {
        line += *line == '\n';
        guint cpu;
        guint64 field[8];
        if (sscanf(line,
                   "cpu%u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                   " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                   " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                   &cpu, &field[0], &field[1], &field[2], &field[3], &field[4], &field[5],
                   &field[6], &field[7]) == 9 &&
            cpu < 65536) {
            gint64 tick = SS_NS_PER_S / hz;
            if (since->stolen->len <= cpu) {
                g_array_set_size(since->stolen, cpu + 1);
            }
            g_array_index(since->stolen, SsStolen, cpu) =
                (SsStolen){ .interrupts = (gint64)(field[5] + field[6]) * tick,
                            .taken = (gint64)field[7] * tick };
        }
    }
}

/* By what a CPU's clock lags, if it leaves this out. */
static gint64 lag(const SsSince *since, guint cpu, bool interrupts, bool taken)
{
    const SsStolen *stolen = &g_array_index(since->stolen, SsStolen, cpu);
    return (interrupts ? stolen->interrupts : 0) + (taken ? stolen->taken : 0);
}

gint64 ss_since_exec_start(int dir, const char *name)
{
    char text[1024];
    if (ss_proc_read(dir, name, text, sizeof text) <= 0) {
        return -1;
    }
    const char *line = strstr(text, "se.exec_start");
    const char *at = line ? strchr(line, ':') : NULL;
    if (!at) {
        return -1;
    }
    char *end;
    gint64 ms = g_ascii_strtoll(at + 1, &end, 10);
    return ms * 1000000 + (*end == '.' ? g_ascii_strtoll(end + 1, NULL, 10) : 0);
}

static gint64 own_exec_start(guint *ret_cpu)
{
    char stat[1024];
    /* Once more through the scheduler, which brings the account up to date. */
    (void)sched_yield();
    gint64 start = ss_since_exec_start(AT_FDCWD, "/proc/thread-self/sched");
    if (ss_proc_read(AT_FDCWD, "/proc/thread-self/stat", stat, sizeof stat) <= 0) {
        return -1;
    }
    *ret_cpu = (guint)ss_proc_field(stat, 39);
    return start;
}

SsSince *ss_since_new(void)
{
    SsSince *since = g_new0(SsSince, 1);
    since->stolen = g_array_new(FALSE, TRUE, sizeof(SsStolen));
    since->now_ns = -1;
    since->lags = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    if (sched_getaffinity(0, sizeof since->allowed, &since->allowed) != 0) {
        CPU_ZERO(&since->allowed);
    }
    since->usable = since->allowed;
    read_stolen(since);
    guint cpu;
    struct timespec raw;
    gint64 own = own_exec_start(&cpu);
    if (own < 0 || cpu >= since->stolen->len || clock_gettime(CLOCK_MONOTONIC_RAW, &raw) != 0) {
        return since;
    }
    since->clocks = true;
    gint64 behind = raw.tv_sec * SS_NS_PER_S + raw.tv_nsec - own;
    gint64 best = SS_MAX_OFF;
    for (guint kind = 0; kind < 4; kind++) {
        bool interrupts = kind & 1;
        bool taken = kind & 2;
        gint64 off = ABS(behind - lag(since, cpu, interrupts, taken));
        if (off < best) {
            best = off;
            since->interrupts = interrupts;
            since->taken = taken;
            since->now_ns = own + lag(since, cpu, interrupts, taken);
        }
    }
    return since;
}

void ss_since_free(SsSince *since)
{
    if (since) {
        g_array_unref(since->stolen);
        g_hash_table_unref(since->lags);
        g_free(since);
    }
}

/* Looks at a CPU's clock from that CPU. */
static bool see_lag(const SsSince *since, guint cpu, gint64 *ret_lag)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    if (sched_setaffinity(0, sizeof only, &only) != 0) {
        return false;
    }
    guint there;
    struct timespec raw;
    gint64 own = own_exec_start(&there);
    bool seen = own >= 0 && there == cpu && clock_gettime(CLOCK_MONOTONIC_RAW, &raw) == 0;
    (void)sched_setaffinity(0, sizeof since->allowed, &since->allowed);
    if (seen) {
        *ret_lag = raw.tv_sec * SS_NS_PER_S + raw.tv_nsec - own;
    }
    return seen;
}

/* NULL: it cannot be looked at from there. */
static const gint64 *seen_lag(SsSince *since, guint cpu)
{
    const gint64 *known = g_hash_table_lookup(since->lags, GUINT_TO_POINTER(cpu));
    gint64 seen;
    if (known || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &since->usable)) {
        return known;
    }
    if (!see_lag(since, cpu, &seen)) {
        CPU_CLR(cpu, &since->usable); /* not asked for again */
        return NULL;
    }
    gint64 *lags = g_new(gint64, 1);
    *lags = seen;
    g_hash_table_insert(since->lags, GUINT_TO_POINTER(cpu), lags);
    return lags;
}

gint64 ss_since_ago(SsSince *since, gint64 exec_start_ns, guint cpu)
{
    const gint64 *seen = since->clocks ? seen_lag(since, cpu) : NULL;
    if (!seen && (since->now_ns < 0 || cpu >= since->stolen->len)) {
        return -1;
    }
    struct timespec raw;
    gint64 ago;
    if (seen && clock_gettime(CLOCK_MONOTONIC_RAW, &raw) == 0) {
        ago = raw.tv_sec * SS_NS_PER_S + raw.tv_nsec - exec_start_ns - *seen;
    } else {
        ago = since->now_ns - exec_start_ns - lag(since, cpu, since->interrupts, since->taken);
    }
    /* A tick's worth before now: it ran since this was set up. */
    return MAX(ago, 0);
}
