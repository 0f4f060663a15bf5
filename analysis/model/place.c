/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which parts of a region are mapped, in order of their offsets, and what the protocol has
 * against a request because of that. Only what the recording knows to be mapped is here: of a
 * device that was there before, that may be less than is mapped.
 */
#include "analysis/model/parts.h"
#include "analysis/model/text.h"

static gint by_place(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const SsMapping *ma = a;
    const SsMapping *mb = b;
    (void)user_data;
    if (ma->place.shmid != mb->place.shmid) {
        return ma->place.shmid < mb->place.shmid ? -1 : 1;
    }
    if (ma->place.offset != mb->place.offset) {
        return ma->place.offset < mb->place.offset ? -1 : 1;
    }
    return ma->pointer < mb->pointer ? -1 : ma->pointer > mb->pointer;
}

void ss_place_enter(SsMapping *mapping, gint64 ns)
{
    ss_place_leave(mapping);
    if (!mapping->device) {
        return;
    }
    if (!mapping->device->places) {
        mapping->device->places = g_tree_new_full(by_place, NULL, NULL, NULL);
    }
    mapping->place = (SsPlace){ .shmid = mapping->shmid,
                                .offset = mapping->shm_offset,
                                .len = mapping->len,
                                .seq = mapping->seq,
                                .since_ns = ns };
    mapping->placed = mapping->device;
    g_tree_insert(mapping->placed->places, mapping, mapping);
}

void ss_place_leave(SsMapping *mapping)
{
    if (mapping->placed) {
        (void)g_tree_remove(mapping->placed->places, mapping);
        mapping->placed = NULL;
    }
}

static bool touches(const SsMapping *mapping, guint32 shmid, guint64 offset, guint64 len)
{
    const SsPlace *place = &mapping->place;
    if (place->shmid != shmid) {
        return false;
    }
    return place->offset <= offset ? place->len > offset - place->offset
                                   : len > place->offset - offset;
}

/* A mapping that has a byte of the range; when one of them is just the range, that one. */
static const SsMapping *find(const SsDevice *device, guint32 shmid, guint64 offset, guint64 len)
{
    SsMapping key = { .place = { .shmid = shmid, .offset = offset } };
    if (!device->places) {
        return NULL;
    }
    GTreeNode *node = g_tree_lower_bound(device->places, &key);
    GTreeNode *before = node ? g_tree_node_previous(node) : g_tree_node_last(device->places);
    const SsMapping *found = NULL;
    for (; node; node = g_tree_node_next(node)) {
        const SsMapping *mapping = g_tree_node_key(node);
        if (!touches(mapping, shmid, offset, len)) {
            break;
        }
        found = found ? found : mapping;
        if (mapping->place.offset != offset) {
            break;
        }
        if (mapping->place.len == len) {
            return mapping;
        }
    }
    const SsMapping *earlier = before ? g_tree_node_key(before) : NULL;
    return earlier && touches(earlier, shmid, offset, len) ? earlier : found;
}

static void judge(SsProcess *process, const SsDevice *device, SsExchange *exchange)
{
    guint64 offset = exchange->shm_offset;
    guint64 len = exchange->len;
    exchange->there_known =
        device->backend_channel == SS_CHANNEL_OPEN && !device->late && !process->late_objects;
    if (!len || len > G_MAXUINT64 - offset) {
        return;
    }
    const SsMapping *there = find(device, exchange->shmid, offset, len);
    if (there) {
        exchange->there = there->place;
        exchange->there.since_ns = there->told_ns;
    }
    if (exchange->request == SS_REQUEST_SHMEM_MAP) {
        exchange->place_fault = there ? SS_PLACE_OVERLAP : SS_PLACE_FINE;
    } else if (!there) {
        exchange->place_fault = SS_PLACE_EMPTY;
    } else if (there->place.offset != offset || there->place.len != len) {
        exchange->place_fault = SS_PLACE_NOT_WHOLE;
    }
}

static void requested(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_shmem.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, u->vhost_user_backend_shmem.seq);
    if (exchange && exchange->has_range) {
        judge(process, device, exchange);
    }
}

static void received(SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_fd.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, u->vhost_user_backend_fd.seq);
    if (exchange && !exchange->has_file) {
        exchange->has_file = true;
        exchange->file_size = u->vhost_user_backend_fd.size;
    }
}

/* That QEMU had it to remove is as good as having seen it mapped. */
static void removed(SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    SsExchange *exchange = dispatch ? ss_exchange_find(dispatch->device, dispatch->seq) : NULL;
    if (exchange && exchange->request == SS_REQUEST_SHMEM_UNMAP &&
        exchange->shmid == u->virtio_shmem_mapping_removed.shmid &&
        exchange->shm_offset == u->virtio_shmem_mapping_removed.shm_offset &&
        exchange->len == u->virtio_shmem_mapping_removed.len) {
        exchange->place_fault = SS_PLACE_FINE;
    }
}

static void refused(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_refused.dev, 0, event->ns);
    SsExchange *exchange = ss_exchange_find(device, u->vhost_user_backend_refused.seq);
    /* One whose request nobody told has its range in its refusal. */
    SsExchange alone = { .seq = u->vhost_user_backend_refused.seq,
                         .request = u->vhost_user_backend_refused.request,
                         .shmid = u->vhost_user_backend_refused.shmid,
                         .shm_offset = u->vhost_user_backend_refused.shm_offset,
                         .len = u->vhost_user_backend_refused.len,
                         .has_range = true,
                         .refused = true,
                         .read_ns = event->ns,
                         .request_ns = event->ns };
    g_autofree char *reason = ss_text_sanitize(u->vhost_user_backend_refused.reason, 20);
    g_strlcpy(alone.reason, reason, sizeof(alone.reason));
    ss_model_tell(model,
                  &(SsNotice){ .kind = SS_NOTICE_REFUSED,
                               .ns = event->ns,
                               .process = process,
                               .device = device,
                               .exchange = exchange && exchange->request_ns ? exchange : &alone });
}

static void replied(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_reply.dev, 0, event->ns);
    /* Any other number may be that of a request whose event was lost. */
    if (u->vhost_user_backend_reply.ret == 0 && !u->vhost_user_backend_reply.seq) {
        SsExchange none = { .request = u->vhost_user_backend_reply.request, .read_ns = event->ns };
        ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_STRAY_REPLY,
                                          .ns = event->ns,
                                          /* From outside it is only known by nothing missing. */
                                          .since_ns = ss_process_outside(process) ? device->birth_ns
                                                                                  : event->ns,
                                          .process = process,
                                          .device = device,
                                          .exchange = &none });
    }
}

void ss_place_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_SHMEM:
        requested(process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_FD:
        received(process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED:
        removed(thread, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REFUSED:
        refused(model, process, event);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_REPLY:
        replied(model, process, event);
        break;
    default:
        break;
    }
}
