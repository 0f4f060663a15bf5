/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptors: received with a request, duplicated for a mapping, and what a close does to
 * the books. A number that is handed out again implies a close that nobody told.
 */
#include "analysis/model/parts.h"

static void detach(SsDescriptor *descriptor)
{
    SsExchange *exchange = ss_exchange_find(descriptor->device, descriptor->seq);
    for (guint i = 0; exchange && i < SS_EXCHANGE_FDS; i++) {
        if (exchange->fds[i] == descriptor) {
            exchange->fds[i] = NULL;
        }
    }
}

static void attach(SsDescriptor *descriptor)
{
    SsExchange *exchange = ss_exchange_find(descriptor->device, descriptor->seq);
    if (!exchange || exchange->dispatched_ns) {
        return; /* one that is done gets no more: it is a later one whose begin was not seen */
    }
    descriptor->request = exchange->request;
    for (guint i = 0; i < SS_EXCHANGE_FDS; i++) {
        if (!exchange->fds[i]) {
            exchange->fds[i] = descriptor;
            return;
        }
    }
}

/* Takes it out of the books; frees it, and the mapping that only waited for it. */
static void end(SsDescriptor *descriptor)
{
    SsProcess *process = descriptor->process;
    SsModel *model = process->model;
    SsMapping *mapping = descriptor->mapping;
    if (model->closed) {
        model->closed(model, descriptor, model->closed_data);
    }
    detach(descriptor);
    if (mapping) {
        mapping->descriptor = NULL;
        if (mapping->finalized_ns) {
            ss_mapping_forget(process, mapping);
        }
    }
    g_hash_table_remove(process->fds, GINT_TO_POINTER(descriptor->number));
}

SsDescriptor *ss_descriptor_open(SsModel *model, SsProcess *process, gint32 number, gint64 ns)
{
    SsDescriptor *older = g_hash_table_lookup(process->fds, GINT_TO_POINTER(number));
    SsDescriptor *descriptor = g_new0(SsDescriptor, 1);
    if (older) {
        ss_closing_implied(model, older, ns);
        if (older->role == SS_FD_RECEIVED) {
            descriptor->older_device = older->device;
            descriptor->older_seq = older->seq;
            descriptor->older_ino = older->ino;
            descriptor->older_label = older->label;
        }
        model->counts.fds_implied_closed++;
        if (older->device) {
            older->device->counts.fds_implied_closed++;
        }
        end(older);
    }
    descriptor->process = process;
    descriptor->number = number;
    descriptor->birth_ns = ns;
    g_hash_table_insert(process->fds, GINT_TO_POINTER(number), descriptor);
    return descriptor;
}

void ss_descriptor_unwatched(SsModel *model, SsProcess *process, gint32 number, guint64 ino)
{
    SsDescriptor *gone = g_hash_table_lookup(process->fds, GINT_TO_POINTER(number));
    if (!process->unsure) {
        process->unsure = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    }
    (void)g_hash_table_add(process->unsure, g_memdup2(&ino, sizeof(ino)));
    if (number < 0 || !gone || (gone->ino && gone->ino != ino)) {
        return;
    }
    model->counts.fds_implied_closed++;
    if (gone->device) {
        gone->device->counts.fds_implied_closed++;
    }
    end(gone);
}

void ss_descriptor_close(SsModel *model, SsDescriptor *descriptor, gint64 ns, gint32 ret)
{
    SsDevice *device = descriptor->device;
    if (ret == 0) {
        model->counts.fds_closed++;
    } else {
        /* Whatever close() says, Linux has taken the number out of the table. */
        model->counts.fds_close_failed++;
    }
    if (device) {
        device->counts.fds_closed += ret == 0;
        device->counts.fds_close_failed += ret != 0;
    }
    SsMapping *mapping = descriptor->mapping;
    if (mapping && mapping->finalized_ns) {
        mapping->closed_ns = ns;
        SsProcess *process = descriptor->process;
        ss_span_add(&model->counts.finalized_to_closed, ns - mapping->finalized_ns);
        process->newest_closed_finalize_ns =
            MAX(process->newest_closed_finalize_ns, mapping->finalized_ns);
    }
    ss_device_step(
        device, SS_STEP_FD_CLOSED, ns,
        &(SsStep){ .seq = descriptor->seq, .a = (guint32)descriptor->number, .ret = ret });
    end(descriptor);
}

/* Its request was told before its descriptor was. */
static void name_request(const SsDescriptor *descriptor)
{
    SsExchange *exchange = ss_exchange_find(descriptor->device, descriptor->seq);
    if (exchange && !descriptor->index) {
        exchange->label = descriptor->label;
        ss_device_label_request(descriptor->device, descriptor->seq, descriptor->label);
    }
}

static void received(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    gint32 fd = u->vhost_user_backend_fd.fd;
    if (fd < 0) {
        return;
    }
    SsDescriptor *descriptor = ss_descriptor_open(model, process, fd, event->ns);
    descriptor->role = SS_FD_RECEIVED;
    descriptor->device = ss_device_get(process, u->vhost_user_backend_fd.dev, 0, event->ns);
    descriptor->seq = u->vhost_user_backend_fd.seq;
    descriptor->index = u->vhost_user_backend_fd.index;
    descriptor->fdev = u->vhost_user_backend_fd.fdev;
    descriptor->ino = u->vhost_user_backend_fd.ino;
    descriptor->size = u->vhost_user_backend_fd.size;
    descriptor->label =
        ss_label_arrived(model, event->trace, descriptor->fdev, descriptor->ino, event->ns);
    descriptor->birth_seen = true;
    attach(descriptor);
    name_request(descriptor);
    SsTrail *asked = descriptor->device->asked;
    SsPass *pass = asked && !descriptor->index ? ss_trail_find(asked, descriptor->seq) : NULL;
    if (pass) {
        pass->fdev = descriptor->fdev;
        pass->ino = descriptor->ino;
        pass->label = descriptor->label;
    }
    model->counts.fds_received++;
    descriptor->device->counts.fds_received++;
    ss_device_step(descriptor->device, SS_STEP_FD_RECEIVED, event->ns,
                   &(SsStep){ .seq = descriptor->seq, .a = (guint32)fd });
}

static void duplicated(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    gint32 newfd = u->virtio_shmem_fd_dup.newfd;
    if (newfd < 0 || u->virtio_shmem_fd_dup.ret != 0) {
        return;
    }
    SsDescriptor *descriptor = ss_descriptor_open(model, process, newfd, event->ns);
    const SsDescriptor *source =
        g_hash_table_lookup(process->fds, GINT_TO_POINTER(u->virtio_shmem_fd_dup.fd));
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    descriptor->role = SS_FD_DUPLICATE;
    descriptor->mapping_pointer = u->virtio_shmem_fd_dup.mapping;
    if (descriptor->mapping_pointer) {
        SsMapping *mapping =
            ss_mapping_born(model, process, thread, descriptor->mapping_pointer, event->ns);
        mapping->fd = newfd;
        mapping->descriptor = descriptor;
        descriptor->mapping = mapping;
    }
    descriptor->birth_seen = true;
    if (source) {
        descriptor->device = source->device;
        descriptor->seq = source->seq;
        descriptor->fdev = source->fdev;
        descriptor->ino = source->ino;
        descriptor->size = source->size;
        descriptor->label = source->label;
    } else if (dispatch) {
        descriptor->device = dispatch->device;
        descriptor->seq = dispatch->seq;
    }
    if (descriptor->mapping) {
        ss_mapping_take_file(descriptor->mapping, descriptor);
    }
    attach(descriptor);
    model->counts.fds_duplicated++;
    if (descriptor->device) {
        descriptor->device->counts.fds_duplicated++;
    }
    ss_device_step(descriptor->device, SS_STEP_FD_DUPLICATED, event->ns,
                   &(SsStep){ .seq = descriptor->seq,
                              .a = (guint32)newfd,
                              .b = (guint32)u->virtio_shmem_fd_dup.fd });
}

void ss_descriptor_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_FD:
        received(model, process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_DUP:
        duplicated(model, process, thread, event);
        break;
    default:
        break;
    }
}
