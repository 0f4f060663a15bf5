/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A process that tells by its tracepoints and by the wire: both tell of the same calls, the wire as
 * they are made and the tracepoint after that, in the same thread. What differs is told to the
 * checks; which of both is right nobody here knows.
 */
#include <sys/mman.h>

#include "analysis/wire/frontend.h"

/* The last call of a kind in a thread; fd -1: none, or told of already. */
typedef struct SsWireCalls {
    struct {
        gint32 fd, ret;
    } close;
    struct {
        gint32 fd, newfd, ret;
    } dup;
    struct {
        gint32 fd;
        guint64 addr, offset;
        bool writable;
    } map;
} SsWireCalls;

/* Channels of one kind: what the wire tells of a descriptor, and the tracepoints of a device. */
typedef struct SsChannels {
    GHashTable *conns; /* int fd -> SsWireConn, weak: the last that has it */
    GHashTable *fds;   /* guint64 * dev -> int fd, while its channel is open */
    GHashTable *known; /* guint64 * dev -> SsWireConn, weak: its last one */
} SsChannels;

struct SsCorroboration {
    SsChannels mains, backends;
    GHashTable *calls; /* int tid -> owned SsWireCalls */
};

static void channels_init(SsChannels *channels)
{
    channels->conns = g_hash_table_new(g_direct_hash, g_direct_equal);
    channels->fds = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    channels->known = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static void channels_clear(SsChannels *channels)
{
    g_hash_table_unref(channels->conns);
    g_hash_table_unref(channels->fds);
    g_hash_table_unref(channels->known);
}

static SsCorroboration *of(SsWireProcess *process)
{
    if (!process->corroboration) {
        SsCorroboration *both = g_new0(SsCorroboration, 1);
        channels_init(&both->mains);
        channels_init(&both->backends);
        both->calls = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
        process->corroboration = both;
    }
    return process->corroboration;
}

void ss_wire_corroboration_free(SsWireProcess *process)
{
    SsCorroboration *both = process->corroboration;
    if (both) {
        channels_clear(&both->mains);
        channels_clear(&both->backends);
        g_hash_table_unref(both->calls);
        g_free(both);
    }
}

static SsWireConn *open_conn(const SsChannels *channels, gint32 fd)
{
    SsWireConn *conn = g_hash_table_lookup(channels->conns, GINT_TO_POINTER(fd));
    return conn && !conn->closed && !conn->gap ? conn : NULL;
}

/* The wire tells of a channel with its first message, which may be after the tracepoint. */
static void channel_seen(SsChannels *channels, SsWireConn *conn)
{
    GHashTableIter iter;
    gpointer dev, fd;
    g_hash_table_replace(channels->conns, GINT_TO_POINTER(conn->fd), conn);
    g_hash_table_iter_init(&iter, channels->fds);
    while (g_hash_table_iter_next(&iter, &dev, &fd)) {
        if (GPOINTER_TO_INT(fd) == conn->fd) {
            g_hash_table_replace(channels->known, g_memdup2(dev, sizeof(guint64)), conn);
        }
    }
}

static void channel_opened(SsChannels *channels, guint64 dev, gint32 fd)
{
    SsWireConn *conn = open_conn(channels, fd);
    g_hash_table_replace(channels->fds, g_memdup2(&dev, sizeof(dev)), GINT_TO_POINTER(fd));
    if (conn) {
        g_hash_table_replace(channels->known, g_memdup2(&dev, sizeof(dev)), conn);
    }
}

static const SsWireConn *known_conn(const SsChannels *channels, guint64 dev)
{
    return g_hash_table_lookup(channels->known, &dev);
}

void ss_wire_corroborated_sockets(const SsWireProcess *process, guint64 dev, SsSockets *sockets)
{
    const SsCorroboration *both = process->corroboration;
    const SsWireConn *main = both ? known_conn(&both->mains, dev) : NULL;
    const SsWireConn *backend = both ? known_conn(&both->backends, dev) : NULL;
    if (main) {
        sockets->main_sock = main->sock;
        sockets->main_peer = main->peer;
    }
    if (backend && !backend->closed) {
        sockets->backend_sock = backend->sock;
        sockets->backend_peer = backend->peer;
    }
}

void ss_wire_seen_conn(SsWireConn *conn, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    if (conn->role != SS_WIRE_FRONT_END || conn->closed || conn->gap) {
        return;
    }
    if (event->id == SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL) {
        SsCorroboration *both = of(conn->process);
        channel_seen(conn->backend ? &both->backends : &both->mains, conn);
        return;
    }
    if (!conn->backend) {
        return;
    }
    SsAsked *asked = &ss_wire_side(conn)->asked;
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_SHMEM:
        *asked = (SsAsked){ .seq = u->shmemscope_wire_shmem.seq,
                            .request = u->shmemscope_wire_shmem.request,
                            .ns = event->ns,
                            .has_range = true,
                            .shmid = u->shmemscope_wire_shmem.shmid,
                            .fd_offset = u->shmemscope_wire_shmem.fd_offset,
                            .shm_offset = u->shmemscope_wire_shmem.shm_offset,
                            .len = u->shmemscope_wire_shmem.len,
                            .map_flags = u->shmemscope_wire_shmem.flags };
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

static SsWireCalls *calls_of(SsWireProcess *process, const SsEvent *event)
{
    GHashTable *all = of(process)->calls;
    SsWireCalls *calls = g_hash_table_lookup(all, GINT_TO_POINTER(event->tid));
    if (!calls) {
        calls = g_new0(SsWireCalls, 1);
        calls->close.fd = calls->dup.fd = calls->map.fd = -1;
        g_hash_table_insert(all, GINT_TO_POINTER(event->tid), calls);
    }
    return calls;
}

void ss_wire_seen_call(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsWireCalls *calls;
    switch (event->id) {
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_CLOSE:
        calls = calls_of(process, event);
        calls->close.fd = u->shmemscope_wire_fd_close.fd;
        calls->close.ret = u->shmemscope_wire_fd_close.ret;
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_FD_DUP:
        calls = calls_of(process, event);
        calls->dup.fd = u->shmemscope_wire_fd_dup.fd;
        calls->dup.newfd = u->shmemscope_wire_fd_dup.newfd;
        calls->dup.ret = u->shmemscope_wire_fd_dup.ret;
        break;
    case SS_EVENT_SHMEMSCOPE_WIRE_MAP:
        calls = calls_of(process, event);
        calls->map.fd = u->shmemscope_wire_map.ret ? -1 : u->shmemscope_wire_map.fd;
        calls->map.addr = u->shmemscope_wire_map.addr;
        calls->map.offset = u->shmemscope_wire_map.offset;
        calls->map.writable = (u->shmemscope_wire_map.prot & PROT_WRITE) != 0;
        break;
    default:
        break;
    }
}

static const SsAsked *asked_of(SsWireProcess *process, guint64 dev, guint64 seq)
{
    const SsChannels *backends = &of(process)->backends;
    gpointer fd;
    if (!g_hash_table_lookup_extended(backends->fds, &dev, NULL, &fd)) {
        return NULL;
    }
    SsWireConn *conn = open_conn(backends, GPOINTER_TO_INT(fd));
    const SsAsked *asked = conn ? &ss_wire_side(conn)->asked : NULL;
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
                                       .len = u->vhost_user_backend_shmem.len },
                             .told_offset = u->vhost_user_backend_shmem.fd_offset,
                             .told_flags = u->vhost_user_backend_shmem.flags };
    if (!asked || !asked->has_range) {
        return;
    }
    found.seen_request = asked->request;
    found.seen = (SsPlace){ .shmid = asked->shmid, .offset = asked->shm_offset, .len = asked->len };
    found.seen_offset = asked->fd_offset;
    found.seen_flags = asked->map_flags;
    if (found.request != found.seen_request || found.told.shmid != found.seen.shmid ||
        found.told.offset != found.seen.offset || found.told.len != found.seen.len ||
        found.told_offset != found.seen_offset || found.told_flags != found.seen_flags) {
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
    SsWireCalls *calls = calls_of(process, event);
    if (fd < 0 || calls->close.fd != fd) {
        return;
    }
    calls->close.fd = -1;
    if (calls->close.ret != ret) {
        disagree(process, event, dev, event->ns,
                 &(SsDisagreement){ .kind = SS_DISAGREE_CLOSE,
                                    .fd = fd,
                                    .told_value = (guint64)(gint64)ret,
                                    .seen_value = (guint64)(gint64)calls->close.ret });
    }
}

/* A number, or the negative errno of a duplicate that failed. */
static gint32 dup_result(gint32 newfd, gint32 ret)
{
    return ret ? ret : newfd;
}

static void compare_dup(SsWireProcess *process, const SsEvent *event)
{
    gint32 fd = event->u.virtio_shmem_fd_dup.fd;
    gint32 told = dup_result(event->u.virtio_shmem_fd_dup.newfd, event->u.virtio_shmem_fd_dup.ret);
    SsWireCalls *calls = calls_of(process, event);
    if (fd < 0 || calls->dup.fd != fd) {
        return;
    }
    calls->dup.fd = -1;
    gint32 seen = dup_result(calls->dup.newfd, calls->dup.ret);
    if (told != seen) {
        disagree(process, event, 0, event->ns,
                 &(SsDisagreement){ .kind = SS_DISAGREE_DUP,
                                    .fd = fd,
                                    .told_value = (guint64)(gint64)told,
                                    .seen_value = (guint64)(gint64)seen });
    }
}

/* What a mapping is made of was mapped before it is added, by the same thread. */
static void compare_map(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDisagreement found = { .kind = SS_DISAGREE_MAP,
                             .fd = u->virtio_shmem_mapping_added.fd,
                             .told_offset = u->virtio_shmem_mapping_added.fd_offset,
                             .told_addr = u->virtio_shmem_mapping_added.host,
                             .told_writable = u->virtio_shmem_mapping_added.writable != 0 };
    SsWireCalls *calls = calls_of(process, event);
    if (found.fd < 0 || calls->map.fd != found.fd) {
        return;
    }
    calls->map.fd = -1;
    found.seen_offset = calls->map.offset;
    found.seen_addr = calls->map.addr;
    found.seen_writable = calls->map.writable;
    if (found.told_offset != found.seen_offset || found.told_addr != found.seen_addr ||
        found.told_writable != found.seen_writable) {
        disagree(process, event, 0, event->ns, &found);
    }
}

void ss_wire_corroborate(SsWireProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    switch (event->id) {
    case SS_EVENT_VHOST_USER_CHANNEL_OPEN:
        channel_opened(&of(process)->mains, u->vhost_user_channel_open.dev,
                       u->vhost_user_channel_open.fd);
        break;
    case SS_EVENT_VHOST_USER_CHANNEL_CLOSE:
        g_hash_table_remove(of(process)->mains.fds, &u->vhost_user_channel_close.dev);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_OPEN:
        channel_opened(&of(process)->backends, u->vhost_user_backend_channel_open.dev,
                       u->vhost_user_backend_channel_open.fd);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_CLOSE:
        g_hash_table_remove(of(process)->backends.fds, &u->vhost_user_backend_channel_close.dev);
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
    case SS_EVENT_VIRTIO_SHMEM_FD_DUP:
        compare_dup(process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        compare_map(process, event);
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
