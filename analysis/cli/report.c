/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope report: what happened, and what is wrong; of a recording, or of evidence that
 * shmemscope now has saved.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "analysis/report/now.h"

int ss_verb_report(int argc, char **argv)
{
    SsAcquire acquire;
    int status;
    const SsReadingVerb verb = {
        .summary = "What happened in a recording, and what is wrong.",
        .explains = "TRACE is a directory at or above the metadata of a CTF trace, or a file that\n"
                    "now --save has written.\n",
        .formats = ss_report_formats,
        .looked = ss_now_formats,
        .fails = true,
        .selects = true,
    };
    if (ss_acquire(&acquire, argc, argv, &verb, &status)) {
        status = ss_acquire_verdict(&acquire, ss_acquire_show(&acquire));
    }
    ss_acquire_clear(&acquire);
    return status;
}
