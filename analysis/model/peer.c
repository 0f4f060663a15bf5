/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/peer.h"

#include <string.h>

#include "analysis/model/parts.h"

#define REPLY (1u << 2)
#define REQUEST_SET_PROTOCOL_FEATURES 16
/* A process may have as many connections at a time, and as many that are over are kept. */
#define MAX_PEERS 256
#define MAX_CLOSED 8

void ss_peer_free(SsPeer *peer)
{
    if (!peer) {
        return;
    }
    g_free(peer->name);
    g_free(peer->doubt);
    g_free(peer);
}

static SsPeerThread *thread_of(SsPeer *peer, gint32 tid)
{
    for (guint i = 0; i < peer->n_threads; i++) {
        if (peer->threads[i].tid == tid) {
            return &peer->threads[i];
        }
    }
    if (peer->n_threads == SS_PEER_THREADS) {
        peer->more_threads = true;
        return NULL;
    }
    peer->threads[peer->n_threads] = (SsPeerThread){ .tid = tid };
    return &peer->threads[peer->n_threads++];
}

static SsPeer *peer_at(const SsProcess *process, guint index)
{
    return g_ptr_array_index(process->peers, index);
}

/* The last that has this channel: numbers are not used again. */
static SsPeer *find(const SsProcess *process, guint64 conn)
{
    for (guint i = process->peers ? process->peers->len : 0; conn && i > 0; i--) {
        SsPeer *peer = peer_at(process, i - 1);
        if (peer->conn == conn || peer->backend_conn == conn) {
            return peer;
        }
    }
    return NULL;
}

static void forget(SsProcess *process, guint index)
{
    SsPeer *peer = peer_at(process, index);
    if (peer->device) {
        peer->device->peer = NULL;
    }
    g_ptr_array_remove_index(process->peers, index);
}

/* What is over long since is not kept. */
static void make_room(SsProcess *process)
{
    guint closed = 0;
    for (guint i = process->peers->len; i > 0; i--) {
        closed += peer_at(process, i - 1)->closed_ns != 0;
        if (peer_at(process, i - 1)->closed_ns && closed > MAX_CLOSED) {
            forget(process, i - 1);
        }
    }
    if (process->peers->len > MAX_PEERS) {
        forget(process, 0);
    }
}

static SsPeer *peer_new(SsProcess *process, gint64 ns)
{
    if (!process->peers) {
        process->peers = g_ptr_array_new_with_free_func((GDestroyNotify)ss_peer_free);
    }
    SsPeer *peer = g_new0(SsPeer, 1);
    peer->process = process;
    peer->birth_ns = ns;
    peer->name = g_strdup("");
    g_ptr_array_add(process->peers, peer);
    make_room(process);
    return peer;
}

static void channel(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint64 conn = u->shmemscope_wire_channel.conn;
    bool backend = u->shmemscope_wire_channel.backend != 0;
    guint64 main = backend ? u->shmemscope_wire_channel.main : conn;
    SsPeer *peer = find(process, conn);
    peer = peer ? peer : find(process, main);
    if (!u->shmemscope_wire_channel.role) {
        return;
    }
    if (!peer) {
        peer = peer_new(process, event->ns);
    }
    peer->conn = main ? main : peer->conn;
    if (backend) {
        if (peer->backend_conn != conn) {
            ss_label_channel(process->model);
            peer->backend.n = peer->backend.last_seq = 0;
        }
        peer->backend_conn = conn;
        peer->backend_sock = u->shmemscope_wire_channel.sock;
        peer->backend_peer = u->shmemscope_wire_channel.peer;
        return;
    }
    peer->sock = u->shmemscope_wire_channel.sock;
    peer->peer = u->shmemscope_wire_channel.peer;
    ss_replace_string(&peer->name, u->shmemscope_wire_channel.name);
}

static void closed(SsPeer *peer, guint64 conn, gint64 ns)
{
    memset(peer->waits, 0, sizeof(peer->waits)); /* nothing is waited for any more */
    ss_label_channel(peer->process->model);
    if (conn == peer->conn) {
        peer->closed_ns = ns;
    }
}

/* The place of the wait, or a free one; that of the oldest when there is none. */
static SsPeerWait *wait_place(SsPeer *peer, guint64 seq)
{
    SsPeerWait *place = &peer->waits[0];
    for (guint i = 0; i < SS_PEER_WAITS; i++) {
        SsPeerWait *wait = &peer->waits[i];
        if (wait->seq == seq) {
            return wait;
        }
        place = wait->seq < place->seq ? wait : place;
    }
    return place;
}

/* Whether the front-end answers it, by what was negotiated. */
static bool is_answered(const SsPeer *peer, guint32 request, guint32 flags)
{
    if (request == SS_REQUEST_SHARED_OBJECT_LOOKUP) {
        return true;
    }
    return (flags & SS_HEADER_NEED_REPLY) &&
           (!peer->features_known || (peer->protocol_features & SS_PROTOCOL_REPLY_ACK));
}

/* A request of its own. */
static void asked(SsPeer *peer, const SsPass *pass)
{
    (void)ss_trail_add(&peer->backend, pass);
    if (!is_answered(peer, pass->request, pass->flags)) {
        return;
    }
    SsPeerThread *thread = thread_of(peer, pass->tid);
    if (thread) {
        thread->asked++;
    }
    *wait_place(peer, pass->seq) = (SsPeerWait){ .seq = pass->seq,
                                                 .request = pass->request,
                                                 .tid = pass->tid,
                                                 .has_range = pass->has_range,
                                                 .shm_offset = pass->shm_offset,
                                                 .len = pass->len,
                                                 .begin_ns = pass->ns,
                                                 .begin_seen = true };
}

/* The front-end takes one request after the other: what came before one that is answered, and
 * is not answered itself, never will be. */
static void pass_over(SsModel *model, SsPeer *peer, const SsPeerWait *later, gint64 ns)
{
    for (guint i = 0; i < SS_PEER_WAITS; i++) {
        SsPeerWait *wait = &peer->waits[i];
        if (!wait->seq || wait->seq >= later->seq) {
            continue;
        }
        bool sure = wait->begin_seen && peer->features_known &&
                    !ss_model_lost(model, peer->process, wait->begin_ns, ns);
        if (sure && !peer->missed.count++) {
            peer->missed.first = *wait;
            peer->missed.later_request = later->request;
            peer->missed.later_seq = later->seq;
            peer->missed.ns = ns;
        }
        wait->seq = 0;
    }
}

/* A reply to one of its own: to the oldest of its kind. */
static void got_reply(SsModel *model, SsPeer *peer, guint32 request, gint64 ns)
{
    SsPeerWait *of = NULL;
    for (guint i = 0; i < SS_PEER_WAITS; i++) {
        SsPeerWait *wait = &peer->waits[i];
        if (wait->seq && wait->request == request && (!of || wait->seq < of->seq)) {
            of = wait;
        }
    }
    if (!of) {
        return;
    }
    SsPass *pass = ss_trail_find(&peer->backend, of->seq);
    if (pass) {
        pass->answered_ns = ns;
    }
    pass_over(model, peer, of, ns);
    bool longest = !peer->slow.seq || ns - of->begin_ns > peer->slow_ended_ns - peer->slow.begin_ns;
    if (of->spoke_ns && longest) {
        peer->slow = *of;
        peer->slow_ended_ns = ns;
    }
    of->seq = 0;
}

/* The front-end's requests are answered one after the other. */
static void answered(SsPeer *peer, guint32 request, gint64 ns)
{
    SsPass *pass, *of = NULL;
    for (guint i = 0; (pass = ss_trail_at(&peer->main, i)); i++) {
        if (pass->request == request && ss_pass_open(pass)) {
            of = of ? of : pass;
        }
    }
    if (!of) {
        return;
    }
    of->answered_ns = ns;
    for (guint i = 0; i < SS_PEER_WAITS && !peer->proof.answered_ns; i++) {
        const SsPeerWait *wait = &peer->waits[i];
        if (wait->seq && wait->begin_seen && wait->begin_ns < of->ns) {
            peer->proof = (SsPeerProof){ .sent_ns = of->ns,
                                         .answered_ns = ns,
                                         .frontend_request = request,
                                         .frontend_seq = of->seq,
                                         .backend_request = wait->request,
                                         .backend_seq = wait->seq };
        }
    }
}

static void main_message(SsPeer *peer, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint32 request = u->shmemscope_wire_message.request;
    guint32 flags = u->shmemscope_wire_message.flags;
    bool reply = flags & REPLY;
    if (u->shmemscope_wire_message.sent) {
        if (reply) {
            answered(peer, request, event->ns);
        }
        return;
    }
    if (reply) {
        return;
    }
    SsPeerThread *thread = thread_of(peer, event->tid);
    if (thread) {
        thread->served++;
    }
    if (request == REQUEST_SET_PROTOCOL_FEATURES) {
        peer->features_known = true;
        peer->protocol_features = u->shmemscope_wire_message.value;
    }
    (void)ss_trail_add(&peer->main, &(SsPass){ .seq = u->shmemscope_wire_message.seq,
                                               .request = request,
                                               .flags = flags,
                                               .tid = event->tid,
                                               .ns = event->ns });
}

static void backend_message(SsModel *model, SsPeer *peer, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint32 request = u->shmemscope_wire_message.request;
    guint32 flags = u->shmemscope_wire_message.flags;
    bool reply = flags & REPLY;
    if (u->shmemscope_wire_message.sent && !reply) {
        asked(peer, &(SsPass){ .seq = u->shmemscope_wire_message.seq,
                               .request = request,
                               .flags = flags,
                               .tid = event->tid,
                               .ns = event->ns });
    } else if (!u->shmemscope_wire_message.sent && reply) {
        got_reply(model, peer, request, event->ns);
    }
}

static void message(SsModel *model, SsProcess *process, const SsEvent *event)
{
    guint64 conn = event->u.shmemscope_wire_message.conn;
    SsPeer *peer = find(process, conn);
    if (!peer || event->u.shmemscope_wire_message.ret != 0) {
        return; /* what was not sent is not waited for */
    }
    if (conn == peer->conn) {
        main_message(peer, event);
    } else {
        backend_message(model, peer, event);
    }
}

static void shmem(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsPeer *peer = find(process, u->shmemscope_wire_shmem.conn);
    if (peer && u->shmemscope_wire_shmem.conn == peer->backend_conn) {
        asked(peer, &(SsPass){ .seq = u->shmemscope_wire_shmem.seq,
                               .request = u->shmemscope_wire_shmem.request,
                               .flags = u->shmemscope_wire_shmem.header_flags,
                               .tid = event->tid,
                               .has_range = true,
                               .shmid = u->shmemscope_wire_shmem.shmid,
                               .shm_offset = u->shmemscope_wire_shmem.shm_offset,
                               .len = u->shmemscope_wire_shmem.len,
                               .ns = event->ns });
    }
}

static void file(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsPeer *peer = find(process, u->shmemscope_wire_fd.conn);
    if (!peer || u->shmemscope_wire_fd.conn != peer->backend_conn || !u->shmemscope_wire_fd.sent ||
        u->shmemscope_wire_fd.index) {
        return;
    }
    SsPass *pass = ss_trail_find(&peer->backend, u->shmemscope_wire_fd.seq);
    if (pass) {
        pass->fdev = u->shmemscope_wire_fd.fdev;
        pass->ino = u->shmemscope_wire_fd.ino;
        pass->label = event->label;
    }
}

static void wait_lasts(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint64 seq = u->shmemscope_wire_wait_lasts.seq;
    guint64 waited = MIN(u->shmemscope_wire_wait_lasts.waited, (guint64)(event->ns / SS_NS_PER_MS));
    SsPeer *peer = find(process, u->shmemscope_wire_wait_lasts.conn);
    if (!peer || u->shmemscope_wire_wait_lasts.conn != peer->backend_conn || !seq) {
        return;
    }
    const SsPass *pass = ss_trail_find(&peer->backend, seq);
    if (pass && pass->answered_ns) {
        return; /* told while the reply came */
    }
    SsPeerWait *wait = wait_place(peer, seq);
    if (wait->seq != seq) {
        *wait = (SsPeerWait){ .seq = seq,
                              .request = u->shmemscope_wire_wait_lasts.request,
                              .tid = u->shmemscope_wire_wait_lasts.tid,
                              .begin_ns = event->ns - (gint64)waited * SS_NS_PER_MS };
        process->late_objects++;
    }
    wait->first_spoke_ns = wait->first_spoke_ns ? wait->first_spoke_ns : event->ns;
    wait->spoke_ns = event->ns;
    wait->waited_ms = waited;
    wait->blocked = u->shmemscope_wire_wait_lasts.blocked == 1;
    wait->unread = u->shmemscope_wire_wait_lasts.unread;
    wait->peek_request = u->shmemscope_wire_wait_lasts.peek_request;
    wait->peek_flags = u->shmemscope_wire_wait_lasts.peek_flags;
    wait->peek_size = u->shmemscope_wire_wait_lasts.peek_size;
}

void ss_peer_event(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsPeer *peer;

    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL:
        channel(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL_CLOSED:
        peer = find(process, u->shmemscope_wire_channel_closed.conn);
        if (peer) {
            closed(peer, u->shmemscope_wire_channel_closed.conn, event->ns);
        }
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
        message(model, process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        shmem(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD:
        file(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_WAIT_LASTS:
        wait_lasts(process, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_GAP:
        peer = find(process, u->shmemscope_wire_gap.conn);
        if (peer) {
            peer->blind = true;
            memset(peer->waits, 0, sizeof(peer->waits));
        }
        break;
    default:
        break;
    }
}
