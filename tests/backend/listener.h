/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unix socket that front-ends connect to. */
#pragma once

#include <glib.h>

/*
 * Listens on a unix socket. It gets its name only when it listens, so that a front-end that
 * finds the name can connect. An old socket of that name is replaced.
 */
gboolean ss_listener_open(const char *path, int *ret_listener, GError **error);

/*
 * Waits for the next front-end that says something; the caller owns the socket. One that
 * closes without a word is left alone: QEMU's reconnecting chardev may come twice.
 */
gboolean ss_listener_accept(int listener, int *ret_socket, GError **error);
