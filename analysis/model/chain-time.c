/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What happens meanwhile: commits, waits inside of them, and what befalls the device.
 */
#include "analysis/model/chain-parts.h"

static void commit_begun(const SsTelling *telling)
{
    if (telling->event->u.memory_commit_start.depth > 0 ||
        !telling->event->u.memory_commit_start.pending) {
        return;
    }
    for (guint i = 0; i < telling->chains->pending->len; i++) {
        SsChain *chain = g_ptr_array_index(telling->chains->pending, i);
        if (chain->process == telling->process) {
            (void)ss_telling_add(telling, chain, SS_CHAIN_COMMIT_BEGIN);
            chain->commit_tid = telling->event->tid;
        }
    }
}

static void commit_ended(const SsTelling *telling)
{
    GPtrArray *pending = telling->chains->pending;
    if (telling->event->u.memory_commit_end.depth > 0) {
        return;
    }
    for (guint i = pending->len; i > 0; i--) {
        SsChain *chain = g_ptr_array_index(pending, i - 1);
        if (chain->process != telling->process) {
            continue;
        }
        SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_COMMIT_END);
        step->a = !chain->removed ? 1 : chain->visible ? 2 : 0;
        chain->visible |= !chain->removed;
        chain->pending = false;
        chain->commit_tid = 0;
        (void)g_ptr_array_remove_index_fast(pending, i - 1);
        ss_chain_try_end(telling->chains, chain);
    }
}

static void add_wait(const SsTelling *telling, SsChain *chain, SsDevice *device, guint64 seq,
                     guint32 request)
{
    if (chain->wait_device == device && chain->wait_seq == seq) {
        return;
    }
    SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_WAIT_BEGIN);
    step->request = request;
    step->seq = seq;
    chain->wait_device = device;
    chain->wait_seq = seq;
    chain->wait_tid = telling->event->tid;
}

/* The front-end waits inside of the chain's commit, or of the dispatch of its request. */
static void wait_begun(const SsTelling *telling, guint64 dev, guint64 seq, guint32 request)
{
    SsDevice *device = ss_device_get(telling->process, dev, 0, telling->event->ns);
    SsChain *inside = ss_telling_dispatch(telling, false);
    for (guint i = 0; i < telling->chains->pending->len; i++) {
        SsChain *chain = g_ptr_array_index(telling->chains->pending, i);
        if (chain->process == telling->process && chain->commit_tid == telling->event->tid) {
            add_wait(telling, chain, device, seq, request);
        }
    }
    if (inside) {
        add_wait(telling, inside, device, seq, request);
    }
}

static bool waits_for(const SsChain *chain, const SsDevice *device, guint64 seq)
{
    return chain->wait_device && chain->wait_device == device && chain->wait_seq == seq;
}

/* Told by another thread, again and again: the last counts. */
static void wait_lasts(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsDevice *device =
        ss_device_get(telling->process, u->vhost_user_reply_wait_lasts.dev, 0, telling->event->ns);
    for (guint i = 0; i < telling->chains->live->len; i++) {
        SsChain *chain = g_ptr_array_index(telling->chains->live, i);
        if (!waits_for(chain, device, u->vhost_user_reply_wait_lasts.seq)) {
            continue;
        }
        GArray *steps = chain->steps;
        SsChainStep *last = &g_array_index(steps, SsChainStep, steps->len - 1);
        if (last->kind != SS_CHAIN_WAIT_LASTS) {
            last = ss_telling_add(telling, chain, SS_CHAIN_WAIT_LASTS);
        }
        last->ns = chain->last_ns = telling->event->ns;
        last->tid = chain->wait_tid;
        last->request = u->vhost_user_reply_wait_lasts.request;
        last->a = u->vhost_user_reply_wait_lasts.waited;
    }
}

static void wait_ended(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsDevice *device =
        ss_device_get(telling->process, u->vhost_user_reply_read.dev, 0, telling->event->ns);
    for (guint i = 0; i < telling->chains->live->len; i++) {
        SsChain *chain = g_ptr_array_index(telling->chains->live, i);
        if (waits_for(chain, device, u->vhost_user_reply_read.seq)) {
            SsChainStep *step = ss_telling_add(telling, chain, SS_CHAIN_WAIT_END);
            step->request = u->vhost_user_reply_read.request;
            step->ret = u->vhost_user_reply_read.ret;
            chain->wait_device = NULL;
        }
    }
}

/* Something befell the device: what of it is still mapped. */
static void befell(const SsTelling *telling, const SsDevice *device, SsChainStepKind kind)
{
    for (guint i = 0; i < telling->chains->live->len; i++) {
        SsChain *chain = g_ptr_array_index(telling->chains->live, i);
        bool mapped = chain->added && !chain->removed && !chain->finalized;
        if (chain->device && chain->device == device && mapped) {
            (void)ss_telling_add(telling, chain, kind);
        }
    }
}

static void device_event(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    SsProcess *process = telling->process;
    gint64 ns = telling->event->ns;
    switch (telling->event->id) {
    case SS_EVENT_VHOST_USER_CHANNEL_CLOSE:
        befell(telling, ss_device_get(process, u->vhost_user_channel_close.dev, 0, ns),
               SS_CHAIN_MAIN_CLOSED);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_CLOSE:
        befell(telling, ss_device_get(process, u->vhost_user_backend_channel_close.dev, 0, ns),
               SS_CHAIN_BACKEND_CLOSED);
        break;
    case SS_EVENT_VIRTIO_SHMEM_DEVICE_RESET:
        befell(telling, ss_device_by_vdev(process, u->virtio_shmem_device_reset.vdev, ns),
               u->virtio_shmem_device_reset.phase ? SS_CHAIN_RESET_END : SS_CHAIN_RESET_BEGIN);
        break;
    case SS_EVENT_VIRTIO_SHMEM_DEVICE_UNREALIZE:
        befell(telling, ss_device_by_vdev(process, u->virtio_shmem_device_unrealize.vdev, ns),
               u->virtio_shmem_device_unrealize.phase ? SS_CHAIN_UNREALIZE_END
                                                      : SS_CHAIN_UNREALIZE_BEGIN);
        break;
    default:
        break;
    }
}

void ss_telling_time(const SsTelling *telling)
{
    const SsEventPayload *u = &telling->event->u;
    switch (telling->event->id) {
    case SS_EVENT_VHOST_USER_REQUEST:
        if (ss_request_answered(u->vhost_user_request.request, u->vhost_user_request.flags) &&
            u->vhost_user_request.ret == 0) {
            wait_begun(telling, u->vhost_user_request.dev, u->vhost_user_request.seq,
                       u->vhost_user_request.request);
        }
        break;
    case SS_EVENT_VHOST_USER_REPLY_WAIT:
        wait_begun(telling, u->vhost_user_reply_wait.dev, u->vhost_user_reply_wait.seq,
                   u->vhost_user_reply_wait.request);
        break;
    case SS_EVENT_VHOST_USER_REPLY_WAIT_LASTS:
        wait_lasts(telling);
        break;
    case SS_EVENT_VHOST_USER_REPLY_READ:
        wait_ended(telling);
        break;
    case SS_EVENT_MEMORY_COMMIT_START:
        commit_begun(telling);
        break;
    case SS_EVENT_MEMORY_COMMIT_END:
        commit_ended(telling);
        break;
    default:
        device_event(telling);
        break;
    }
}
