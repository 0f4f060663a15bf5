/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope mappings: what is mapped.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "analysis/report/now.h"

int ss_verb_mappings(int argc, char **argv)
{
    static const SsFormat formats[] = { { "text", ss_mappings_text },
                                        { "json", ss_mappings_json },
                                        { NULL, NULL } };
    const SsReadingVerb verb = {
        .summary = "Mappings that are live at the end of a recording.",
        .explains = "TRACE is a directory at or above the metadata of a CTF trace, or a file that\n"
                    "now --save has written.\n",
        .formats = formats,
        .looked = ss_now_mappings_formats,
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
