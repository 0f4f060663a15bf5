/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What an event adds to which chain.
 */
#include "analysis/model/chain-parts.h"
#include "analysis/model/text.h"

SsChainStep *ss_telling_add(const SsTelling *telling, SsChain *chain, SsChainStepKind kind)
{
    static SsChainStep unkept;
    SsChainStep *step = ss_chain_add(chain, kind, telling->event->ns, telling->event->tid);
    return step ? step : &unkept;
}

static SsChain *of_fd(const SsTelling *telling, gint32 fd)
{
    return fd < 0 ? NULL
                  : ss_chain_lookup(telling->chains, SS_CHAIN_KEY_FD, telling->process, (guint32)fd,
                                    0);
}

static SsChain *of_exchange(const SsTelling *telling, const SsDevice *device, guint64 seq)
{
    return ss_chain_lookup(telling->chains, SS_CHAIN_KEY_EXCHANGE, device, seq, 0);
}

static void fd_opened(const SsTelling *telling, SsChain *chain, gint32 fd)
{
    ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_FD, telling->process, (guint32)fd, 0);
}

/* Takes it out of the open ones; false when it is none. */
static bool fd_gone(const SsTelling *telling, SsChain *chain, gint32 fd)
{
    ss_chain_unindex(telling->chains, chain, SS_CHAIN_KEY_FD, telling->process, (guint32)fd, 0);
    if (chain->own_open && chain->own_fd == fd) {
        chain->own_open = false;
        return true;
    }
    for (guint i = 0; i < chain->n_received; i++) {
        if (chain->received[i] == fd) {
            chain->received[i] = chain->received[--chain->n_received];
            return true;
        }
    }
    return false;
}

/* A number that is handed out was closed before. */
static void fd_reused(const SsTelling *telling, gint32 fd)
{
    SsChain *chain = of_fd(telling, fd);
    if (chain && fd_gone(telling, chain, fd)) {
        ss_telling_add(telling, chain, SS_CHAIN_FD_CLOSED_UNSEEN)->a = (guint32)fd;
        if (chain->finalized) {
            chain->reclaimed = true; /* nobody tells that of it any more */
        }
        ss_chain_try_end(telling->chains, chain);
    }
}

void ss_chain_set_range(SsChain *chain, guint32 shmid, guint64 offset, guint64 len)
{
    if (!chain->has_range) {
        chain->has_range = true;
        chain->shmid = shmid;
        chain->shm_offset = offset;
        chain->len = len;
    }
}

static void add_request(const SsTelling *telling, SsChain *chain, SsDevice *device,
                        const SsExchange *exchange)
{
    SsChainStep *step = ss_chain_add(chain, SS_CHAIN_REQUEST, exchange->request_ns, exchange->tid);
    if (step) {
        step->request = exchange->request;
        step->seq = exchange->seq;
        step->a = exchange->map_flags;
    }
    ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_EXCHANGE, device, exchange->seq, 0);
}

/* A chain that begins with a request, which may have been read before what asks for it. */
static SsChain *begin_at(const SsTelling *telling, SsDevice *device, const SsExchange *exchange)
{
    SsChain *chain =
        ss_chain_begin(telling->chains, telling->process, device, exchange->request_ns);
    chain->request = exchange->request;
    chain->seq = exchange->seq;
    chain->reply_wanted =
        (exchange->flags & SS_HEADER_NEED_REPLY) &&
        (!device->features_known || (device->protocol_features & SS_PROTOCOL_REPLY_ACK));
    if (exchange->has_range) {
        ss_chain_set_range(chain, exchange->shmid, exchange->shm_offset, exchange->len);
    }
    add_request(telling, chain, device, exchange);
    ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_LAST, device, 0, 0);
    return chain;
}

static void requested(const SsTelling *telling, guint64 dev, guint64 seq)
{
    SsChains *chains = telling->chains;
    SsDevice *device = ss_device_get(telling->process, dev, 0, telling->event->ns);
    const SsExchange *exchange = ss_exchange_find(device, seq);
    SsChain *before = ss_chain_lookup(chains, SS_CHAIN_KEY_LAST, device, 0, 0);
    if (before) {
        ss_chain_unindex(chains, before, SS_CHAIN_KEY_LAST, device, 0, 0);
        ss_chain_try_end(chains, before);
    }
    if (!exchange || !exchange->has_range) {
        return;
    }
    SsChain *mapped =
        ss_chain_lookup(chains, SS_CHAIN_KEY_PLACE, device, exchange->shmid, exchange->shm_offset);
    if (mapped && mapped->len == exchange->len && !mapped->removed &&
        exchange->request == SS_REQUEST_SHMEM_UNMAP) {
        add_request(telling, mapped, device, exchange);
    } else if (ss_chains_open(chains, telling->process, telling->event->ns) &&
               ss_chains_want_range(chains, exchange->shmid, exchange->shm_offset, exchange->len)) {
        (void)begin_at(telling, device, exchange);
    }
}

/* What the model knows of the number's file. */
static void take_file(SsChain *chain, gint32 fd)
{
    const SsDescriptor *descriptor = g_hash_table_lookup(chain->process->fds, GINT_TO_POINTER(fd));
    if (descriptor) {
        chain->fdev = descriptor->fdev;
        chain->label = descriptor->label;
    }
}

static void add_received(const SsTelling *telling, SsChain *chain, gint32 fd, guint64 ino,
                         gint64 ns, gint32 tid)
{
    SsChainStep *step = ss_chain_add(chain, SS_CHAIN_FD_RECEIVED, ns, tid);
    if (step) {
        step->a = (guint32)fd;
        step->b = ino;
    }
    chain->ino = ino;
    take_file(chain, fd);
    chain->a_received = chain->a_received < 0 ? fd : chain->a_received;
    if (chain->n_received < SS_EXCHANGE_FDS) {
        chain->received[chain->n_received++] = fd;
        fd_opened(telling, chain, fd);
    }
}

static void received(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    gint32 fd = u->vhost_user_backend_fd.fd;
    guint64 seq = u->vhost_user_backend_fd.seq, ino = u->vhost_user_backend_fd.ino;
    SsDevice *device =
        ss_device_get(telling->process, u->vhost_user_backend_fd.dev, 0, telling->event->ns);
    fd_reused(telling, fd);
    SsChain *chain = of_exchange(telling, device, seq);
    const SsExchange *exchange = ss_exchange_find(device, seq);
    if (!chain && exchange && exchange->request_ns &&
        ss_chains_open(telling->chains, telling->process, telling->event->ns) &&
        ss_chains_want_file(telling->chains, fd, ino)) {
        chain = begin_at(telling, device, exchange);
    }
    if (chain && fd >= 0) {
        add_received(telling, chain, fd, ino, telling->event->ns, telling->event->tid);
    }
}

/* Another is made at its place: it ended, and nobody told. */
void ss_telling_reused(const SsTelling *telling, guint64 pointer)
{
    SsChain *older =
        ss_chain_lookup(telling->chains, SS_CHAIN_KEY_MAPPING, telling->process, pointer, 0);
    if (older) {
        (void)ss_telling_add(telling, older, SS_CHAIN_ENDED_UNSEEN);
        ss_chain_end(telling->chains, older);
    }
}

void ss_chain_set_pointer(const SsTelling *telling, SsChain *chain, guint64 pointer)
{
    chain->pointer = pointer;
    ss_chain_index(telling->chains, chain, SS_CHAIN_KEY_MAPPING, telling->process, pointer, 0);
}

void ss_chain_set_own(const SsTelling *telling, SsChain *chain, gint32 fd)
{
    if (fd >= 0 && chain->own_fd < 0) {
        chain->own_fd = fd;
        chain->own_open = true;
        fd_opened(telling, chain, fd);
    }
}

/* The chain of the request that the thread dispatches. */
SsChain *ss_telling_dispatch(const SsTelling *telling, bool begin)
{
    const SsContext *dispatch = ss_context_find(telling->thread, SS_CONTEXT_DISPATCH);
    if (!dispatch) {
        return NULL;
    }
    SsChain *chain = of_exchange(telling, dispatch->device, dispatch->seq);
    const SsExchange *exchange = ss_exchange_find(dispatch->device, dispatch->seq);
    if (chain || !begin || !exchange || !exchange->request_ns) {
        return chain;
    }
    chain = begin_at(telling, dispatch->device, exchange);
    for (guint i = 0; i < SS_EXCHANGE_FDS; i++) {
        const SsDescriptor *descriptor = exchange->fds[i];
        if (descriptor && descriptor->role == SS_FD_RECEIVED) {
            add_received(telling, chain, descriptor->number, descriptor->ino, descriptor->birth_ns,
                         exchange->tid);
        }
    }
    return chain;
}

static void duplicated(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    gint32 source = u->virtio_shmem_fd_dup.fd, fd = u->virtio_shmem_fd_dup.newfd;
    guint64 pointer = u->virtio_shmem_fd_dup.mapping;
    SsProcess *process = telling->process;
    bool worked = fd >= 0 && u->virtio_shmem_fd_dup.ret == 0;
    if (worked) {
        fd_reused(telling, fd);
    }
    if (pointer) {
        ss_telling_reused(telling, pointer);
    }
    const SsDescriptor *descriptor = g_hash_table_lookup(process->fds, GINT_TO_POINTER(fd));
    guint64 ino = worked && descriptor ? descriptor->ino : 0;
    bool wanted = worked && ss_chains_open(telling->chains, process, telling->event->ns) &&
                  ss_chains_want_file(telling->chains, fd, ino);
    SsChain *chain = of_fd(telling, source);
    if (!chain) {
        chain = ss_telling_dispatch(telling, wanted);
    }
    if (!chain && wanted) {
        chain = ss_chain_begin(telling->chains, process, descriptor ? descriptor->device : NULL,
                               telling->event->ns);
        chain->ino = ino;
        take_file(chain, fd);
    }
    if (!chain) {
        return;
    }
    SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_FD_DUPLICATED);
    step->a = (guint32)fd;
    step->b = (guint32)source;
    step->ret = u->virtio_shmem_fd_dup.ret;
    if (pointer && worked) {
        ss_chain_set_pointer(telling, chain, pointer);
    }
    if (worked) {
        ss_chain_set_own(telling, chain, fd);
    }
}

static void closed(const SsTelling *telling, SsChain *chain, gint32 fd, gint32 ret, SsCloser closer)
{
    SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_FD_CLOSED);
    step->a = (guint32)fd;
    step->b = closer;
    step->ret = ret;
    (void)fd_gone(telling, chain, fd);
    ss_chain_try_end(telling->chains, chain);
}

static void closed_by_dispatch(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    gint32 fd = u->vhost_user_backend_fd_close.fd;
    SsDevice *device =
        ss_device_get(telling->process, u->vhost_user_backend_fd_close.dev, 0, telling->event->ns);
    SsChain *chain = of_exchange(telling, device, u->vhost_user_backend_fd_close.seq);
    if (!chain) {
        chain = of_fd(telling, fd);
    }
    if (chain) {
        closed(telling, chain, fd, u->vhost_user_backend_fd_close.ret, SS_CLOSER_DISPATCH);
    }
}

static void closed_by_mapping(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    gint32 fd = u->virtio_shmem_fd_close.fd;
    SsChain *chain = ss_chain_lookup(telling->chains, SS_CHAIN_KEY_MAPPING, telling->process,
                                     u->virtio_shmem_fd_close.mapping, 0);
    if (!chain) {
        chain = of_fd(telling, fd);
    }
    if (chain) {
        closed(telling, chain, fd, u->virtio_shmem_fd_close.ret, SS_CLOSER_MAPPING);
    }
}

static void reclaimed(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    gint32 fd = u->ram_block_reclaimed.fd;
    guint64 host = u->ram_block_reclaimed.host;
    SsChain *chain =
        host ? ss_chain_lookup(telling->chains, SS_CHAIN_KEY_RAM, telling->process, host, 0) : NULL;
    if (!chain) {
        chain = of_fd(telling, fd);
        if (chain && (chain->own_fd != fd || (chain->host && host && chain->host != host))) {
            return;
        }
    }
    if (chain) {
        chain->reclaimed = true;
        ss_chain_unindex(telling->chains, chain, SS_CHAIN_KEY_RAM, telling->process, chain->host,
                         0);
        closed(telling, chain, fd, u->ram_block_reclaimed.ret, SS_CLOSER_RAM_BLOCK);
    }
}

static void refused(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsDevice *device =
        ss_device_get(telling->process, u->vhost_user_backend_refused.dev, 0, telling->event->ns);
    SsChain *chain = of_exchange(telling, device, u->vhost_user_backend_refused.seq);
    if (chain) {
        g_autofree char *reason = ss_text_sanitize(u->vhost_user_backend_refused.reason, 20);
        SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_REFUSED);
        step->request = u->vhost_user_backend_refused.request;
        step->seq = u->vhost_user_backend_refused.seq;
        step->ret = u->vhost_user_backend_refused.ret;
        g_strlcpy(step->word, reason, sizeof(step->word));
        chain->refused |= step->seq == chain->seq;
    }
}

static void replied(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsDevice *device =
        ss_device_get(telling->process, u->vhost_user_backend_reply.dev, 0, telling->event->ns);
    SsChain *chain = of_exchange(telling, device, u->vhost_user_backend_reply.seq);
    if (chain) {
        SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_REPLY);
        step->request = u->vhost_user_backend_reply.request;
        step->seq = u->vhost_user_backend_reply.seq;
        step->a = u->vhost_user_backend_reply.value;
        step->ret = u->vhost_user_backend_reply.ret;
        if (step->seq == chain->seq && step->ret == 0) {
            chain->replied = true;
            chain->accepted = step->a == 0;
        }
    }
}

static void dispatched(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsDevice *device = ss_device_get(telling->process, u->vhost_user_backend_dispatched.dev, 0,
                                     telling->event->ns);
    SsChain *chain = of_exchange(telling, device, u->vhost_user_backend_dispatched.seq);
    if (chain) {
        SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_DISPATCHED);
        step->request = u->vhost_user_backend_dispatched.request;
        step->seq = u->vhost_user_backend_dispatched.seq;
        step->ret = u->vhost_user_backend_dispatched.ret;
        chain->dispatched |= step->seq == chain->seq;
        ss_chain_try_end(telling->chains, chain);
    }
}

void ss_chains_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event,
                     gpointer chains)
{
    const SsTelling telling = { chains, model, process, thread, event };
    const SsEventPayload *u = &event->u;
    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_REQUEST:
        requested(&telling, u->vhost_user_backend_request.dev, u->vhost_user_backend_request.seq);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_SHMEM:
        requested(&telling, u->vhost_user_backend_shmem.dev, u->vhost_user_backend_shmem.seq);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REFUSED:
        refused(&telling);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REPLY:
        replied(&telling);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_DISPATCHED:
        dispatched(&telling);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_FD:
        received(&telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_DUP:
        duplicated(&telling);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE:
        closed_by_dispatch(&telling);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_CLOSE:
        closed_by_mapping(&telling);
        break;
    case SS_EVENT_RAM_BLOCK_RECLAIMED:
        reclaimed(&telling);
        break;
    default:
        ss_telling_mapping(&telling);
        ss_telling_time(&telling);
        break;
    }
}
