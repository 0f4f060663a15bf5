/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#pragma once

#include <sys/socket.h>

/* What programs built with _FORTIFY_SOURCE call; no header of the C library declares them. */
ssize_t __read_chk(int fd, void *to, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags,
                       __SOCKADDR_ARG address, socklen_t *length);

/* What programs with shmemscope.h call; @label NULL or empty takes it away. Keeps errno. */
void shmemscope_wire_note(int fd, const char *label);

#define SS_EXPORT __attribute__((visibility("default")))
