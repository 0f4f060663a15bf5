/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The front-end's side of a connection. A device is known by its main channel: `dev` and `vdev`
 * of the events that are made are its number.
 */
#include "analysis/wire/frontend.h"

SsFrontend *ss_wire_frontend_of(SsWireProcess *process)
{
    if (!process->frontend) {
        SsFrontend *frontend = g_new0(SsFrontend, 1);
        frontend->fds = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
        frontend->mappings =
            g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, ss_wire_mapping_free);
        frontend->threads = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
        process->frontend = frontend;
    }
    return process->frontend;
}

SsFrontendChannel *ss_wire_side(SsWireConn *conn)
{
    if (!conn->frontend_side) {
        conn->frontend_side = g_new0(SsFrontendChannel, 1);
        g_queue_init(&conn->frontend_side->pending);
    }
    return conn->frontend_side;
}

SsWireConn *ss_wire_main_of(SsWireConn *backend)
{
    SsWireConn *main = backend->main ? ss_wire_conn_find(backend->process, backend->main) : NULL;
    return main && main->role == SS_WIRE_FRONT_END && !main->backend ? main : NULL;
}

/* A channel of which the first message is seen was opened while somebody listened. */
static void open_main(SsWireConn *conn, const SsEvent *event)
{
    SsEvent open = ss_wire_make(event, SS_EVENT_VHOST_USER_CHANNEL_OPEN);
    open.u.vhost_user_channel_open.dev = conn->conn;
    open.u.vhost_user_channel_open.chardev = conn->name;
    open.u.vhost_user_channel_open.fd = conn->fd;
    (void)ss_wire_emit(conn->process, &open);
    ss_wire_side(conn)->opened = true;
}

static void open_backend(SsWireConn *conn, const SsEvent *event)
{
    SsEvent open = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_CHANNEL_OPEN);
    open.u.vhost_user_backend_channel_open.dev = conn->main;
    open.u.vhost_user_backend_channel_open.fd = conn->fd;
    (void)ss_wire_emit(conn->process, &open);
    ss_wire_side(conn)->opened = true;
}

static void opened(SsWireConn *conn, const SsEvent *event, guint64 seq)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    bool first = !side->first;
    side->first = true;
    if (!first || side->opened || seq != 1) {
        return;
    }
    if (!conn->backend) {
        open_main(conn, event);
    } else if (ss_wire_main_of(conn)) {
        open_backend(conn, event);
    }
}

static guint64 seq_of(const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
        return event->u.shmemscope_wire_message.seq;
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        return event->u.shmemscope_wire_shmem.seq;
    default:
        return 0;
    }
}

/* Messages are counted: of those that are missing nobody else may tell. */
static void count_message(SsWireConn *conn, const SsEvent *event)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    bool sent =
        event->id == SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE && event->u.shmemscope_wire_message.sent;
    guint64 seq = seq_of(event);
    guint64 last = side->seen[sent];
    if ((last || side->opened) && seq > last + 1) {
        gint64 since = side->last_ns ? side->last_ns : conn->birth_ns;
        ss_model_add_loss(conn->process->wire->model, event->trace, MIN(since, event->ns),
                          event->ns, 0 /* not counted */);
    }
    side->seen[sent] = MAX(seq, last);
    side->last_ns = MAX(side->last_ns, event->ns);
}

static void channel_told(SsWireConn *conn, const SsEvent *event)
{
    SsWireConn *main = conn->backend ? ss_wire_main_of(conn) : NULL;
    /* It is made by a message of the main channel: with that seen, nothing came over it yet. */
    if (main && ss_wire_side(main)->opened && !ss_wire_side(conn)->opened &&
        !ss_wire_side(conn)->first) {
        open_backend(conn, event);
    }
}

static void lose_track(SsWireConn *conn, const SsEvent *event)
{
    SsProcess *known = conn->process->known;
    SsGap gap = { .dev = conn->backend ? conn->main : conn->conn, .ns = event->ns };
    if (known) {
        known->gaps = known->gaps ? known->gaps : g_array_new(FALSE, FALSE, sizeof(SsGap));
        g_array_append_val(known->gaps, gap);
    }
}

void ss_wire_frontend_event(SsWire *wire, SsWireConn *conn, const SsEvent *event)
{
    SsWireProcess *process = conn->process;
    if (conn->role != SS_WIRE_FRONT_END || conn->closed || conn->gap || process->traced ||
        (conn->backend && !ss_wire_main_of(conn))) {
        return;
    }
    ss_wire_inside(process, event);
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_GAP:
        lose_track(conn, event);
        return;
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL:
        channel_told(conn, event);
        return;
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL_CLOSED:
        if (conn->backend) {
            ss_wire_asked_closed(conn, event);
        } else {
            ss_wire_main_closed(conn, event);
        }
        return;
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        opened(conn, event, seq_of(event));
        count_message(conn, event);
        break;
    default:
        break;
    }
    if (conn->backend) {
        ss_wire_asked_event(conn, event);
    } else {
        ss_wire_main_event(conn, event);
    }
}

void ss_wire_frontend_descriptor(SsWire *wire, SsWireProcess *process, const SsEvent *event)
{
    if (process->frontend && !process->traced) {
        ss_wire_inside(process, event);
        ss_wire_memory_event(process, event);
    }
}

void ss_wire_frontend_finish(SsWire *wire, SsWireProcess *process)
{
    if (process->frontend && !process->traced) {
        ss_wire_inside_finish(process, ss_model_trace(wire->model, process->trace)->end_ns);
    }
}

void ss_wire_frontend_free(SsWireProcess *process)
{
    SsFrontend *frontend = process->frontend;
    if (!frontend) {
        return;
    }
    g_hash_table_unref(frontend->fds);
    g_clear_pointer(&frontend->memory, g_tree_unref);
    g_hash_table_unref(frontend->mappings);
    g_hash_table_unref(frontend->threads);
    g_free(frontend);
}

void ss_wire_frontend_channel_free(SsWireConn *conn)
{
    SsFrontendChannel *side = conn->frontend_side;
    if (!side) {
        return;
    }
    g_queue_clear_full(&side->pending, g_free);
    g_clear_pointer(&side->placed, g_hash_table_unref);
    g_free(side);
}
