/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The model's own events, made of what the wire tells.
 */
#include "analysis/wire/frontend.h"

SsEvent ss_wire_make(const SsEvent *at, SsEventId id)
{
    SsEvent event = { .id = id,
                      .trace = at->trace,
                      .ns = at->ns,
                      .pid = at->pid,
                      .tid = at->tid,
                      .procname = at->procname };
    const SsEventInfo *info = &ss_catalogue_events[id];
    for (guint i = 0; i < info->n_fields; i++) {
        if (info->fields[i].type == SS_FIELD_STR) {
            *(const char **)((guint8 *)&event.u + info->fields[i].offset) = "";
        }
    }
    return event;
}

SsProcess *ss_wire_emit(SsWireProcess *process, const SsEvent *event)
{
    SsEvent named = *event;
    named.procname = g_hash_table_lookup(process->names, GINT_TO_POINTER(event->tid));
    SsProcess *model = ss_model_apply(process->wire->model, &named);
    model->sources |= SS_SOURCE_WIRE;
    process->known = model;
    return model;
}

void ss_wire_emit_device(SsWireConn *main, const SsEvent *at)
{
    const SsFrontendChannel *side = ss_wire_side(main);
    SsEvent event = ss_wire_make(at, SS_EVENT_VHOST_USER_DEVICE);
    event.u.vhost_user_device.dev = main->conn;
    event.u.vhost_user_device.vdev = main->conn;
    event.u.vhost_user_device.chardev = main->name;
    event.u.vhost_user_device.features = side->features;
    event.u.vhost_user_device.protocol_features = side->protocol_features;
    event.u.vhost_user_device.started = side->started;
    (void)ss_wire_emit(main->process, &event);
}

void ss_wire_emit_phase(SsWireConn *main, const SsEvent *at, SsEventId id, bool begins)
{
    SsEvent event = ss_wire_make(at, id);
    if (id == SS_EVENT_VHOST_USER_START) {
        event.u.vhost_user_start.dev = main->conn;
        event.u.vhost_user_start.vdev = main->conn;
        event.u.vhost_user_start.phase = !begins;
    } else {
        event.u.vhost_user_stop.dev = main->conn;
        event.u.vhost_user_stop.vdev = main->conn;
        event.u.vhost_user_stop.phase = !begins;
    }
    (void)ss_wire_emit(main->process, &event);
}

void ss_wire_emit_commit(SsWireProcess *process, const SsEvent *at, bool begins)
{
    SsEvent event =
        ss_wire_make(at, begins ? SS_EVENT_MEMORY_COMMIT_START : SS_EVENT_MEMORY_COMMIT_END);
    if (begins) {
        event.u.memory_commit_start.pending = 1;
    } else {
        event.u.memory_commit_end.pending = 1;
    }
    (void)ss_wire_emit(process, &event);
}

void ss_wire_emit_mapping(SsWireProcess *process, const SsWireMapping *mapping, const SsEvent *at,
                          SsEventId id, const char *reason)
{
    SsEvent event = ss_wire_make(at, id);
    guint64 vdev = mapping->main ? mapping->main->conn : 0;
    switch (id) {
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        event.u.virtio_shmem_mapping_added.mapping = mapping->id;
        event.u.virtio_shmem_mapping_added.vdev = vdev;
        event.u.virtio_shmem_mapping_added.shmid = mapping->shmid;
        event.u.virtio_shmem_mapping_added.shm_offset = mapping->shm_offset;
        event.u.virtio_shmem_mapping_added.len = mapping->len;
        event.u.virtio_shmem_mapping_added.fd_offset = mapping->fd_offset;
        event.u.virtio_shmem_mapping_added.writable = mapping->writable;
        event.u.virtio_shmem_mapping_added.fd = mapping->fd;
        event.u.virtio_shmem_mapping_added.host = mapping->addr;
        event.u.virtio_shmem_mapping_added.gpa = G_MAXUINT64; /* nobody outside sees it */
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED:
        event.u.virtio_shmem_mapping_removed.mapping = mapping->id;
        event.u.virtio_shmem_mapping_removed.vdev = vdev;
        event.u.virtio_shmem_mapping_removed.shmid = mapping->shmid;
        event.u.virtio_shmem_mapping_removed.shm_offset = mapping->shm_offset;
        event.u.virtio_shmem_mapping_removed.len = mapping->len;
        event.u.virtio_shmem_mapping_removed.fd = mapping->fd;
        event.u.virtio_shmem_mapping_removed.reason = reason;
        break;
    default:
        event.id = SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED;
        event.u.virtio_shmem_mapping_finalized.mapping = mapping->id;
        event.u.virtio_shmem_mapping_finalized.vdev = vdev;
        event.u.virtio_shmem_mapping_finalized.shmid = mapping->shmid;
        event.u.virtio_shmem_mapping_finalized.shm_offset = mapping->shm_offset;
        event.u.virtio_shmem_mapping_finalized.len = mapping->len;
        event.u.virtio_shmem_mapping_finalized.fd = mapping->fd;
        break;
    }
    (void)ss_wire_emit(process, &event);
}
