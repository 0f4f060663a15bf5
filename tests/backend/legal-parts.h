/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the run of a legal back-end share. */
#pragma once

#include "legal-mix.h"
#include "legal-run.h"
#include "stage.h"

/* Requests without waiting for a reply: less than the buffers of a socket hold. */
#define SS_LEGAL_BURST 32

typedef struct {
    SsHostileMessage message;
    SsHostileVerdict verdict;
    uint64_t seq;
} SsLegalExchange;

typedef struct {
    const SsLegalOptions *options; /* weak */
    SsStage stage;
    SsLegalMix *mix;     /* owned */
    GHashTable *removed; /* owned: why (static) to how many mappings */
    uint64_t round_left; /* messages; the thread's that sends them, when there is one */
    SsLegalExchange burst[SS_LEGAL_BURST];
    unsigned burst_length;
    unsigned live_most; /* mappings at once there were */
} SsLegalRun;

/* A round of random length; "done" and the length are told. FALSE with `error` set when a message
 * was not taken. */
gboolean ss_legal_round(SsLegalRun *run, GError **error);

/* So many mappings were removed; `reason` is static. */
void ss_legal_count_removed(SsLegalRun *run, const char *reason, unsigned count);
