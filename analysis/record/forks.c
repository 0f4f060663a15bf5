/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "forks.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* daemon(3) and QEMU fork twice: who is born of the one that was born stays. */
#define GENERATIONS 2

typedef struct SsTraced {
    pid_t pid;
    int generation; /* 0: the command itself */
    gboolean told;
} SsTraced;

gboolean ss_forks_begin(SsForks *forks, pid_t pid)
{
    const SsTraced first = { .pid = pid, .told = TRUE };

    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK) < 0) {
        return FALSE;
    }
    forks->traced = g_array_new(FALSE, FALSE, sizeof(SsTraced));
    g_array_append_val(forks->traced, first);
    return TRUE;
}

void ss_forks_clear(SsForks *forks)
{
    g_clear_pointer(&forks->traced, g_array_unref);
}

static SsTraced *find(SsForks *forks, pid_t pid)
{
    for (guint i = 0; i < forks->traced->len; i++) {
        SsTraced *traced = &g_array_index(forks->traced, SsTraced, i);

        if (traced->pid == pid) {
            return traced;
        }
    }
    return NULL;
}

/* A process stands: lets it go on. FALSE when it is no longer traced. */
static gboolean go_on(SsForks *forks, SsTraced *traced, int stop, SsForksBorn born, void *data)
{
    const int signal_number = stop & 0x7f;
    const int event = stop >> 8;
    const pid_t pid = traced->pid;
    unsigned long child = 0;

    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
        const int generation = traced->generation + 1;

        if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) == 0 && !find(forks, (pid_t)child)) {
            const SsTraced next = { .pid = (pid_t)child, .generation = generation };

            g_array_append_val(forks->traced, next);
        }
    } else if (event == PTRACE_EVENT_STOP && !traced->told) {
        traced->told = TRUE;
        born(pid, data);
        if (traced->generation >= GENERATIONS) {
            (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
            return FALSE;
        }
    } else if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP) {
        /* Stopped as a job is: it stays so until it is told to go on. */
        (void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
        return TRUE;
    } else if (event == 0) {
        (void)ptrace(PTRACE_CONT, pid, NULL, (unsigned long)signal_number);
        return TRUE;
    }
    (void)ptrace(PTRACE_CONT, pid, NULL, NULL);
    return TRUE;
}

/* TRUE when it is traced no longer. The command's own end is left to who started it. */
static gboolean look_at(SsForks *forks, guint index, SsForksBorn born, void *data)
{
    SsTraced *traced = &g_array_index(forks->traced, SsTraced, index);
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)traced->pid, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid) {
        return !go_on(forks, traced, info.si_status, born, data);
    }
    info.si_pid = 0;
    if (waitid(P_PID, (id_t)traced->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0) {
        return TRUE;
    }
    if (info.si_pid == 0 || info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
        return FALSE;
    }
    if (traced->generation > 0) {
        (void)waitpid(traced->pid, NULL, WNOHANG | __WALL);
    }
    return TRUE;
}

void ss_forks_look(SsForks *forks, SsForksBorn born, void *data)
{
    for (guint i = 0; forks->traced && i < forks->traced->len;) {
        if (look_at(forks, i, born, data)) {
            g_array_remove_index(forks->traced, i);
        } else {
            i++;
        }
    }
}
