/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "real.h"

_Atomic uint32_t ss_wire_numbers[SS_WIRE_NUMBERS];
_Atomic uint32_t ss_wire_numbers_end;
SsWireFile ss_wire_files[SS_WIRE_FILES];
uint32_t ss_wire_files_end;
SsWireMap ss_wire_maps[SS_WIRE_MAPS];
_Atomic uint32_t ss_wire_n_maps;
SsWireConn ss_wire_conns[SS_WIRE_CONNS];
uint32_t ss_wire_conns_end;
SsWireLabel ss_wire_labels[SS_WIRE_LABEL_SETS][SS_WIRE_LABEL_WAYS];
uint64_t ss_wire_notes;
uint32_t ss_wire_generation, ss_wire_labels_since;
pid_t ss_wire_forked_from;
_Atomic bool ss_wire_telling = true;

/* How long one thread waits for another before it gives up. */
#define PATIENCE_NS 1000000000ull
#define PAUSES 200
/* And for one who may himself wait for what the first has, if only below a handler. */
#define MOMENT_NS 1000000ull

/*
 * Thread that uses the state, 0 if none. With FORKS that thread is in fork(), where it waits for
 * locks of others, and does not use the state: it keeps the rest from it so that the child's is
 * whole, and who cannot wait takes it away.
 */
static _Atomic int owner;
#define FORKS (1 << 30)
static _Atomic int own_pid;
/* In the first block of thread-local memory: nothing is allocated at its first use. */
#define THREAD_LOCAL static __thread __attribute__((tls_model("initial-exec")))
THREAD_LOCAL bool inside;
THREAD_LOCAL int own_tid; /* 0: not asked for yet */
THREAD_LOCAL SsWireGuard fork_guard;
THREAD_LOCAL bool fork_locked;

void ss_wire_set(int fd, SsWireKind kind, uint32_t index)
{
    if ((uint32_t)fd >= SS_WIRE_NUMBERS) {
        return;
    }
    atomic_store_explicit(&ss_wire_numbers[fd], (uint32_t)kind | index << 8, memory_order_release);
    uint32_t end = atomic_load_explicit(&ss_wire_numbers_end, memory_order_relaxed);
    while (kind != SS_WIRE_UNKNOWN && end <= (uint32_t)fd &&
           !atomic_compare_exchange_weak(&ss_wire_numbers_end, &end, (uint32_t)fd + 1)) {
    }
}

uint64_t ss_wire_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/*
 * Who runs here? The kernel tells, by a system call. It is spared where memory tells: a child of
 * fork() finds this page cleared, and one of vfork() that its thread has lent out its memory,
 * which hooks-thread.c notes. NULL where that cannot be.
 */
static _Atomic int *_Atomic own_page;
__thread int ss_wire_lent __attribute__((tls_model("initial-exec")));

void ss_wire_state_begin(void)
{
#ifdef SS_WIRE_NOTES_VFORK
    void *page = REAL(mmap)(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, 1, MADV_WIPEONFORK) == 0) {
        *(_Atomic int *)page = 1;
        atomic_store(&own_page, page);
    }
#endif
}

void ss_wire_state_lent_for_long(void)
{
    atomic_store(&own_page, NULL);
}

bool ss_wire_own_process(void)
{
    const _Atomic int *page = atomic_load_explicit(&own_page, memory_order_relaxed);
    /* Lent, it may still be the lender himself: in a handler, before he has noted the end. */
    if (SS_WIRE_LIKELY(page && !ss_wire_lent)) {
        return atomic_load_explicit(page, memory_order_relaxed);
    }
    int known = atomic_load_explicit(&own_pid, memory_order_relaxed);
    int pid = (int)ss_wire_getpid();
    if (SS_WIRE_UNLIKELY(known == 0)) {
        /* Before the constructor: there is one process yet. */
        atomic_store_explicit(&own_pid, pid, memory_order_relaxed);
        return true;
    }
    return known == pid;
}

int ss_wire_own_tid(void)
{
    if (SS_WIRE_UNLIKELY(own_tid == 0)) {
        own_tid = (int)ss_wire_gettid();
    }
    return own_tid;
}

/* The C library would leave its own two signals out, and one of them is pthread_cancel()'s. */
static void set_signals(int how, const uint64_t *set, uint64_t *ret_old)
{
    (void)syscall(SYS_rt_sigprocmask, how, set, ret_old, sizeof(*set));
}

/* Lets others go on; false when that has lasted for @patience. @begin: 0 before the first. */
static bool wait_on(uint64_t *begin, uint64_t patience)
{
    uint64_t now = ss_wire_now();
    if (*begin == 0) {
        *begin = now;
    } else if (now - *begin > patience) {
        return false;
    }
    struct timespec pause = { .tv_nsec = 50000 };
    (void)syscall(SYS_nanosleep, &pause, NULL);
    return true;
}

/* Becomes the owner; false when that took too long. */
static bool take(void)
{
    int tid = ss_wire_own_tid();
    uint64_t begin = 0;
    for (unsigned int tries = 0;; tries++) {
        int is = 0;
        if (atomic_compare_exchange_strong(&owner, &is, tid)) {
            return true;
        }
        if (is == tid) {
            return false;
        }
        if (tries < PAUSES || wait_on(&begin, is & FORKS ? MOMENT_NS : PATIENCE_NS)) {
            continue;
        }
        if (!(is & FORKS)) {
            return false;
        }
        if (atomic_compare_exchange_strong(&owner, &is, tid)) {
            return true;
        }
    }
}

/* Unless somebody has taken it away. */
static void give_back(int held)
{
    (void)atomic_compare_exchange_strong(&owner, &held, 0);
}

bool ss_wire_enter(SsWireGuard *ret_guard)
{
    int error = errno;
    if (inside || !ss_wire_own_process()) {
        errno = error;
        return false;
    }
    static const uint64_t all = ~0ull;
    set_signals(SIG_BLOCK, &all, &ret_guard->signals);
    if (!take()) {
        set_signals(SIG_SETMASK, &ret_guard->signals, NULL);
        errno = error;
        return false;
    }
    inside = true;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ret_guard->cancel);
    ret_guard->error = error;
    return true;
}

static void leave(const SsWireGuard *guard, int held)
{
    (void)pthread_setcancelstate(guard->cancel, NULL);
    inside = false;
    give_back(held);
    set_signals(SIG_SETMASK, &guard->signals, NULL);
    errno = guard->error;
}

void ss_wire_leave(const SsWireGuard *guard)
{
    leave(guard, ss_wire_own_tid());
}

bool ss_wire_claim(SsWireConn *conn)
{
    int tid = ss_wire_own_tid(), is;
    uint64_t begin = 0;
    unsigned int tries = 0;
    do {
        is = 0;
        if (atomic_compare_exchange_strong(&conn->claimant, &is, tid)) {
            return true;
        }
    } while (is != tid && (++tries < PAUSES || wait_on(&begin, MOMENT_NS)));
    return false;
}

bool ss_wire_enter_claim(SsWireConn *conn, SsWireGuard *ret_guard)
{
    uint64_t begin = 0;
    bool locked = ss_wire_enter(ret_guard), claimed = false;
    while (locked && !(claimed = ss_wire_claim(conn))) {
        int is = atomic_load(&conn->claimant);
        if (is == ss_wire_own_tid()) {
            break;
        }
        /* Below a handler, who has it may wait for the lock. */
        give_back(ss_wire_own_tid());
        if (!wait_on(&begin, PATIENCE_NS)) {
            /* A handler that never came back, perhaps: nobody waits for it twice. */
            (void)atomic_compare_exchange_strong(&conn->claimant, &is, 0);
            break;
        }
        if (!take()) {
            break;
        }
    }
    if (claimed) {
        return true;
    }
    atomic_store(&conn->missed, true);
    if (locked) {
        ss_wire_leave(ret_guard);
    }
    return false;
}

void ss_wire_unclaim(SsWireConn *conn)
{
    int tid = ss_wire_own_tid();
    (void)atomic_compare_exchange_strong(&conn->claimant, &tid, 0);
}

bool ss_wire_claim_alone(SsWireConn *conn)
{
    int nobody = 0;
    if (inside || !atomic_compare_exchange_strong(&conn->claimant, &nobody, ss_wire_own_tid())) {
        return false;
    }
    /* In this order: who forks has the lock first, and then looks whether anything is claimed. */
    if (atomic_load(&owner)) {
        ss_wire_unclaim(conn);
        return false;
    }
    return true;
}

void ss_wire_lock_for_fork(void)
{
    fork_locked = ss_wire_enter(&fork_guard);
    if (!fork_locked) {
        return;
    }
    int tid = ss_wire_own_tid();
    uint32_t end = ss_wire_conns_end;
    uint64_t begin = 0;
    atomic_store(&owner, tid | FORKS);
    /* What others have claimed without the lock is done with, and nothing else is claimed. */
    for (uint32_t i = 0; i < end; i++) {
        int is;
        while ((is = atomic_load(&ss_wire_conns[i].claimant)) && is != tid &&
               wait_on(&begin, MOMENT_NS)) {
        }
    }
}

void ss_wire_unlock_after_fork(bool child)
{
    bool locked = fork_locked;
    int held = locked ? ss_wire_own_tid() | FORKS : 0;
    if (child) {
        /*
         * Otherwise somebody used the state, and is not in this process: what he did may be half
         * done, or later than the kernel's copy of the descriptors.
         */
        int was = atomic_load(&owner);
        bool whole = locked && was == held;
        if (was && was != held) {
            ss_wire_n_maps = 0; /* they may just be moved about; the rest is set whole */
            ss_wire_labels_since = ss_wire_generation + 1; /* but for labels */
        }
        ss_wire_generation++;
        ss_wire_forked_from = atomic_load(&own_pid);
        atomic_store(&own_pid, (int)ss_wire_getpid());
        _Atomic int *page = atomic_load(&own_page);
        if (page) {
            *page = 1;
        }
        own_tid = 0;
        atomic_store(&ss_wire_telling, false);
        atomic_store(&owner, 0);
        for (uint32_t i = 0; i < ss_wire_conns_end; i++) {
            if (atomic_exchange(&ss_wire_conns[i].claimant, 0) || !whole) {
                atomic_store(&ss_wire_conns[i].missed, true);
            }
            ss_wire_conns[i].inherited = true;
            ss_wire_conns[i].n_asks = 0;
            atomic_store(&ss_wire_conns[i].reader, 0);
        }
    }
    if (locked) {
        leave(&fork_guard, held);
    }
}
