/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes by which a command makes itself a daemon: each is held at its birth until it is
 * known to the session, and so tells from its first event on. To look for new processes now and
 * then comes too late for one whose parent ends at once.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct SsForks {
    GArray *traced; /* SsTraced; owned; NULL before the begin */
} SsForks;

/* A process that was born, and does not run yet. */
typedef void (*SsForksBorn)(pid_t pid, void *data);

/*
 * Begins with a process that is not traced by anybody; to be called before it is executed.
 * FALSE when the system allows no tracing, and errno tells why. The recorder's own end, however
 * it comes, lets go of all.
 */
gboolean ss_forks_begin(SsForks *forks, pid_t pid);

/*
 * Tells of those born since, and lets all go on; does not wait. Of the second generation it lets
 * go: that is the daemon.
 */
void ss_forks_look(SsForks *forks, SsForksBorn born, void *data);

void ss_forks_clear(SsForks *forks);
