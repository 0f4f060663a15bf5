/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The back-end channel: what the back-end asks for, what it is answered, and when the front-end
 * is done with it, which no call tells: at the latest when its thread does what it cannot do
 * inside, and for a request that brought descriptors when the last of them is closed.
 */
#include <errno.h>

#include "analysis/wire/frontend.h"

/* Without a reply it is the protocol that says what became of it. */
static void unasked_removal(SsWireConn *conn, const SsEvent *at)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    if (asked->request != SS_REQUEST_SHMEM_UNMAP || !asked->has_range || asked->replies ||
        asked->tries || ss_wire_owes(conn)) {
        return;
    }
    SsWireMapping *mapping = ss_wire_mapping_at(ss_wire_main_of(conn), asked);
    if (mapping) {
        ss_wire_mapping_remove(conn->process, mapping, at, SS_REMOVAL_UNMAP);
    }
}

/* It may have been mapped all the same: what is mapped in the device is not known any more. */
static bool maps_unseen(SsWireConn *conn)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    const SsWireMapping *mapping =
        asked->mapping ? ss_wire_mapping_find(conn->process, asked->mapping) : NULL;
    return asked->request == SS_REQUEST_SHMEM_MAP && !asked->value && !(mapping && mapping->added);
}

/* It was accepted, and made. */
static bool maps_writable(SsWireConn *conn)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    const SsWireMapping *mapping =
        asked->mapping ? ss_wire_mapping_find(conn->process, asked->mapping) : NULL;
    return asked->request == SS_REQUEST_SHMEM_MAP && (asked->map_flags & SS_MAP_WRITABLE) &&
           asked->replies && !asked->value && mapping && mapping->added && mapping->writable &&
           ss_wire_main_of(conn);
}

void ss_wire_asked_ends(SsWireConn *conn, const SsEvent *at, gint32 ret)
{
    SsAsked *asked = &ss_wire_side(conn)->asked;
    if (!asked->seq || asked->done) {
        return;
    }
    ss_wire_asked_adds(conn, at);
    unasked_removal(conn, at);
    asked->done = true;
    SsWireThread *thread = ss_wire_thread_of(conn->process, asked->tid);
    SsEvent made = ss_wire_make(at, SS_EVENT_VHOST_USER_BACKEND_DISPATCHED);
    made.ns = asked->last_ns;
    made.tid = asked->tid;
    made.procname = at->tid == asked->tid ? at->procname : NULL;
    if (thread->asked == conn && !thread->in_commit && maps_writable(conn)) {
        ss_wire_table_is_full(ss_wire_main_of(conn), &made);
    }
    if (thread->asked == conn) {
        if (thread->in_commit) {
            thread->in_commit = false;
            SsEvent then = made;
            then.ns = thread->step_ns;
            ss_wire_emit_commit(conn->process, &then, false);
        }
        thread->asked = NULL;
    }
    made.u.vhost_user_backend_dispatched.dev = conn->main;
    made.u.vhost_user_backend_dispatched.seq = asked->seq;
    made.u.vhost_user_backend_dispatched.request = asked->request;
    made.u.vhost_user_backend_dispatched.ret = ret;
    SsProcess *process = ss_wire_emit(conn->process, &made);
    if (maps_unseen(conn)) {
        ss_device_get(process, conn->main, 0, made.ns)->late = true;
    }
}

static void begin(SsWireConn *conn, const SsEvent *event, const SsAsked *asked)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    SsWireThread *thread = ss_wire_thread_of(conn->process, event->tid);
    ss_wire_asked_ends(conn, event, 0);
    if (thread->asked) {
        ss_wire_asked_ends(thread->asked, event, 0);
    }
    side->asked = *asked;
    side->asked.tid = event->tid;
    side->asked.ns = side->asked.last_ns = event->ns;
    thread->asked = conn;
    thread->step_ns = event->ns;
}

static void release_fds(SsWireConn *conn, guint64 seq)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    for (guint i = 0; i < side->n_held_fds; i++) {
        if (side->held_fds[i].u.shmemscope_wire_fd.seq == seq) {
            ss_wire_received(conn, &side->held_fds[i]);
        }
    }
    side->n_held_fds = 0;
}

static void shmem(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    begin(conn, event,
          &(SsAsked){ .seq = u->shmemscope_wire_shmem.seq,
                      .request = u->shmemscope_wire_shmem.request,
                      .flags = u->shmemscope_wire_shmem.header_flags,
                      .has_range = true,
                      .shmid = u->shmemscope_wire_shmem.shmid,
                      .fd_offset = u->shmemscope_wire_shmem.fd_offset,
                      .shm_offset = u->shmemscope_wire_shmem.shm_offset,
                      .len = u->shmemscope_wire_shmem.len,
                      .map_flags = u->shmemscope_wire_shmem.flags });
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_SHMEM);
    made.u.vhost_user_backend_shmem.dev = conn->main;
    made.u.vhost_user_backend_shmem.seq = u->shmemscope_wire_shmem.seq;
    made.u.vhost_user_backend_shmem.request = u->shmemscope_wire_shmem.request;
    made.u.vhost_user_backend_shmem.header_flags = u->shmemscope_wire_shmem.header_flags;
    made.u.vhost_user_backend_shmem.fds = u->shmemscope_wire_shmem.fds;
    made.u.vhost_user_backend_shmem.shmid = u->shmemscope_wire_shmem.shmid;
    made.u.vhost_user_backend_shmem.fd_offset = u->shmemscope_wire_shmem.fd_offset;
    made.u.vhost_user_backend_shmem.shm_offset = u->shmemscope_wire_shmem.shm_offset;
    made.u.vhost_user_backend_shmem.len = u->shmemscope_wire_shmem.len;
    made.u.vhost_user_backend_shmem.flags = u->shmemscope_wire_shmem.flags;
    (void)ss_wire_emit(conn->process, &made);
    release_fds(conn, u->shmemscope_wire_shmem.seq);
}

static void other(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    begin(conn, event,
          &(SsAsked){ .seq = u->shmemscope_wire_message.seq,
                      .request = u->shmemscope_wire_message.request,
                      .flags = u->shmemscope_wire_message.flags });
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_REQUEST);
    made.u.vhost_user_backend_request.dev = conn->main;
    made.u.vhost_user_backend_request.vdev = conn->main;
    made.u.vhost_user_backend_request.seq = u->shmemscope_wire_message.seq;
    made.u.vhost_user_backend_request.request = u->shmemscope_wire_message.request;
    made.u.vhost_user_backend_request.flags = u->shmemscope_wire_message.flags;
    made.u.vhost_user_backend_request.size = u->shmemscope_wire_message.size;
    made.u.vhost_user_backend_request.fds = u->shmemscope_wire_message.fds;
    (void)ss_wire_emit(conn->process, &made);
    release_fds(conn, u->shmemscope_wire_message.seq);
}

void ss_wire_asked_adds(SsWireConn *conn, const SsEvent *at)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    SsWireMapping *mapping =
        asked->mapping ? ss_wire_mapping_find(conn->process, asked->mapping) : NULL;
    bool refused = asked->replies && asked->value != 0;
    /* What was done with one that was not answered is known by what followed, if all is. */
    if (!asked->replies && conn->process->known &&
        ss_model_lost(conn->process->wire->model, conn->process->known, asked->ns, at->ns)) {
        return;
    }
    if (mapping && mapping->addr && !mapping->added && !refused) {
        ss_wire_mapping_add(conn->process, mapping, at);
    }
}

/* An error that it tells is a refusal; nobody outside sees why. */
static void refused(SsWireConn *conn, const SsEvent *event)
{
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_REFUSED);
    made.u.vhost_user_backend_refused.dev = conn->main;
    made.u.vhost_user_backend_refused.seq = asked->seq;
    made.u.vhost_user_backend_refused.request = asked->request;
    made.u.vhost_user_backend_refused.shmid = asked->shmid;
    made.u.vhost_user_backend_refused.shm_offset = asked->shm_offset;
    made.u.vhost_user_backend_refused.len = asked->len;
    made.u.vhost_user_backend_refused.reason = SS_REASON_NOT_TOLD;
    (void)ss_wire_emit(conn->process, &made);
}

/* What it does to the books; tells whether it is the first that went out. */
static bool count_reply(SsAsked *asked, guint64 value, gint32 ret, gint64 ns)
{
    bool first = ret == 0 && !asked->replies;
    asked->last_ns = ns;
    asked->tries++;
    asked->replies += ret == 0;
    asked->value = first ? value : asked->value;
    return first;
}

/* One that answers nothing that was read has no number: what it answers may be lost. */
static guint64 number_of_reply(SsWireConn *conn, bool its)
{
    const SsFrontendChannel *side = ss_wire_side(conn);
    if (its) {
        return side->asked.seq;
    }
    return side->asked.seq || !side->opened ? G_MAXUINT64 : 0;
}

static void replied(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsAsked *asked = &ss_wire_side(conn)->asked;
    guint64 value = u->shmemscope_wire_message.value;
    gint32 ret = u->shmemscope_wire_message.ret;
    bool its = asked->seq && asked->request == u->shmemscope_wire_message.request;
    bool first = its && count_reply(asked, value, ret, event->ns);
    if (first && value == 0 && asked->request == SS_REQUEST_SHMEM_MAP && !asked->done) {
        ss_wire_asked_adds(conn, event);
    } else if (first && value != 0 && asked->has_range) {
        refused(conn, event);
    }
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_REPLY);
    made.u.vhost_user_backend_reply.dev = conn->main;
    made.u.vhost_user_backend_reply.seq = number_of_reply(conn, its);
    made.u.vhost_user_backend_reply.request = u->shmemscope_wire_message.request;
    made.u.vhost_user_backend_reply.value = value;
    made.u.vhost_user_backend_reply.ret = ret;
    (void)ss_wire_emit(conn->process, &made);
    SsWireMapping *mapping = first && value == 0 && asked->request == SS_REQUEST_SHMEM_UNMAP
                                 ? ss_wire_mapping_at(ss_wire_main_of(conn), asked)
                                 : NULL;
    if (mapping) {
        ss_wire_mapping_remove(conn->process, mapping, event, SS_REMOVAL_UNMAP);
    }
}

/* The library tells of a message when it is whole, and may tell of its descriptors before. */
static void fd_came(SsWireConn *conn, const SsEvent *event)
{
    SsFrontendChannel *side = ss_wire_side(conn);
    if (event->u.shmemscope_wire_fd.sent) {
        return;
    }
    if (side->asked.seq && side->asked.seq == event->u.shmemscope_wire_fd.seq) {
        /* Another thread's word is a state dump's: of what is open, which may be a duplicate. */
        if (event->tid == side->asked.tid) {
            ss_wire_received(conn, event);
        }
    } else if (side->n_held_fds < SS_WIRE_FDS) {
        side->held_fds[side->n_held_fds++] = *event;
    }
}

static void read_lasts(SsWireConn *conn, const SsEvent *event)
{
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_READ_LASTS);
    made.u.vhost_user_backend_read_lasts.dev = conn->main;
    made.u.vhost_user_backend_read_lasts.seq = event->u.shmemscope_wire_read_lasts.seq;
    made.u.vhost_user_backend_read_lasts.waited = event->u.shmemscope_wire_read_lasts.waited;
    (void)ss_wire_emit(conn->process, &made);
}

void ss_wire_asked_event(SsWireConn *conn, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        shmem(conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
        if (event->u.shmemscope_wire_message.sent) {
            replied(conn, event);
        } else if (!(event->u.shmemscope_wire_message.flags & SS_WIRE_REPLY)) {
            other(conn, event);
        }
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD:
        fd_came(conn, event);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_READ_LASTS:
        read_lasts(conn, event);
        break;
    default:
        break;
    }
}

void ss_wire_asked_closed(SsWireConn *conn, const SsEvent *event)
{
    static const char *const reasons[] = { "stop", "hangup", "error" };
    guint8 reason = event->u.shmemscope_wire_channel_closed.reason;
    gint32 ret = event->u.shmemscope_wire_channel_closed.ret;
    const SsAsked *asked = &ss_wire_side(conn)->asked;
    /* The thread gives the channel up inside, or after it. */
    bool unanswered = !asked->replies && (asked->flags & SS_HEADER_NEED_REPLY);
    ss_wire_asked_ends(conn, event, unanswered ? (ret ? ret : -ECONNRESET) : 0);
    SsEvent made = ss_wire_make(event, SS_EVENT_VHOST_USER_BACKEND_CHANNEL_CLOSE);
    made.u.vhost_user_backend_channel_close.dev = conn->main;
    made.u.vhost_user_backend_channel_close.fd = conn->fd;
    made.u.vhost_user_backend_channel_close.reason = reasons[MIN(reason, 2)];
    (void)ss_wire_emit(conn->process, &made);
}
