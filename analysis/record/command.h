/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command that is recorded: started, sent signals, waited for. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct SsCommand {
    char **argv;       /* weak */
    char *preload;     /* what LD_PRELOAD is to be; NULL: as it is; owned by who starts it */
    pid_t pid;         /* 0 before it is started */
    int pidfd;         /* readable when it has ended; -1 before it is started */
    gint64 started_ns; /* Unix time */
    gint64 ended_ns;   /* Unix time; 0 while it runs */
    int go_fd;         /* between fork and release: written to let it begin */
    int report_fd;     /* between fork and release: tells why it cannot */
    int status;        /* as waitpid tells, once ended_ns is set */
} SsCommand;

/*
 * Makes its process, with this one's standard streams and the signal mask `mask` (a sigset_t);
 * it waits there, so that its pid can be told to whom it concerns. Returns 0 or an errno value.
 */
int ss_command_fork(SsCommand *command, const void *mask);

/* The command begins. Returns 0, or an errno value when it cannot be executed. */
int ss_command_release(SsCommand *command);

/* Takes its status when it has ended; TRUE then. */
gboolean ss_command_reap(SsCommand *command);

/* What a shell would tell: its exit code, or 128 + the signal that ended it. */
int ss_command_exit_status(const SsCommand *command);
