/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests of the back-end: read, refused, answered, done.
 */
#include "analysis/model/parts.h"
#include "analysis/model/text.h"

#define MESSAGE_HEADER_BYTES 12
#define SHMEM_MESSAGE_BYTES (MESSAGE_HEADER_BYTES + 40)

SsExchange *ss_exchange_find(SsDevice *device, guint64 seq)
{
    if (!device || !seq) {
        return NULL;
    }
    for (guint i = 1; i <= SS_RECENT_EXCHANGES; i++) {
        guint at = (device->next_exchange + SS_RECENT_EXCHANGES - i) % SS_RECENT_EXCHANGES;
        if (device->exchanges[at].seq == seq) {
            return &device->exchanges[at];
        }
    }
    return NULL;
}

static void settle(SsModel *model, SsDevice *device, SsExchange *exchange, gint64 ns)
{
    if (exchange->settled || !exchange->seq || !exchange->request_ns) {
        return;
    }
    exchange->settled = true;
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_SETTLED,
                                      .ns = ns,
                                      .since_ns = exchange->read_ns,
                                      .process = device->process,
                                      .device = device,
                                      .exchange = exchange });
}

void ss_exchange_settle(SsModel *model, SsDevice *device, gint64 before_ns, gint64 ns)
{
    for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
        /* Oldest first, so that findings come in the order of time. */
        SsExchange *exchange =
            &device->exchanges[(device->next_exchange + i) % SS_RECENT_EXCHANGES];
        if (exchange->dispatched_ns && exchange->dispatched_ns <= before_ns) {
            settle(model, device, exchange, ns);
        }
    }
}

void ss_exchange_restart(SsModel *model, SsDevice *device, gint64 ns)
{
    for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
        SsExchange *older = &device->exchanges[(device->next_exchange + i) % SS_RECENT_EXCHANGES];
        settle(model, device, older, ns);
        older->seq = 0;
    }
}

/* The next message is read only when the one before is done. */
static SsExchange *begin(SsModel *model, SsDevice *device, guint64 seq, const SsEvent *event)
{
    for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
        SsExchange *older = &device->exchanges[(device->next_exchange + i) % SS_RECENT_EXCHANGES];
        settle(model, device, older, event->ns);
        if (seq <= older->seq) {
            older->seq = 0; /* a new channel counts from 1 again */
        }
    }
    SsExchange *exchange = &device->exchanges[device->next_exchange];
    device->next_exchange = (device->next_exchange + 1) % SS_RECENT_EXCHANGES;
    *exchange = (SsExchange){ .seq = seq, .read_ns = event->ns, .tid = event->tid };
    device->last_seq = seq;
    return exchange;
}

/* A message of the back-end is in hand, or its read has begun. */
static SsExchange *enter_dispatch(SsModel *model, SsThread *thread, SsDevice *device, guint64 seq,
                                  const SsEvent *event)
{
    if (!device->last_seq && seq > 1) {
        device->late = true;
        device->process->late_objects++;
    }
    SsExchange *exchange = begin(model, device, seq, event);
    /* The loop that reads messages is entered from nowhere else: a dispatch or commit
     * that seems to be open ended unseen. */
    (void)ss_context_pop(thread, SS_CONTEXT_DISPATCH);
    (void)ss_context_pop(thread, SS_CONTEXT_COMMIT);
    ss_context_push(thread, &(SsContext){ .kind = SS_CONTEXT_DISPATCH,
                                          .device = device,
                                          .seq = seq,
                                          .begin_ns = event->ns });
    return exchange;
}

static void read_begun(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    SsDevice *device = ss_device_get(process, event->u.vhost_user_backend_read.dev, 0, event->ns);
    (void)enter_dispatch(model, thread, device, event->u.vhost_user_backend_read.seq, event);
    thread->reading = device;
    thread->reading_ns = event->ns;
    thread->reading_told_ns = 0;
}

/* Told of one thread by another: the one that reads is the main loop. */
static void read_lasts(SsProcess *process, const SsEvent *event)
{
    guint64 seq = event->u.vhost_user_backend_read_lasts.seq;
    gint64 waited = (gint64)MIN(event->u.vhost_user_backend_read_lasts.waited,
                                (guint64)(event->ns / SS_NS_PER_MS));
    SsDevice *device =
        ss_device_get(process, event->u.vhost_user_backend_read_lasts.dev, 0, event->ns);
    SsThread *reader = ss_thread_main(process);
    const SsExchange *exchange = ss_exchange_find(device, seq);
    if (seq < device->last_seq || (exchange && exchange->request_ns)) {
        return; /* told while the message came */
    }
    if (reader->reading == device) {
        reader->reading_told_ns = event->ns;
        return;
    }
    reader->reading = device;
    reader->reading_told_ns = event->ns;
    reader->reading_ns = event->ns - waited * SS_NS_PER_MS;
}

static void read_ended(SsModel *model, SsThread *thread, gint64 ns)
{
    if (!thread->reading) {
        return;
    }
    ss_span_add(&model->reads, ns - thread->reading_ns);
    SsDevice *device = thread->reading;
    thread->reading = NULL;
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_READ_ENDED,
                                      .ns = ns,
                                      .since_ns = thread->reading_ns,
                                      .process = device->process,
                                      .device = device,
                                      .thread = thread });
}

/* What a back-end that is traced too tells of the same. */
static void note(SsDevice *device, const SsExchange *exchange)
{
    if (!device->asked) {
        device->asked = g_new0(SsTrail, 1);
    }
    (void)ss_trail_add(device->asked, &(SsPass){ .seq = exchange->seq,
                                                 .request = exchange->request,
                                                 .flags = exchange->flags,
                                                 .tid = exchange->tid,
                                                 .has_range = exchange->has_range,
                                                 .shmid = exchange->shmid,
                                                 .shm_offset = exchange->shm_offset,
                                                 .len = exchange->len,
                                                 .ns = exchange->request_ns });
}

static void count_request(SsCounts *counts, guint32 request)
{
    counts->requests++;
    counts->maps += request == SS_REQUEST_SHMEM_MAP;
    counts->unmaps += request == SS_REQUEST_SHMEM_UNMAP;
}

static SsExchange *request_read(SsModel *model, SsThread *thread, SsDevice *device, guint64 seq,
                                guint32 request, guint32 flags, const SsEvent *event)
{
    SsExchange *exchange = ss_exchange_find(device, seq);
    const SsContext *inside = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    bool begun = inside && inside->device == device && inside->seq == seq;
    if (!exchange || exchange->request_ns || !begun) {
        exchange = enter_dispatch(model, thread, device, seq, event);
    }
    read_ended(model, thread, event->ns);
    exchange->request = request;
    exchange->flags = flags;
    exchange->request_ns = event->ns;
    exchange->tid = event->tid;
    count_request(&model->counts, request);
    count_request(&device->counts, request);
    ss_context_find(thread, SS_CONTEXT_DISPATCH)->request = request;
    return exchange;
}

static void requested(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint32 request = u->vhost_user_backend_request.request;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_request.dev,
                                     u->vhost_user_backend_request.vdev, event->ns);
    const SsExchange *exchange =
        request_read(model, thread, device, u->vhost_user_backend_request.seq, request,
                     u->vhost_user_backend_request.flags, event);
    ss_device_step(device, SS_STEP_REQUEST, event->ns,
                   &(SsStep){ .request = request, .seq = exchange->seq });
    note(device, exchange);
    ss_windows_request(device, exchange, MESSAGE_HEADER_BYTES + u->vhost_user_backend_request.size);
}

static void shmem_requested(SsModel *model, SsProcess *process, SsThread *thread,
                            const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_shmem.dev, 0, event->ns);
    SsStep step = { .request = u->vhost_user_backend_shmem.request,
                    .seq = u->vhost_user_backend_shmem.seq,
                    .a = u->vhost_user_backend_shmem.shm_offset,
                    .b = u->vhost_user_backend_shmem.len };
    SsExchange *exchange = request_read(model, thread, device, step.seq, step.request,
                                        u->vhost_user_backend_shmem.header_flags, event);
    exchange->shmid = u->vhost_user_backend_shmem.shmid;
    exchange->shm_offset = step.a;
    exchange->len = step.b;
    exchange->fd_offset = u->vhost_user_backend_shmem.fd_offset;
    exchange->map_flags = u->vhost_user_backend_shmem.flags;
    exchange->has_range = true;
    ss_device_step(device, SS_STEP_REQUEST, event->ns, &step);
    note(device, exchange);
    ss_windows_request(device, exchange, SHMEM_MESSAGE_BYTES);
}

static void refused(SsModel *model, SsProcess *process, const SsEvent *event)
{
    guint64 seq = event->u.vhost_user_backend_refused.seq;
    SsDevice *device =
        ss_device_get(process, event->u.vhost_user_backend_refused.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, seq);
    g_autofree char *reason = ss_text_sanitize(event->u.vhost_user_backend_refused.reason, 20);
    ss_counts_refusal(&model->counts, reason);
    ss_counts_refusal(&device->counts, reason);
    ss_device_step(device, SS_STEP_REFUSED, event->ns,
                   &(SsStep){ .request = event->u.vhost_user_backend_refused.request,
                              .seq = seq,
                              .ret = event->u.vhost_user_backend_refused.ret });
    if (exchange) {
        exchange->refused = true;
        g_strlcpy(exchange->reason, reason, sizeof(exchange->reason));
        for (guint i = 0; i < SS_EXCHANGE_FDS; i++) {
            SsMapping *mapping = exchange->fds[i] ? exchange->fds[i]->mapping : NULL;
            if (mapping && !mapping->added_ns && !*mapping->reason) {
                g_strlcpy(mapping->reason, reason, sizeof(mapping->reason));
            }
        }
    }
}

static void replied(SsModel *model, SsProcess *process, const SsEvent *event)
{
    guint64 seq = event->u.vhost_user_backend_reply.seq;
    gint32 ret = event->u.vhost_user_backend_reply.ret;
    SsDevice *device = ss_device_get(process, event->u.vhost_user_backend_reply.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, seq);
    SsStep step = { .request = event->u.vhost_user_backend_reply.request,
                    .seq = seq,
                    .a = event->u.vhost_user_backend_reply.value,
                    .ret = ret };
    ss_device_step(device, SS_STEP_REPLY, event->ns, &step);
    if (exchange) {
        exchange->reply_tries++;
    }
    if (ret != 0) {
        model->counts.replies_failed++;
        device->counts.replies_failed++;
        return;
    }
    model->counts.replies++;
    device->counts.replies++;
    if (!exchange) {
        return;
    }
    exchange->replies++;
    if (exchange->replies == 1) {
        exchange->reply_ns = event->ns;
        exchange->value = step.a;
        if (exchange->request_ns) {
            ss_span_add(&model->counts.request_to_reply, event->ns - exchange->request_ns);
        }
    }
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_REPLY,
                                      .ns = event->ns,
                                      .process = process,
                                      .device = device,
                                      .exchange = exchange });
}

static void dispatched(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    guint64 seq = event->u.vhost_user_backend_dispatched.seq;
    SsDevice *device =
        ss_device_get(process, event->u.vhost_user_backend_dispatched.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, seq);
    read_ended(model, thread, event->ns);
    ss_device_step(device, SS_STEP_DISPATCHED, event->ns,
                   &(SsStep){ .request = event->u.vhost_user_backend_dispatched.request,
                              .seq = seq,
                              .ret = event->u.vhost_user_backend_dispatched.ret });
    if (exchange) {
        exchange->dispatched_ns = event->ns;
        exchange->dispatch_ret = event->u.vhost_user_backend_dispatched.ret;
        ss_windows_dispatched(device, exchange);
    }
    (void)ss_context_pop(thread, SS_CONTEXT_DISPATCH);
    bool open = event->u.vhost_user_backend_dispatched.depth > 0;
    process->deferred_device = open ? device : NULL;
    process->deferred_seq = open ? seq : 0;
    process->deferred_request = event->u.vhost_user_backend_dispatched.request;
}

void ss_exchange_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_READ:
        read_begun(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REQUEST:
        requested(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_READ_LASTS:
        read_lasts(process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_SHMEM:
        shmem_requested(model, process, thread, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REFUSED:
        refused(model, process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REPLY:
        replied(model, process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_DISPATCHED:
        dispatched(model, process, thread, event);
        break;
    default:
        break;
    }
}
