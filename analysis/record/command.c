/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch.h"

/*
 * How long a process waits at its start until the session daemon has told it what to record,
 * in ms. LTTng's own 3 s are short on a busy machine, and the first events would be lost; for
 * ever, which LTTng offers as well, would hang the command when the daemon dies.
 */
#define REGISTER_TIMEOUT "10000"

G_NORETURN static void execute(const SsCommand *command, const void *mask, int go_fd, int report_fd)
{
    char go;
    int reason;

    /* Nothing comes when the recorder is gone. */
    if (read(go_fd, &go, 1) != 1) {
        _exit(126);
    }
    (void)setenv("LTTNG_UST_REGISTER_TIMEOUT", REGISTER_TIMEOUT, 0 /* the user's own stays */);
    if (command->preload) {
        (void)setenv("LD_PRELOAD", command->preload, 1);
    }
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)execvp(command->argv[0], command->argv);
    reason = errno;
    if (write(report_fd, &reason, sizeof(reason)) != sizeof(reason)) {
        _exit(126);
    }
    _exit(127);
}

static void close_pair(const int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int ss_command_fork(SsCommand *command, const void *mask)
{
    int go[2], report[2];
    int reason;

    if (pipe2(go, O_CLOEXEC) < 0) {
        return errno;
    }
    if (pipe2(report, O_CLOEXEC) < 0) {
        reason = errno;
        close_pair(go);
        return reason;
    }
    command->started_ns = ss_watch_now_ns();
    command->pid = fork();
    if (command->pid < 0) {
        reason = errno;
        command->pid = 0;
        close_pair(go);
        close_pair(report);
        return reason;
    }
    if (command->pid == 0) {
        (void)close(go[1]);
        (void)close(report[0]);
        execute(command, mask, go[0], report[1]);
    }
    (void)close(go[0]);
    (void)close(report[1]);
    command->go_fd = go[1];
    command->report_fd = report[0];
    command->pidfd = pidfd_open(command->pid, 0);
    return 0;
}

int ss_command_release(SsCommand *command)
{
    int reason = 0;
    ssize_t got = write(command->go_fd, "", 1);

    /* Nothing comes when it is executed: the pipe is closed by that. */
    do {
        got = read(command->report_fd, &reason, sizeof(reason));
    } while (got < 0 && errno == EINTR);
    (void)close(command->go_fd);
    (void)close(command->report_fd);
    if (got > 0) {
        (void)waitpid(command->pid, &command->status, 0);
        command->ended_ns = ss_watch_now_ns();
        return reason;
    }
    return 0;
}

gboolean ss_command_reap(SsCommand *command)
{
    siginfo_t end = { 0 };

    if (command->pid == 0 || command->ended_ns != 0) {
        return command->ended_ns != 0;
    }
    /* Whoever traces a process is told that it stands as well; that is for another to know. */
    if (waitid(P_PID, (id_t)command->pid, &end, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        end.si_pid == 0 || end.si_code == CLD_TRAPPED || end.si_code == CLD_STOPPED ||
        waitpid(command->pid, &command->status, 0) != command->pid) {
        return FALSE;
    }
    command->ended_ns = ss_watch_now_ns();
    if (command->pidfd >= 0) {
        (void)close(command->pidfd);
        command->pidfd = -1;
    }
    return TRUE;
}

int ss_command_exit_status(const SsCommand *command)
{
    return WIFSIGNALED(command->status) ? 128 + WTERMSIG(command->status)
                                        : WEXITSTATUS(command->status);
}
