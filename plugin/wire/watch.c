/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "watch.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "audit.h"
#include "conn.h"
#include "real.h"
#include "tell.h"

#define SECOND_NS 1000000000ull
#define STACK_BYTES (256u * 1024u)

static _Atomic bool wanted;
static _Atomic bool running;
static _Atomic uint32_t alarm_word; /* changes to wake the thread */
static _Atomic bool asleep;         /* until it is woken */

static void wake(void)
{
    atomic_fetch_add(&alarm_word, 1);
    (void)syscall(SYS_futex, &alarm_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool recorded(void)
{
    return SS_WIRE_ON(wait_lasts) || SS_WIRE_ON(read_lasts) || SS_WIRE_ON(fd_lost) ||
           SS_WIRE_ON(fd_found);
}

void ss_wire_watch_wanted(void)
{
    atomic_store(&wanted, true);
}

void ss_wire_watch_begins(void)
{
    if (recorded() && atomic_exchange(&asleep, false)) {
        wake();
    }
}

void ss_wire_watch_forked(void)
{
    atomic_store(&running, false);
    atomic_store(&asleep, false);
}

/* ---- what lasts: with the lock ---- */

static void tell_wait(const SsWireConn *conn, const SsWireAsk *ask, uint64_t now)
{
    int other = conn->other_fd;
    SsWireHeader peek = { 0 };
    if (other >= 0 &&
        REAL(recv)(other, &peek, sizeof(peek), MSG_PEEK | MSG_DONTWAIT) != (ssize_t)sizeof(peek)) {
        peek = (SsWireHeader){ 0 };
    }
    SS_WIRE_TELL(wait_lasts, conn->id, ask->seq, ask->request, ask->tid,
                 atomic_load(&conn->reader) == ask->tid, (now - ask->since_ns) / 1000000,
                 ss_wire_unread(other), peek.request, peek.flags, peek.size);
}

static void tell_read(const SsWireConn *conn, uint64_t now)
{
    const SsWireStream *stream = &conn->in.stream;
    SS_WIRE_TELL(read_lasts, conn->id, stream->seq, (uint32_t)stream->got, conn->in.tid,
                 (now - stream->began_ns) / 1000000);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* Tells of what lasts as long as that; returns when the next is due, UINT64_MAX for never. */
static uint64_t look(uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < ss_wire_conns_end; i++) {
        SsWireConn *conn = &ss_wire_conns[i];
        if (conn->state != SS_WIRE_OPEN) {
            continue;
        }
        if (!ss_wire_claim(conn)) {
            next = earlier(next, now + SECOND_NS / 100); /* in use just now */
            continue;
        }
        for (uint32_t at = 0; at < conn->n_asks; at++) {
            SsWireAsk *ask = &conn->asks[at];
            bool due = false;
            while (now - ask->since_ns >= SECOND_NS << ask->told) {
                ask->told++;
                due = true;
            }
            if (due) {
                tell_wait(conn, ask, now);
            }
            next = earlier(next, ask->since_ns + (SECOND_NS << ask->told));
        }
        if (conn->in.stream.got) {
            bool due = false;
            while (now - conn->in.stream.began_ns >= SECOND_NS << conn->in.told) {
                conn->in.told++;
                due = true;
            }
            if (due) {
                tell_read(conn, now);
            }
            next = earlier(next, conn->in.stream.began_ns + (SECOND_NS << conn->in.told));
        }
        ss_wire_unclaim(conn);
    }
    return next;
}

void ss_wire_watch_dump(void)
{
    uint64_t now = ss_wire_now();
    for (uint32_t i = 0; i < ss_wire_conns_end; i++) {
        SsWireConn *conn = &ss_wire_conns[i];
        if (conn->state != SS_WIRE_OPEN || !ss_wire_claim(conn)) {
            continue;
        }
        for (uint32_t at = 0; at < conn->n_asks; at++) {
            if (now - conn->asks[at].since_ns >= SECOND_NS) {
                tell_wait(conn, &conn->asks[at], now);
            }
        }
        if (conn->in.stream.got && now - conn->in.stream.began_ns >= SECOND_NS) {
            tell_read(conn, now);
        }
        ss_wire_unclaim(conn);
    }
    atomic_store(&asleep, false);
    wake();
}

/* ---- the thread ---- */

static void sleep_until(uint32_t word, uint64_t when)
{
    uint64_t now = ss_wire_now();
    if (when <= now) {
        return;
    }
    uint64_t left = when - now;
    struct timespec time = {
        .tv_sec = (time_t)(left / SECOND_NS),
        .tv_nsec = (long)(left % SECOND_NS),
    };
    (void)syscall(SYS_futex, &alarm_word, FUTEX_WAIT_PRIVATE, word,
                  when == UINT64_MAX ? NULL : &time, NULL, 0);
}

static void *watch(void *data)
{
    uint64_t audited = 0;
    (void)data;
    (void)prctl(PR_SET_NAME, "shmemscope-wire");
    for (;;) {
        uint32_t word = atomic_load(&alarm_word);
        uint64_t next = UINT64_MAX;
        SsWireGuard guard;
        /* Before the look: what begins after it wakes the thread. */
        atomic_store(&asleep, true);
        if (recorded() && ss_wire_enter(&guard)) {
            next = look(ss_wire_now());
            bool files = ss_wire_audit_needed();
            ss_wire_leave(&guard);
            if (files && ss_wire_now() - audited >= SECOND_NS) {
                ss_wire_audit();
                audited = ss_wire_now();
            }
            if (files) {
                next = earlier(next, audited + SECOND_NS);
            }
        }
        if (next != UINT64_MAX) {
            /* It comes by itself in time for all that begins from here on. */
            atomic_store(&asleep, false);
            next = earlier(next, ss_wire_now() + SECOND_NS);
        }
        sleep_until(word, next);
    }
    return NULL;
}

void ss_wire_watch_start(void)
{
    if (SS_WIRE_LIKELY(!atomic_load_explicit(&wanted, memory_order_relaxed) ||
                       atomic_load_explicit(&running, memory_order_relaxed))) {
        return;
    }
    int error = errno;
    bool was = false;
    if (!ss_wire_loaded() || !ss_wire_own_process() ||
        !atomic_compare_exchange_strong(&running, &was, true)) {
        errno = error;
        return;
    }
    /*
     * The program's handlers run in the program's threads. The C library's own two signals are not
     * blocked: by one of them a setuid() reaches every thread, and waits until each has answered.
     */
    uint64_t all = ~(3ull << (__SIGRTMIN - 1)), signals = 0;
    int cancel;
    pthread_attr_t attributes;
    pthread_t thread;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &signals, sizeof(signals));
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
        /* Refused (limits, a sandbox): nothing lasting is told, and it is not tried again. */
        (void)pthread_create(&thread, &attributes, watch, NULL);
        (void)pthread_attr_destroy(&attributes);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &signals, NULL, sizeof(signals));
    (void)pthread_setcancelstate(cancel, NULL);
    errno = error;
}
