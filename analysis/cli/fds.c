/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope fds: what is open.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "analysis/report/now.h"

int ss_verb_fds(int argc, char **argv)
{
    static const SsFormat formats[] = { { "text", ss_fds_text },
                                        { "json", ss_fds_json },
                                        { NULL, NULL } };
    const SsReadingVerb verb = {
        .summary = "Descriptors that are open at the end of a recording.",
        .explains = "TRACE is a directory at or above the metadata of a CTF trace, or a file that\n"
                    "now --save has written.\n",
        .formats = formats,
        .looked = ss_now_fds_formats,
        .at = true,
    };
    SsAcquire acquire;
    int status;
    if (ss_acquire(&acquire, argc, argv, &verb, &status)) {
        status = ss_acquire_show(&acquire);
    }
    ss_acquire_clear(&acquire);
    return status;
}
