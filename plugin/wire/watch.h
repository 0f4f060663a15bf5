/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The library's own thread, which tells of what lasts; and what is told again on demand.
 */
#pragma once

/* There is a channel now. With the lock. */
void ss_wire_watch_wanted(void);

/* A wait has begun. With the lock. */
void ss_wire_watch_wait(void);

/* After a call that had the lock: starts the thread, if it is wanted and not there. */
void ss_wire_watch_start(void);

/* In a child of fork(): there is no thread yet. */
void ss_wire_watch_forked(void);

/* A state dump: waits that last are told again. With the lock. */
void ss_wire_watch_dump(void);
