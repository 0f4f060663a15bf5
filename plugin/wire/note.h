/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Labels of files. All between ss_wire_enter() and ss_wire_leave().
 */
#pragma once

#include "state.h"

/* Number @fd is about to be sent: an inode that has become another file's has no label any more. */
void ss_wire_note_sent(int fd, const SsWireIdentity *identity);

/* All of them told again; what a parent noted is for the parent to tell, as long as it lives. */
void ss_wire_notes_tell(void);
