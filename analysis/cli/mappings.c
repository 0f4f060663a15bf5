/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope mappings: what is mapped.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"

int ss_verb_mappings(int argc, char **argv)
{
    SsAcquire acquire;
    int status;
    if (ss_acquire(&acquire, argc, argv, "Mappings that are live at the end of a recording.", false,
                   true, NULL, &status)) {
        status = ss_acquire_show(&acquire, ss_mappings_text, ss_mappings_json);
    }
    ss_acquire_clear(&acquire);
    return status;
}
