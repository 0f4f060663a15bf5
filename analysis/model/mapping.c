/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Mappings: made, given memory, entered into their region, visible, removed,
 * finalized, and at last their descriptor closed by RCU.
 */
#include "analysis/model/parts.h"
#include "analysis/model/text.h"

void ss_mapping_free(SsMapping *mapping)
{
    ss_place_leave(mapping);
    g_free(mapping);
}

/* Of the exchange that made it, as long as that is remembered. */
static void take_exchange(SsMapping *mapping)
{
    const SsExchange *exchange = ss_exchange_find(mapping->device, mapping->seq);
    if (exchange) {
        mapping->request_ns = exchange->request_ns;
        mapping->reply_ns = exchange->reply_ns;
    }
}

static void tell_life(SsModel *model, SsMapping *mapping)
{
    if (model->life) {
        if (!mapping->reply_ns) {
            take_exchange(mapping);
        }
        model->life(model, mapping, model->life_data);
    }
}

static gint by_birth(gconstpointer a, gconstpointer b)
{
    const SsMapping *ma = *(const SsMapping *const *)a;
    const SsMapping *mb = *(const SsMapping *const *)b;
    if (ma->birth_ns != mb->birth_ns) {
        return ma->birth_ns < mb->birth_ns ? -1 : 1;
    }
    return ma->pointer < mb->pointer ? -1 : ma->pointer > mb->pointer;
}

void ss_mapping_finish(SsModel *model, SsProcess *process)
{
    g_autoptr(GPtrArray) left = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->closing);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(left, value);
    }
    g_hash_table_iter_init(&iter, process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(left, value);
    }
    g_ptr_array_sort(left, by_birth);
    for (guint i = 0; i < left->len; i++) {
        tell_life(model, g_ptr_array_index(left, i));
    }
}

void ss_mapping_forget(SsProcess *process, SsMapping *mapping)
{
    tell_life(process->model, mapping);
    g_ptr_array_remove_fast(process->pending, mapping);
    if (mapping->in_region && mapping->device && mapping->device->live_mappings) {
        mapping->device->live_mappings--;
    }
    if (mapping->descriptor) {
        mapping->descriptor->mapping = NULL;
    }
    if (g_hash_table_lookup(process->mappings, &mapping->pointer) == mapping) {
        g_hash_table_remove(process->mappings, &mapping->pointer);
    } else {
        if (mapping->device && mapping->device->fds_waiting) {
            mapping->device->fds_waiting--;
        }
        g_hash_table_remove(process->closing, mapping);
    }
}

static SsMapping *mapping_new(SsProcess *process, guint64 pointer, gint64 ns)
{
    SsMapping *mapping = g_new0(SsMapping, 1);
    mapping->process = process;
    mapping->pointer = pointer;
    mapping->birth_ns = ns;
    mapping->fd = -1;
    mapping->gpa = G_MAXUINT64;
    g_hash_table_insert(process->mappings, &mapping->pointer, mapping);
    return mapping;
}

/* Finds the mapping, or makes one whose beginning was not seen. */
static SsMapping *mapping_get(SsProcess *process, guint64 pointer, gint64 ns)
{
    SsMapping *mapping = g_hash_table_lookup(process->mappings, &pointer);
    if (!mapping) {
        mapping = mapping_new(process, pointer, ns);
        process->late_objects++;
    }
    return mapping;
}

static void set_range(SsMapping *mapping, guint64 vdev, guint32 shmid, guint64 shm_offset,
                      guint64 len, gint64 ns)
{
    mapping->vdev = vdev;
    mapping->shmid = shmid;
    mapping->shm_offset = shm_offset;
    mapping->len = len;
    if (!mapping->device || mapping->device->vdev != vdev) {
        mapping->device = ss_device_by_vdev(mapping->process, vdev, ns);
    }
}

void ss_mapping_take_file(SsMapping *mapping, const SsDescriptor *descriptor)
{
    mapping->fdev = descriptor->fdev;
    mapping->ino = descriptor->ino;
    mapping->label = descriptor->label;
}

static void set_fd(SsModel *model, SsMapping *mapping, gint32 fd, gint64 ns)
{
    if (fd < 0 || (mapping->descriptor && mapping->descriptor->number == fd)) {
        return;
    }
    SsProcess *process = mapping->process;
    SsDescriptor *descriptor = g_hash_table_lookup(process->fds, GINT_TO_POINTER(fd));
    mapping->fd = fd;
    if (descriptor && descriptor->role == SS_FD_RECEIVED) {
        return; /* its own is not known */
    }
    if (ss_closing_known(process, mapping->pointer, fd)) {
        return; /* it still tells the number, which may be another's by now */
    }
    if (!descriptor || (descriptor->mapping && descriptor->mapping != mapping)) {
        descriptor = ss_descriptor_open(model, process, fd, ns);
        descriptor->role = SS_FD_DUPLICATE;
        descriptor->device = mapping->device;
    }
    if (mapping->descriptor) {
        mapping->descriptor->mapping = NULL;
    }
    descriptor->mapping = mapping;
    descriptor->mapping_pointer = mapping->pointer;
    mapping->descriptor = descriptor;
    ss_mapping_take_file(mapping, descriptor);
}

static SsStep range_step(const SsMapping *mapping)
{
    return (SsStep){
        .seq = mapping->seq, .a = mapping->shm_offset, .b = mapping->len, .label = mapping->label
    };
}

SsMapping *ss_mapping_born(SsModel *model, SsProcess *process, SsThread *thread, guint64 pointer,
                           gint64 ns)
{
    SsMapping *older = g_hash_table_lookup(process->mappings, &pointer);
    if (older) {
        ss_mapping_forget(process, older); /* it ended unseen: its memory is in use again */
    }
    SsMapping *mapping = mapping_new(process, pointer, ns);
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    mapping->birth_seen = true;
    mapping->seq = dispatch ? dispatch->seq : 0;
    mapping->device = dispatch ? dispatch->device : NULL;
    model->counts.mappings_created++;
    if (mapping->device) {
        mapping->device->counts.mappings_created++;
    }
    return mapping;
}

static void set_details(SsMapping *mapping, guint64 fd_offset, bool writable)
{
    mapping->details = true;
    mapping->fd_offset = fd_offset;
    mapping->writable = writable;
}

/* The duplicate of its descriptor told of its birth already, when that was recorded. */
static void made(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    guint64 pointer = u->virtio_shmem_mapping_new.mapping;
    SsMapping *mapping = g_hash_table_lookup(process->mappings, &pointer);
    if (!mapping || mapping->details || mapping->added_ns) {
        mapping = ss_mapping_born(model, process, thread, pointer, event->ns);
    }
    set_range(mapping, u->virtio_shmem_mapping_new.vdev, u->virtio_shmem_mapping_new.shmid,
              u->virtio_shmem_mapping_new.shm_offset, u->virtio_shmem_mapping_new.len, event->ns);
    set_details(mapping, u->virtio_shmem_mapping_new.fd_offset,
                u->virtio_shmem_mapping_new.writable);
    set_fd(model, mapping, u->virtio_shmem_mapping_new.fd, event->ns);
}

static void enter(SsMapping *mapping, gint64 ns)
{
    if (!mapping->in_region) {
        mapping->in_region = true;
        ss_place_enter(mapping, ns);
        if (mapping->device) {
            mapping->device->live_mappings++;
        }
    }
    if (!mapping->added_ns) {
        mapping->added_ns = ns;
    }
    mapping->told_ns = ns;
}

/* One that is added again, or whose birth nobody told, is another at the same place. */
static SsMapping *to_add(SsModel *model, SsProcess *process, SsThread *thread, guint64 pointer,
                         gint64 ns)
{
    SsMapping *mapping = g_hash_table_lookup(process->mappings, &pointer);
    if (mapping && !mapping->removed_ns && !(mapping->birth_seen && mapping->added_ns)) {
        return mapping;
    }
    mapping = ss_mapping_born(model, process, thread, pointer, ns);
    if (ss_event_recorded(model, process, SS_EVENT_VIRTIO_SHMEM_FD_DUP)) {
        mapping->birth_seen = false;
        process->late_objects++;
    }
    return mapping;
}

static void added(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsMapping *mapping =
        to_add(model, process, thread, u->virtio_shmem_mapping_added.mapping, event->ns);
    set_range(mapping, u->virtio_shmem_mapping_added.vdev, u->virtio_shmem_mapping_added.shmid,
              u->virtio_shmem_mapping_added.shm_offset, u->virtio_shmem_mapping_added.len,
              event->ns);
    set_details(mapping, u->virtio_shmem_mapping_added.fd_offset,
                u->virtio_shmem_mapping_added.writable);
    set_fd(model, mapping, u->virtio_shmem_mapping_added.fd, event->ns);
    mapping->gpa = u->virtio_shmem_mapping_added.gpa;
    mapping->host = u->virtio_shmem_mapping_added.host;
    mapping->ram_ns = mapping->ram_ns ? mapping->ram_ns : event->ns;
    if (!mapping->in_region) {
        g_ptr_array_add(process->pending, mapping);
        enter(mapping, event->ns);
    }
    SsStep step = range_step(mapping);
    ss_device_step(mapping->device, SS_STEP_MAPPING_ADDED, event->ns, &step);
}

static void removed(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsMapping *mapping = mapping_get(process, u->virtio_shmem_mapping_removed.mapping, event->ns);
    if (mapping->removed_ns) {
        return;
    }
    set_range(mapping, u->virtio_shmem_mapping_removed.vdev, u->virtio_shmem_mapping_removed.shmid,
              u->virtio_shmem_mapping_removed.shm_offset, u->virtio_shmem_mapping_removed.len,
              event->ns);
    set_fd(model, mapping, u->virtio_shmem_mapping_removed.fd, event->ns);
    g_autofree char *reason = ss_text_sanitize(u->virtio_shmem_mapping_removed.reason, 12);
    g_strlcpy(mapping->reason, reason, sizeof(mapping->reason));
    mapping->removed_ns = event->ns;
    if (mapping->in_region) {
        mapping->in_region = false;
        ss_place_leave(mapping);
        if (mapping->device && mapping->device->live_mappings) {
            mapping->device->live_mappings--;
        }
    }
    if (!mapping->visible_ns) {
        g_ptr_array_remove_fast(process->pending, mapping);
    }
    model->counts.mappings_removed++;
    if (mapping->device) {
        mapping->device->counts.mappings_removed++;
    }
    SsStep step = range_step(mapping);
    ss_device_step(mapping->device, SS_STEP_MAPPING_REMOVED, event->ns, &step);
}

static void finalized(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsMapping *mapping = mapping_get(process, u->virtio_shmem_mapping_finalized.mapping, event->ns);
    set_range(mapping, u->virtio_shmem_mapping_finalized.vdev,
              u->virtio_shmem_mapping_finalized.shmid, u->virtio_shmem_mapping_finalized.shm_offset,
              u->virtio_shmem_mapping_finalized.len, event->ns);
    mapping->finalized_ns = event->ns;
    /* One whose RAM could not be made has closed its descriptor before. */
    mapping->ram_ns = mapping->ram_ns ? mapping->ram_ns : event->ns;
    model->counts.mappings_finalized++;
    if (mapping->device) {
        mapping->device->counts.mappings_finalized++;
    }
    if (mapping->removed_ns) {
        ss_span_add(&model->counts.removed_to_finalized, event->ns - mapping->removed_ns);
        process->newest_finalized_removal_ns =
            MAX(process->newest_finalized_removal_ns, mapping->removed_ns);
    }
    SsStep step = range_step(mapping);
    ss_device_step(mapping->device, SS_STEP_MAPPING_FINALIZED, event->ns, &step);
    if (mapping->in_region) {
        mapping->in_region = false;
        ss_place_leave(mapping);
        if (mapping->device && mapping->device->live_mappings) {
            mapping->device->live_mappings--;
        }
    }
    g_ptr_array_remove_fast(process->pending, mapping);
    if (!mapping->descriptor) {
        ss_mapping_forget(process, mapping);
        return;
    }
    /* The pointer is free for another mapping; the descriptor waits for RCU. */
    g_hash_table_steal(process->mappings, &mapping->pointer);
    g_hash_table_add(process->closing, mapping);
    if (mapping->device) {
        SsDevice *device = mapping->device;
        device->fds_waiting++;
        device->counts.fds_waiting_most = MAX(device->counts.fds_waiting_most, device->fds_waiting);
    }
}

static void told_again(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    SsMapping *mapping = mapping_get(process, u->virtio_shmem_mapping_state.mapping, event->ns);
    set_range(mapping, u->virtio_shmem_mapping_state.vdev, u->virtio_shmem_mapping_state.shmid,
              u->virtio_shmem_mapping_state.shm_offset, u->virtio_shmem_mapping_state.len,
              event->ns);
    set_details(mapping, u->virtio_shmem_mapping_state.fd_offset,
                u->virtio_shmem_mapping_state.writable);
    mapping->gpa = u->virtio_shmem_mapping_state.gpa;
    set_fd(model, mapping, u->virtio_shmem_mapping_state.fd, event->ns);
    if (!mapping->removed_ns) {
        enter(mapping, event->ns);
    }
}

void ss_mapping_commit_ended(SsModel *model, SsProcess *process, gint64 ns)
{
    for (guint i = 0; i < process->pending->len; i++) {
        SsMapping *mapping = g_ptr_array_index(process->pending, i);
        mapping->visible_ns = ns;
        model->counts.mappings_visible++;
        if (mapping->device) {
            mapping->device->counts.mappings_visible++;
        }
        const SsExchange *exchange = ss_exchange_find(mapping->device, mapping->seq);
        if (exchange && exchange->reply_ns) {
            mapping->request_ns = exchange->request_ns;
            mapping->reply_ns = exchange->reply_ns;
            ss_span_add(&model->counts.reply_to_visible, ns - exchange->reply_ns);
        }
        SsStep step = range_step(mapping);
        ss_device_step(mapping->device, SS_STEP_MAPPING_VISIBLE, ns, &step);
    }
    g_ptr_array_set_size(process->pending, 0);
}

void ss_mapping_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    SsMapping *mapping;

    switch (event->id) {
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_NEW:
        made(model, process, thread, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_RAM:
        mapping = mapping_get(process, event->u.virtio_shmem_mapping_ram.mapping, event->ns);
        mapping->ram_ns = event->ns;
        mapping->mr = event->u.virtio_shmem_mapping_ram.mr;
        mapping->host = event->u.virtio_shmem_mapping_ram.host;
        set_fd(model, mapping, event->u.virtio_shmem_mapping_ram.fd, event->ns);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        added(model, process, thread, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED:
        removed(model, process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED:
        finalized(model, process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_STATE:
        told_again(model, process, event);
        break;
    default:
        break;
    }
}
