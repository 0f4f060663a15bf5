/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/graph.h"

#include "analysis/model/parts.h"

/* Between a wait's begin and a sign of life of the thread that would have to read. */
#define ALIVE_NS (100 * SS_NS_PER_MS)
/* Any cycle here has two to four edges. */
#define MAX_CYCLE 16

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
    if (reader != waiter && reader->last_ns <= wait->begin_ns + ALIVE_NS) {
        /* The front-end waits with the lock held that every dispatch needs. */
        add(edges, &(SsEdge){ .kind = SS_EDGE_LOCK,
                              .from = reader,
                              .to = waiter,
                              .thread = waiter,
                              .device = device,
                              .wait = wait });
    }
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
    return edges;
}

static bool seen(const GArray *path, gconstpointer node)
{
    for (guint i = 0; i < path->len; i++) {
        if (g_array_index(path, SsEdge, i).from == node) {
            return true;
        }
    }
    return false;
}

/* Depth first from the end of `path` back to where it begins. */
static bool close_cycle(const GArray *edges, GArray *path)
{
    const SsEdge last = g_array_index(path, SsEdge, path->len - 1);
    if (last.to == g_array_index(path, SsEdge, 0).from) {
        return true;
    }
    if (path->len >= MAX_CYCLE) {
        return false;
    }
    for (guint i = 0; i < edges->len; i++) {
        const SsEdge *edge = &g_array_index(edges, SsEdge, i);
        if (edge->from == last.to && !seen(path, edge->from)) {
            g_array_append_val(path, *edge);
            if (close_cycle(edges, path)) {
                return true;
            }
            g_array_set_size(path, path->len - 1);
        }
    }
    return false;
}

GArray *ss_wait_graph_cycle(const GArray *edges, const SsWait *wait)
{
    g_autoptr(GArray) path = g_array_new(FALSE, FALSE, sizeof(SsEdge));
    for (guint i = 0; i < edges->len; i++) {
        const SsEdge *edge = &g_array_index(edges, SsEdge, i);
        if (edge->kind == SS_EDGE_MAIN_REPLY && edge->wait == wait) {
            g_array_append_val(path, *edge);
            return close_cycle(edges, path) ? g_steal_pointer(&path) : NULL;
        }
    }
    return NULL;
}
