/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Of what was looked at the processes are known by pid: who of them cannot answer, whom to end, and
 * what that takes away.
 */
#pragma once

#include "analysis/checks/check.h"

/* The remedy where it is not known that nobody goes on: to look at that process. */
void ss_looked_see(SsFinding *finding, gint32 pid);
/* States why nobody of the back-end answers, one thread of which waits itself: `own`. */
void ss_looked_state(SsFinding *finding, const SsPeer *peer, const SsPeerWait *own);
/* What is not visible of a deadlock that is not proven, how long it lasts, and what ends it: looks
 * have no history to tell. */
void ss_looked_deadlock(SsFinding *finding, const SsWait *wait, bool proven);
/* Reports a front-end of which too little could be seen: with what its back-end shows, or as
 * unknown, for it may stand in anything. */
void ss_looked_unseen(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 ns);
