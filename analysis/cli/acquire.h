/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the verbs that read traces share: options, reading, output.
 */
#pragma once

#include "analysis/autopsy/evidence.h"
#include "analysis/model/chain.h"
#include "analysis/report/format.h"

typedef struct SsAcquire {
    char *format_name; /* owned; options as given */
    char *output;
    char *fail_on;
    SsSelection selection;
    GPtrArray *lives;       /* owned; NULL: the format does not ask for them */
    const SsWanted *wanted; /* weak; NULL: no chain is asked for */
    SsChains *chains;       /* owned; of what is wanted */
    double at;              /* seconds after the first event; < 0: to the end */
    char **traces;          /* owned */
    const SsFormat *format; /* static */
    SsCertainty threshold;
    SsModel *model;       /* owned */
    SsChecks *checks;     /* owned */
    SsEvidence *evidence; /* owned; what was looked at; NULL: it is a recording */
} SsAcquire;

/* A verb that reads traces. */
typedef struct SsReadingVerb {
    const char *summary;
    const char *words;        /* its arguments in --help; NULL: "TRACE..."; "": it has none */
    const char *explains;     /* lines that say what these are; NULL: what a TRACE is */
    const SsFormat *formats;  /* a NULL name ends them */
    const SsFormat *looked;   /* of evidence that is given for a trace; NULL: it takes none */
    bool fails;               /* with --fail-on */
    bool at;                  /* with --at */
    bool selects;             /* with --checks, --begin, --end, --device and --vm */
    bool of;                  /* with --device and --vm */
    const GOptionEntry *more; /* options of its own, or NULL */
} SsReadingVerb;

/* Parses the options and reads the traces. On failure says why on stderr, puts the exit status
 * into *ret_status and returns false; after --help too. */
bool ss_acquire(SsAcquire *acquire, int argc, char **argv, const SsReadingVerb *verb,
                int *ret_status);
/* The second half of that, for a verb that has looked at its words first: reads `traces`. */
bool ss_acquire_traces(SsAcquire *acquire, const char *name, const SsReadingVerb *verb,
                       int *ret_status);
/* The first half, and of a verb that reads no traces: parses its options only; its
 * arguments are in `traces`, NULL when there are none. */
bool ss_acquire_options(SsAcquire *acquire, int argc, char **argv, const SsReadingVerb *verb,
                        int *ret_status);
/* Explains evidence, which it takes; `path` is its name in the report. */
void ss_acquire_explain(SsAcquire *acquire, SsEvidence *evidence_taken, const char *path);
/* Prints what --help prints, the same of every verb. */
void ss_help_print(GOptionContext *context);
/* Says on stderr what is wrong with the command line, sets *ret_status and returns false. */
bool ss_usage_error(const char *verb, const char *what, int *ret_status);
void ss_acquire_clear(SsAcquire *acquire);
/* Renders in the format that is asked for, to --output or stdout. Returns the exit status,
 * without regard to findings. */
int ss_acquire_show(SsAcquire *acquire);
/* The same of a text that is there already. */
int ss_acquire_write(SsAcquire *acquire, const char *text);
/* The exit status by what was found, when it was shown without an error. */
int ss_acquire_verdict(const SsAcquire *acquire, int status);
