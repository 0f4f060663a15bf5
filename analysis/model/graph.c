/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/graph.h"

#include "analysis/model/parts.h"

/* Between a wait's begin and a sign of life of the thread that would have to read. */
#define ALIVE_NS (100 * SS_NS_PER_MS)
/* So long a request lies unread that a main loop which goes on would have read it. */
#define UNREAD_NS (SS_NS_PER_S / 2)
/* A trace that tells of more waits at a time is none of a QEMU. */
#define MAX_JOINED 256

/* The thread that reads the back-end channel: the one that did so last, or the main loop. */
static SsThread *reader_of(const SsDevice *device)
{
    SsProcess *process = device->process;
    gint32 tid = process->pid;
    for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
        if (device->exchanges[i].seq == device->last_seq && device->last_seq) {
            tid = device->exchanges[i].tid;
        }
    }
    return g_hash_table_lookup(process->threads, GINT_TO_POINTER(tid));
}

static void add(GArray *edges, const SsEdge *edge)
{
    g_array_append_val(edges, *edge);
}

SsPeer *ss_device_peer(const SsModel *model, const SsDevice *device)
{
    SsPeer *peer = device->peer;
    bool lost = peer && ss_model_lost(model, peer->process, peer->birth_ns,
                                      MAX(peer->birth_ns, peer->process->last_ns));
    return peer && !peer->blind && !peer->closed_ns && !lost ? peer : NULL;
}

/* What the back-end itself says of the request that QEMU waits for. */
typedef struct Account {
    SsPeer *peer;     /* NULL: nothing that decides */
    SsThread *server; /* who has to answer; NULL: it was answered, only the reply is not read */
    const SsPass *taken;
} Account;

/* One of its own requests lies unread in QEMU, and it does not tell of one. */
static bool untold(const SsPeer *peer, const SsWait *wait)
{
    bool told = !wait->unread || !wait->peek_request ||
                !ss_backend_request_answered(wait->device, wait->peek_request, wait->peek_flags);
    for (guint i = 0; i < SS_PEER_WAITS; i++) {
        told |= peer->waits[i].seq && peer->waits[i].request == wait->peek_request;
    }
    return !told;
}

/* The thread of a back-end that was looked at that waits for the front-end itself, and would have
 * to answer; first of all on this device's own channel. NULL when somebody else may answer. */
static SsThread *looked_server(const SsPeer *peer)
{
    const GPtrArray *peers = peer->process->peers;
    if (peer->answers < SS_ANSWERS_DOUBTFUL) {
        return NULL;
    }
    for (guint i = 0; i <= peers->len; i++) {
        const SsPeer *other = i ? g_ptr_array_index(peers, i - 1) : peer;
        const SsPeerWait *own = ss_peer_wait(other);
        if (own && other->looked && other->device &&
            other->device->process == peer->device->process) {
            return g_hash_table_lookup(peer->process->threads, GINT_TO_POINTER(own->tid));
        }
    }
    return NULL;
}

static Account account_of(const SsModel *model, const SsWait *wait)
{
    SsPeer *peer = ss_device_peer(model, wait->device);
    if (peer && peer->looked) {
        return peer->answers == SS_ANSWERS_UNSEEN
                   ? (Account){ 0 }
                   : (Account){ .peer = peer, .server = looked_server(peer) };
    }
    if (!peer || untold(peer, wait)) {
        return (Account){ 0 };
    }
    const SsPass *taken = ss_trail_find(&peer->main, wait->seq);
    if (taken && taken->request != wait->request) {
        return (Account){ 0 };
    }
    if (taken && taken->answered_ns) {
        return (Account){ .peer = peer, .taken = taken };
    }
    if (!taken && peer->main.last_seq >= wait->seq) {
        return (Account){ 0 }; /* it was received unseen */
    }
    gint32 tid = taken ? taken->tid : ss_peer_server(peer);
    SsThread *server = g_hash_table_lookup(peer->process->threads, GINT_TO_POINTER(tid));
    return server ? (Account){ .peer = peer, .server = server, .taken = taken } : (Account){ 0 };
}

/* QEMU's thread that waits for the device's back-end; NULL: none does. */
static SsThread *waiter_for(const SsDevice *device)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, device->process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsThread *thread = value;
        if (thread->waiting && thread->wait.device == device) {
            return thread;
        }
    }
    return NULL;
}

/* The same where both were looked at. What lies unread is seen; what was read and not answered is
 * not, but a reply that a thread waits for comes of one. */
static bool looked_owed_by(SsDevice *device, SsEdge *edge)
{
    SsThread *waiter = waiter_for(device);
    SsThread *main = ss_thread_main(device->process);
    edge->kind = device->inbox.bytes ? SS_EDGE_UNREAD : SS_EDGE_UNANSWERED;
    edge->wait = waiter ? &waiter->wait : NULL;
    edge->thread = main->waiting || main->seen == SS_SEEN_LOCKED || !waiter ? main : waiter;
    return device->inbox.known && !device->served &&
           (edge->thread->waiting || edge->thread->seen == SS_SEEN_LOCKED);
}

/* Fills in which thread of QEMU has to read, or to answer, what the back-end waits for; false
 * when none is known to. */
static bool owed_by(SsDevice *device, const SsPeerWait *own, SsEdge *edge)
{
    if (own->looked) {
        return looked_owed_by(device, edge);
    }
    SsThread *waiter = waiter_for(device);
    const SsExchange *exchange = ss_exchange_find(device, own->seq);
    if (exchange) {
        edge->kind = SS_EDGE_UNANSWERED;
        edge->exchange = exchange;
        edge->thread =
            g_hash_table_lookup(device->process->threads, GINT_TO_POINTER(exchange->tid));
        return exchange->request_ns && !exchange->reply_tries && !exchange->dispatched_ns &&
               edge->thread;
    }
    /* What was read before the recording began is not known to have been. */
    bool looked = waiter && waiter->wait.spoke_ns >= own->begin_ns;
    bool there = looked ? waiter->wait.unread > 0 : device->last_seq > 0;
    SsThread *reader = reader_of(device);
    edge->kind = SS_EDGE_UNREAD;
    edge->wait = waiter ? &waiter->wait : NULL;
    edge->thread = reader ? reader : waiter;
    return own->seq > device->last_seq && there && edge->thread;
}

/* What the back-ends wait for that were traced themselves. */
static void add_own(GArray *edges, const SsModel *model, SsProcess *process)
{
    for (guint d = 0; d < process->devices->len; d++) {
        SsDevice *device = g_ptr_array_index(process->devices, d);
        SsPeer *peer = ss_device_peer(model, device);
        for (guint i = 0; peer && i < SS_PEER_WAITS; i++) {
            const SsPeerWait *own = &peer->waits[i];
            SsEdge edge = { .device = device, .peer = peer, .own = own };
            edge.from = g_hash_table_lookup(peer->process->threads, GINT_TO_POINTER(own->tid));
            if (own->seq && edge.from && owed_by(device, own, &edge)) {
                edge.to = edge.thread;
                add(edges, &edge);
            }
        }
    }
}

static void add_unread(GArray *edges, const SsWait *wait, SsThread *waiter)
{
    SsDevice *device = wait->device;
    if (!wait->unread || !wait->peek_request ||
        !ss_backend_request_answered(device, wait->peek_request, wait->peek_flags)) {
        return;
    }
    SsThread *reader = reader_of(device);
    if (!reader) {
        reader = waiter; /* the main loop told nothing yet: it stands before its first event */
    }
    add(edges, &(SsEdge){ .kind = SS_EDGE_UNREAD,
                          .from = device,
                          .to = reader,
                          .thread = reader,
                          .device = device,
                          .wait = wait });
}

static void add_unanswered(GArray *edges, SsThread *thread)
{
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    if (!dispatch) {
        return;
    }
    const SsExchange *exchange = ss_exchange_find(dispatch->device, dispatch->seq);
    if (exchange && exchange->request_ns && !exchange->reply_tries && !exchange->dispatched_ns &&
        ss_backend_request_answered(dispatch->device, exchange->request, exchange->flags)) {
        add(edges, &(SsEdge){ .kind = SS_EDGE_UNANSWERED,
                              .from = dispatch->device,
                              .to = thread,
                              .thread = thread,
                              .device = dispatch->device,
                              .exchange = exchange });
    }
}

static bool is_locked(const SsThread *thread, const SsWait *held)
{
    return ss_process_looked(thread->process) ? thread->seen == SS_SEEN_LOCKED
                                              : thread->last_ns <= held->begin_ns + ALIVE_NS;
}

/* The front-end waits with the lock held that every dispatch needs: a thread that has to read or
 * to answer something, and tells nothing since, stands before it. */
static void add_locks(GArray *edges)
{
    guint known = MIN(edges->len, MAX_JOINED);
    for (guint i = 0; i < known; i++) {
        const SsEdge owed = g_array_index(edges, SsEdge, i);
        bool owes = owed.kind == SS_EDGE_UNREAD || owed.kind == SS_EDGE_UNANSWERED;
        for (guint j = 0; owes && !owed.thread->waiting && j < known; j++) {
            const SsEdge held = g_array_index(edges, SsEdge, j);
            if (held.kind == SS_EDGE_MAIN_REPLY && held.thread != owed.thread &&
                is_locked(owed.thread, held.wait)) {
                add(edges, &(SsEdge){ .kind = SS_EDGE_LOCK,
                                      .from = owed.thread,
                                      .to = held.thread,
                                      .thread = held.thread,
                                      .device = held.device,
                                      .wait = held.wait });
            }
        }
    }
}

/* A back-end that does not answer on one device's channel may be the process that waits for
 * another's. */
static void add_same(GArray *edges)
{
    guint known = MIN(edges->len, MAX_JOINED);
    for (guint i = 0; i < known; i++) {
        const SsEdge waited = g_array_index(edges, SsEdge, i);
        for (guint j = 0; waited.kind == SS_EDGE_MAIN_REPLY && !waited.peer && j < known; j++) {
            const SsEdge owed = g_array_index(edges, SsEdge, j);
            if (owed.kind == SS_EDGE_UNANSWERED && owed.device != waited.device) {
                add(edges, &(SsEdge){ .kind = SS_EDGE_SAME,
                                      .from = waited.device,
                                      .to = owed.device,
                                      .thread = owed.thread,
                                      .device = owed.device,
                                      .wait = waited.wait });
            }
        }
    }
}

static void add_wait(GArray *edges, const SsModel *model, SsThread *thread)
{
    const SsWait *wait = &thread->wait;
    Account account = account_of(model, wait);
    add(edges, &(SsEdge){ .kind = SS_EDGE_MAIN_REPLY,
                          .from = thread,
                          .to = account.server ? (gconstpointer)account.server : wait->device,
                          .thread = thread,
                          .device = wait->device,
                          .wait = wait,
                          .peer = account.peer,
                          .taken = account.taken });
    if (!account.peer) {
        add_unread(edges, wait, thread);
    }
}

GArray *ss_wait_graph(const SsModel *model, SsProcess *process)
{
    GArray *edges = g_array_new(FALSE, FALSE, sizeof(SsEdge));
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsThread *thread = value;
        add_unanswered(edges, thread);
        if (thread->waiting) {
            add_wait(edges, model, thread);
        }
    }
    add_own(edges, model, process);
    add_locks(edges);
    add_same(edges);
    return edges;
}

/* The shortest way from the end of the edge at `first` back to where it begins, breadth first:
 * `came[i]` is the edge by which edge i was reached. */
static GArray *close_cycle(const GArray *edges, guint first, bool assume)
{
    const SsEdge *begin = &g_array_index(edges, SsEdge, first);
    g_autofree guint *came = g_new0(guint, edges->len);
    g_autoptr(GArray) queue = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GHashTable) reached = g_hash_table_new(g_direct_hash, g_direct_equal);
    g_array_append_val(queue, first);
    for (guint at = 0; at < queue->len; at++) {
        guint last = g_array_index(queue, guint, at);
        gconstpointer node = g_array_index(edges, SsEdge, last).to;
        if (node == begin->from) {
            GArray *cycle = g_array_new(FALSE, FALSE, sizeof(SsEdge));
            for (guint i = last;; i = came[i]) {
                g_array_prepend_val(cycle, g_array_index(edges, SsEdge, i));
                if (i == first) {
                    return cycle;
                }
            }
        }
        if (!g_hash_table_add(reached, (gpointer)node)) {
            continue;
        }
        for (guint i = 0; i < edges->len; i++) {
            const SsEdge *edge = &g_array_index(edges, SsEdge, i);
            if (edge->from == node && (assume || edge->kind != SS_EDGE_SAME)) {
                came[i] = last;
                g_array_append_val(queue, i);
            }
        }
    }
    return NULL;
}

GArray *ss_wait_graph_cycle(const GArray *edges, const SsWait *wait)
{
    for (guint i = 0; i < edges->len; i++) {
        const SsEdge *edge = &g_array_index(edges, SsEdge, i);
        if (edge->kind == SS_EDGE_MAIN_REPLY && edge->wait == wait) {
            GArray *cycle = close_cycle(edges, i, false);
            return cycle ? cycle : close_cycle(edges, i, true);
        }
    }
    return NULL;
}

/* The back-end's thread has the request before it when it waits: it was received, or something
 * lies unread in the main channel. What does is seen of the first message only. */
static bool has_it(const SsEdge *asked, const GArray *cycle)
{
    if (!asked->taken && !ss_peer_well_known(asked->device->peer)) {
        return false;
    }
    for (guint i = 0; i < cycle->len && !asked->taken; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        if (edge->own && edge->peer == asked->peer && !edge->own->unread) {
            return false;
        }
    }
    return true;
}

/* Whether it is the back-end's thread in the cycle that would have to answer, and nobody else. */
static bool decides(const SsEdge *asked, const GArray *cycle)
{
    return asked->peer->looked ? asked->peer->answers == SS_ANSWERS_NOBODY : has_it(asked, cycle);
}

bool ss_wait_graph_proven(const GArray *cycle)
{
    gint64 begin_ns = 0, spoke_ns = G_MAXINT64, least_ns = 0;
    for (guint i = 0; i < cycle->len; i++) {
        const SsEdge *edge = &g_array_index(cycle, SsEdge, i);
        const SsPeerWait *own = edge->own;
        switch (edge->kind) {
        case SS_EDGE_MAIN_REPLY:
            if (!edge->peer || !decides(edge, cycle)) {
                return false;
            }
            begin_ns = MAX(begin_ns, edge->wait->begin_ns);
            spoke_ns = MIN(spoke_ns, edge->wait->spoke_ns);
            break;
        case SS_EDGE_UNREAD:
        case SS_EDGE_UNANSWERED:
            if (!own || !own->blocked) {
                return false;
            }
            begin_ns = MAX(begin_ns, own->begin_ns);
            spoke_ns = MIN(spoke_ns, own->spoke_ns);
            break;
        case SS_EDGE_LOCK:
            /* QEMU holds it as long as it waits, and so long nothing was read. */
            least_ns = UNREAD_NS;
            break;
        case SS_EDGE_SAME:
            return false;
        }
    }
    return spoke_ns - begin_ns >= least_ns; /* all of them at one time */
}
