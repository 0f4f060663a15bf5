/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What lasts, in a program that stands still for it. Each ends when the test has seen enough.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "ss-names.h"

static Pair pair, backend;

/* A front-end that waits for its answer, blocked in the call or not. */
static void *wait_for_answer(void *data)
{
    SsWireHeader header;
    (void)read(pair.front, &header, sizeof(header));
    return data;
}

static void stand_still(void)
{
    pthread_t thread;
    sigset_t ends;
    int number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    MUST(sigprocmask(SIG_BLOCK, &ends, NULL) == 0);
    expect("end");
    fflush(NULL);
    MUST(pthread_create(&thread, NULL, wait_for_answer, NULL) == 0);
    MUST(sigwait(&ends, &number) == 0);
    _exit(0);
}

/* A table was sent, a request of the back-end lies unread, and nobody goes on. */
static void run_wait(void)
{
    uint64_t table[1] = { 0 }, shmem[5] = { 0, 0, 0, 4096, 1 };
    SsWireHeader header = { SS_BACKEND_SHMEM_MAP, 1, 40 };
    struct iovec iov[2] = { { &header, sizeof(header) }, { shmem, sizeof(shmem) } };
    pair = open_channel();
    backend = open_backend_channel(&pair);
    MUST(writev(backend.back, iov, 2) == 52);
    expect("shmem conn=%d seq=1 request=9 len=4096", backend.back_conn);
    send_message(&pair, true, SS_FRONTEND_SET_MEM_TABLE, 9, table, 8, NULL, 0);
    int tid = (int)syscall(SYS_gettid);
    for (int i = 0; i < 2; i++) {
        expect("wait_lasts conn=%d seq=%d request=5 tid=%d blocked=0 unread=52 peek_request=9 "
               "peek_flags=1 peek_size=40",
               pair.front_conn, pair.front_seq, tid);
    }
    stand_still();
}

/* The thread that asked stands in the call that waits for the answer. */
static void *ask_and_wait(void *data)
{
    char byte;
    send_message(&pair, true, SS_FRONTEND_GET_QUEUE_NUM, 1, NULL, 0, NULL, 0);
    expect("wait_lasts conn=%d seq=%d request=17 tid=%d blocked=1 unread=0 peek_request=0",
           pair.front_conn, pair.front_seq, (int)syscall(SYS_gettid));
    expect("wait_lasts conn=%d seq=%d request=17 blocked=1", pair.front_conn, pair.front_seq);
    expect("end");
    fflush(NULL);
    (void)read(pair.front, &byte, 1);
    return data;
}

static void run_blocked(void)
{
    pthread_t thread;
    sigset_t ends;
    int number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    MUST(sigprocmask(SIG_BLOCK, &ends, NULL) == 0);
    pair = open_channel();
    MUST(pthread_create(&thread, NULL, ask_and_wait, NULL) == 0);
    MUST(sigwait(&ends, &number) == 0);
    _exit(0);
}

/* Half a header, and nothing more. */
static void run_half(void)
{
    SsWireHeader header = { SS_FRONTEND_SET_OWNER, 1, 0 };
    pair = open_channel();
    MUST(write(pair.front, &header, 7) == 7 && read(pair.back, &header, 7) == 7);
    for (int i = 0; i < 2; i++) {
        expect("read_lasts conn=%d seq=%d got=7 tid=%d", pair.back_conn, pair.front_seq + 1,
               (int)syscall(SYS_gettid));
    }
    stand_still();
}

/* What happened while nobody listened is known to who listens then, and is gone on with. */
static void run_dormant(void)
{
    SsWireHeader header = { SS_FRONTEND_SET_OWNER, 1, 0 };
    sigset_t go;
    int number;
    sigemptyset(&go);
    sigaddset(&go, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &go, NULL) == 0);
    pair = open_channel();
    backend = open_backend_channel(&pair);
    int came = receive_memfd(&pair, 8192);
    int copy = dup(came);
    const char *is = identity(came);
    void *range = mmap(NULL, 4096, PROT_READ, MAP_SHARED, copy, 4096);
    MUST(copy >= 0 && range != MAP_FAILED);
    for (int i = 0; i < 100; i++) {
        send_message(&pair, true, SS_FRONTEND_SET_FEATURES, 9, &(uint64_t){ 1 }, 8, NULL, 0);
        (void)receive_message(&pair, false, SS_FRONTEND_SET_FEATURES, 9, 8, 0);
        send_message(&pair, false, SS_FRONTEND_SET_FEATURES, 5, &(uint64_t){ 0 }, 8, NULL, 0);
        (void)receive_message(&pair, true, SS_FRONTEND_SET_FEATURES, 5, 8, 0);
    }
    MUST(write(pair.front, &header, 5) == 5 && read(pair.back, &header, 5) == 5);
    expect("state");
    expect("fd fd=%d sent=0 %s", came, is);
    expect("fd fd=%d sent=0 %s", copy, is);
    expect("map fd=%d addr=%ju len=4096 offset=4096 prot=1 flags=1 ret=0", copy,
           (uintmax_t)(uintptr_t)range);
    expect("listen");
    fflush(NULL);
    MUST(sigwait(&go, &number) == 0);
    MUST(write(pair.front, (char *)&header + 5, 7) == 7);
    expect("message conn=%d seq=%d sent=1 request=3 flags=1 size=0 fds=0 ret=0", pair.front_conn,
           ++pair.front_seq);
    MUST(read(pair.back, &header, 7) == 7);
    expect("message conn=%d seq=%d sent=0 request=3 flags=1 size=0 fds=0 ret=0", pair.back_conn,
           pair.front_seq);
    send_message(&pair, false, SS_FRONTEND_GET_FEATURES, 5, &(uint64_t){ 0 }, 8, NULL, 0);
    (void)receive_message(&pair, true, SS_FRONTEND_GET_FEATURES, 5, 8, 0);
    MUST(close(copy) == 0);
    expect("fd_close fd=%d ret=0 %s again=0", copy, is);
    MUST(munmap(range, 4096) == 0);
    expect("unmap addr=%ju len=4096 ret=0", (uintmax_t)(uintptr_t)range);
    expect("end");
}

const Act wait_acts[] = {
    { "dormant", run_dormant }, { "wait", run_wait }, { "blocked", run_blocked },
    { "half", run_half },       { NULL, NULL },
};
