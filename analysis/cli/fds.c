/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope fds: what is open.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"

int ss_verb_fds(int argc, char **argv)
{
    SsAcquire acquire;
    int status;
    if (ss_acquire(&acquire, argc, argv, "Descriptors that are open at the end of a recording.",
                   false, true, NULL, &status)) {
        status = ss_acquire_show(&acquire, ss_fds_text, ss_fds_json);
    }
    ss_acquire_clear(&acquire);
    return status;
}
