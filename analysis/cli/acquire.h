/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the verbs that read traces share: options, reading, output.
 */
#pragma once

#include "analysis/report/format.h"

typedef struct SsAcquire {
    char *format_name; /* owned; options as given */
    char *output;
    char *fail_on;
    double at;              /* seconds after the first event; < 0: to the end */
    char **traces;          /* owned */
    const SsFormat *format; /* static */
    SsCertainty threshold;
    SsModel *model;   /* owned */
    SsChecks *checks; /* owned */
} SsAcquire;

/* A verb that reads traces. */
typedef struct SsReadingVerb {
    const char *summary;
    const SsFormat *formats;  /* a NULL name ends them */
    bool fails;               /* with --fail-on */
    bool at;                  /* with --at */
    const GOptionEntry *more; /* options of its own, or NULL */
} SsReadingVerb;

/* Parses the options and reads the traces. On failure says why on stderr, puts the exit status
 * into *ret_status and returns false; after --help too. */
bool ss_acquire(SsAcquire *acquire, int argc, char **argv, const SsReadingVerb *verb,
                int *ret_status);
void ss_acquire_clear(SsAcquire *acquire);
/* Renders in the format that is asked for, to --output or stdout. Returns the exit status,
 * without regard to findings. */
int ss_acquire_show(SsAcquire *acquire);
/* The same of a text that is there already. */
int ss_acquire_write(SsAcquire *acquire, const char *text);
