/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A back-end that was traced itself, in a finding's words.
 */
#pragma once

#include "analysis/checks/finding.h"

/* "back-end 4311"; the caller frees it. */
char *ss_peer_text(const SsPeer *peer);
/* "SHMEM_MAP #2"; the caller frees it. */
char *ss_peer_request_text(const SsPeerWait *own);
/* Of the file that went with it; NULL when it has none. Valid until the model's next event. */
const char *ss_peer_label(const SsPeer *peer, const SsPeerWait *own);
/* "waits for the reply to SHMEM_MAP #2", with the thread that does when it is not the main one;
 * the caller frees it. */
char *ss_peer_wait_text(const SsPeer *peer, const SsPeerWait *own);
/* Adds what the back-end did itself in that time to the witness, each line after `whose`. */
void ss_finding_take_peer(SsFinding *finding, SsPeer *peer, const char *whose, gint64 from_ns,
                          gint64 to_ns);
/* Puts the witness in order of time. */
void ss_finding_order_witness(SsFinding *finding);
