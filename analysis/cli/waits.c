/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope waits: who waits, and how long it took.
 */
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"

int ss_verb_waits(int argc, char **argv)
{
    SsAcquire acquire;
    int status;
    if (ss_acquire(&acquire, argc, argv,
                   "Who waits at the end of a recording, and how long waits took.", false, true,
                   &status)) {
        status = ss_acquire_show(&acquire, ss_waits_text, ss_waits_json);
    }
    ss_acquire_clear(&acquire);
    return status;
}
