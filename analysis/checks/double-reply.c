/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * double-reply: one request, more than one reply. The back-end takes the second for the
 * answer to its next request.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    /* Told once an exchange, however many follow the second. */
    if (notice->kind != SS_NOTICE_REPLY || notice->exchange->replies != 2) {
        return;
    }
    const SsExchange *exchange = notice->exchange;
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *place = g_strdup_printf("%u", exchange->request);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_OBSERVED, notice->process, notice->device, exchange->read_ns, notice->ns,
        place,
        g_strdup_printf("%s #%" G_GUINT64_FORMAT " was answered twice", request, exchange->seq));
    ss_finding_add_label(checks->last, ss_label_text(checks->model, exchange->label));
    if (!finding) {
        return;
    }
    ss_finding_state(finding, "back-end",
                     g_strdup("takes the second reply for the answer to its next request"));
    ss_finding_take_journal(finding, notice->device, exchange->read_ns, notice->ns, KINDS);
}

const SsCheck ss_check_double_reply = {
    .id = "double-reply",
    .title = "DOUBLE REPLY",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REPLY),
    .outside = true,
    .notices = SS_ON(REPLY),
    .rule = "with REPLY_ACK negotiated, a request with NEED_REPLY gets exactly one reply",
    .remedy_for_good = "in QEMU: a handler that replies itself switches the generic reply off",
    .notice = notice,
};
