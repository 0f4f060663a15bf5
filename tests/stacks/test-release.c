/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever happens while a thread is stopped, it goes on, and misses nothing. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/autopsy/stop.h"
#include "target.h"

#define TOO_LATE "it could not be stopped within 0.5 s, and was let go"
#define SIGNALS 200000
#define STOPS 100 /* among the first half of them */
#define RUNNING_STOPS 200
#define NS_PER_MS 1000000

/* Sends each byte back, until the other end is closed. */
static int echo(int theirs, SsTargetShared *shared)
{
    char byte;

    while (read(theirs, &byte, 1) == 1) {
        if (write(theirs, &byte, 1) != 1) {
            return -1;
        }
    }
    return 1;
}

static void assert_answers(const SsTarget *target)
{
    struct pollfd answer = { target->ours, POLLIN, 0 };
    char byte;

    g_assert_cmpint(write(target->ours, "?", 1), ==, 1);
    g_assert_cmpint(poll(&answer, 1, 30000), ==, 1);
    g_assert_cmpint(read(target->ours, &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, '?');
}

static void assert_no_tracer(const SsTarget *target)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", target->pid);
    g_autofree char *status = NULL;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    g_assert_nonnull(strstr(status, "\nTracerPid:\t0\n"));
}

static void end_echo(SsTarget *target)
{
    g_assert_cmpint(shutdown(target->ours, SHUT_RDWR), ==, 0);
    ss_target_await_end(target);
}

static void do_nothing(int tid, const struct user_regs_struct *registers, gpointer data)
{
}

/* -- the tool is killed ----------------------------------------------------------------------- */

static void kill_ourselves(int tid, const struct user_regs_struct *registers, gpointer data)
{
    const SsTarget *target = data;

    /* The tester reads it: a target that was not stopped then would prove nothing. */
    target->shared->word = (guchar)ss_target_state(target);
    kill(getpid(), SIGKILL);
    pause();
}

static void test_killed_in_mid_stop(void)
{
    SsTarget target = ss_target_start(echo);
    int status;

    ss_target_await_call(&target, SYS_read);
    pid_t tool = fork();
    if (tool == 0) {
        guint64 stopped_ns;

        g_free(ss_stop_thread(target.pid, kill_ourselves, &target, &stopped_ns));
        _exit(0);
    }
    g_assert_cmpint(waitpid(tool, &status, 0), ==, tool);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
    g_assert_cmpint(target.shared->word, ==, 't');
    assert_answers(&target);
    assert_no_tracer(&target);
    g_assert_cmpint(ss_target_state(&target), !=, 't');
    end_echo(&target);
}

/* -- signals on their way --------------------------------------------------------------------- */

static SsTargetShared *counted;

static void count_in_order(int number, siginfo_t *info, void *context)
{
    if ((guint)info->si_value.sival_int != counted->word) {
        _exit(1);
    }
    counted->word++;
}

static int take_signals(int theirs, SsTargetShared *shared)
{
    struct sigaction action = { .sa_sigaction = count_in_order, .sa_flags = SA_SIGINFO };

    counted = shared;
    sigaction(SIGRTMIN, &action, NULL);
    if (write(theirs, "r", 1) != 1) {
        return -1;
    }
    while (__atomic_load_n(&shared->word, __ATOMIC_SEQ_CST) < SIGNALS) {
        poll(NULL, 0, 1);
    }
    return 1;
}

typedef struct Sender {
    const SsTarget *target;
    guint stops; /* that were made meanwhile */
} Sender;

static gpointer send_signals(gpointer data)
{
    const Sender *sender = data;
    const SsTarget *target = sender->target;

    for (guint i = 0; i < SIGNALS; i++) {
        /* The stops are to be among them, however busy the machine is: no faster than those. */
        while (__atomic_load_n(&sender->stops, __ATOMIC_SEQ_CST) <
               MIN(i / (SIGNALS / 2 / STOPS), STOPS)) {
            g_thread_yield();
        }
        /* Its queue has a limit; it is emptied as fast as it can. */
        while (sigqueue(target->pid, SIGRTMIN, (union sigval){ .sival_int = i }) != 0) {
            g_assert_cmpint(errno, ==, EAGAIN);
            g_thread_yield();
        }
    }
    return NULL;
}

/*
 * Queued ones are not merged: each has to be handled once, in order, with what it carries. Some
 * come between the steps of a stop, and are what it stops for then.
 */
static void test_signals(void)
{
    SsTarget target = ss_target_start(take_signals);
    SsTargetShared *shared = target.shared;
    Sender sender = { .target = &target };
    g_autoptr(GThread) thread = NULL;
    char ready;

    g_assert_cmpint(read(target.ours, &ready, 1), ==, 1);
    thread = g_thread_new("sender", send_signals, &sender);
    while (__atomic_load_n(&shared->word, __ATOMIC_SEQ_CST) < SIGNALS - SIGNALS / 10) {
        guint64 stopped_ns;
        g_autofree char *why = ss_stop_thread(target.pid, do_nothing, NULL, &stopped_ns);

        /* On a busy machine it may not have its turn on a CPU in time. */
        if (why) {
            g_assert_cmpstr(why, ==, TOO_LATE);
        } else {
            (void)__atomic_add_fetch(&sender.stops, 1, __ATOMIC_SEQ_CST);
        }
    }
    g_thread_join(g_steal_pointer(&thread));
    while (ss_target_state(&target) != 'Z') {
        g_thread_yield();
    }
    g_test_message("%u stops", sender.stops);
    g_assert_cmpuint(sender.stops, >=, STOPS);
    g_assert_cmpint(shared->result, ==, 1);
    g_assert_cmpuint(shared->word, ==, SIGNALS);
    ss_target_await_end(&target);
}

/* -- states ----------------------------------------------------------------------------------- */

/* Stopped by its user: that is what it has to stay. */
static void test_stays_stopped(void)
{
    SsTarget target = ss_target_start(echo);
    guint64 stopped_ns;
    siginfo_t info;

    ss_target_await_call(&target, SYS_read);
    g_assert_cmpint(kill(target.pid, SIGSTOP), ==, 0);
    g_assert_cmpint(waitid(P_PID, (id_t)target.pid, &info, WSTOPPED | WNOWAIT), ==, 0);
    g_assert_cmpint(ss_target_state(&target), ==, 'T');
    g_autofree char *why = ss_stop_thread(target.pid, do_nothing, NULL, &stopped_ns);
    g_assert_cmpstr(why, ==, NULL);
    /* It comes back to its stop by itself, in its own time. */
    while (ss_target_state(&target) != 'T') {
        g_thread_yield();
    }
    g_assert_cmpint(kill(target.pid, SIGCONT), ==, 0);
    assert_answers(&target);
    end_echo(&target);
}

static void stay(int tid, const struct user_regs_struct *registers, gpointer data)
{
    SsTarget *tool = data;
    char byte;

    if (write(tool->ours, "s", 1) != 1 || read(tool->ours, &byte, 1) < 0) {
        _exit(1);
    }
}

/* Another tracer has it: it is named, and nothing is done. */
static void test_traced_already(void)
{
    SsTarget target = ss_target_start(echo);
    SsTarget other = { 0 };
    int ends[2];
    char byte;
    guint64 stopped_ns;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    other.ours = ends[1];
    other.pid = fork();
    if (other.pid == 0) {
        g_free(ss_stop_thread(target.pid, stay, &other, &stopped_ns));
        _exit(0);
    }
    g_assert_cmpint(read(ends[0], &byte, 1), ==, 1);
    g_autofree char *why = ss_stop_thread(target.pid, do_nothing, NULL, &stopped_ns);
    g_assert_nonnull(why);
    g_assert_true(g_str_has_prefix(why, "process "));
    g_assert_true(g_str_has_suffix(why, " traces it already"));
    g_assert_cmpint(write(ends[0], "e", 1), ==, 1);
    g_assert_cmpint(waitpid(other.pid, NULL, 0), ==, other.pid);
    assert_answers(&target);
    end_echo(&target);
    close(ends[0]);
    close(ends[1]);
}

/* Its parent is in an uninterruptible wait until it has ended: nothing stops that one. */
static int wait_for_vfork(int theirs, SsTargetShared *shared)
{
    pid_t child = vfork();

    if (child == 0) {
        char byte;

        _exit(read(theirs, &byte, 1) == 1 ? 0 : 1);
    }
    return child > 0 ? 1 : -1;
}

static void test_uninterruptible(void)
{
    SsTarget target = ss_target_start(wait_for_vfork);
    SsTargetShared *shared = target.shared;
    guint64 stopped_ns;

    while (ss_target_state(&target) != 'D') {
        g_thread_yield();
    }
    g_autofree char *why = ss_stop_thread(target.pid, do_nothing, NULL, &stopped_ns);
    g_assert_cmpstr(why, ==, TOO_LATE);
    assert_no_tracer(&target);
    g_assert_cmpint(write(target.ours, "x", 1), ==, 1);
    while (ss_target_state(&target) != 'Z') {
        g_thread_yield();
    }
    g_assert_cmpint(shared->result, ==, 1);
    ss_target_await_end(&target);
}

static int end_at_once(int theirs, SsTargetShared *shared)
{
    return 1;
}

static void test_ended(void)
{
    SsTarget target = ss_target_start(end_at_once);
    guint64 stopped_ns = 1;
    pid_t pid = target.pid;

    while (ss_target_state(&target) != 'Z') {
        g_thread_yield();
    }
    g_autofree char *zombie = ss_stop_thread(pid, do_nothing, NULL, &stopped_ns);
    g_assert_cmpstr(zombie, ==, "it ended meanwhile");
    g_assert_cmpuint(stopped_ns, ==, 0);
    ss_target_await_end(&target);
    g_autofree char *gone = ss_stop_thread(pid, do_nothing, NULL, &stopped_ns);
    g_assert_cmpstr(gone, ==, "it ended meanwhile");
}

/* -- time ------------------------------------------------------------------------------------- */

static int run(int theirs, SsTargetShared *shared)
{
    while (!__atomic_load_n(&shared->word, __ATOMIC_SEQ_CST)) {
    }
    return 1;
}

static int compare(gconstpointer a, gconstpointer b)
{
    guint64 left = *(const guint64 *)a;
    guint64 right = *(const guint64 *)b;

    return left < right ? -1 : left > right;
}

static void test_time(void)
{
    SsTarget target = ss_target_start(run);
    guint64 stopped_ns[RUNNING_STOPS];

    for (guint i = 0; i < RUNNING_STOPS; i++) {
        g_autofree char *why = ss_stop_thread(target.pid, do_nothing, NULL, &stopped_ns[i]);

        g_assert_cmpstr(why, ==, NULL);
    }
    qsort(stopped_ns, RUNNING_STOPS, sizeof *stopped_ns, compare);
    g_test_message("stopped a running thread for %.3f ms (median), %.3f ms at most",
                   (double)stopped_ns[RUNNING_STOPS / 2] / NS_PER_MS,
                   (double)stopped_ns[RUNNING_STOPS - 1] / NS_PER_MS);
    g_assert_cmpuint(stopped_ns[RUNNING_STOPS / 2], <, 5 * NS_PER_MS);
    ss_target_kill(&target);
}

static void take_long(int tid, const struct user_regs_struct *registers, gpointer data)
{
    g_usleep(20000);
}

/* The time that is told is the whole of it. */
static void test_time_is_told(void)
{
    SsTarget target = ss_target_start(echo);
    guint64 stopped_ns;
    g_autofree char *why = ss_stop_thread(target.pid, take_long, NULL, &stopped_ns);

    g_assert_cmpstr(why, ==, NULL);
    g_assert_cmpuint(stopped_ns, >=, 20 * NS_PER_MS);
    assert_answers(&target);
    end_echo(&target);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/release/killed-in-mid-stop", test_killed_in_mid_stop);
    g_test_add_func("/release/signals", test_signals);
    g_test_add_func("/release/stays-stopped", test_stays_stopped);
    g_test_add_func("/release/traced-already", test_traced_already);
    g_test_add_func("/release/uninterruptible", test_uninterruptible);
    g_test_add_func("/release/ended", test_ended);
    g_test_add_func("/release/time", test_time);
    g_test_add_func("/release/time-is-told", test_time_is_told);
    return g_test_run();
}
