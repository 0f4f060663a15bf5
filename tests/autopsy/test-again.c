/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A second look at processes of which some are not there any more, or are others by the same pid.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

static pid_t child_that_waits(void)
{
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        for (;;) {
            (void)pause();
        }
    }
    return child;
}

static void end(pid_t child)
{
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
}

static SsEvidence *look_at(pid_t child)
{
    g_autoptr(GError) error = NULL;
    SsLookOptions options = { .pid = (gint32)child };
    SsEvidence *evidence = ss_look_first(&options, &error);
    g_assert_no_error(error);
    return evidence;
}

static SsSeenProcess *seen(const SsEvidence *evidence, guint look, pid_t child)
{
    g_assert_cmpuint(look, <, evidence->looks->len);
    SsSeenProcess *process =
        ss_look_process(g_ptr_array_index(evidence->looks, look), (gint32)child);
    g_assert_nonnull(process);
    return process;
}

static void test_same(void)
{
    pid_t child = child_that_waits();
    g_autoptr(SsEvidence) evidence = look_at(child);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(ss_look_again(evidence, NULL));
        g_assert_cmpuint(evidence->looks->len, ==, 2);
        g_assert_true(ss_seen_same(seen(evidence, 0, child), seen(evidence, 1, child)));
    }
    g_assert_true(g_str_has_prefix(evidence->tool, "shmemscope "));
    g_assert_cmpstr(evidence->host, !=, "");
    g_assert_cmpuint(strlen(evidence->boot_id), ==, 36);
    end(child);
}

static void test_ended(void)
{
    pid_t child = child_that_waits();
    g_autoptr(SsEvidence) evidence = look_at(child);
    end(child);
    g_assert_true(ss_look_again(evidence, NULL));
    const SsSeenProcess *before = seen(evidence, 0, child);
    const SsSeenProcess *after = seen(evidence, 1, child);
    g_assert_false(before->ended);
    g_assert_true(after->ended);
    g_assert_cmpstr(after->comm, ==, before->comm);
    g_assert_false(ss_seen_same(before, after));
    /* And it stays so. */
    g_assert_true(ss_look_again(evidence, NULL));
    g_assert_true(seen(evidence, 1, child)->ended);
}

/* One that nobody waited for is no process any more. */
static void test_zombie(void)
{
    pid_t child = child_that_waits();
    g_autoptr(SsEvidence) evidence = look_at(child);
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    siginfo_t how;
    g_assert_cmpint(waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT), ==, 0);
    g_assert_true(ss_look_again(evidence, NULL));
    g_assert_true(seen(evidence, 1, child)->ended);
    g_autoptr(GError) error = NULL;
    SsLookOptions options = { .pid = (gint32)child };
    g_assert_null(ss_look_first(&options, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
}

/* The pid is another process's meanwhile: that began at another time. */
static void test_pid_of_another(void)
{
    pid_t child = child_that_waits();
    g_autoptr(SsEvidence) evidence = look_at(child);
    seen(evidence, 0, child)->start_ticks--;
    g_assert_true(ss_look_again(evidence, NULL));
    g_assert_true(seen(evidence, 1, child)->ended);
    g_assert_cmpuint(seen(evidence, 1, child)->threads->len, ==, 0);
    end(child);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/again/same", test_same);
    g_test_add_func("/again/ended", test_ended);
    g_test_add_func("/again/zombie", test_zombie);
    g_test_add_func("/again/pid-of-another", test_pid_of_another);
    return g_test_run();
}
