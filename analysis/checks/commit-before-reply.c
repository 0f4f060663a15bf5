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

#define REQUEST_SET_MEM_TABLE 5
#define REQUEST_ADD_MEM_REG 37
#define REQUEST_REM_MEM_REG 38

/* What the memory listener sends to a back-end that is started when a mapping comes or goes. */
static guint32 told_by_listener(const SsDevice *device, const SsExchange *exchange)
{
    if (!(device->protocol_features & SS_PROTOCOL_CONFIGURE_MEM_SLOTS)) {
        return REQUEST_SET_MEM_TABLE;
    }
    return exchange->request == SS_REQUEST_SHMEM_UNMAP ? REQUEST_REM_MEM_REG : REQUEST_ADD_MEM_REG;
}

/* The order in which it hangs: that of a wait inside this commit. */
static SsOrder *order_of(SsDevice *device, const SsExchange *exchange)
{
    SsWait wait = {
        .device = device,
        .request = exchange->early_wait ? exchange->early_wait : told_by_listener(device, exchange),
        .tid = exchange->tid,
        .begin_seen = true,
        .n_contexts = 1,
        .contexts = { { .kind = SS_CONTEXT_COMMIT,
                        .device = device,
                        .seq = exchange->seq,
                        .request = exchange->request } },
    };
    return ss_order_of_wait(&wait, exchange, NULL);
}

static void judge(SsChecks *checks, const SsCheck *check, SsProcess *process, SsDevice *device,
                  const SsExchange *exchange, gint64 ns)
{
    if (!exchange->early_commit_ns ||
        !ss_backend_request_answered(device, exchange->request, exchange->flags)) {
        return;
    }
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *place = g_strdup_printf("%u", exchange->request);
    /* A listener that had nothing to tell the back-end waited for nothing. */
    SsCertainty certainty = exchange->early_wait_ns ? SS_OBSERVED : SS_HAZARD;
    bool negotiated = device->features_known || exchange->replies;
    SsFinding *finding = ss_checks_report(
        checks, check, negotiated ? certainty : SS_UNKNOWN, process, device, exchange->request_ns,
        MAX(exchange->early_commit_ns, exchange->early_wait_ns), place,
        g_strdup_printf("the memory commit of %s #%" G_GUINT64_FORMAT
                        " ran before its reply was sent",
                        request, exchange->seq));
    if (!finding) {
        return;
    }
    finding->order = order_of(device, exchange);
    if (!negotiated && !finding->condition) {
        finding->condition =
            g_strdup("whether REPLY_ACK was negotiated: the recording began too late");
    }
    if (certainty == SS_HAZARD && !finding->condition) {
        finding->condition =
            g_strdup("if the device were started, the mapping the guest's to write, "
                     "and one thread of the back-end served both channels");
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
             SS_NEEDS(TRANSACTION) | SS_NEEDS(FRONTEND_REQUEST) | SS_NEEDS(DEVICE),
    .outside = true,
    .unseen = "a commit that sends no memory table",
    .notices = SS_ON(SETTLED) | SS_ON(PROCESS_ENDS),
    .rule = "the reply goes out before the commit, which may wait for the back-end",
    .remedy_for_good = "in QEMU: defer the commit until after the reply",
    .notice = notice,
};
