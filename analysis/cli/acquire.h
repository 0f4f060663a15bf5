/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the verbs that read traces share: options, reading, output.
 */
#pragma once

#include "analysis/report/report.h"

typedef struct SsAcquire {
    char *format; /* owned; options as given */
    char *output;
    char *fail_on;
    double at;     /* seconds after the first event; < 0: to the end */
    char **traces; /* owned */
    bool json;
    SsCertainty threshold;
    SsModel *model;   /* owned */
    SsChecks *checks; /* owned */
} SsAcquire;

/* Parses the options of a verb that reads traces (`fails`: with --fail-on; `at`: with --at;
 * `more`: options of its own, or NULL) and reads the traces. On failure says why on stderr, puts
 * the exit status into *ret_status and returns false; after --help too. */
bool ss_acquire(SsAcquire *acquire, int argc, char **argv, const char *summary, bool fails, bool at,
                const GOptionEntry *more, int *ret_status);
void ss_acquire_clear(SsAcquire *acquire);
/* Renders with the one or the other function, to --output or stdout. Returns the exit
 * status, without regard to findings. */
int ss_acquire_show(SsAcquire *acquire, char *(*text)(const SsReport *),
                    char *(*json)(const SsReport *));
/* The same of a text that is there already. */
int ss_acquire_write(SsAcquire *acquire, const char *text);
