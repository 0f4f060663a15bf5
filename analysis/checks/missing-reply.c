/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * missing-reply: a request asked for a reply, REPLY_ACK is negotiated, the front-end was
 * done with it and kept the channel, and sent none.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_SETTLED) {
        return;
    }
    const SsExchange *exchange = notice->exchange;
    SsDevice *device = notice->device;
    /* Closing the channel is an answer of its own, and so is a send that failed. */
    if (!(exchange->flags & SS_HEADER_NEED_REPLY) || exchange->reply_tries ||
        exchange->dispatch_ret != 0) {
        return;
    }
    if (device->features_known && !(device->protocol_features & SS_PROTOCOL_REPLY_ACK)) {
        return;
    }
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *place =
        g_strdup_printf("%u|%s", exchange->request, exchange->refused ? exchange->reason : "");
    SsFinding *finding = ss_checks_report(
        checks, check, device->features_known ? SS_OBSERVED : SS_UNKNOWN, notice->process, device,
        exchange->request_ns, notice->ns, place,
        g_strdup_printf("%s #%" G_GUINT64_FORMAT " asked for a reply%s%s, and none was sent",
                        request, exchange->seq, exchange->refused ? ", was refused: " : "",
                        exchange->refused ? exchange->reason : ""));
    if (!finding) {
        return;
    }
    if (!device->features_known && !finding->condition) {
        finding->condition =
            g_strdup("whether REPLY_ACK was negotiated: the recording began too late");
    }
    ss_finding_state(
        finding, "back-end",
        g_strdup_printf("waits for the reply to %s #%" G_GUINT64_FORMAT, request, exchange->seq));
    ss_finding_take_journal(finding, device, exchange->request_ns, notice->ns, KINDS);
}

const SsCheck ss_check_missing_reply = {
    .id = "missing-reply",
    .title = "MISSING REPLY",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) | SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) |
             SS_NEEDS(DEVICE),
    .outside = true,
    .notices = SS_ON(SETTLED),
    .rule = "with REPLY_ACK negotiated, a request with NEED_REPLY gets exactly one reply",
    .remedy_for_good = "in QEMU: reply on every path, refusals included",
    .notice = notice,
};
