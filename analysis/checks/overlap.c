/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * overlap: a MAP of a range of which something is mapped already. Judged by the mappings that
 * are known to be there; of those that are not, by QEMU's own reason for refusing it.
 */
#include "analysis/checks/outside.h"

static char *there_text(const SsPlace *there)
{
    g_autofree char *by =
        there->seq ? g_strdup_printf(" by #%" G_GUINT64_FORMAT, there->seq) : g_strdup("");
    return g_strdup_printf("where 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER
                           "x is mapped already%s",
                           there->offset, there->len, by);
}

static void refused(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    bool known = exchange->place_fault == SS_PLACE_OVERLAP;
    bool whole = exchange->there_known && !ss_model_lost(checks->model, notice->process,
                                                         notice->process->birth_ns, notice->ns);
    g_autofree char *why = known   ? there_text(&exchange->there)
                           : whole ? g_strdup("where the trace shows nothing mapped")
                                   : g_strdup("where something is mapped already");
    SsOutside outside = {
        .word = known || !whole ? "overlap" : "no overlap",
        .why = why,
        .certainty = known || !whole ? SS_OBSERVED : SS_SUSPECTED,
        .from_ns = known ? exchange->there.since_ns : exchange->request_ns,
        .condition = known   ? NULL
                     : whole ? "not visible: what QEMU found mapped there; it may be wrong"
                             : "not visible: what is mapped there; QEMU's reason says so",
    };
    (void)ss_outside_report(checks, check, notice, &outside);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    bool not_told = g_str_equal(exchange->reason, SS_REASON_NOT_TOLD) &&
                    exchange->place_fault == SS_PLACE_OVERLAP &&
                    !*ss_outside_reason(checks, notice);
    if (notice->kind == SS_NOTICE_REFUSED &&
        (not_told || g_str_equal(exchange->reason, "overlap"))) {
        refused(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_SETTLED && exchange->place_fault == SS_PLACE_OVERLAP &&
               exchange->added && !exchange->refused) {
        g_autofree char *why = there_text(&exchange->there);
        SsOutside outside = {
            .word = "overlap",
            .why = why,
            .certainty = SS_OBSERVED,
            .from_ns = exchange->there.since_ns,
            .did = "mapped it over that",
            .in_qemu = "in QEMU: refuse a MAP that touches a mapping; in the back-end: UNMAP "
                       "first",
        };
        (void)ss_outside_report(checks, check, notice, &outside);
    }
}

const SsCheck ss_check_overlap = {
    .id = "overlap",
    .title = "OVERLAP",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) | SS_NEEDS(DISPATCH) | SS_NEEDS(MAPPING),
    .outside = true,
    .notices = SS_ON(REFUSED) | SS_ON(SETTLED),
    .rule = "a MAP names a range of which nothing is mapped",
    .remedy_for_good = "in the back-end: UNMAP what is mapped there before the next MAP",
    .notice = notice,
};
