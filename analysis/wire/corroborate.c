/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A process that tells by its tracepoints and by the wire: both tell of the same calls, the wire as
 * they are made and the tracepoint after that, in the same thread. What differs is told to the
 * checks; which of both is right nobody here knows.
 */
#include "analysis/wire/frontend.h"

/* The last close of a thread. */
typedef struct SsWireClose {
    gint32 fd, ret;
} SsWireClose;

struct SsCorroboration {
    GHashTable *conns;  /* int fd -> SsWireConn, weak: back-end channels */
    GHashTable *fds;    /* guint64 * dev -> int fd of its back-end channel */
    GHashTable *closes; /* int tid -> owned SsWireClose */
};

static SsCorroboration *of(SsWireProcess *process)
{
    if (!process->corroboration) {
        SsCorroboration *both = g_new0(SsCorroboration, 1);
        both->conns = g_hash_table_new(g_direct_hash, g_direct_equal);
        both->fds = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        both->closes = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
        process->corroboration = both;
    }
    return process->corroboration;
}

void ss_wire_corroboration_free(SsWireProcess *process)
{
    SsCorroboration *both = process->corroboration;
    if (both) {
        g_hash_table_unref(both->conns);
        g_hash_table_unref(both->fds);
        g_hash_table_unref(both->closes);
        g_free(both);
    }
}

void ss_wire_seen_conn(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    if (conn->role != SS_WIRE_FRONT_END || !conn->backend || conn->closed || conn->gap) {
        return;
    }
    SsAsked *asked = &ss_wire_side(conn)->asked;
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL:
        g_hash_table_replace(of(conn->process)->conns, GINT_TO_POINTER(conn->fd), conn);
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        *asked = (SsAsked){ .seq = u->shmemscope_wire_shmem.seq,
                            .request = u->shmemscope_wire_shmem.request,
                            .ns = event->ns,
                            .has_range = true,
                            .shmid = u->shmemscope_wire_shmem.shmid,
                            .shm_offset = u->shmemscope_wire_shmem.shm_offset,
                            .len = u->shmemscope_wire_shmem.len };
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE:
        if (!u->shmemscope_wire_message.sent) {
            *asked = (SsAsked){ .seq = u->shmemscope_wire_message.seq,
                                .request = u->shmemscope_wire_message.request,
                                .ns = event->ns };
        } else {
            asked->tries++;
            asked->replies += u->shmemscope_wire_message.ret == 0;
            asked->value = u->shmemscope_wire_message.value;
        }
        break;
    default:
        break;
    }
}

void ss_wire_seen_close(SsWireProcess *process, const SsEvent *event)
{
    if (event->id == SS_EVENT_SHMEMSCOPE_WIRE_FD_CLOSE) {
        SsWireClose *close = g_new0(SsWireClose, 1);
        *close = (SsWireClose){ event->u.shmemscope_wire_fd_close.fd,
                                event->u.shmemscope_wire_fd_close.ret };
        g_hash_table_replace(of(process)->closes, GINT_TO_POINTER(event->tid), close);
    }
}

static const SsAsked *asked_of(SsWireProcess *process, guint64 dev, guint64 seq)
{
    SsCorroboration *both = of(process);
    gpointer fd;
    if (!g_hash_table_lookup_extended(both->fds, &dev, NULL, &fd)) {
        return NULL;
    }
    SsWireConn *conn = g_hash_table_lookup(both->conns, fd);
    const SsAsked *asked = conn && !conn->closed && !conn->gap ? &ss_wire_side(conn)->asked : NULL;
    return asked && asked->seq && asked->seq == seq ? asked : NULL;
}

static void disagree(SsWireProcess *process, const SsEvent *event, guint64 dev, gint64 since_ns,
                     const SsDisagreement *disagreement)
{
    SsProcess *known = ss_process_get(process->wire->model, event);
    ss_model_tell(process->wire->model,
                  &(SsNotice){ .kind = SS_NOTICE_DISAGREE,
                               .ns = event->ns,
                               .since_ns = MIN(since_ns, event->ns),
                               .process = known,
                               .device = dev ? ss_device_get(known, dev, 0, event->ns) : NULL,
                               .disagreement = disagreement });
}

static void compare_request(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint64 dev = u->vhost_user_backend_shmem.dev;
    const SsAsked *asked = asked_of(process, dev, u->vhost_user_backend_shmem.seq);
    SsDisagreement found = { .kind = SS_DISAGREE_REQUEST,
                             .request = u->vhost_user_backend_shmem.request,
                             .seq = u->vhost_user_backend_shmem.seq,
                             .told = { .shmid = u->vhost_user_backend_shmem.shmid,
                                       .offset = u->vhost_user_backend_shmem.shm_offset,
                                       .len = u->vhost_user_backend_shmem.len } };
    if (!asked || !asked->has_range) {
        return;
    }
    found.seen_request = asked->request;
    found.seen = (SsPlace){ .shmid = asked->shmid, .offset = asked->shm_offset, .len = asked->len };
    if (found.request != found.seen_request || found.told.shmid != found.seen.shmid ||
        found.told.offset != found.seen.offset || found.told.len != found.seen.len) {
        disagree(process, event, dev, asked->ns, &found);
    }
}

static void compare_reply(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint64 dev = u->vhost_user_backend_reply.dev;
    const SsAsked *asked = asked_of(process, dev, u->vhost_user_backend_reply.seq);
    SsDisagreement found = { .kind = SS_DISAGREE_REPLY,
                             .request = u->vhost_user_backend_reply.request,
                             .seq = u->vhost_user_backend_reply.seq,
                             .told_value = u->vhost_user_backend_reply.value };
    if (!asked || u->vhost_user_backend_reply.ret) {
        return; /* one that could not be sent may not have come as far as the wire */
    }
    found.none = !asked->replies;
    found.seen_value = asked->value;
    if (found.none || found.told_value != found.seen_value) {
        disagree(process, event, dev, asked->ns, &found);
    }
}

static void compare_close(SsWireProcess *process, const SsEvent *event, guint64 dev, gint32 fd,
                          gint32 ret)
{
    const SsWireClose *close =
        g_hash_table_lookup(of(process)->closes, GINT_TO_POINTER(event->tid));
    if (close && close->fd == fd && close->ret != ret) {
        disagree(process, event, dev, event->ns,
                 &(SsDisagreement){ .kind = SS_DISAGREE_CLOSE,
                                    .fd = fd,
                                    .told_value = (guint64)(gint64)ret,
                                    .seen_value = (guint64)(gint64)close->ret });
    }
}

void ss_wire_corroborate(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_OPEN:
        g_hash_table_replace(of(process)->fds,
                             g_memdup2(&u->vhost_user_backend_channel_open.dev, sizeof(guint64)),
                             GINT_TO_POINTER(u->vhost_user_backend_channel_open.fd));
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_CLOSE:
        g_hash_table_remove(of(process)->fds, &u->vhost_user_backend_channel_close.dev);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_SHMEM:
        compare_request(process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REPLY:
        compare_reply(process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE:
        compare_close(process, event, u->vhost_user_backend_fd_close.dev,
                      u->vhost_user_backend_fd_close.fd, u->vhost_user_backend_fd_close.ret);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_CLOSE:
        compare_close(process, event, 0, u->virtio_shmem_fd_close.fd, u->virtio_shmem_fd_close.ret);
        break;
    case SS_EVENT_RAM_BLOCK_RECLAIMED:
        compare_close(process, event, 0, u->ram_block_reclaimed.fd, u->ram_block_reclaimed.ret);
        break;
    default:
        break;
    }
}
