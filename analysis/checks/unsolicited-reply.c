/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unsolicited-reply: a reply that nobody asked for: NEED_REPLY was clear, REPLY_ACK was not
 * negotiated, or there was no request. A back-end takes it for the answer to its next one.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

/* Answered with what was looked up, whatever its flags. */
#define REQUEST_SHARED_OBJECT_LOOKUP 8

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

static void report(SsChecks *checks, const SsCheck *check, const SsNotice *notice, gint64 from_ns,
                   const char *word, char *summary_taken)
{
    const SsExchange *exchange = notice->exchange;
    g_autofree char *place = g_strdup_printf("%u|%s", exchange->request, word);
    SsFinding *finding =
        ss_checks_report(checks, check, SS_OBSERVED, notice->process, notice->device, from_ns,
                         notice->ns, place, summary_taken);
    if (!finding) {
        return;
    }
    finding->first_ns = exchange->read_ns;
    ss_finding_state(finding, "back-end",
                     g_strdup("takes the reply for the answer to its next request"));
    ss_finding_take_journal(finding, notice->device, exchange->read_ns, notice->ns, KINDS);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    const SsDevice *device = notice->device;
    if (notice->kind != SS_NOTICE_REPLY && notice->kind != SS_NOTICE_STRAY_REPLY) {
        return;
    }
    g_autofree char *request = ss_backend_request_text(exchange->request);
    if (notice->kind == SS_NOTICE_STRAY_REPLY) {
        report(checks, check, notice, notice->since_ns, "stray",
               g_strdup_printf("QEMU replied to a %s before it had read any request", request));
    } else if (exchange->replies != 1 || !exchange->request_ns ||
               exchange->request == REQUEST_SHARED_OBJECT_LOOKUP) {
        return; /* a second reply is double-reply's */
    } else if (!(exchange->flags & SS_HEADER_NEED_REPLY)) {
        report(checks, check, notice, exchange->read_ns, "no flag",
               g_strdup_printf("QEMU replied to %s #%" G_GUINT64_FORMAT
                               ", which did not ask for a reply",
                               request, exchange->seq));
    } else if (device->features_known && !(device->protocol_features & SS_PROTOCOL_REPLY_ACK)) {
        report(checks, check, notice, exchange->read_ns, "no feature",
               g_strdup_printf("QEMU replied to %s #%" G_GUINT64_FORMAT
                               ", and REPLY_ACK was not negotiated",
                               request, exchange->seq));
    }
}

const SsCheck ss_check_unsolicited_reply = {
    .id = "unsolicited-reply",
    .title = "UNSOLICITED REPLY",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REPLY) | SS_NEEDS(CHANNEL) | SS_NEEDS(DEVICE),
    .outside = true,
    .notices = SS_ON(REPLY) | SS_ON(STRAY_REPLY),
    .rule = "only with REPLY_ACK negotiated, and only a request with NEED_REPLY, gets a reply",
    .remedy_for_good = "in QEMU: look at the request's flags and the negotiated features before "
                       "the reply",
    .notice = notice,
};
