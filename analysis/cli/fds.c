/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope fds: what is open.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"

int ss_verb_fds(int argc, char **argv)
{
    static const SsFormat formats[] = { { "text", ss_fds_text },
                                        { "json", ss_fds_json },
                                        { NULL, NULL } };
    const SsReadingVerb verb = {
        .summary = "Descriptors that are open at the end of a recording.",
        .formats = formats,
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
