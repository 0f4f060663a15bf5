/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/graph.h"

#include "analysis/model/parts.h"

/* Between a wait's begin and a sign of life of the thread that would have to read. */
#define ALIVE_NS (100 * SS_NS_PER_MS)
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
                owed.thread->last_ns <= held.wait->begin_ns + ALIVE_NS) {
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
        for (guint j = 0; waited.kind == SS_EDGE_MAIN_REPLY && j < known; j++) {
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

GArray *ss_wait_graph(SsProcess *process)
{
    GArray *edges = g_array_new(FALSE, FALSE, sizeof(SsEdge));
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsThread *thread = value;
        add_unanswered(edges, thread);
        if (thread->waiting) {
            const SsWait *wait = &thread->wait;
            add(edges, &(SsEdge){ .kind = SS_EDGE_MAIN_REPLY,
                                  .from = thread,
                                  .to = wait->device,
                                  .thread = thread,
                                  .device = wait->device,
                                  .wait = wait });
            add_unread(edges, wait, thread);
        }
    }
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
