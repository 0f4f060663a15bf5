/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the run of a legal back-end share. */
#pragma once

#include "control.h"
#include "device.h"
#include "hostile-tally.h"
#include "legal-mix.h"
#include "legal-run.h"

/* Requests without waiting for a reply: less than the buffers of a socket hold. */
#define SS_LEGAL_BURST 32

typedef struct {
    SsHostileMessage message;
    SsHostileVerdict verdict;
    uint64_t seq;
} SsLegalExchange;

typedef struct {
    const SsLegalOptions *options; /* weak */
    SsLog *log;                    /* weak */
    SsScenario *announced;         /* owned: what the device has */
    SsDevice *device;              /* owned */
    SsControl *control;            /* owned */
    GArray *files;                 /* owned, of SsHostileFile */
    SsHostileModel *model;         /* owned */
    SsLegalMix *mix;               /* owned */
    GHashTable *removed;           /* owned: why (static) to how many mappings */
    int wake;                      /* owned: an eventfd */
    GMutex mutex;                  /* guards the next two */
    gboolean round_over;
    GError *failure; /* owned */
    /* The thread of the messages, and the main thread while that does not run. */
    uint64_t round_left;   /* messages */
    uint64_t seq;          /* on this connection */
    SsHostileTally *tally; /* owned */
    SsLegalExchange burst[SS_LEGAL_BURST];
    unsigned burst_length;
    unsigned live_most; /* mappings at once there were */
} SsLegalRun;

/* A round of random length; "done" and the length are told. FALSE with `error` set when a message
 * was not taken. */
gboolean ss_legal_round(SsLegalRun *run, GError **error);

/* Serves the front-end, which has no reason to leave; `ret_result` may be NULL. */
gboolean ss_legal_serve(SsLegalRun *run, int timeout_ms, gboolean watch_backend,
                        SsServeResult *ret_result, GError **error);

/* So many mappings were removed; `reason` is static. */
void ss_legal_count_removed(SsLegalRun *run, const char *reason, unsigned count);
