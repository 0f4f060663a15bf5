/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope report: what happened, and what is wrong.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"

int ss_verb_report(int argc, char **argv)
{
    SsAcquire acquire;
    int status;
    const SsReadingVerb verb = { .summary = "What happened in a recording, and what is wrong.",
                                 .formats = ss_report_formats,
                                 .fails = true };
    if (ss_acquire(&acquire, argc, argv, &verb, &status)) {
        status = ss_acquire_show(&acquire);
        bool any;
        SsCertainty worst = ss_checks_worst(acquire.checks, &any);
        if (status == SS_EXIT_CLEAN && any && worst >= acquire.threshold) {
            status = SS_EXIT_FINDINGS;
        }
    }
    ss_acquire_clear(&acquire);
    return status;
}
