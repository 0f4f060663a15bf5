/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

struct SsKeeper {
    pid_t pid;
    int fd; /* written: 'c' session created, 'd' done; closed without 'd': we are gone */
};

static char read_word(int fd)
{
    char word = 0;
    ssize_t got;

    do {
        got = read(fd, &word, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1 ? word : 0;
}

G_NORETURN static void keep(int fd, const char *name, const char *directory)
{
    g_autoptr(GError) error = NULL;
    int null;
    char word;

    /* Neither a terminal's signals nor a kill of the recorder's group is for us. */
    (void)setsid();
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_NAME, "shmemscope-keep");
    null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        /* Readers of the recorder's output must not wait for us. */
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
    word = read_word(fd);
    if (word != 'c') {
        _exit(0);
    }
    if (read_word(fd) == 'd') {
        _exit(0);
    }
    if (!ss_session_close(name, NULL, &error)) {
        (void)dprintf(STDERR_FILENO, "shmemscope record: the recorder is gone; %s\n",
                      error->message);
        _exit(1);
    }
    (void)dprintf(STDERR_FILENO,
                  "shmemscope record: the recorder is gone; what it recorded is in \"%s\"\n",
                  directory);
    _exit(0);
}

SsKeeper *ss_keeper_start(const char *name, const char *directory, GError **error)
{
    SsKeeper *keeper;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0) {
        g_set_error(error, SS_RECORD_ERROR, 0, "Cannot make a pipe: %s", g_strerror(errno));
        return NULL;
    }
    pid = fork();
    if (pid < 0) {
        g_set_error(error, SS_RECORD_ERROR, 0, "Cannot start the keeper: %s", g_strerror(errno));
        (void)close(ends[0]);
        (void)close(ends[1]);
        return NULL;
    }
    if (pid == 0) {
        (void)close(ends[1]);
        keep(ends[0], name, directory);
    }
    (void)close(ends[0]);
    keeper = g_new0(SsKeeper, 1);
    keeper->pid = pid;
    keeper->fd = ends[1];
    return keeper;
}

static void tell(SsKeeper *keeper, char word)
{
    ssize_t wrote;

    do {
        wrote = write(keeper->fd, &word, 1);
    } while (wrote < 0 && errno == EINTR);
}

void ss_keeper_session_exists(SsKeeper *keeper)
{
    tell(keeper, 'c');
}

void ss_keeper_free(SsKeeper *keeper)
{
    if (!keeper) {
        return;
    }
    tell(keeper, 'd');
    (void)close(keeper->fd);
    (void)waitpid(keeper->pid, NULL, 0);
    g_free(keeper);
}
