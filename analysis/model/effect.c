/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a request of the back-end did to the mappings, whatever its reply says.
 */
#include "analysis/model/parts.h"

static SsExchange *dispatched(SsThread *thread)
{
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    return dispatch ? ss_exchange_find(dispatch->device, dispatch->seq) : NULL;
}

static void added(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    SsExchange *exchange = dispatched(thread);
    SsMapping *mapping =
        g_hash_table_lookup(process->mappings, &event->u.virtio_shmem_mapping_added.mapping);
    if (!exchange || !mapping) {
        return;
    }
    exchange->added++;
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_MAPPED,
                                      .ns = event->ns,
                                      .since_ns = exchange->request_ns,
                                      .process = process,
                                      .device = mapping->device,
                                      .thread = thread,
                                      .exchange = exchange,
                                      .mapping = mapping });
}

static void done(SsModel *model, SsProcess *process, const SsEvent *event)
{
    SsDevice *device =
        ss_device_get(process, event->u.vhost_user_backend_dispatched.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, event->u.vhost_user_backend_dispatched.seq);
    if (exchange && exchange->request_ns && exchange->dispatched_ns == event->ns) {
        ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_DISPATCHED,
                                          .ns = event->ns,
                                          .since_ns = exchange->request_ns,
                                          .process = process,
                                          .device = device,
                                          .exchange = exchange });
    }
}

static void removed(SsThread *thread, const SsEvent *event)
{
    SsExchange *exchange = dispatched(thread);
    if (exchange) {
        exchange->removed++;
        /* Others may go in it too, when its reply cannot be sent. */
        exchange->unmapped +=
            g_str_equal(event->u.virtio_shmem_mapping_removed.reason, SS_REMOVAL_UNMAP);
    }
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    const SsMapping *ma = *(const SsMapping *const *)a;
    const SsMapping *mb = *(const SsMapping *const *)b;
    if (ma->shmid != mb->shmid) {
        return ma->shmid < mb->shmid ? -1 : 1;
    }
    if (ma->shm_offset != mb->shm_offset) {
        return ma->shm_offset < mb->shm_offset ? -1 : 1;
    }
    return ma->birth_ns < mb->birth_ns ? -1 : ma->birth_ns > mb->birth_ns;
}

GPtrArray *ss_mappings_of(const SsDevice *device)
{
    GPtrArray *mappings = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, device->process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsMapping *mapping = value;
        if (mapping->device == device && mapping->in_region) {
            g_ptr_array_add(mappings, value);
        }
    }
    g_ptr_array_sort(mappings, by_place);
    return mappings;
}

void ss_effect_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    SsExchange *exchange;

    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_DISPATCHED:
        done(model, process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        added(model, process, thread, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_DUP:
        exchange = dispatched(thread);
        if (exchange) {
            exchange->duplicated += event->u.virtio_shmem_fd_dup.newfd >= 0;
        }
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED:
        exchange = dispatched(thread);
        if (exchange) {
            exchange->finalized++;
        }
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED:
        removed(thread, event);
        break;
    default:
        break;
    }
}
