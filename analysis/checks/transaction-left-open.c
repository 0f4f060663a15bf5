/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * transaction-left-open: a request of the back-end was done with, and a memory transaction that
 * it began was not. Until somebody ends it no change of the guest's memory takes effect.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_COMMIT_END) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_LEFT_OPEN) {
        return;
    }
    const SsTransactions *left = &notice->process->transactions;
    g_autofree char *request = ss_backend_request_text(left->left_request);
    g_autofree char *place = g_strdup_printf("%u|%d", left->left_request, left->left_ended_ns != 0);
    SsFinding *finding = ss_checks_report(
        checks, check, left->left_before ? SS_SUSPECTED : SS_OBSERVED, notice->process,
        notice->device, left->left_since_ns, left->left_ns, place,
        g_strdup_printf("%s #%" G_GUINT64_FORMAT " was done with, and left %u memory "
                        "transaction%s open",
                        request, left->left_seq, left->left_depth,
                        left->left_depth == 1 ? "" : "s"));
    if (!finding) {
        return;
    }
    finding->last_ns = notice->ns;
    finding->duration_ns = notice->ns - left->left_ns;
    ss_finding_state(finding, "QEMU",
                     g_strdup(left->left_ended_ns
                                  ? "ended it later, outside of the request"
                                  : "had not ended it when the recording ended: until then nothing "
                                    "that is mapped takes effect"));
    if (left->left_before && !finding->condition) {
        finding->condition = g_strdup("not visible: that it was not open before");
    }
    ss_finding_take_journal(finding, notice->device, left->left_since_ns, notice->ns, KINDS);
}

const SsCheck ss_check_transaction_left_open = {
    .id = "transaction-left-open",
    .title = "TRANSACTION LEFT OPEN",
    .needs = SS_NEEDS(TRANSACTION) | SS_NEEDS(DISPATCH) | SS_NEEDS(BACKEND_REQUEST),
    .notices = SS_ON(LEFT_OPEN),
    .rule = "a request ends the memory transactions that it begins",
    .remedy_for_good = "in QEMU: commit on every path of the handler, refusals included",
    .notice = notice,
};
