/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A thread asks for its number once, and a child of fork() again; who runs, the process or a
 * child of it; and whose a connection is.
 */
#include <glib.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/wire/state.h"

static void *thread(void *data)
{
    g_assert_cmpint(ss_wire_own_tid(), ==, gettid());
    g_assert_cmpint(ss_wire_own_tid(), !=, getpid());
    return NULL;
}

static void test_threads(void)
{
    pthread_t other;
    g_assert_cmpint(ss_wire_own_tid(), ==, gettid());
    g_assert_cmpint(pthread_create(&other, NULL, thread, NULL), ==, 0);
    g_assert_cmpint(pthread_join(other, NULL), ==, 0);
    g_assert_cmpint(ss_wire_own_tid(), ==, gettid());
}

static void test_fork(void)
{
    g_assert_true(ss_wire_own_process());
    g_assert_cmpint(ss_wire_own_tid(), ==, gettid());
    ss_wire_lock_for_fork();
    pid_t child = fork();
    if (child == 0) {
        ss_wire_unlock_after_fork(true);
        _exit(ss_wire_own_process() && ss_wire_own_tid() == gettid() ? 0 : 1);
    }
    ss_wire_unlock_after_fork(false);
    int status = -1;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpint(ss_wire_own_tid(), ==, gettid());
}

static void await(pid_t child)
{
    int status = -1;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

/* Without a system call: it is known who runs, however the process came to be. */
static void test_own_process(void)
{
    ss_wire_state_begin();
    g_assert_true(ss_wire_own_process());
    /* Nobody was told of this fork. */
    pid_t child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        _exit(ss_wire_own_process() ? 1 : 0);
    }
    await(child);
    g_assert_true(ss_wire_own_process());
    ss_wire_lock_for_fork();
    child = fork();
    if (child == 0) {
        ss_wire_unlock_after_fork(true);
        _exit(ss_wire_own_process() ? 0 : 1);
    }
    ss_wire_unlock_after_fork(false);
    await(child);
    ss_wire_lent = 1; /* and it is the lender who asks */
    g_assert_true(ss_wire_own_process());
    ss_wire_lent = 0;
    ss_wire_state_lent_for_long();
    g_assert_true(ss_wire_own_process());
}

/* ---- a connection is one thread's at a time ---- */

static void *try_alone(void *data)
{
    if (!ss_wire_claim_alone(data)) {
        return NULL;
    }
    ss_wire_unclaim(data);
    return data;
}

static void *wait_for_it(void *data)
{
    SsWireGuard guard;
    g_assert_false(ss_wire_claim(data));
    /* Nobody gives it back, and nobody waits for ever. */
    g_assert_false(ss_wire_enter_claim(data, &guard));
    g_assert_true(ss_wire_enter_claim(data, &guard));
    ss_wire_unclaim(data);
    ss_wire_leave(&guard);
    return data;
}

static void *in_another_thread(void *(*function)(void *), void *data)
{
    pthread_t other;
    void *result;
    g_assert_cmpint(pthread_create(&other, NULL, function, data), ==, 0);
    g_assert_cmpint(pthread_join(other, &result), ==, 0);
    return result;
}

static void test_claim(void)
{
    SsWireConn *conn = &ss_wire_conns[0];
    SsWireGuard guard;
    g_assert_true(ss_wire_claim_alone(conn));
    g_assert_false(ss_wire_claim_alone(conn)); /* as by a handler that has interrupted this */
    g_assert_false(ss_wire_claim(conn));
    g_assert_false(atomic_load(&conn->missed));
    g_assert_null(in_another_thread(try_alone, conn));
    ss_wire_unclaim(conn);
    g_assert_true(in_another_thread(try_alone, conn) == conn);
    /* Never beside the lock. */
    g_assert_true(ss_wire_enter(&guard));
    g_assert_false(ss_wire_claim_alone(conn));
    g_assert_null(in_another_thread(try_alone, conn));
    ss_wire_leave(&guard);
    g_assert_true(ss_wire_claim_alone(conn));
    g_assert_true(in_another_thread(wait_for_it, conn) == conn);
    g_assert_true(atomic_exchange(&conn->missed, false));
    g_assert_true(ss_wire_claim_alone(conn));
    ss_wire_unclaim(conn);
}

/* ---- nobody waits for who waits for him ---- */

static _Atomic int step;

static void await_step(int number)
{
    while (atomic_load(&step) != number) {
    }
}

static void *wait_with_lock(void *data)
{
    SsWireGuard guard;
    atomic_store(&step, 1);
    g_assert_true(ss_wire_enter_claim(data, &guard));
    ss_wire_unclaim(data);
    ss_wire_leave(&guard);
    return data;
}

/* A handler interrupts what has the connection, and wants the lock of who waits for that. */
static void test_claim_and_lock(void)
{
    SsWireConn *conn = &ss_wire_conns[0];
    pthread_t other;
    void *result;
    step = 0;
    g_assert_true(ss_wire_claim_alone(conn));
    g_assert_cmpint(pthread_create(&other, NULL, wait_with_lock, conn), ==, 0);
    await_step(1);
    for (int i = 0; i < 1000; i++) {
        SsWireGuard guard;
        g_assert_true(ss_wire_enter(&guard));
        ss_wire_leave(&guard);
    }
    ss_wire_unclaim(conn);
    g_assert_cmpint(pthread_join(other, &result), ==, 0);
    g_assert_true(result == conn && !atomic_load(&conn->missed));
}

static void *use(void *data)
{
    SsWireGuard guard;
    g_assert_true(ss_wire_enter(&guard));
    ss_wire_leave(&guard);
    return data;
}

static void *use_for_long(void *data)
{
    SsWireGuard guard;
    g_assert_true(ss_wire_enter(&guard));
    atomic_store(&step, 1);
    await_step(2);
    ss_wire_leave(&guard);
    return data;
}

/* Of a child that came to be while others used the state, or still do: what it has of it. */
static void assert_child(bool missed, uint32_t n_maps)
{
    pid_t child = fork();
    if (child == 0) {
        SsWireGuard guard;
        ss_wire_unlock_after_fork(true);
        _exit(ss_wire_enter(&guard) && ss_wire_conns[0].missed == missed && ss_wire_n_maps == n_maps
                  ? 0
                  : 1);
    }
    await(child);
    ss_wire_unlock_after_fork(false);
}

static void assert_free(void)
{
    g_assert_true(ss_wire_claim_alone(&ss_wire_conns[0])); /* which needs that nobody has it */
    ss_wire_unclaim(&ss_wire_conns[0]);
    g_assert_false(ss_wire_conns[0].missed);
}

static void test_fork_and_lock(void)
{
    pthread_t other;
    uint32_t end = ss_wire_conns_end;
    ss_wire_conns_end = 1;
    ss_wire_n_maps = 2;
    ss_wire_lock_for_fork();
    assert_child(false, 2);
    assert_free();
    /* The lock is somebody else's meanwhile, once or again and again. */
    ss_wire_lock_for_fork();
    g_assert_true(in_another_thread(use, &other) == &other);
    g_assert_true(in_another_thread(use, &other) == &other);
    assert_child(true, 2);
    assert_free();
    /* Or it still is. */
    step = 0;
    ss_wire_lock_for_fork();
    g_assert_cmpint(pthread_create(&other, NULL, use_for_long, NULL), ==, 0);
    await_step(1);
    assert_child(true, 0);
    g_assert_false(ss_wire_claim_alone(&ss_wire_conns[0]));
    atomic_store(&step, 2);
    g_assert_cmpint(pthread_join(other, NULL), ==, 0);
    assert_free();
    ss_wire_n_maps = 0;
    ss_wire_conns_end = end;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/state/threads", test_threads);
    g_test_add_func("/wire/state/fork", test_fork);
    g_test_add_func("/wire/state/own-process", test_own_process);
    g_test_add_func("/wire/state/claim", test_claim);
    g_test_add_func("/wire/state/claim-and-lock", test_claim_and_lock);
    g_test_add_func("/wire/state/fork-and-lock", test_fork_and_lock);
    return g_test_run();
}
