/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What each thread is inside of, memory transactions, and the front-end's own
 * requests with the waits for their replies.
 */
#include <string.h>

#include "analysis/model/parts.h"

void ss_context_push(SsThread *thread, const SsContext *context)
{
    if (thread->n_contexts == SS_MAX_CONTEXTS) {
        /* Only a trace without ends gets this deep: the outermost is the least sure. */
        memmove(thread->contexts, thread->contexts + 1, sizeof(SsContext) * (SS_MAX_CONTEXTS - 1));
        thread->n_contexts--;
    }
    thread->contexts[thread->n_contexts++] = *context;
}

const SsContext *ss_context_pop(SsThread *thread, SsContextKind kind)
{
    for (guint i = thread->n_contexts; i > 0; i--) {
        if (thread->contexts[i - 1].kind == kind) {
            thread->n_contexts = i - 1;
            return &thread->contexts[i - 1];
        }
    }
    return NULL;
}

SsContext *ss_context_find(SsThread *thread, SsContextKind kind)
{
    for (guint i = thread->n_contexts; i > 0; i--) {
        if (thread->contexts[i - 1].kind == kind) {
            return &thread->contexts[i - 1];
        }
    }
    return NULL;
}

/* Fills in which exchange a commit is the consequence of. */
static void find_cause(SsProcess *process, SsThread *thread, SsContext *commit)
{
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    if (dispatch) {
        commit->device = dispatch->device;
        commit->seq = dispatch->seq;
        commit->request = dispatch->request;
    } else if (process->deferred_device) {
        commit->device = process->deferred_device;
        commit->seq = process->deferred_seq;
        commit->request = process->deferred_request;
    }
    const SsExchange *exchange = ss_exchange_find(commit->device, commit->seq);
    commit->deferred = exchange && exchange->replies > 0;
}

static void commit_begun(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    if (event->u.memory_commit_start.depth > 0 || !event->u.memory_commit_start.pending) {
        return; /* no listener runs */
    }
    SsContext commit = { .kind = SS_CONTEXT_COMMIT, .begin_ns = event->ns };
    find_cause(process, thread, &commit);
    SsExchange *exchange = ss_exchange_find(commit.device, commit.seq);
    ss_context_push(thread, &commit);
    if (!commit.device) {
        return;
    }
    ss_device_step(commit.device, SS_STEP_COMMIT_BEGIN, event->ns,
                   &(SsStep){ .seq = commit.seq, .request = commit.request });
    if (exchange && !exchange->reply_tries && !exchange->early_commit_ns &&
        !exchange->dispatched_ns) {
        exchange->early_commit_ns = event->ns;
    }
}

static void commit_ended(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    if (event->u.memory_commit_end.depth > 0) {
        return;
    }
    if (event->u.memory_commit_end.pending) {
        const SsContext *commit = ss_context_pop(thread, SS_CONTEXT_COMMIT);
        if (commit && commit->device) {
            ss_device_step(commit->device, SS_STEP_COMMIT_END, event->ns,
                           &(SsStep){ .seq = commit->seq, .request = commit->request });
        }
        model->counts.commits++;
    }
    process->deferred_device = NULL;
    process->commits_ended++;
    process->last_commit_end_ns = event->ns;
    ss_mapping_commit_ended(model, process, event->ns);
}

void ss_transaction_event(SsModel *model, SsProcess *process, SsThread *thread,
                          const SsEvent *event)
{
    SsDevice *device;

    switch (event->id) {
    case SS_EVENT_MEMORY_COMMIT_START:
        commit_begun(model, process, thread, event);
        break;
    case SS_EVENT_MEMORY_COMMIT_END:
        commit_ended(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_MEM_TABLE:
        device = ss_device_get(process, event->u.vhost_user_mem_table.dev, 0, event->ns);
        if (event->u.vhost_user_mem_table.ret != 0) {
            model->counts.mem_tables_failed++;
            device->counts.mem_tables_failed++;
        }
        break;
    default:
        break;
    }
}

static void count_inside(SsModel *model, const SsWait *wait)
{
    bool commit = false, phase = false;
    for (guint i = 0; i < wait->n_contexts; i++) {
        SsContextKind kind = wait->contexts[i].kind;
        commit |= kind == SS_CONTEXT_COMMIT;
        phase |= kind != SS_CONTEXT_COMMIT && kind != SS_CONTEXT_DISPATCH;
    }
    model->waits_in_commit += commit;
    model->waits_in_phase += phase;
}

/* What was answered of the requests inside of which it waits, and what is waited for while one
 * of them is not. */
static void look_inside(SsWait *wait)
{
    for (guint i = 0; i < wait->n_contexts; i++) {
        SsContext *context = &wait->contexts[i];
        SsExchange *exchange = ss_exchange_find(context->device, context->seq);
        if (exchange && context->kind == SS_CONTEXT_DISPATCH) {
            context->deferred = exchange->replies > 0;
        } else if (exchange && exchange->early_commit_ns && !exchange->reply_tries &&
                   context->kind == SS_CONTEXT_COMMIT) {
            exchange->early_wait_ns = wait->begin_ns;
            exchange->early_wait = wait->device == context->device ? wait->request : 0;
        }
    }
}

static void wait_begin(SsModel *model, SsThread *thread, const SsWait *begun)
{
    SsWait *wait = &thread->wait;
    SsDevice *device = begun->device;
    gint64 ns = begun->begin_ns;
    guint64 seq = begun->seq;
    guint32 request = begun->request;
    *wait = *begun;
    wait->tid = thread->tid;
    if (!wait->told_by_other) {
        wait->n_contexts = thread->n_contexts;
        memcpy(wait->contexts, thread->contexts, sizeof(SsContext) * thread->n_contexts);
    }
    look_inside(wait);
    thread->waiting = true;
    count_inside(model, wait);
    if (wait->begin_seen && ss_windows_wait_begins(wait)) {
        model->windows[ss_window_class(wait)]++;
    } else if (ss_windows_unknown(device)) {
        model->windows_unknown++;
    }
    ss_device_step(device, SS_STEP_WAIT_BEGIN, ns, &(SsStep){ .seq = seq, .request = request });
}

static bool is_wait(const SsThread *thread, const SsDevice *device, guint64 seq)
{
    return thread->waiting && thread->wait.device == device && thread->wait.seq == seq;
}

/* The thread that waits for this exchange; it need not be the one that tells so. NULL when
 * none is known to. */
static SsThread *waiter_of(SsProcess *process, SsThread *teller, const SsDevice *device,
                           guint64 seq)
{
    if (is_wait(teller, device, seq)) {
        return teller;
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (is_wait(value, device, seq)) {
            return value;
        }
    }
    return NULL;
}

/* A channel carries one wait at a time: of those that began unseen, what a state dump put
 * down to the main loop has ended when another begins. */
static void end_assumed(SsProcess *process, const SsDevice *device)
{
    SsThread *thread = ss_thread_main(process);
    if (thread->waiting && thread->wait.told_by_other && thread->wait.device == device) {
        thread->waiting = false;
    }
}

static guint kind_of(guint32 request)
{
    return request < SS_MAX_REQUEST ? request : 0;
}

static void wait_lasts(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_reply_wait_lasts.dev, 0, event->ns);
    guint64 seq = u->vhost_user_reply_wait_lasts.seq;
    guint64 waited =
        MIN(u->vhost_user_reply_wait_lasts.waited, (guint64)(event->ns / SS_NS_PER_MS));
    guint32 request = u->vhost_user_reply_wait_lasts.request;
    SsThread *waiter = waiter_of(process, thread, device, seq);
    if (!waiter && seq && seq == device->read_seq) {
        return; /* told by a state dump while the reply came */
    }
    if (!waiter) {
        /* Who waits speaks up itself only when the event was on as the wait began. A state
         * dump tells of other waits, from a thread of the tracer: whoever it is that waits
         * there, the main loop stands, for it needs the lock that is held meanwhile. */
        bool dumped =
            thread->tid != process->pid && thread->n_contexts == 0 && !ss_process_looked(process);
        waiter = dumped ? ss_thread_main(process) : thread;
        if (waiter->waiting && waiter->wait.begin_seen) {
            waiter = thread; /* it waits for something else */
        }
        wait_begin(model, waiter,
                   &(SsWait){ .device = device,
                              .seq = seq,
                              .request = request,
                              .begin_ns = event->ns - (gint64)waited * SS_NS_PER_MS,
                              .told_by_other = waiter != thread });
        process->late_objects++;
    }
    SsWait *wait = &waiter->wait;
    if (!wait->first_spoke_ns) {
        wait->first_spoke_ns = event->ns;
        model->waits[kind_of(request)].spoke++;
        device->waits[kind_of(request)].spoke++;
    }
    wait->spoke_ns = event->ns;
    wait->waited_ms = waited;
    wait->unread = u->vhost_user_reply_wait_lasts.unread;
    wait->peek_request = u->vhost_user_reply_wait_lasts.peek_request;
    wait->peek_flags = u->vhost_user_reply_wait_lasts.peek_flags;
    wait->peek_size = u->vhost_user_reply_wait_lasts.peek_size;
    if (!wait->peek_ns && device->features_known && wait->unread &&
        ss_backend_request_answered(device, wait->peek_request, wait->peek_flags)) {
        wait->peek_ns = event->ns;
    }
    ss_device_step(device, SS_STEP_WAIT_LASTS, event->ns,
                   &(SsStep){ .seq = seq,
                              .request = request,
                              .a = waited,
                              .b = wait->unread ? wait->peek_request : 0 });
}

static SsTrail *sent_by(SsDevice *device)
{
    if (!device->sent) {
        device->sent = g_new0(SsTrail, 1);
    }
    return device->sent;
}

/* Of a request that was lost the reply tells at least how soon it was answered. */
static void take_answer(SsDevice *device, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsTrail *sent = sent_by(device);
    SsPass *pass = ss_trail_find(sent, u->vhost_user_reply_read.seq);
    if (pass && pass->request == u->vhost_user_reply_read.request) {
        pass->answered_ns = event->ns;
    } else if (u->vhost_user_reply_read.seq > sent->last_seq && !u->vhost_user_reply_read.ret) {
        (void)ss_trail_add(sent, &(SsPass){ .seq = u->vhost_user_reply_read.seq,
                                            .request = u->vhost_user_reply_read.request,
                                            .answered_ns = event->ns });
    }
}

static void wait_ended(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_reply_read.dev, 0, event->ns);
    guint32 request = u->vhost_user_reply_read.request;
    ss_device_step(device, SS_STEP_WAIT_END, event->ns,
                   &(SsStep){ .seq = u->vhost_user_reply_read.seq,
                              .request = request,
                              .ret = u->vhost_user_reply_read.ret });
    SsThread *waiter = waiter_of(process, thread, device, u->vhost_user_reply_read.seq);
    take_answer(device, event);
    device->read_seq = u->vhost_user_reply_read.seq;
    thread->waiting = false; /* whatever it waited for, it reads now */
    if (!waiter) {
        return;
    }
    waiter->waiting = false;
    SsWait *wait = &waiter->wait;
    wait->end_ns = event->ns;
    wait->ret = u->vhost_user_reply_read.ret;
    wait->unread_at_end = u->vhost_user_reply_read.unread;
    ss_span_add(&model->waits[kind_of(request)].span, wait->end_ns - wait->begin_ns);
    ss_span_add(&device->waits[kind_of(request)].span, wait->end_ns - wait->begin_ns);
    ss_windows_wait_ends(model, wait);
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_WAIT_ENDED,
                                      .ns = event->ns,
                                      .since_ns = wait->begin_ns,
                                      .process = process,
                                      .device = device,
                                      .thread = thread,
                                      .wait = wait });
}

/* Whether QEMU waits for the reply to what it has sent: vhost-user's "Communication". A
 * SET_LOG_BASE without the flag may have one, too, and is told by its end only. */
bool ss_request_answered(guint32 request, guint32 flags)
{
    static const guint8 replied[] = {
        1 /* GET_FEATURES */,        11 /* GET_VRING_BASE */,    15 /* GET_PROTOCOL_FEATURES */,
        17 /* GET_QUEUE_NUM */,      24 /* GET_CONFIG */,        26 /* CREATE_CRYPTO_SESSION */,
        28 /* POSTCOPY_ADVISE */,    31 /* GET_INFLIGHT_FD */,   36 /* GET_MAX_MEM_SLOTS */,
        40 /* GET_STATUS */,         41 /* GET_SHARED_OBJECT */, 42 /* SET_DEVICE_STATE_FD */,
        43 /* CHECK_DEVICE_STATE */, 44 /* GET_SHMEM_CONFIG */,
    };
    if (flags & SS_HEADER_NEED_REPLY) {
        return true;
    }
    for (guint i = 0; i < G_N_ELEMENTS(replied); i++) {
        if (request == replied[i]) {
            return true;
        }
    }
    return false;
}

#define REQUEST_SET_MEM_TABLE 5
#define REQUEST_ADD_MEM_REG 37
#define REQUEST_REM_MEM_REG 38

static void frontend_requested(SsModel *model, SsProcess *process, SsThread *thread,
                               const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint32 request = u->vhost_user_request.request;
    SsDevice *device = ss_device_get(process, u->vhost_user_request.dev, 0, event->ns);
    ss_device_step(device, SS_STEP_FRONTEND_REQUEST, event->ns,
                   &(SsStep){ .seq = u->vhost_user_request.seq,
                              .request = request,
                              .ret = u->vhost_user_request.ret });
    if (u->vhost_user_request.ret != 0) {
        return;
    }
    (void)ss_trail_add(sent_by(device), &(SsPass){ .seq = u->vhost_user_request.seq,
                                                   .request = request,
                                                   .flags = u->vhost_user_request.flags,
                                                   .tid = thread->tid,
                                                   .ns = event->ns });
    if (request == REQUEST_SET_MEM_TABLE || request == REQUEST_ADD_MEM_REG ||
        request == REQUEST_REM_MEM_REG) {
        model->counts.mem_tables++;
        device->counts.mem_tables++;
    }
    if (ss_request_answered(request, u->vhost_user_request.flags)) {
        end_assumed(process, device);
        wait_begin(model, thread,
                   &(SsWait){ .device = device,
                              .seq = u->vhost_user_request.seq,
                              .request = request,
                              .begin_ns = event->ns,
                              .begin_seen = true,
                              .unread_before = u->vhost_user_request.unread });
    }
}

void ss_wait_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device;

    switch (event->id) {
    case SS_EVENT_VHOST_USER_REQUEST:
        frontend_requested(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_REPLY_WAIT:
        device = ss_device_get(process, u->vhost_user_reply_wait.dev, 0, event->ns);
        if (is_wait(thread, device, u->vhost_user_reply_wait.seq)) {
            break; /* its request implied it */
        }
        end_assumed(process, device);
        wait_begin(model, thread,
                   &(SsWait){ .device = device,
                              .seq = u->vhost_user_reply_wait.seq,
                              .request = u->vhost_user_reply_wait.request,
                              .begin_ns = event->ns,
                              .begin_seen = true });
        break;
    case SS_EVENT_VHOST_USER_REPLY_WAIT_LASTS:
        wait_lasts(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_REPLY_READ:
        wait_ended(model, process, thread, event);
        break;
    default:
        break;
    }
}
