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

/* The smallest page of any machine. */
#define SS_OUTSIDE_PAGE G_GUINT64_CONSTANT(4096)

/* Whether a range does not lie within so many bytes, whatever the sum would overflow to. */
bool ss_outside_beyond(guint64 offset, guint64 len, guint64 size);
/* "region 0 0x1000+0x2000"; the caller frees it. */
char *ss_range_text(guint32 shmid, guint64 offset, guint64 len);
/* QEMU was done with it, did not refuse it, and told success if it was asked. */
bool ss_exchange_went_well(const SsDevice *device, const SsExchange *exchange);
/* The region that the request is for; NULL when it is not known. */
const SsRegion *ss_outside_region(const SsNotice *notice);
/* Why a request had to be refused, of a refusal that tells no reason: as out-of-range calls it, ""
 * when that knows none. */
const char *ss_outside_reason(const SsChecks *checks, const SsNotice *notice);
/* The finding, to which a check may add; NULL when there is nothing new. */
SsFinding *ss_outside_report(SsChecks *checks, const SsCheck *check, const SsNotice *notice,
                             const SsOutside *outside);
