/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * commit-before-reply: a commit reached the memory listener while the request that
 * caused it was unanswered. When it hangs there it is a reply-commit-deadlock, and that
 * check tells of it.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_COMMIT_END) | \
     SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST))

static bool expects_reply(const SsDevice *device, const SsExchange *exchange)
{
    return (exchange->flags & SS_HEADER_NEED_REPLY) &&
           (!device->features_known || (device->protocol_features & SS_PROTOCOL_REPLY_ACK));
}

static void judge(SsChecks *checks, const SsCheck *check, SsProcess *process, SsDevice *device,
                  const SsExchange *exchange, gint64 ns)
{
    if (!exchange->early_commit_ns || !expects_reply(device, exchange)) {
        return;
    }
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *place = g_strdup_printf("%u", exchange->request);
    SsFinding *finding =
        ss_checks_report(checks, check, SS_OBSERVED, process, device, exchange->request_ns,
                         exchange->early_commit_ns, place,
                         g_strdup_printf("the memory commit of %s #%" G_GUINT64_FORMAT
                                         " ran before its reply was sent",
                                         request, exchange->seq));
    if (!finding) {
        return;
    }
    ss_finding_state(finding, "QEMU",
                     g_strdup("runs the memory listeners, which may wait for the back-end"));
    ss_finding_state(
        finding, "back-end",
        g_strdup_printf("waits for the reply to %s #%" G_GUINT64_FORMAT, request, exchange->seq));
    ss_finding_take_journal(finding, device, exchange->request_ns, ns, KINDS);
}

static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 ns)
{
    SsThread *thread = NULL;
    if (ss_process_waits(process, &thread) && thread->wait.spoke_ns) {
        return; /* it hangs there, and that is told as a hang */
    }
    for (guint d = 0; d < process->devices->len; d++) {
        SsDevice *device = g_ptr_array_index(process->devices, d);
        for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
            const SsExchange *exchange = &device->exchanges[i];
            if (exchange->seq && !exchange->settled) {
                judge(checks, check, process, device, exchange, ns);
            }
        }
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_SETTLED) {
        judge(checks, check, notice->process, notice->device, notice->exchange, notice->ns);
    } else if (notice->kind == SS_NOTICE_PROCESS_ENDS) {
        at_end(checks, check, notice->process, notice->ns);
    }
}

const SsCheck ss_check_commit_before_reply = {
    .id = "commit-before-reply",
    .title = "COMMIT BEFORE REPLY",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) |
             SS_NEEDS(TRANSACTION) | SS_NEEDS(DEVICE),
    .rule = "the reply goes out before the commit, which may wait for the back-end",
    .remedy_for_good = "in QEMU: defer the commit until after the reply",
    .notice = notice,
};
