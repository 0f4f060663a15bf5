/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_US (30 * G_USEC_PER_SEC)

SsTarget ss_target_start(SsTargetFunc function)
{
    SsTarget target = { 0 };
    pid_t tester = getpid();
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    target.shared = mmap(NULL, sizeof *target.shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(target.shared != MAP_FAILED);
    target.ours = ends[0];
    target.pid = fork();
    g_assert_cmpint(target.pid, >=, 0);
    if (target.pid == 0) {
        int result;

        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != tester) {
            _exit(1);
        }
        close(ends[0]);
        errno = 0;
        result = function(ends[1], target.shared);
        target.shared->error = errno;
        target.shared->result = result;
        __atomic_add_fetch(&target.shared->returns, 1, __ATOMIC_SEQ_CST);
        _exit(0);
    }
    close(ends[1]);
    return target;
}

static char *read_proc(const SsTarget *target, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", target->pid, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

void ss_target_await_call(const SsTarget *target, long number)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;
    long now = -1;

    /* Which call it stands in is announced by nobody: it is looked at until it is the one. */
    while (now != number) {
        g_autofree char *text = read_proc(target, "syscall");

        if (sscanf(text, "%ld", &now) != 1) {
            now = -1;
        }
        g_assert_cmpuint(target->shared->returns, ==, 0);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_thread_yield();
    }
}

char ss_target_state(const SsTarget *target)
{
    g_autofree char *text = read_proc(target, "stat");
    const char *end = strrchr(text, ')');

    return end && end[1] ? end[2] : '?';
}

static void close_target(SsTarget *target)
{
    close(target->ours);
    munmap(target->shared, sizeof *target->shared);
    memset(target, 0, sizeof *target);
}

void ss_target_await_end(SsTarget *target)
{
    int status;

    g_assert_cmpint(waitpid(target->pid, &status, 0), ==, target->pid);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    close_target(target);
}

void ss_target_kill(SsTarget *target)
{
    kill(target->pid, SIGKILL);
    /* A tester that traced it when it died has its status already: the tracer's is the first. */
    g_assert_true(waitpid(target->pid, NULL, 0) == target->pid || errno == ECHILD);
    close_target(target);
}
