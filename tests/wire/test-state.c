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
    g_assert_false(ss_wire_claim(data)); /* nobody gives it back, and nobody waits for ever */
    g_assert_true(ss_wire_claim(data));
    ss_wire_unclaim(data);
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/state/threads", test_threads);
    g_test_add_func("/wire/state/fork", test_fork);
    g_test_add_func("/wire/state/own-process", test_own_process);
    g_test_add_func("/wire/state/claim", test_claim);
    return g_test_run();
}
