/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The main channel: what the front-end asks of the back-end, the replies, and what both tell of
 * the device.
 */
#include <errno.h>

#include "analysis/wire/frontend.h"

enum {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_MEM_TABLE = 5,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
};

#define TABLE_ENTRIES 8 /* of SET_MEM_TABLE (specification, "Memory regions description") */
#define CONFIGURE_MEM_SLOTS (G_GUINT64_CONSTANT(1) << 15)
#define NO_ROOM (-105) /* -ENOBUFS of Linux, where the front-end ran */

bool ss_wire_is_table(guint32 request)
{
    return request == SET_MEM_TABLE || request == 37 /* ADD_MEM_REG */ ||
           request == 38 /* REM_MEM_REG */;
}

static void learn_from_request(SsWireConn *conn, const SsEvent *event)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    guint64 value = event->u.shmemscope_wire_message.value;
    switch (event->u.shmemscope_wire_message.request) {
    case SET_PROTOCOL_FEATURES:
        side->protocol_features = value;
        ss_wire_emit_device(conn, event);
        break;
    case SET_MEM_TABLE:
        side->table_known = true;
        side->entries = (guint32)value;
        break;
    case SET_VRING_KICK:
    case SET_VRING_ENABLE:
        /* A struct vhost_vring_state has the index, and above it the number. */
        if (!side->started &&
            (event->u.shmemscope_wire_message.request == SET_VRING_KICK || value >> 32)) {
            side->started = true;
            ss_wire_emit_device(conn, event);
        }
        break;
    case GET_VRING_BASE:
        side->started = false;
        break;
    default:
        break;
    }
}

/* A thread asks for one thing at a time: an older reply came unseen. */
static void drop_unanswered(SsFrontendChannel *side, gint32 tid)
{
    for (GList *link = side->pending.head; link;) {
        GList *next = link->next;
        if (((SsPending *)link->data)->tid == tid) {
            g_free(link->data);
            g_queue_delete_link(&side->pending, link);
        }
        link = next;
    }
}

static void sent(SsWireConn *conn, const SsEvent *event)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    guint32 request = event->u.shmemscope_wire_message.request;
    guint32 flags = event->u.shmemscope_wire_message.flags;
    gint32 ret = event->u.shmemscope_wire_message.ret;
    ss_wire_inside_request(conn, event);
    if (ret == 0) {
        learn_from_request(conn, event);
    }
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_REQUEST);
    made.u.vhost_user_request.dev = conn->conn;
    made.u.vhost_user_request.seq = event->u.shmemscope_wire_message.seq;
    made.u.vhost_user_request.request = request;
    made.u.vhost_user_request.flags = flags;
    made.u.vhost_user_request.size = event->u.shmemscope_wire_message.size;
    made.u.vhost_user_request.fds = event->u.shmemscope_wire_message.fds;
    made.u.vhost_user_request.ret = ret;
    made.u.vhost_user_request.unread = event->u.shmemscope_wire_message.unread;
    (void)ss_wire_emit(conn->process, &made);
    if (ret == 0 && ss_request_answered(request, flags)) {
        drop_unanswered(side, event->tid);
        SsPending *pending = g_new0(SsPending, 1);
        *pending = (SsPending){ .seq = made.u.vhost_user_request.seq,
                                .request = request,
                                .tid = event->tid };
        g_queue_push_tail(&side->pending, pending);
        ss_wire_thread_of(conn->process, event->tid)->waits = true;
        if (side->pending.length > SS_WIRE_PENDING) {
            g_free(g_queue_pop_head(&side->pending));
        }
    }
}

static void read_ended(SsWireConn *conn, const SsEvent *event, const SsPending *pending, gint32 ret,
                       guint32 unread)
{
    ss_wire_inside_reply(conn->process, pending->tid, event->ns);
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_REPLY_READ);
    made.u.vhost_user_reply_read.dev = conn->conn;
    made.u.vhost_user_reply_read.seq = pending->seq;
    made.u.vhost_user_reply_read.request = pending->request;
    made.u.vhost_user_reply_read.ret = ret;
    made.u.vhost_user_reply_read.unread = unread;
    (void)ss_wire_emit(conn->process, &made);
}

/* The back-end could, or could not, take the table that it was sent. */
static void table_answered(SsWireConn *conn, const SsEvent *event, const SsPending *pending)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    if (!ss_wire_is_table(pending->request)) {
        return;
    }
    bool failed = event->u.shmemscope_wire_message.value != 0;
    if (!failed && !side->table_failed) {
        return;
    }
    side->table_failed = failed;
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_MEM_TABLE);
    made.u.vhost_user_mem_table.dev = conn->conn;
    made.u.vhost_user_mem_table.ret = failed ? -EIO : 0;
    (void)ss_wire_emit(conn->process, &made);
}

/* Each mapping that the guest may write is an entry of its own, and one more than the message has
 * room for fails before anything is sent. With CONFIGURE_MEM_SLOTS the back-end says how many it
 * takes, and entries go one by one. */
void ss_wire_table_is_full(SsWireConn *main, const SsEvent *at)
{
    SsFrontendChannel *side = ss_wire_side(main);
    if (!side->started || !side->table_known || side->entries < TABLE_ENTRIES ||
        (side->protocol_features & CONFIGURE_MEM_SLOTS)) {
        return;
    }
    side->table_failed = true;
    SsEvent made = ss_wire_make(at, SS_EVENT_VHOST_USER_MEM_TABLE);
    made.u.vhost_user_mem_table.dev = main->conn;
    made.u.vhost_user_mem_table.entries = side->entries + 1;
    made.u.vhost_user_mem_table.slots = TABLE_ENTRIES;
    made.u.vhost_user_mem_table.ret = NO_ROOM;
    (void)ss_wire_emit(main->process, &made);
}

static void received(SsWireConn *conn, const SsEvent *event)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    guint32 request = event->u.shmemscope_wire_message.request;
    guint64 value = event->u.shmemscope_wire_message.value;
    g_autofree SsPending *pending = NULL;
    /* Replies come in the order of what they answer. */
    for (guint i = 0; i < side->pending.length && !pending; i++) {
        SsPending *one = g_queue_peek_nth(&side->pending, i);
        if (one->request == request) {
            pending = g_queue_pop_nth(&side->pending, i);
        }
    }
    if (!pending) {
        return; /* it answers what was asked before the recording began */
    }
    read_ended(conn, event, pending, event->u.shmemscope_wire_message.ret,
               event->u.shmemscope_wire_message.unread);
    table_answered(conn, event, pending);
    if (request == GET_FEATURES) {
        side->features = value;
    }
}

static void region(SsWireConn *conn, const SsEvent *event)
{
    SsEvent made = ss_wire_make(event, SS_EVENT_VIRTIO_SHMEM_REGION);
    made.u.virtio_shmem_region.vdev = conn->conn;
    made.u.virtio_shmem_region.shmid = event->u.shmemscope_wire_region.shmid;
    made.u.virtio_shmem_region.size = event->u.shmemscope_wire_region.size;
    (void)ss_wire_emit(conn->process, &made);
}

/* Told by a thread of the library's; the wait is of the one that asked. */
static void wait_lasts(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    gint32 tid = u->shmemscope_wire_wait_lasts.tid;
    const SsWireThread *thread = ss_wire_thread_of(conn->process, tid);
    gint64 since = event->ns - (gint64)MIN(u->shmemscope_wire_wait_lasts.waited,
                                           (guint64)(event->ns / SS_NS_PER_MS)) *
                                   SS_NS_PER_MS;
    /* A front-end that goes on with something else does not stand there. */
    if (!u->shmemscope_wire_wait_lasts.blocked && thread->last_ns > since + SS_STEP_NS) {
        return;
    }
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_REPLY_WAIT_LASTS);
    made.tid = tid;
    made.procname = NULL;
    made.u.vhost_user_reply_wait_lasts.dev = conn->conn;
    made.u.vhost_user_reply_wait_lasts.seq = u->shmemscope_wire_wait_lasts.seq;
    made.u.vhost_user_reply_wait_lasts.request = u->shmemscope_wire_wait_lasts.request;
    made.u.vhost_user_reply_wait_lasts.waited = u->shmemscope_wire_wait_lasts.waited;
    made.u.vhost_user_reply_wait_lasts.unread = u->shmemscope_wire_wait_lasts.unread;
    made.u.vhost_user_reply_wait_lasts.peek_request = u->shmemscope_wire_wait_lasts.peek_request;
    made.u.vhost_user_reply_wait_lasts.peek_flags = u->shmemscope_wire_wait_lasts.peek_flags;
    made.u.vhost_user_reply_wait_lasts.peek_size = u->shmemscope_wire_wait_lasts.peek_size;
    (void)ss_wire_emit(conn->process, &made);
}

void ss_wire_main_event(SsWireConn *conn, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
        if (event->u.shmemscope_wire_message.sent) {
            sent(conn, event);
        } else if (event->u.shmemscope_wire_message.flags & SS_WIRE_REPLY) {
            received(conn, event);
        }
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_REGION:
        region(conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_WAIT_LASTS:
        wait_lasts(conn, event);
        break;
    default:
        break;
    }
}

void ss_wire_main_closed(SsWireConn *conn, const SsEvent *event)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    gint32 ret = event->u.shmemscope_wire_channel_closed.ret;
    SsPending *pending;
    while ((pending = g_queue_pop_head(&side->pending))) {
        read_ended(conn, event, pending, ret ? ret : -ECONNRESET, 0);
        g_free(pending);
    }
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_CHANNEL_CLOSE);
    made.u.vhost_user_channel_close.dev = conn->conn;
    made.u.vhost_user_channel_close.chardev = conn->name;
    (void)ss_wire_emit(conn->process, &made);
}
