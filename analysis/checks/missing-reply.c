/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * missing-reply: a request asked for a reply, REPLY_ACK is negotiated, the front-end was
 * done with it and kept the channel, and sent none.
 */
#include "analysis/checks/backend-alone.h"
#include "analysis/checks/check.h"
#include "analysis/checks/peer-text.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

/* The front-end answered a later one. */
static void peer_missed(SsChecks *checks, const SsCheck *check, SsPeer *peer)
{
    const SsPeerMissed *missed = &peer->missed;
    g_autofree char *request = ss_peer_request_text(&missed->first);
    g_autofree char *later = ss_backend_request_text(missed->later_request);
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *place = g_strdup_printf("peer|%u", missed->first.request);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_OBSERVED, peer->process, NULL, missed->first.begin_ns, missed->ns, place,
        g_strdup_printf("%s asked for a reply, and none came", request));
    if (!finding) {
        return;
    }
    finding->count = missed->count;
    ss_finding_state(finding, backend, g_strdup_printf("asked for the reply to %s", request));
    ss_finding_state(finding, "front-end",
                     g_strdup_printf("answered %s #%" G_GUINT64_FORMAT ", which came later", later,
                                     missed->later_seq));
    ss_finding_take_peer(finding, peer, "", missed->first.begin_ns, missed->ns);
    ss_finding_order_witness(finding);
}

/* It still waits, and the front-end went on to other things. */
static void peer_waits(SsChecks *checks, const SsCheck *check, SsPeer *peer, const SsPeerWait *own,
                       gint64 end_ns)
{
    g_autofree char *request = ss_peer_request_text(own);
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *place = g_strdup_printf("peer|%u", own->request);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, peer->process, NULL, own->begin_ns, end_ns, place,
        g_strdup_printf("%s asked for a reply, and none came within %.1f s", request,
                        (double)own->waited_ms / 1000));
    if (!finding) {
        return;
    }
    finding->duration_ns = (gint64)own->waited_ms * SS_NS_PER_MS;
    ss_finding_state(finding, backend, ss_peer_wait_text(peer, own));
    ss_finding_state(finding, "front-end", g_strdup("went on meanwhile: it sent requests"));
    if (!finding->condition) {
        finding->condition = g_strdup(
            peer->features_known ? "not visible from the back-end: that the front-end has read it"
                                 : "not known: whether REPLY_ACK was negotiated");
    }
    ss_finding_take_peer(finding, peer, "", own->begin_ns, end_ns);
    ss_finding_order_witness(finding);
}

/* By what a back-end tells itself, where its front-end does not. */
static void peers(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const GPtrArray *all = notice->process->peers;
    for (guint i = 0; all && i < all->len; i++) {
        SsPeer *peer = g_ptr_array_index(all, i);
        SsAlone alone = ss_alone_judge(checks->model, peer);
        if (!peer->device && peer->missed.count) {
            peer_missed(checks, check, peer);
        }
        if (!peer->device && alone.kind == SS_ALONE_PASSED) {
            peer_waits(checks, check, peer, alone.own, notice->ns);
        }
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_PROCESS_ENDS) {
        peers(checks, check, notice);
    }
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
    ss_finding_add_label(checks->last, ss_label_text(checks->model, exchange->label));
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
    .notices = SS_ON(SETTLED) | SS_ON(PROCESS_ENDS),
    .of_backends = true,
    .rule = "with REPLY_ACK negotiated, a request with NEED_REPLY gets exactly one reply",
    .remedy_for_good = "in QEMU: reply on every path, refusals included",
    .notice = notice,
};
