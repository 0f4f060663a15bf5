/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unmap-unknown: an UNMAP of what is not just one whole mapping. That nothing is mapped there
 * is known only of a device whose every mapping was seen; of others QEMU's reason says it.
 */
#include "analysis/checks/outside.h"

static char *why_text(const SsExchange *exchange)
{
    switch (exchange->place_fault) {
    case SS_PLACE_NOT_WHOLE:
        return g_strdup_printf("where 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER
                               "x is mapped, which is not the same",
                               exchange->there.offset, exchange->there.len);
    case SS_PLACE_FINE:
        return g_strdup("which the trace shows to be one whole mapping");
    default:
        return g_strdup("where nothing is mapped");
    }
}

static void refused(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    bool contradicts = exchange->place_fault == SS_PLACE_FINE && exchange->there.len;
    bool not_whole = g_str_equal(exchange->reason, "not-whole");
    g_autofree char *why = contradicts || exchange->place_fault == SS_PLACE_NOT_WHOLE
                               ? why_text(exchange)
                           : not_whole ? g_strdup("which is not one whole mapping")
                                       : g_strdup("where nothing is mapped");
    SsOutside outside = {
        .word = contradicts ? "mapped" : exchange->reason,
        .why = why,
        .certainty = contradicts ? SS_SUSPECTED : SS_OBSERVED,
        .from_ns = exchange->there.len ? exchange->there.since_ns : exchange->request_ns,
        .condition = contradicts ? "not visible: what QEMU found there; it may be wrong" : NULL,
    };
    (void)ss_outside_report(checks, check, notice, &outside);
}

/* By what is known to have been mapped there. */
static bool wrong(const SsChecks *checks, const SsProcess *process, const SsExchange *exchange,
                  gint64 ns)
{
    return exchange->place_fault == SS_PLACE_NOT_WHOLE ||
           (exchange->place_fault == SS_PLACE_EMPTY && exchange->there_known &&
            !ss_model_lost(checks->model, process, process->birth_ns, ns));
}

static void settled(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    bool empty = exchange->place_fault == SS_PLACE_EMPTY;
    if (!ss_exchange_went_well(notice->device, exchange) ||
        !wrong(checks, notice->process, exchange, notice->ns)) {
        return;
    }
    g_autofree char *why = why_text(exchange);
    SsOutside outside = {
        .word = empty ? "no-mapping" : "not-whole",
        .why = why,
        .certainty = SS_OBSERVED,
        .from_ns = empty ? exchange->request_ns : exchange->there.since_ns,
        .did = exchange->replies ? "told success" : "did not refuse it",
        .in_qemu = "in QEMU: refuse an UNMAP that does not name one whole mapping; in the "
                   "back-end: name it",
    };
    (void)ss_outside_report(checks, check, notice, &outside);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    /* Of one that tells no reason, what was mapped there when it came. */
    bool not_told = g_str_equal(exchange->reason, SS_REASON_NOT_TOLD) &&
                    exchange->request == SS_REQUEST_SHMEM_UNMAP &&
                    !*ss_outside_reason(checks, notice) &&
                    wrong(checks, notice->process, exchange, notice->ns);
    if (notice->kind == SS_NOTICE_REFUSED &&
        (not_told || g_str_equal(exchange->reason, "no-mapping") ||
         g_str_equal(exchange->reason, "not-whole"))) {
        refused(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_SETTLED && exchange->request == SS_REQUEST_SHMEM_UNMAP) {
        settled(checks, check, notice);
    }
}

const SsCheck ss_check_unmap_unknown = {
    .id = "unmap-unknown",
    .title = "UNMAP UNKNOWN",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) | SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) |
             SS_NEEDS(MAPPING) | SS_NEEDS(CHANNEL) | SS_NEEDS(DEVICE),
    .outside = true,
    .notices = SS_ON(REFUSED) | SS_ON(SETTLED),
    .rule = "an UNMAP names one whole mapping",
    .remedy_for_good = "in the back-end: name region, offset and length of the MAP",
    .notice = notice,
};
