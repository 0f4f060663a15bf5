/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The depth of memory transactions: a commit that had no begin, and a dispatch that leaves
 * open what it began. QEMU has one depth for the process, changed under its lock.
 */
#include "analysis/model/parts.h"

static void tell_left(SsModel *model, SsProcess *process, gint64 ns)
{
    SsTransactions *transactions = &process->transactions;
    if (transactions->left_device) {
        ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_LEFT_OPEN,
                                          .ns = ns,
                                          .since_ns = transactions->left_since_ns,
                                          .process = process,
                                          .device = transactions->left_device });
        transactions->left_device = NULL;
    }
}

static gint64 begin_of(SsThread *thread, gint64 ns)
{
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    return dispatch ? dispatch->begin_ns : ns;
}

static void unbegun(SsModel *model, SsProcess *process, SsThread *thread, gint64 since_ns,
                    gint64 ns, bool fatal)
{
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    SsExchange *exchange = dispatch ? ss_exchange_find(dispatch->device, dispatch->seq) : NULL;
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_UNBEGUN,
                                      .ns = ns,
                                      .since_ns = since_ns,
                                      .process = process,
                                      .thread = thread,
                                      .device = dispatch ? dispatch->device : NULL,
                                      .exchange = exchange,
                                      .fatal = fatal });
}

static void committed(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    SsTransactions *transactions = &process->transactions;
    if (event->u.memory_commit_start.depth == SS_DEPTH_UNBEGUN) {
        unbegun(model, process, thread, begin_of(thread, event->ns), event->ns, true);
        return;
    }
    if (event->u.memory_commit_start.depth > 0 || !event->u.memory_commit_start.pending) {
        return; /* QEMU does not tell each of these */
    }
    if (transactions->begin_seen && !transactions->begun) {
        /* Its begin would have come after the last commit. */
        gint64 since_ns = MIN(transactions->commit_ns, begin_of(thread, event->ns));
        unbegun(model, process, thread, since_ns, event->ns, false);
    }
    transactions->begun = false;
    transactions->commit_ns = event->ns;
    if (transactions->left_device) {
        transactions->left_ended_ns = event->ns;
        tell_left(model, process, event->ns);
        transactions->left_ended_ns = 0;
    }
    transactions->depth = 0;
    transactions->depth_known = true;
}

static void dispatched(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsTransactions *transactions = &process->transactions;
    guint32 depth = u->vhost_user_backend_dispatched.depth;
    guint64 seq = u->vhost_user_backend_dispatched.seq;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_dispatched.dev, 0, event->ns);
    const SsExchange *exchange = ss_exchange_find(device, seq);
    if (depth > transactions->depth && !transactions->left_device) {
        transactions->left_device = device;
        transactions->left_seq = seq;
        transactions->left_request = u->vhost_user_backend_dispatched.request;
        transactions->left_depth = depth;
        transactions->left_since_ns = exchange ? exchange->read_ns : event->ns;
        transactions->left_ns = event->ns;
        transactions->left_before = !transactions->depth_known;
    }
    transactions->depth = depth;
    transactions->depth_known = true;
}

void ss_depth_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_MEMORY_TRANSACTION_BEGIN:
        if (!process->transactions.begin_seen) {
            process->transactions.commit_ns = event->ns;
        }
        process->transactions.begin_seen = true;
        process->transactions.begun = true;
        break;
    case SS_EVENT_MEMORY_COMMIT_START:
        committed(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_DISPATCHED:
        dispatched(process, event);
        break;
    default:
        break;
    }
}

void ss_depth_finish(SsModel *model, SsProcess *process, gint64 ns)
{
    tell_left(model, process, ns);
}
