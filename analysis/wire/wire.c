/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which process and channel an event of the wire is about, and who takes it. A process whose own
 * tracepoints are in the trace is not told twice: whether it has any is known by its first event
 * of them, so that until then, for a little while, its wire events are held back.
 */
#include "analysis/wire/parts.h"

#include "analysis/model/text.h"

/* A process with tracepoints tells by them at least as soon as it does anything on a channel. */
#define HOLD_NS SS_NS_PER_S
#define HOLD_EVENTS 512
/* A hostile trace may tell of any number. */
#define MAX_CONNS 65536

static void conn_free(gpointer data)
{
    SsWireConn *conn = data;
    ss_wire_frontend_channel_free(conn);
    ss_wire_backend_channel_free(conn);
    g_free(conn->name);
    g_free(conn);
}

static void process_free(gpointer data)
{
    SsWireProcess *process = data;
    g_hash_table_unref(process->conns);
    g_array_unref(process->held);
    g_ptr_array_unref(process->strings);
    g_hash_table_unref(process->names);
    ss_wire_frontend_free(process);
    ss_wire_backend_free(process);
    ss_wire_corroboration_free(process);
    g_free(process);
}

SsWire *ss_wire_new(SsModel *model)
{
    SsWire *wire = g_new0(SsWire, 1);
    wire->model = model;
    wire->processes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, process_free);
    return wire;
}

void ss_wire_free(SsWire *wire)
{
    if (!wire) {
        return;
    }
    g_hash_table_unref(wire->processes);
    g_free(wire);
}

static SsWireProcess *process_find(SsWire *wire, const SsEvent *event, gint64 *ret_key)
{
    SsWireProcess *last = wire->last;
    if (last && last->pid == event->pid && last->trace == event->trace) {
        return last;
    }
    *ret_key = ss_process_key(wire->model, event->trace, event->pid);
    return g_hash_table_lookup(wire->processes, ret_key);
}

static bool tracepoints_recorded(const SsModel *model, guint trace)
{
    const SsTraceInfo *info = ss_model_trace(model, trace);
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (info->recorded[id] && !ss_event_of_library(id)) {
            return true;
        }
    }
    return false;
}

static SsWireProcess *process_of(SsWire *wire, const SsEvent *event)
{
    gint64 key;
    SsWireProcess *process = process_find(wire, event, &key);
    if (!process) {
        process = g_new0(SsWireProcess, 1);
        process->wire = wire;
        process->trace = event->trace;
        process->pid = event->pid;
        process->first_ns = event->ns;
        process->conns = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, conn_free);
        process->held = g_array_new(FALSE, FALSE, sizeof(SsEvent));
        process->strings = g_ptr_array_new_with_free_func(g_free);
        process->names = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
        process->traced = ss_model_traced(wire->model, event);
        process->decided = process->traced || !tracepoints_recorded(wire->model, event->trace);
        g_hash_table_insert(wire->processes, g_memdup2(&key, sizeof(key)), process);
    }
    wire->last = process;
    return process;
}

SsWireConn *ss_wire_conn_find(const SsWireProcess *process, guint64 conn)
{
    return g_hash_table_lookup(process->conns, &conn);
}

static SsWireConn *conn_of(SsWireProcess *process, guint64 number, gint64 ns)
{
    SsWireConn *conn = ss_wire_conn_find(process, number);
    if (!conn && g_hash_table_size(process->conns) < MAX_CONNS) {
        conn = g_new0(SsWireConn, 1);
        conn->process = process;
        conn->conn = number;
        conn->fd = -1;
        conn->role = SS_WIRE_ROLE_UNKNOWN;
        conn->birth_ns = ns;
        conn->name = g_strdup("");
        g_hash_table_insert(process->conns, &conn->conn, conn);
    }
    return conn;
}

static void told(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    conn->main = u->shmemscope_wire_channel.main;
    conn->fd = u->shmemscope_wire_channel.fd;
    conn->sock = u->shmemscope_wire_channel.sock;
    conn->peer = u->shmemscope_wire_channel.peer ? u->shmemscope_wire_channel.peer : conn->peer;
    conn->peer_pid = u->shmemscope_wire_channel.peer_pid;
    conn->role = u->shmemscope_wire_channel.role ? SS_WIRE_BACK_END : SS_WIRE_FRONT_END;
    conn->backend = u->shmemscope_wire_channel.backend != 0;
    ss_replace_string(&conn->name, u->shmemscope_wire_channel.name);
}

static void to_side(SsWire *wire, SsWireProcess *process, guint64 number, const SsEvent *event)
{
    SsWireConn *conn = conn_of(process, number, event->ns);
    if (!conn) {
        return;
    }
    if (event->id == SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL) {
        told(conn, event);
    } else if (conn->role == SS_WIRE_ROLE_UNKNOWN) {
        conn->late = true;
    }
    if (process->traced) {
        ss_wire_seen_conn(conn, event);
    }
    if (conn->role == SS_WIRE_BACK_END) {
        ss_wire_backend_event(wire, conn, event);
    } else {
        ss_wire_frontend_event(wire, conn, event);
    }
    if (event->id == SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL_CLOSED) {
        conn->closed = true;
    } else if (event->id == SS_EVENT_SHMEMSCOPE_WIRE_GAP) {
        conn->gap = true;
    }
}

static void take(SsWire *wire, SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    if (event->procname) {
        g_hash_table_replace(process->names, GINT_TO_POINTER(event->tid),
                             g_strdup(event->procname));
    }

    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL:
        to_side(wire, process, u->shmemscope_wire_channel.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL_CLOSED:
        to_side(wire, process, u->shmemscope_wire_channel_closed.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
        to_side(wire, process, u->shmemscope_wire_message.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        to_side(wire, process, u->shmemscope_wire_shmem.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_REGION:
        to_side(wire, process, u->shmemscope_wire_region.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MEMORY_REGION:
        to_side(wire, process, u->shmemscope_wire_memory_region.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD:
        to_side(wire, process, u->shmemscope_wire_fd.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_WAIT_LASTS:
        to_side(wire, process, u->shmemscope_wire_wait_lasts.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_READ_LASTS:
        to_side(wire, process, u->shmemscope_wire_read_lasts.conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_GAP:
        to_side(wire, process, u->shmemscope_wire_gap.conn, event);
        break;
    default:
        if (process->traced) {
            ss_wire_seen_call(process, event);
        }
        ss_wire_frontend_descriptor(wire, process, event);
        break;
    }
}

/* The event's strings are its own from here on. */
static void hold(SsWireProcess *process, const SsEvent *event)
{
    SsEvent copy = *event;
    const SsEventInfo *info = &ss_catalogue_events[event->id];
    if (copy.procname) {
        copy.procname = g_strdup(copy.procname);
        g_ptr_array_add(process->strings, (gpointer)copy.procname);
    }
    for (guint i = 0; i < info->n_fields; i++) {
        if (info->fields[i].type == SS_FIELD_STR) {
            const char **at = (gpointer)((guint8 *)&copy.u + info->fields[i].offset);
            *at = g_strdup(*at);
            g_ptr_array_add(process->strings, (gpointer)*at);
        }
    }
    g_array_append_val(process->held, copy);
}

static void decide(SsWire *wire, SsWireProcess *process, bool traced)
{
    process->decided = true;
    process->traced = traced;
    for (guint i = 0; i < process->held->len; i++) {
        take(wire, process, &g_array_index(process->held, SsEvent, i));
    }
    g_array_set_size(process->held, 0);
    g_ptr_array_set_size(process->strings, 0);
}

static void take_tracepoint(SsWire *wire, const SsEvent *event)
{
    gint64 key;
    SsWireProcess *process = process_find(wire, event, &key);
    if (process && !process->traced) {
        decide(wire, process, true);
    }
    if (process) {
        ss_wire_corroborate(process, event);
    }
    if (process && process->corroboration) {
        ss_process_get(wire->model, event)->sources |= SS_SOURCE_WIRE;
    }
}

/* At once, though the event may be held back: the file may soon be called something else. */
static SsLabel sent_label(SsModel *model, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    if (event->id != SS_EVENT_SHMEMSCOPE_WIRE_FD || !u->shmemscope_wire_fd.sent) {
        return 0;
    }
    return ss_label_sent(model, event->trace, event->pid, u->shmemscope_wire_fd.fdev,
                         u->shmemscope_wire_fd.ino, event->ns);
}

void ss_wire_event(SsWire *wire, const SsEvent *event)
{
    if (G_LIKELY(!ss_event_of_library(event->id))) {
        if (G_UNLIKELY(g_hash_table_size(wire->processes))) {
            take_tracepoint(wire, event);
        }
        ss_model_event(wire->model, event);
        return;
    }
    ss_model_seen(wire->model, event);
    SsEvent bounded = *event;
    bounded.ns = ss_model_believed(event->ns);
    bounded.label = sent_label(wire->model, &bounded);
    event = &bounded;
    if (event->id == SS_EVENT_SHMEMSCOPE_WIRE_NOTE) {
        /* Of files, whoever tells it: no process is known by it alone. */
        ss_label_noted(wire->model, event);
        return;
    }
    SsWireProcess *process = process_of(wire, event);
    if (!process->decided &&
        (process->held->len >= HOLD_EVENTS || event->ns - process->first_ns > HOLD_NS)) {
        decide(wire, process, false);
    }
    if (process->decided) {
        take(wire, process, event);
    } else {
        hold(process, event);
    }
}

void ss_wire_finish(SsWire *wire)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, wire->processes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!((SsWireProcess *)value)->decided) {
            decide(wire, value, false);
        }
    }
    g_hash_table_iter_init(&iter, wire->processes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        ss_wire_frontend_finish(wire, value);
        ss_wire_backend_finish(wire, value);
    }
}
