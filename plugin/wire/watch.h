/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The library's own thread, which tells of what lasts and looks whether the descriptors are what
 * they are thought to be. There is none in a process without a channel, and it sleeps for good
 * while nobody records.
 */
#pragma once

#include <stdbool.h>

/* There is a channel now. With the lock. */
void ss_wire_watch_wanted(void);

/* Something has begun that may last. With the lock. */
void ss_wire_watch_begins(void);

/* Starts the thread if it is wanted and not there. Without the lock. */
void ss_wire_watch_start(void);

/* In a child of fork(), which has no such thread. */
void ss_wire_watch_forked(void);

/* A state dump: a recording may have begun; waits that last are told again. With the lock. */
void ss_wire_watch_dump(void);
