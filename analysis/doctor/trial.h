/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `now` does to other processes, tried on our own: what a kernel, its configuration and a
 * container's filter make of it together cannot be read anywhere. Each returns 0 or an errno.
 */
#pragma once

#include <sys/types.h>

/* Takes a descriptor of a process by its number there: of this process itself. */
int ss_trial_descriptor(void);

/* Whether this process may look into that one: asks for a descriptor that no process has, so
 * none is taken. */
int ss_trial_process(pid_t pid);

/* The same of a process of this user that is not a descendant of who asks. */
int ss_trial_peer(void);

/* Reads memory of such a process. */
int ss_trial_memory(void);

/* A child enters a network namespace, this process's own, as for QEMUs in other ones. */
int ss_trial_namespace(void);

/* Unix socket diagnostics find a socket of this process, and the other end of it. */
int ss_trial_sockets(void);
