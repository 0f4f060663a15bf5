/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reply-commit-deadlock: the front-end waits for a reply on the main channel, and the
 * back-end for one on the back-end channel, and the cycle was not resolved. Any two
 * messages that close it are found.
 *
 * The end of a recording in mid-wait is no evidence; that the wait spoke up is. From
 * QEMU alone it is never more than suspected: a back-end with a thread for each
 * channel looks the same, until its reply comes. Nor is it from the back-end alone: what
 * QEMU does meanwhile is not visible there. Both together prove it.
 */
#include "analysis/checks/backend-alone.h"
#include "analysis/checks/check.h"
#include "analysis/checks/looked.h"
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/model/graph.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_COMMIT_END) | \
     SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST) | SS_STEP_BIT(SS_STEP_START_BEGIN) | \
     SS_STEP_BIT(SS_STEP_STOP_BEGIN) | SS_STEP_BIT(SS_STEP_RESET_BEGIN) | \
     SS_STEP_BIT(SS_STEP_UNREALIZE_BEGIN))

/* Of the device that caused it all, when that is another one than the one waited for. */
#define CAUSE_KINDS (KINDS & ~SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST))

/* The other device inside of whose request, start, stop or reset QEMU waits; or NULL. */
static const SsDevice *cause_of(const SsWait *wait)
{
    for (guint i = 0; i < wait->n_contexts; i++) {
        if (wait->contexts[i].device && wait->contexts[i].device != wait->device) {
            return wait->contexts[i].device;
        }
    }
    return NULL;
}

/* What it sends is told by the back-end itself, when that was traced. */
#define PEER_KINDS (KINDS & ~SS_STEP_BIT(SS_STEP_REQUEST))

/* "back-end", or whose it is when two devices play a part. */
static char *backend_text(const SsDevice *device, bool named)
{
    g_autofree char *name = ss_device_label(device, SS_WITNESS_DEVICE_COLUMNS);
    return named ? g_strdup_printf("back-end of %s", name) : g_strdup("back-end");
}

/* The message that is next to be read: its number follows that of the last one, when the
 * recording knows of one. */
static char *unread_text(const SsEdge *edge)
{
    const SsDevice *device = edge->device;
    g_autofree char *request = ss_backend_request_text(edge->wait->peek_request);
    if (ss_process_looked(device->process)) {
        SsPeerWait own = { .looked = true,
                           .request = device->inbox.request,
                           .has_range = device->inbox.has_range,
                           .shm_offset = device->inbox.shm_offset,
                           .len = device->inbox.len };
        return ss_peer_request_text(&own);
    }
    if (!device->last_seq && device->backend_channel != SS_CHANNEL_OPEN) {
        return g_steal_pointer(&request);
    }
    return g_strdup_printf("%s #%" G_GUINT64_FORMAT, request, device->last_seq + 1);
}

/* Why the thread that waits is the one that would answer. */
static void state_server(SsFinding *finding, const SsPeer *peer, gint32 tid, const char *request,
                         bool taken)
{
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *thread = ss_peer_thread_text(peer, tid);
    ss_finding_state(
        finding, backend,
        taken ? g_strdup_printf("the %s, which waits, has received %s and not answered", thread,
                                request)
              : g_strdup_printf("the %s, which waits, is the only one seen to serve the main "
                                "channel, where %s lies unread",
                                thread, request));
}

static const char *front_of(const SsDevice *device)
{
    return device ? ss_front_text(device->process) : "QEMU";
}

static char *exchange_text(const SsDevice *device, const SsExchange *exchange)
{
    g_autofree char *request = ss_backend_request_text(exchange->request);
    return ss_labelled_text(g_strdup_printf("%s #%" G_GUINT64_FORMAT, request, exchange->seq),
                            ss_label_text(device->process->model, exchange->label));
}

/* What the back-end says itself. */
static void state_own(SsFinding *finding, const SsEdge *edge, const GArray *cycle)
{
    g_autofree char *backend = ss_peer_text(edge->peer);
    const char *label = ss_peer_label(edge->peer, edge->own);
    g_autofree char *own = ss_labelled_text(ss_peer_request_text(edge->own), label);
    ss_finding_add_label(finding, label);
    const char *front = front_of(edge->peer->device);
    ss_finding_state(finding, backend,
                     edge->kind == SS_EDGE_UNREAD
                         ? g_strdup_printf("waits for the reply to %s, which lies unread in %s's "
                                           "socket",
                                           own, front)
                         : g_strdup_printf("waits for the reply to %s, which %s has read and not "
                                           "answered",
                                           own, front));
    for (guint i = 0; i < cycle->len; i++) {
        const SsEdge *asked = &g_array_index(cycle, SsEdge, i);
        if (asked->kind == SS_EDGE_MAIN_REPLY && asked->to == edge->from && edge->own->looked) {
            ss_looked_state(finding, asked->peer, edge->own);
        } else if (asked->kind == SS_EDGE_MAIN_REPLY && asked->to == edge->from) {
            g_autofree char *request = ss_frontend_request_text(asked->wait->request);
            state_server(finding, edge->peer, edge->own->tid, request, asked->taken != NULL);
        }
    }
}

static void state_edge(SsFinding *finding, const SsEdge *edge, const GArray *cycle, bool named)
{
    if (edge->own) {
        state_own(finding, edge, cycle);
        return;
    }
    g_autofree char *thread = ss_thread_text(edge->thread);
    g_autofree char *backend = backend_text(edge->device, named);
    g_autofree char *request = NULL;
    switch (edge->kind) {
    case SS_EDGE_MAIN_REPLY:
        ss_finding_state(finding, thread, ss_wait_text(edge->wait));
        break;
    case SS_EDGE_UNREAD:
        request = unread_text(edge);
        ss_finding_state(finding, backend,
                         g_strdup_printf("waits for the reply to %s, which lies unread in "
                                         "%s's socket",
                                         request, front_of(edge->device)));
        break;
    case SS_EDGE_UNANSWERED:
        request = exchange_text(edge->device, edge->exchange);
        ss_finding_state(finding, backend,
                         g_strdup_printf("waits for the reply to %s, which %s has read and not "
                                         "answered",
                                         request, front_of(edge->device)));
        break;
    case SS_EDGE_SAME:
        ss_finding_state(finding, backend,
                         g_strdup("is the process that would answer, if it serves both devices"));
        break;
    case SS_EDGE_LOCK: {
        GHashTable *threads = edge->device->process->threads;
        GHashTableIter iter;
        gpointer value;
        g_hash_table_iter_init(&iter, threads);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
            if (value == edge->from) {
                g_autofree char *reader = ss_thread_text(value);
                ss_finding_state(finding, reader,
                                 g_strdup("would read it, and cannot while the lock is held"));
            }
        }
        break;
    }
    }
}

/* Where the story begins: the exchange whose commit it is, or the outermost thing the
 * front-end is inside of. */
static gint64 story_begin(const SsWait *wait)
{
    gint64 begin = wait->begin_ns;
    if (wait->n_contexts) {
        begin = wait->contexts[0].begin_ns;
    }
    for (guint i = 0; i < wait->n_contexts; i++) {
        const SsContext *context = &wait->contexts[i];
        for (guint e = 0; context->device && e < SS_RECENT_EXCHANGES; e++) {
            const SsExchange *exchange = &context->device->exchanges[e];
            if (context->seq && exchange->seq == context->seq && exchange->request_ns) {
                begin = MIN(begin, exchange->request_ns);
            }
        }
    }
    return begin;
}

/* When the back-end sent the request that the wait stands in; else when the story begins. */
static gint64 sent_ns(const SsWait *wait, const SsEdge *edge, gint64 begin_ns)
{
    for (guint i = 0; i < wait->n_contexts; i++) {
        const SsContext *context = &wait->contexts[i];
        const SsPass *pass = context->seq && context->device == edge->device
                                 ? ss_trail_find(&edge->device->peer->backend, context->seq)
                                 : NULL;
        if (pass) {
            return MIN(pass->ns, begin_ns);
        }
    }
    return begin_ns;
}

/* The back-end's own column. */
static void take_peers(SsFinding *finding, const SsWait *wait, const GArray *cycle, bool named)
{
    for (guint i = 0; i < cycle->len; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        if (!edge->own) {
            continue;
        }
        g_autofree char *name = ss_device_label(edge->device, SS_WITNESS_DEVICE_COLUMNS);
        g_autofree char *whose = named ? g_strdup_printf("%s: ", name) : g_strdup("");
        ss_finding_take_peer(finding, edge->device->peer, whose,
                             sent_ns(wait, edge, finding->first_ns), wait->spoke_ns);
        if (edge->own->spoke_ns) {
            ss_finding_add_witness(finding, edge->own->spoke_ns, true, 0,
                                   g_strdup_printf("%s...waits for %.1f s", whose,
                                                   (double)edge->own->waited_ms / 1000));
        }
    }
}

static bool told_by_peer(const GArray *cycle)
{
    for (guint i = 0; i < cycle->len; i++) {
        if (g_array_index(cycle, SsEdge, i).own) {
            return true;
        }
    }
    return false;
}

static void take_witness(SsFinding *finding, const SsWait *wait, const GArray *cycle)
{
    const SsDevice *cause = cause_of(wait);
    g_autofree char *name = ss_device_label(wait->device, SS_WITNESS_DEVICE_COLUMNS);
    g_autofree char *whose = cause ? g_strdup_printf("%s: ", name) : g_strdup("");
    bool peer = told_by_peer(cycle);
    if (cause) {
        ss_finding_take_journals(finding, wait->device, cause, story_begin(wait), wait->spoke_ns,
                                 peer ? PEER_KINDS : KINDS, CAUSE_KINDS);
    } else {
        ss_finding_take_journal(finding, wait->device, story_begin(wait), wait->spoke_ns,
                                peer ? PEER_KINDS : KINDS);
    }
    for (guint i = 0; i < cycle->len; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        if (edge->kind == SS_EDGE_UNREAD && !edge->own) {
            g_autofree char *request = unread_text(edge);
            ss_finding_add_witness(finding, wait->first_spoke_ns, true, 0,
                                   g_strdup_printf("%s%s unread", whose, request));
        }
    }
    guint indent = 0; /* it stands in the innermost of all that was told */
    for (guint i = 0; i < finding->witness->len; i++) {
        indent = MAX(indent, ((const SsWitness *)g_ptr_array_index(finding->witness, i))->indent);
    }
    ss_finding_add_witness(
        finding, wait->spoke_ns, false, indent + 1,
        g_strdup_printf("%s...waits for %.1f s", whose, (double)wait->waited_ms / 1000));
    if (peer) {
        take_peers(finding, wait, cycle, cause != NULL);
        ss_finding_order_witness(finding);
        return;
    }
    ss_finding_add_witness(finding, wait->spoke_ns, true, 0, g_strdup_printf("%s...waits", whose));
}

/* The wait speaks for itself, when its begin was seen: else its end may have been before it was
 * told of. That nothing was answered does not: no event may be missing. */
static gint64 proof_begin(const SsWait *wait, const GArray *cycle)
{
    gint64 begin = (wait->begin_seen ? wait->spoke_ns : wait->begin_ns) - SS_STEP_NS;
    for (guint i = 0; i < cycle->len; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        if (edge->kind == SS_EDGE_UNANSWERED && edge->exchange) {
            begin = MIN(begin, edge->exchange->request_ns);
        } else if (edge->thread && edge->thread->tid != wait->tid) {
            begin = MIN(begin, wait->begin_ns); /* nor one that shows that the other lives */
        }
    }
    return begin;
}

/* Whether no other wait for a back-end in its cycle is older. */
static bool is_oldest(const SsWait *wait, const GArray *cycle)
{
    for (guint i = 1; i < cycle->len; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        if (edge->kind == SS_EDGE_MAIN_REPLY &&
            (edge->wait->begin_ns < wait->begin_ns ||
             (edge->wait->begin_ns == wait->begin_ns && edge->wait->tid < wait->tid))) {
            return false;
        }
    }
    return true;
}

static bool assumes(const GArray *cycle)
{
    for (guint i = 0; i < cycle->len; i++) {
        if (g_array_index(cycle, SsEdge, i).kind == SS_EDGE_SAME) {
            return true;
        }
    }
    return false;
}

/* NULL for a cycle of more than one wait of QEMU's: nobody could bring that about. */
static SsOrder *order_of(const SsWait *wait, const GArray *cycle)
{
    SsExchange unread = { 0 };
    for (guint i = 0; i < cycle->len; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        if (edge->kind == SS_EDGE_MAIN_REPLY && i > 0) {
            return NULL;
        }
        if (edge->kind == SS_EDGE_UNREAD && edge->own) {
            unread.request = edge->own->request;
            unread.seq = edge->own->seq;
        } else if (edge->kind == SS_EDGE_UNREAD) {
            unread.request = edge->wait->peek_request;
            unread.seq = edge->device->last_seq + 1;
        }
    }
    return ss_order_of_wait(wait, NULL, unread.request ? &unread : NULL);
}

static void judge(SsChecks *checks, const SsCheck *check, SsProcess *process, SsThread *thread,
                  const GArray *edges, gint64 end_ns)
{
    const SsWait *wait = &thread->wait;
    if (!thread->waiting || !wait->spoke_ns) {
        return;
    }
    g_autoptr(GArray) cycle = ss_wait_graph_cycle(edges, wait);
    if (!cycle) {
        return;
    }
    if (!is_oldest(wait, cycle)) {
        return; /* told with that one */
    }
    g_autofree char *place = g_strdup_printf("%d", thread->tid);
    bool proven = ss_wait_graph_proven(cycle);
    SsFinding *finding = ss_checks_report(
        checks, check, proven ? SS_OBSERVED : SS_SUSPECTED, process, wait->device,
        proof_begin(wait, cycle), end_ns, place,
        g_strdup_printf("%s and its back-end wait for each other", ss_front_text(process)));
    if (!finding) {
        return;
    }
    finding->first_ns = story_begin(wait);
    finding->duration_ns = (gint64)wait->waited_ms * SS_NS_PER_MS;
    for (guint i = 0; i < cycle->len; i++) {
        state_edge(finding, &g_array_index(cycle, SsEdge, i), cycle, cause_of(wait) != NULL);
    }
    if (ss_process_looked(process)) {
        ss_looked_deadlock(finding, wait, proven);
        return;
    }
    if (!finding->condition && !proven) {
        finding->condition = g_strdup(
            told_by_peer(cycle) ? "not visible: that the back-end's thread stood in the read of "
                                  "that reply all the time"
            : assumes(cycle) ? "not visible from QEMU alone: that one process serves both devices"
                             : "not visible from QEMU alone: that the answering thread is "
                               "the one that waits");
    }
    finding->order = order_of(wait, cycle);
    take_witness(finding, wait, cycle);
}

/* The back-end tells of it, and QEMU does not. */
static void judge_alone(SsChecks *checks, const SsCheck *check, SsPeer *peer, gint64 end_ns)
{
    SsAlone alone = ss_alone_judge(checks->model, peer);
    const SsPeerWait *own = alone.own;
    if (alone.kind != SS_ALONE_CYCLE || peer->looked) {
        return;
    }
    g_autofree char *first =
        ss_frontend_request_text(alone.owed ? alone.owed->request : own->peek_request);
    g_autofree char *asked = alone.behind && !alone.owed
                                 ? g_strdup_printf("a request behind %s", first)
                                 : g_strdup(first);
    g_autofree char *place = g_strdup_printf("peer|%" G_GUINT64_FORMAT, peer->conn);
    gint64 from_ns =
        MIN(own->begin_seen ? own->begin_ns : own->spoke_ns, own->spoke_ns) - SS_STEP_NS;
    SsFinding *finding =
        ss_checks_report(checks, check, SS_SUSPECTED, peer->process, NULL, from_ns, end_ns, place,
                         g_strdup("the back-end and its front-end wait for each other"));
    if (!finding) {
        return;
    }
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *request =
        ss_labelled_text(ss_peer_request_text(own), ss_peer_label(peer, own));
    ss_finding_add_label(finding, ss_peer_label(peer, own));
    finding->first_ns = own->begin_ns;
    finding->duration_ns = (gint64)own->waited_ms * SS_NS_PER_MS;
    ss_finding_state(finding, backend, g_strdup_printf("waits for the reply to %s", request));
    state_server(finding, peer, own->tid, asked, alone.owed != NULL);
    ss_finding_state(
        finding, "front-end",
        g_strdup_printf("waits for the reply to %s, sent inside what: not recorded", asked));
    if (!finding->condition) {
        finding->condition = g_strdup_printf("not visible from the back-end alone: that the "
                                             "front-end stands in the wait for %s, and reads "
                                             "nothing else",
                                             asked);
    }
    const SsPass *before = ss_trail_find(&peer->backend, own->seq - 1);
    ss_finding_take_peer(finding, peer, "", before ? before->ns : own->begin_ns, own->spoke_ns);
    ss_finding_add_witness(finding, own->spoke_ns, true, 0,
                           g_strdup_printf("...waits for %.1f s", (double)own->waited_ms / 1000));
    ss_finding_order_witness(finding);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_PROCESS_ENDS) {
        return;
    }
    ss_looked_unseen(checks, check, notice->process, notice->ns);
    const GPtrArray *peers = notice->process->peers;
    for (guint i = 0; peers && i < peers->len; i++) {
        judge_alone(checks, check, g_ptr_array_index(peers, i), notice->ns);
    }
    g_autoptr(GArray) edges = ss_wait_graph(checks->model, notice->process);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, notice->process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        judge(checks, check, notice->process, value, edges, notice->ns);
    }
}

const SsCheck ss_check_reply_commit_deadlock = {
    .id = "reply-commit-deadlock",
    .title = "DEADLOCK",
    .needs = SS_NEEDS(WAIT) | SS_NEEDS(FRONTEND_REQUEST) | SS_NEEDS(BACKEND_REQUEST) |
             SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) | SS_NEEDS(TRANSACTION) | SS_NEEDS(DEVICE),
    .outside = true,
    .look = true,
    .notices = SS_ON(PROCESS_ENDS),
    .of_standing = true,
    .of_backends = true,
    .rule = "no side may wait on one channel while it owes an answer on the other",
    .remedy_now = "end the back-end's process (the device is lost until reset)",
    .remedy_for_good = "never wait for a reply without serving the main channel",
    .notice = notice,
};
