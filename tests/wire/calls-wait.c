/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What lasts, in a program that stands still for it. Each ends when the test has seen enough.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

const Act wait_acts[] = {
    { "wait", run_wait },
    { "blocked", run_blocked },
    { "half", run_half },
    { NULL, NULL },
};
