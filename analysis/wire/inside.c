/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a thread is in. Only what its calls on channels make certain is told: a memory table that
 * goes out while a request of the back-end is dispatched goes out in a commit, and that in the
 * dispatch; features are set as a device is started; ring 0 of a started one is disabled, or asked
 * for its base, at its stop.
 */
#include "analysis/wire/frontend.h"

enum {
    BACKEND_IOTLB_MSG = 1,
    BACKEND_CONFIG_CHANGE = 2,
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_VRING_NUM = 8,
    GET_VRING_BASE = 11,
    SET_VRING_ERR = 14,
    SET_VRING_ENABLE = 18,
    IOTLB_MSG = 22,
    GET_CONFIG = 24,
    REM_MEM_REG = 38,
    SET_STATUS = 39,
    GET_STATUS = 40,
};

#define F_RING_RESET (G_GUINT64_CONSTANT(1) << 40)

SsWireThread *ss_wire_thread_of(SsWireProcess *process, gint32 tid)
{
    SsFrontend *frontend = ss_wire_frontend_of(process);
    SsWireThread *thread = g_hash_table_lookup(frontend->threads, GINT_TO_POINTER(tid));
    if (!thread) {
        thread = g_new0(SsWireThread, 1);
        thread->tid = tid;
        g_hash_table_insert(frontend->threads, GINT_TO_POINTER(tid), thread);
    }
    return thread;
}

static void end_phase(SsWireThread *thread, const SsEvent *event)
{
    SsWireConn *main = thread->phase_of;
    SsEvent at = *event;
    thread->phase_of = NULL;
    if (main) {
        at.tid = thread->tid;
        at.ns = thread->step_ns;
        ss_wire_emit_phase(main, &at, thread->phase, false);
    }
}

/* Who reads what the back-end asks for neither starts a device nor stops one. */
static void reads(SsWireProcess *process, const SsEvent *event)
{
    const SsWireConn *conn = ss_wire_conn_find(process, event->u.shmemscope_wire_read_lasts.conn);
    if (conn && conn->backend) {
        end_phase(ss_wire_thread_of(process, event->u.shmemscope_wire_read_lasts.tid), event);
    }
}

void ss_wire_inside(SsWireProcess *process, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_MEMORY_REGION:
    case SS_EVENT_SHMEMSCOPE_WIRE_REGION:
    case SS_EVENT_SHMEMSCOPE_WIRE_FD:
        return; /* parts of a message that is told itself */
    case SS_EVENT_SHMEMSCOPE_WIRE_LIBRARY:
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL:
    case SS_EVENT_SHMEMSCOPE_WIRE_WAIT_LASTS:
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_LOST:
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_FOUND:
        return; /* told by other threads than it is of, or at a state dump */
    case SS_EVENT_SHMEMSCOPE_WIRE_READ_LASTS:
        reads(process, event);
        return;
    default:
        break;
    }
    SsWireThread *thread = ss_wire_thread_of(process, event->tid);
    thread->last_ns = MAX(thread->last_ns, event->ns);
    thread->waits = false; /* one that waits does nothing else: its wait ended, seen or not */
    bool goes_on = event->id == SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE && thread->phase_of &&
                   event->u.shmemscope_wire_message.conn == thread->phase_of->conn;
    if (thread->phase_of && !goes_on) {
        end_phase(thread, event);
    }
}

bool ss_wire_owes(SsWireConn *conn)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    SsWireConn *main = ss_wire_main_of(conn);
    guint64 features = main ? ss_wire_side(main)->protocol_features : 0;
    return asked->seq && !asked->done && !asked->replies && (asked->flags & SS_HEADER_NEED_REPLY) &&
           (!features || (features & SS_PROTOCOL_REPLY_ACK));
}

/* What was asked for changes what the back-end has to be told. */
static bool changes_table(SsWireConn *conn)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    if (asked->replies && asked->value) {
        return false;
    }
    if (asked->request == SS_REQUEST_SHMEM_MAP) {
        const SsWireMapping *mapping =
            asked->mapping ? ss_wire_mapping_find(conn->process, asked->mapping) : NULL;
        return mapping && mapping->addr && mapping->writable;
    }
    return asked->request == SS_REQUEST_SHMEM_UNMAP;
}

static bool is_inside(SsWireConn *conn, const SsWireThread *thread, guint32 request, gint64 ns)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    bool recent = ns - MAX(asked->last_ns, thread->step_ns) <= SS_WIRE_STEP_NS;
    if (ss_wire_is_table(request)) {
        return ss_wire_owes(conn) || (recent && changes_table(conn));
    }
    return recent && ((request == GET_CONFIG && asked->request == BACKEND_CONFIG_CHANGE) ||
                      (request == IOTLB_MSG && asked->request == BACKEND_IOTLB_MSG));
}

static void look_for_dispatch(SsWireConn *main, SsWireThread *thread, const SsEvent *event)
{
    SsWireConn *conn = thread->asked;
    guint32 request = event->u.shmemscope_wire_message.request;
    if (!conn) {
        return;
    }
    if (!is_inside(conn, thread, request, event->ns)) {
        ss_wire_asked_ends(conn, event, 0);
        return;
    }
    if (ss_wire_is_table(request) && !thread->in_commit) {
        if (request != REM_MEM_REG || ss_wire_side(conn)->asked.replies) {
            ss_wire_asked_adds(conn, event);
        }
        ss_wire_emit_commit(conn->process, event, true);
        thread->in_commit = true;
    }
    ss_wire_side(conn)->asked.last_ns = event->ns;
    thread->step_ns = event->ns;
}

/* What a thread says as it starts a device, or stops it. */
static bool belongs_to(const SsFrontendChannel *side, const SsWireThread *thread,
                       const SsEvent *event)
{
    guint32 request = event->u.shmemscope_wire_message.request;
    bool disables = request == SET_VRING_ENABLE && !(event->u.shmemscope_wire_message.value >> 32);
    if (event->ns - thread->step_ns > SS_WIRE_STEP_NS) {
        return false;
    }
    if (thread->phase == SS_EVENT_VHOST_USER_STOP) {
        return disables || request == GET_VRING_BASE;
    }
    return (request >= SET_VRING_NUM && request <= SET_VRING_ERR && request != GET_VRING_BASE) ||
           (request == SET_VRING_ENABLE && !disables) || request == SET_STATUS ||
           request == GET_STATUS || request == GET_FEATURES ||
           (!side->started && ss_wire_is_table(request));
}

static void look_for_phase(SsWireConn *main, SsWireThread *thread, const SsEvent *event)
{
    const SsFrontendChannel *side = ss_wire_side(main);
    guint64 value = event->u.shmemscope_wire_message.value;
    guint32 request = event->u.shmemscope_wire_message.request;
    bool disables = request == SET_VRING_ENABLE && !(value >> 32);
    bool stops = side->started && !(value & G_MAXUINT32) &&
                 (disables || (request == GET_VRING_BASE && !(side->features & F_RING_RESET)));
    bool starts = !side->started && request == SET_FEATURES;
    if (thread->phase_of == main && belongs_to(side, thread, event)) {
        thread->step_ns = event->ns;
        return;
    }
    end_phase(thread, event);
    if (stops || starts) {
        thread->phase_of = main;
        thread->phase = stops ? SS_EVENT_VHOST_USER_STOP : SS_EVENT_VHOST_USER_START;
        thread->step_ns = event->ns;
        ss_wire_emit_phase(main, event, thread->phase, true);
    }
}

void ss_wire_inside_request(SsWireConn *main, const SsEvent *event)
{
    SsWireThread *thread = ss_wire_thread_of(main->process, event->tid);
    look_for_dispatch(main, thread, event);
    look_for_phase(main, thread, event);
}

void ss_wire_inside_reply(SsWireProcess *process, gint32 tid, gint64 ns)
{
    SsWireThread *thread = ss_wire_thread_of(process, tid);
    thread->step_ns = MAX(thread->step_ns, ns);
    thread->waits = false;
    if (thread->asked && thread->in_commit) {
        SsAsked *asked = &ss_wire_side(thread->asked)->asked;
        asked->last_ns = MAX(asked->last_ns, ns);
    }
}

/* A recording that ends in mid-dispatch ends nothing: only what was answered, holds nothing that
 * it has to close, or had its time, has ended. */
static void finish_thread(SsWireProcess *process, SsWireThread *thread, gint64 ns)
{
    SsEvent at = { .trace = process->trace, .pid = process->pid, .tid = thread->tid, .ns = ns };
    if (thread->waits) {
        return;
    }
    end_phase(thread, &at);
    SsWireConn *conn = thread->asked;
    if (conn && !ss_wire_owes(conn)) {
        const SsAsked *asked = &ss_wire_side(conn)->asked;
        bool had_time = ns - MAX(asked->last_ns, thread->step_ns) >= SS_GRACE_NS;
        if (!asked->received || had_time) {
            ss_wire_asked_ends(conn, &at, 0);
        }
    }
}

void ss_wire_inside_finish(SsWireProcess *process, gint64 ns)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->frontend->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        finish_thread(process, value, ns);
    }
}
