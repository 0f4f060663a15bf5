/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Waits in words, for the checks that name them.
 */
#pragma once

#include "analysis/model/window.h"

/* "waits for the reply to SET_MEM_TABLE, sent inside the deferred commit of SHMEM_MAP #1";
 * the caller frees it. */
/* "SET_MEM_TABLE (3 regions)": what lies in the end of a main channel, and what is waited for; the
 * caller frees it. */
char *ss_inbox_request_text(const SsInbox *inbox);
char *ss_wait_request_text(const SsWait *wait);
char *ss_wait_text(const SsWait *wait);
/* "deferred commit of SHMEM_MAP", "commit, in reset", "" when it stands in nothing known: what
 * all waits of a kind of window stand in, without numbers; the caller frees it. */
char *ss_wait_window_text(const SsWait *wait);
/* ", sent inside ...", or "" when it stands in nothing known. */
char *ss_wait_inside_text(const SsWait *wait);
