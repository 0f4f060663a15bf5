/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stuck-wait: a wait far beyond its kind's usual, without a cycle; also one that ended at
 * last. A front-end reply takes well under a millisecond; USUAL_NS is when QEMU's own
 * wait begins to speak up.
 */
#include "analysis/checks/backend-alone.h"
#include "analysis/checks/check.h"
#include "analysis/checks/looked.h"
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/model/graph.h"
#include "analysis/report/names.h"

#define USUAL_NS SS_NS_PER_S
/* The first speak-up is due at USUAL_NS; a busy machine may be late with it. */
#define SPEAK_UP_LATE_NS (2 * SS_NS_PER_S)

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST) | \
     SS_STEP_BIT(SS_STEP_WAIT_BEGIN) | SS_STEP_BIT(SS_STEP_WAIT_LASTS) | \
     SS_STEP_BIT(SS_STEP_WAIT_END) | SS_STEP_BIT(SS_STEP_STOP_BEGIN) | \
     SS_STEP_BIT(SS_STEP_RESET_BEGIN))

/* With a request of its own unread, the back-end's end may have been the end of a deadlock. */
static char *end_text(const SsWait *wait)
{
    g_autofree char *own = ss_backend_request_text(wait->peek_request);
    if (!wait->ret) {
        return g_strdup("answered at last");
    }
    if (!wait->unread || !wait->peek_request) {
        return g_strdup("gave no reply: the wait ended in an error");
    }
    return g_strdup_printf("gave no reply, and may have waited for that to its own %s, which lay "
                           "unread: a deadlock that its end broke up",
                           own);
}

static void ended(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsWait *wait = notice->wait;
    gint64 lasted = wait->end_ns - wait->begin_ns;
    if (lasted < USUAL_NS) {
        return;
    }
    g_autofree char *request = ss_frontend_request_text(wait->request);
    g_autofree char *who = ss_thread_text(notice->thread);
    g_autofree char *inside = ss_wait_inside_text(wait);
    g_autofree char *place = g_strdup_printf("ended|%u", wait->request);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, notice->process, notice->device, wait->begin_ns, notice->ns,
        place,
        g_strdup_printf(
            "the wait for the reply to %s lasted %.1f s, %s", request, (double)lasted / SS_NS_PER_S,
            wait->ret ? "until the back-end was gone" : "then it ended: not a deadlock"));
    if (finding) {
        finding->duration_ns = lasted;
        ss_finding_state(finding, who,
                         g_strdup_printf("waited for the reply to %s%s", request, inside));
        ss_finding_state(finding, "back-end", end_text(wait));
        ss_finding_take_journal(finding, wait->device, wait->begin_ns - SS_NS_PER_MS, notice->ns,
                                KINDS);
    }
}

/* What the back-end tells itself of the request that QEMU waits for; NULL: nothing. */
static char *peer_tells(const SsModel *model, const SsWait *wait)
{
    SsPeer *peer = ss_device_peer(model, wait->device);
    const SsPass *taken = peer ? ss_trail_find(&peer->main, wait->seq) : NULL;
    g_autofree char *request = ss_frontend_request_text(wait->request);
    if (!peer || (taken && taken->request != wait->request) ||
        (!taken && peer->main.last_seq >= wait->seq)) {
        return NULL;
    }
    if (!taken) {
        return g_strdup_printf("has not received %s", request);
    }
    g_autofree char *thread = ss_peer_thread_text(peer, taken->tid);
    return g_strdup_printf(taken->answered_ns ? "its %s has answered %s"
                                              : "its %s has received %s, and not answered",
                           thread, request);
}

/* Who listens, and does not accept: it may yet, so this is no more than a wait. */
static void state_unaccepted(SsFinding *finding, const SsDevice *device)
{
    const SsListener *listener = device->listener;
    g_autofree char *who =
        listener->pid ? g_strdup_printf("listener %d", listener->pid) : g_strdup("listener");
    ss_finding_state(finding, who,
                     g_strdup_printf("has not accepted the connection%s%s",
                                     listener->pid ? "; " : "", listener->does));
    if (!finding->condition) {
        finding->condition =
            g_strdup(listener->pid ? "not visible: whether it accepts in the end"
                                   : "not visible: who listens; needs the same user, or "
                                     "CAP_SYS_PTRACE");
    }
    finding->remedy_now = finding->remedy_own;
    finding->remedy_for_good = "accept each connection when it is made, or do not listen";
    if (listener->pid) {
        ss_looked_see(finding, listener->pid);
    }
}

/* Two looks show more of the back-end than that it does not answer, and who it is. */
static void open_looked(SsChecks *checks, const SsCheck *check, SsThread *thread, gint64 end_ns)
{
    const SsWait *wait = &thread->wait;
    const SsPeer *peer = wait->device->peer;
    if ((gint64)wait->waited_ms * SS_NS_PER_MS < USUAL_NS) {
        return;
    }
    g_autofree char *request = ss_wait_request_text(wait);
    g_autofree char *who = ss_thread_text(thread);
    g_autofree char *place = g_strdup_printf("open|%d", thread->tid);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, thread->process, wait->device, wait->begin_ns, end_ns, place,
        g_strdup_printf("the reply to %s did not come within %.1f s; %s", request,
                        (double)wait->waited_ms / 1000,
                        wait->device->listener ? "the back-end has not accepted the connection"
                                               : "no deadlock is seen"));
    if (!finding) {
        return;
    }
    finding->duration_ns = (gint64)wait->waited_ms * SS_NS_PER_MS;
    finding->at_least = wait->at_least;
    ss_finding_state(finding, who, ss_wait_text(wait));
    if (wait->device->listener) {
        state_unaccepted(finding, wait->device);
        return;
    }
    g_autofree char *backend = peer ? ss_peer_text(peer) : g_strdup("back-end");
    ss_finding_state(
        finding, backend,
        !peer ? g_strdup(wait->device->main_channel == SS_CHANNEL_OPEN ? "is not visible"
                                                                       : "was not found")
        : peer->answers == SS_ANSWERS_UNSEEN
            ? g_strdup("could not be seen")
            : g_strdup_printf(
                  "%s%s%s", peer->inbox.bytes ? "has not read it" : "has read it, and not answered",
                  peer->doubt ? "; " : "", peer->doubt ? peer->doubt : ""));
    if (!finding->condition) {
        finding->condition = g_strdup_printf(
            "not visible: %s", peer && peer->process->unseen ? peer->process->unseen
                                                             : "whether it answers in the end");
    }
    if (peer) {
        ss_looked_see(finding, peer->process->pid);
    }
}

static void open_spoken(SsChecks *checks, const SsCheck *check, SsThread *thread, gint64 end_ns)
{
    const SsWait *wait = &thread->wait;
    if (ss_process_looked(thread->process)) {
        open_looked(checks, check, thread, end_ns);
        return;
    }
    g_autofree char *request = ss_frontend_request_text(wait->request);
    g_autofree char *who = ss_thread_text(thread);
    g_autofree char *place = g_strdup_printf("open|%d", thread->tid);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, thread->process, wait->device,
        (wait->begin_seen ? wait->spoke_ns : wait->begin_ns) - SS_STEP_NS, end_ns, place,
        g_strdup_printf("the reply to %s did not come within %.1f s; nothing that QEMU owes "
                        "the back-end explains it",
                        request, (double)wait->waited_ms / 1000));
    if (!finding) {
        return;
    }
    finding->first_ns = wait->begin_ns;
    finding->duration_ns = (gint64)wait->waited_ms * SS_NS_PER_MS;
    ss_finding_state(finding, who, ss_wait_text(wait));
    ss_finding_state(finding, "back-end",
                     wait->unread ? g_strdup_printf("has not answered; %u bytes of its own lie "
                                                    "unread in QEMU's socket",
                                                    wait->unread)
                                  : g_strdup("has not answered, and asks for nothing"));
    char *told = peer_tells(checks->model, wait);
    if (told) {
        g_autofree char *backend = ss_peer_text(wait->device->peer);
        ss_finding_state(finding, backend, told);
        const SsPeerWait *own = ss_peer_wait(wait->device->peer);
        if (own) {
            ss_finding_state(finding, backend, ss_peer_wait_text(wait->device->peer, own));
        }
    }
    if (!finding->condition) {
        finding->condition = g_strdup(told ? "not visible: what that thread does"
                                           : "not visible from QEMU alone: what the back-end does");
    }
    ss_finding_take_journal(finding, wait->device, wait->begin_ns - SS_NS_PER_MS, end_ns, KINDS);
}

static void open_silent(SsChecks *checks, const SsCheck *check, SsThread *thread, gint64 end_ns)
{
    const SsWait *wait = &thread->wait;
    SsProcessEnd end = thread->process->end;
    if (end_ns - wait->begin_ns < SPEAK_UP_LATE_NS || end == SS_END_EXITED ||
        end == SS_END_SIGNAL) {
        return; /* the recording, or the process, ended in mid-wait: no evidence */
    }
    g_autofree char *request = ss_frontend_request_text(wait->request);
    g_autofree char *place = g_strdup_printf("silent|%d", thread->tid);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_UNKNOWN, thread->process, wait->device, wait->begin_ns, end_ns, place,
        g_strdup_printf("a wait for the reply to %s has no end in the trace", request));
    if (finding && !finding->condition) {
        finding->condition = g_strdup("the wait never spoke up: the process may have ended");
    }
}

static void read_ended(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    gint64 lasted = notice->ns - notice->since_ns;
    if (lasted < USUAL_NS) {
        return;
    }
    g_autofree char *who = ss_thread_text(notice->thread);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, notice->process, notice->device, notice->since_ns, notice->ns,
        "read-ended",
        g_strdup_printf("reading one message of the back-end channel took %.1f s, then it "
                        "ended: not a deadlock",
                        (double)lasted / SS_NS_PER_S));
    if (finding) {
        finding->duration_ns = lasted;
        ss_finding_state(finding, who, g_strdup("stood inside the read of a message"));
        ss_finding_state(finding, "back-end", g_strdup("sent the message in parts"));
    }
}

static void open_read(SsChecks *checks, const SsCheck *check, SsThread *thread, gint64 end_ns)
{
    SsProcess *process = thread->process;
    bool ended = process->end == SS_END_EXITED || process->end == SS_END_SIGNAL;
    gint64 until = !ended              ? end_ns
                   : process->ended_ns ? MIN(end_ns, process->ended_ns)
                                       : MAX(thread->reading_told_ns, thread->reading_ns);
    gint64 lasted = until - thread->reading_ns;
    bool unknown = ended && !process->ended_ns && lasted < USUAL_NS;
    bool looked = ss_process_looked(process);
    if (lasted < USUAL_NS && !unknown) {
        return;
    }
    g_autofree char *who = ss_thread_text(thread);
    SsFinding *finding =
        ss_checks_report(checks, check, unknown ? SS_UNKNOWN : SS_SUSPECTED, process,
                         thread->reading, thread->reading_ns, until, "read-open",
                         g_strdup("the read of a message of the back-end channel did not end"));
    if (!finding) {
        return;
    }
    finding->duration_ns = lasted;
    ss_finding_state(finding, who,
                     g_strdup("stands inside the read of one message, with the lock held"));
    ss_finding_state(finding, "back-end", g_strdup("may have sent a part of it only"));
    if (!finding->condition) {
        finding->condition =
            g_strdup(unknown  ? "the process ended; when is not known"
                     : looked ? "not visible: whether the rest comes in the end"
                              : "not visible from the trace: what lies in the socket");
    }
    if (looked && thread->reading->peer) {
        ss_looked_see(finding, thread->reading->peer->process->pid);
    }
}

/* What of QEMU's requests another thread of the back-end has, while one waits; or NULL. */
static const SsPass *held_by_other(SsPeer *peer, gint32 tid)
{
    const SsPass *pass, *held = NULL;
    for (guint i = 0; (pass = ss_trail_at(&peer->main, i)); i++) {
        held = pass->tid != tid && ss_pass_open(pass) ? pass : held;
    }
    return held;
}

/* A wait of the back-end's own that nothing of what it owes explains. */
static void peer_open(SsChecks *checks, const SsCheck *check, SsPeer *peer, const SsPeerWait *own,
                      gint64 end_ns)
{
    const char *label = ss_peer_label(peer, own);
    g_autofree char *request = ss_labelled_text(ss_peer_request_text(own), label);
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *place = g_strdup_printf("peer-open|%" G_GUINT64_FORMAT, peer->conn);
    /* What was looked at is told by VM. */
    SsDevice *device = peer->looked ? peer->device : NULL;
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, device ? device->process : peer->process, device,
        (own->begin_seen ? own->spoke_ns : own->begin_ns) - SS_STEP_NS, end_ns, place,
        g_strdup_printf("the reply to %s did not come within %.1f s; nothing that its back-end "
                        "owes the front-end explains it",
                        request, (double)own->waited_ms / 1000));
    if (!finding) {
        return;
    }
    const SsPass *held = held_by_other(peer, own->tid);
    finding->first_ns = own->begin_ns;
    finding->duration_ns = (gint64)own->waited_ms * SS_NS_PER_MS;
    ss_finding_state(finding, backend, ss_peer_wait_text(peer, own));
    if (held) {
        g_autofree char *asked = ss_frontend_request_text(held->request);
        g_autofree char *thread = ss_peer_thread_text(peer, held->tid);
        ss_finding_state(
            finding, backend,
            g_strdup_printf("its %s has received %s, and not answered", thread, asked));
    }
    ss_finding_state(finding, device ? ss_front_text(device->process) : "front-end",
                     g_strdup(device ? "has not read it" : "has not answered"));
    if (device) {
        finding->condition =
            g_strdup_printf("not visible: why %s does not read it", ss_front_text(device->process));
        ss_looked_see(finding, device->process->pid);
        return;
    }
    if (!finding->condition) {
        finding->condition = g_strdup("not visible from the back-end: what the front-end does");
    }
    ss_finding_take_peer(finding, peer, "", own->begin_ns - SS_NS_PER_MS, end_ns);
    ss_finding_order_witness(finding);
}

/* The longest of its waits that spoke up and ended, when QEMU's side tells of none. */
static void peer_slow(SsChecks *checks, const SsCheck *check, SsPeer *peer)
{
    const SsPeerWait *own = &peer->slow;
    for (guint i = 0; peer->device && i < SS_MAX_REQUEST; i++) {
        if (peer->device->waits[i].spoke) {
            return; /* it waited while QEMU waited */
        }
    }
    g_autofree char *request = ss_backend_request_text(own->request);
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *place = g_strdup_printf("peer-ended|%" G_GUINT64_FORMAT, peer->conn);
    gint64 lasted = peer->slow_ended_ns - own->begin_ns;
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, peer->process, NULL, own->begin_ns, peer->slow_ended_ns, place,
        g_strdup_printf("the wait for the reply to %s lasted %.1f s, then it ended: not a deadlock",
                        request, (double)lasted / SS_NS_PER_S));
    if (finding) {
        g_autofree char *waited = ss_peer_wait_text(peer, own);
        finding->duration_ns = lasted;
        ss_finding_state(finding, backend, g_strdup_printf("%s for all that time", waited));
        ss_finding_state(finding, "front-end", g_strdup("answered at last"));
        ss_finding_take_peer(finding, peer, "", own->begin_ns - SS_NS_PER_MS, peer->slow_ended_ns);
        ss_finding_order_witness(finding);
    }
}

static void peer_at_end(SsChecks *checks, const SsCheck *check, SsPeer *peer, gint64 end_ns)
{
    SsAlone alone = ss_alone_judge(checks->model, peer);
    if (alone.kind == SS_ALONE_NO_REASON) {
        peer_open(checks, check, peer, alone.own, end_ns);
    }
    if (peer->slow.seq) {
        peer_slow(checks, check, peer);
    }
}

static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 end_ns)
{
    for (guint i = 0; process->peers && i < process->peers->len; i++) {
        peer_at_end(checks, check, g_ptr_array_index(process->peers, i), end_ns);
    }
    g_autoptr(GArray) edges = ss_wait_graph(checks->model, process);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsThread *thread = value;
        if (thread->waiting && thread->wait.spoke_ns) {
            g_autoptr(GArray) cycle = ss_wait_graph_cycle(edges, &thread->wait);
            if (!cycle) {
                open_spoken(checks, check, thread, end_ns);
            }
        } else if (thread->waiting) {
            open_silent(checks, check, thread, end_ns);
        }
        if (thread->reading) {
            open_read(checks, check, thread, end_ns);
        }
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    switch (notice->kind) {
    case SS_NOTICE_WAIT_ENDED:
        ended(checks, check, notice);
        break;
    case SS_NOTICE_READ_ENDED:
        read_ended(checks, check, notice);
        break;
    case SS_NOTICE_PROCESS_ENDS:
        at_end(checks, check, notice->process, notice->ns);
        break;
    default:
        break;
    }
}

const SsCheck ss_check_stuck_wait = {
    .id = "stuck-wait",
    .title = "STUCK WAIT",
    .needs = SS_NEEDS(WAIT) | SS_NEEDS(FRONTEND_REQUEST) | SS_NEEDS(BACKEND_REQUEST) |
             SS_NEEDS(DISPATCH),
    .outside = true,
    .look = true,
    .notices = SS_ON(WAIT_ENDED) | SS_ON(READ_ENDED) | SS_ON(PROCESS_ENDS),
    .of_standing = true,
    .of_backends = true,
    .rule = "QEMU's main loop stands while it waits: every request is answered at once",
    .remedy_now = "see what the back-end's threads do (gdb, /proc/PID/stack)",
    .remedy_for_good = "answer first, work later",
    .notice = notice,
};
