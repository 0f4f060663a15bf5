/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "analysis/model/parts.h"
#include "analysis/model/text.h"

/* Losses of one trace are kept as intervals; beyond this many they are joined. */
#define MAX_LOSSES 4096
/* From 1970 to 2116: a clock that tells another time is not believed, so that all differences
 * of times can be told. 0 means "not seen". */
#define FIRST_NS 1
#define LAST_NS (G_GINT64_CONSTANT(1) << 62)

typedef struct SsRunEnd {
    SsProcessEnd end;
    gint32 code;
    gint64 ns;
} SsRunEnd;

static void trace_free(gpointer data)
{
    SsTraceInfo *trace = data;
    g_free(trace->path);
    g_free(trace->uuid);
    g_free(trace->hostname);
    g_array_unref(trace->losses);
    g_free(trace);
}

SsModel *ss_model_new(void)
{
    SsModel *model = g_new0(SsModel, 1);
    model->traces = g_ptr_array_new_with_free_func(trace_free);
    model->processes = g_ptr_array_new_with_free_func((GDestroyNotify)ss_process_free);
    model->by_pid = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    model->tracers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    model->run_ends = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    model->fd_limits = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    model->labels = ss_labels_new();
    ss_counts_init(&model->counts);
    return model;
}

void ss_model_free(SsModel *model)
{
    if (!model) {
        return;
    }
    g_ptr_array_unref(model->processes);
    g_ptr_array_unref(model->traces);
    g_hash_table_unref(model->tracers);
    g_hash_table_unref(model->by_pid);
    g_hash_table_unref(model->run_ends);
    g_hash_table_unref(model->fd_limits);
    ss_labels_free(model->labels);
    ss_counts_clear(&model->counts);
    g_free(model);
}

void ss_model_set_notice(SsModel *model, SsNoticeFunc func, gpointer user_data)
{
    model->notice = func;
    model->notice_data = user_data;
}

void ss_model_set_life(SsModel *model, SsLifeFunc func, gpointer user_data)
{
    model->life = func;
    model->life_data = user_data;
}

void ss_model_set_closed(SsModel *model, SsClosedFunc func, gpointer user_data)
{
    model->closed = func;
    model->closed_data = user_data;
}

void ss_model_set_applied(SsModel *model, SsAppliedFunc func, gpointer user_data)
{
    model->applied = func;
    model->applied_data = user_data;
}

void ss_model_tell(SsModel *model, const SsNotice *notice)
{
    if (model->notice) {
        model->notice(model, notice, model->notice_data);
    }
}

guint ss_model_add_trace(SsModel *model, const char *path, const char *uuid, const char *hostname)
{
    SsTraceInfo *trace = g_new0(SsTraceInfo, 1);
    trace->path = ss_text_sanitize(path, 0);
    trace->uuid = ss_text_sanitize(uuid, 0);
    trace->hostname = ss_text_sanitize(hostname, 256);
    trace->losses = g_array_new(FALSE, FALSE, sizeof(SsLoss));
    trace->host = model->traces->len;
    for (guint i = 0; i < model->traces->len; i++) {
        const SsTraceInfo *other = ss_model_trace(model, i);
        if (g_str_equal(other->hostname, trace->hostname)) {
            trace->host = other->host;
            break;
        }
    }
    g_ptr_array_add(model->traces, trace);
    return model->traces->len - 1;
}

static SsTraceInfo *trace_at(const SsModel *model, guint index)
{
    return g_ptr_array_index(model->traces, index);
}

const SsTraceInfo *ss_model_trace(const SsModel *model, guint index)
{
    return trace_at(model, index);
}

static gint by_path(gconstpointer a, gconstpointer b)
{
    const SsTraceInfo *const *one = a, *const *other = b;
    return strcmp((*one)->path, (*other)->path);
}

GPtrArray *ss_model_traces(const SsModel *model)
{
    GPtrArray *traces = g_ptr_array_copy(model->traces, NULL, NULL);
    g_ptr_array_set_free_func(traces, NULL);
    g_ptr_array_sort(traces, by_path);
    return traces;
}

void ss_model_set_looked(SsModel *model, guint index)
{
    trace_at(model, index)->looked = true;
}

void ss_model_set_recorded(SsModel *model, guint index, SsEventId id)
{
    SsTraceInfo *trace = trace_at(model, index);
    trace->recorded[id] = true;
    trace->any_recorded = true;
}

gint64 ss_model_believed(gint64 ns)
{
    return CLAMP(ns, FIRST_NS, LAST_NS);
}

void ss_model_add_loss(SsModel *model, guint index, gint64 begin_ns, gint64 end_ns, guint64 events)
{
    GArray *losses = trace_at(model, index)->losses;
    if (end_ns != G_MAXINT64) {
        ss_model_reached(model, index, end_ns);
    }
    SsLoss *last = losses->len ? &g_array_index(losses, SsLoss, losses->len - 1) : NULL;
    if (last &&
        (losses->len >= MAX_LOSSES || (begin_ns <= last->end_ns && end_ns >= last->begin_ns))) {
        last->begin_ns = MIN(last->begin_ns, begin_ns);
        last->end_ns = MAX(last->end_ns, end_ns);
        last->events = last->events && events ? last->events + events : 0;
        return;
    }
    SsLoss loss = { .begin_ns = begin_ns, .end_ns = end_ns, .events = events };
    g_array_append_val(losses, loss);
}

void ss_model_set_complete(SsModel *model, guint index, gint64 from_ns, gint64 until_ns,
                           guint missing)
{
    SsTraceInfo *trace = trace_at(model, index);
    trace->complete_ns = from_ns ? ss_model_believed(from_ns) : 0;
    trace->ragged_ns = until_ns ? ss_model_believed(until_ns) : 0;
    trace->missing = missing;
}

void ss_model_begins(SsModel *model, guint index, gint64 ns)
{
    SsTraceInfo *trace = trace_at(model, index);
    trace->complete_ns = MAX(trace->complete_ns, ss_model_believed(ns));
}

void ss_model_ragged(SsModel *model, guint index, gint64 ns)
{
    SsTraceInfo *trace = trace_at(model, index);
    gint64 until_ns = ss_model_believed(ns);
    trace->ragged_ns = trace->ragged_ns ? MIN(trace->ragged_ns, until_ns) : until_ns;
}

bool ss_trace_ragged_head(const SsTraceInfo *trace)
{
    return trace->complete_ns && trace->begin_ns && trace->begin_ns < trace->complete_ns;
}

bool ss_trace_ragged_tail(const SsTraceInfo *trace)
{
    return trace->ragged_ns && trace->last_ns > trace->ragged_ns;
}

void ss_model_reached(SsModel *model, guint index, gint64 ns)
{
    SsTraceInfo *trace = trace_at(model, index);
    trace->end_ns = MAX(trace->end_ns, ss_model_believed(ns));
    model->end_ns = MAX(model->end_ns, ss_model_believed(ns));
}

void ss_model_set_run_end(SsModel *model, gint32 pid, SsProcessEnd end, gint32 code,
                          gint64 ended_ns)
{
    SsRunEnd *run_end = g_new0(SsRunEnd, 1);
    run_end->end = end;
    run_end->code = code;
    run_end->ns = ended_ns ? ss_model_believed(ended_ns) : 0;
    g_hash_table_replace(model->run_ends, GINT_TO_POINTER(pid), run_end);
}

void ss_model_set_fd_limit(SsModel *model, gint32 pid, guint64 limit)
{
    g_hash_table_replace(model->fd_limits, GINT_TO_POINTER(pid), g_memdup2(&limit, sizeof(limit)));
}

bool ss_model_lost(const SsModel *model, const SsProcess *process, gint64 from_ns, gint64 to_ns)
{
    const SsTraceInfo *trace = trace_at(model, process->trace);
    const GArray *losses = trace->losses;
    /* Not whether the tail is ragged: the first event behind it may be the one that is judged. */
    if (trace->missing || (ss_trace_ragged_head(trace) && from_ns < trace->complete_ns) ||
        (trace->ragged_ns && to_ns > trace->ragged_ns)) {
        return true;
    }
    for (guint i = 0; i < losses->len; i++) {
        const SsLoss *loss = &g_array_index(losses, SsLoss, i);
        if (loss->begin_ns <= to_ns && loss->end_ns >= from_ns) {
            return true;
        }
    }
    return false;
}

gint64 ss_model_length(const SsModel *model)
{
    return model->events ? model->end_ns - model->begin_ns : 0;
}

guint64 ss_model_lost_events(const SsModel *model, bool *uncounted)
{
    guint64 lost = 0;
    *uncounted = false;
    for (guint t = 0; t < model->traces->len; t++) {
        const GArray *losses = trace_at(model, t)->losses;
        for (guint i = 0; i < losses->len; i++) {
            guint64 events = g_array_index(losses, SsLoss, i).events;
            lost += events;
            *uncounted |= events == 0;
        }
        *uncounted |= trace_at(model, t)->missing > 0;
    }
    return lost;
}

gint64 ss_model_reach(const SsModel *model, const SsProcess *process)
{
    const SsTraceInfo *trace = trace_at(model, process->trace);
    /* The silence of a stream that ended says nothing. */
    gint64 end = trace->ragged_ns ? MIN(trace->end_ns, trace->ragged_ns) : trace->end_ns;
    return MAX(end, process->last_ns);
}

bool ss_process_waits(const SsProcess *process, SsThread **ret_thread)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsThread *thread = value;
        if (thread->waiting) {
            if (ret_thread) {
                *ret_thread = thread;
            }
            return true;
        }
    }
    return false;
}

/* A channel closed and its mappings' cleanup has had its time. */
static void judge_due(SsModel *model, SsProcess *process, gint64 ns)
{
    SsDevice *device;
    while ((device = g_queue_peek_head(&process->disconnects)) &&
           (!device->disconnect_ns || ns >= device->disconnect_ns + SS_GRACE_NS)) {
        (void)g_queue_pop_head(&process->disconnects);
        if (device->disconnect_ns) {
            ss_device_judge_disconnect(model, device, ns);
        }
    }
}

/* Told at a state dump too, of a process where nothing moves. */
static bool is_state(SsEventId id)
{
    return id == SS_EVENT_VHOST_USER_DEVICE || id == SS_EVENT_VIRTIO_SHMEM_REGION ||
           id == SS_EVENT_VIRTIO_SHMEM_MAPPING_STATE || id == SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL ||
           id == SS_EVENT_SHMEMSCOPE_WIRE_LIBRARY;
}

void ss_model_seen(SsModel *model, const SsEvent *event)
{
    SsTraceInfo *trace = trace_at(model, event->trace);
    gint64 ns = ss_model_believed(event->ns);
    trace->events++;
    trace->begin_ns = trace->begin_ns ? MIN(trace->begin_ns, ns) : ns;
    trace->end_ns = MAX(trace->end_ns, ns);
    trace->last_ns = MAX(trace->last_ns, ns);
    model->events++;
    model->begin_ns = model->begin_ns ? MIN(model->begin_ns, ns) : ns;
    model->end_ns = MAX(model->end_ns, ns);
}

void ss_model_event(SsModel *model, const SsEvent *event)
{
    ss_model_seen(model, event);
    SsProcess *process = ss_model_apply(model, event);
    process->sources |= SS_SOURCE_TRACEPOINTS;
}

bool ss_model_traced(const SsModel *model, const SsEvent *event)
{
    gint64 key = ss_process_key(model, event->trace, event->pid);
    const SsProcess *process = g_hash_table_lookup(model->by_pid, &key);
    return process && (process->sources & SS_SOURCE_TRACEPOINTS);
}

SsProcess *ss_model_apply(SsModel *model, const SsEvent *event)
{
    SsEvent bounded;
    if (G_UNLIKELY(event->ns != ss_model_believed(event->ns))) {
        bounded = *event;
        bounded.ns = ss_model_believed(event->ns);
        event = &bounded;
    }
    gint64 ns = event->ns;

    SsProcess *process = ss_process_get(model, event);
    SsThread *thread = ss_thread_get(process, event);
    if (process->last_ns && ns - process->last_ns > SS_GRACE_NS) {
        process->silent_from_ns = process->last_ns;
        process->silent_until_ns = ns;
    }
    process->last_ns = MAX(process->last_ns, ns);
    thread->last_ns = MAX(thread->last_ns, ns);
    thread->events++;
    process->acted |= !is_state(event->id);
    if (is_state(event->id) && event->tid != event->pid) {
        process->dumped_ns = ns;
    }
    judge_due(model, process, ns);
    if (thread->waiting && event->id != SS_EVENT_VHOST_USER_REPLY_WAIT &&
        event->id != SS_EVENT_VHOST_USER_REPLY_WAIT_LASTS &&
        event->id != SS_EVENT_VHOST_USER_REPLY_READ) {
        thread->waiting = false; /* a thread that waits does nothing else: it ended unseen */
    }
    if (thread->reading && event->id != SS_EVENT_VHOST_USER_BACKEND_REQUEST &&
        event->id != SS_EVENT_VHOST_USER_BACKEND_DISPATCHED) {
        thread->reading = NULL; /* the same of one that reads */
    }
    model->last_process = process;

    switch (ss_catalogue_events[event->id].event_class) {
    case SS_CLASS_DEVICE:
    case SS_CLASS_CHANNEL:
        ss_device_event(model, process, thread, event);
        break;
    case SS_CLASS_BACKEND_REQUEST:
    case SS_CLASS_REFUSAL:
    case SS_CLASS_REPLY:
    case SS_CLASS_DISPATCH:
        ss_exchange_event(model, process, thread, event);
        break;
    case SS_CLASS_FD:
        ss_descriptor_event(model, process, thread, event);
        break;
    case SS_CLASS_MAPPING:
        ss_mapping_event(model, process, thread, event);
        break;
    case SS_CLASS_TRANSACTION:
        ss_transaction_event(model, process, thread, event);
        break;
    case SS_CLASS_FRONTEND_REQUEST:
        ss_wait_event(model, process, thread, event);
        break;
    case SS_CLASS_WAIT:
        if (event->id == SS_EVENT_VHOST_USER_BACKEND_READ_LASTS) {
            ss_exchange_event(model, process, thread, event);
        } else {
            ss_wait_event(model, process, thread, event);
        }
        break;
    case SS_CLASS_DETAIL:
        ss_exchange_event(model, process, thread, event);
        ss_wait_event(model, process, thread, event);
        ss_mapping_event(model, process, thread, event);
        break;
    case SS_CLASS_WIRE: /* of a front-end other events are made before they come here */
        ss_peer_event(model, process, event);
        break;
    case SS_CLASS_NOTE: /* it is of a file, and of no process */
    case SS_N_CLASSES:
        break;
    }
    ss_closing_event(model, process, thread, event);
    ss_backlog_event(model, process, thread, event);
    ss_effect_event(model, process, thread, event);
    ss_table_event(model, process, event);
    ss_structure_event(process, event);
    ss_place_event(model, process, thread, event);
    ss_depth_event(model, process, thread, event);
    if (model->applied) {
        model->applied(model, process, thread, event, model->applied_data);
    }
    return process;
}

/* What had become of it when the recording ended. One that ended later was alive then; but two
 * clocks tell these times, so that of a little later nothing is known. */
static void take_end(const SsModel *model, SsProcess *process, gint64 reach_ns)
{
    const SsRunEnd *run_end = g_hash_table_lookup(model->run_ends, GINT_TO_POINTER(process->pid));
    if (!run_end) {
        return;
    }
    bool ended = run_end->end == SS_END_EXITED || run_end->end == SS_END_SIGNAL;
    if (ended && run_end->ns > reach_ns) {
        process->end = run_end->ns > reach_ns + SS_GRACE_NS ? SS_END_ALIVE : SS_END_UNKNOWN;
        return;
    }
    process->end = run_end->end;
    process->end_code = run_end->code;
    process->ended_ns = run_end->ns;
}

/* Until when it surely was alive after it closed something. Seen from outside, a front-end that
 * ends closes its channels as one that has lost them does, and is silent after that. */
static gint64 alive_until(const SsProcess *process, gint64 reach_ns)
{
    if (!ss_process_outside(process) || process->end == SS_END_ALIVE) {
        return reach_ns;
    }
    return MAX(process->last_ns, MIN(reach_ns, process->ended_ns));
}

static void finish_process(SsModel *model, SsProcess *process)
{
    gint64 end = ss_model_reach(model, process);
    take_end(model, process, end);
    gint64 alive_ns = alive_until(process, end);
    const guint64 *limit = g_hash_table_lookup(model->fd_limits, GINT_TO_POINTER(process->pid));
    process->backlog.limit = limit ? *limit : 0;
    for (guint i = 0; i < process->devices->len; i++) {
        SsDevice *device = g_ptr_array_index(process->devices, i);
        ss_exchange_settle(model, device, end - SS_STEP_NS, end);
        ss_windows_peer(model, device);
        ss_windows_settle(device);
        if (device->disconnect_ns && alive_ns >= device->disconnect_ns + SS_GRACE_NS) {
            ss_device_judge_disconnect(model, device, end);
        }
    }
    ss_table_finish(model, process, end);
    ss_depth_finish(model, process, end);
    ss_model_tell(model,
                  &(SsNotice){ .kind = SS_NOTICE_PROCESS_ENDS, .ns = end, .process = process });
}

void ss_model_finish(SsModel *model)
{
    if (model->finished) {
        return;
    }
    model->finished = true;
    ss_peers_join(model);
    /* What a front-end tells of both goes before what its back-ends tell. */
    for (guint backends = 0; backends < 2; backends++) {
        for (guint i = 0; i < model->processes->len; i++) {
            SsProcess *process = g_ptr_array_index(model->processes, i);
            if (ss_process_is_backend(process) == (backends == 1)) {
                finish_process(model, process);
                ss_mapping_finish(model, process);
            }
        }
    }
}
