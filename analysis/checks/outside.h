/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests outside the protocol, for the checks that name them: what was asked, what QEMU did
 * with it, and whose fault that makes it.
 */
#pragma once

#include "analysis/checks/check.h"

typedef struct SsOutside {
    const char *word; /* what it is called: a reason of a refusal; static */
    char *why;        /* what is wrong with the range; owned by the caller */
    SsCertainty certainty;
    gint64 from_ns;        /* since when nothing may be lost for it to be true */
    const char *did;       /* what QEMU did with it, unless it refused; static */
    const char *condition; /* NULL, or what is not visible; static */
    const char *in_qemu;   /* what to do about a QEMU that takes it; static */
} SsOutside;

/* "region 0 0x1000+0x2000"; the caller frees it. */
char *ss_range_text(guint32 shmid, guint64 offset, guint64 len);
/* QEMU was done with it, did not refuse it, and told success if it was asked. */
bool ss_exchange_went_well(const SsDevice *device, const SsExchange *exchange);
/* The finding, to which a check may add; NULL when there is nothing new. */
SsFinding *ss_outside_report(SsChecks *checks, const SsCheck *check, const SsNotice *notice,
                             const SsOutside *outside);
