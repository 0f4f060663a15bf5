/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who closes a descriptor, and whether it was his to close, once. A received one is closed
 * at the end of its dispatch; a mapping's own by its RAM block's reclaim or, when there is no
 * RAM block yet, by the mapping. What somebody else closed is remembered until its owner closes
 * the number too, which may be another file's by then.
 */
#include "analysis/model/parts.h"

#define NOT_OPEN (-9) /* -EBADF of Linux, where QEMU ran */

/* No address of a process of Linux has the highest bit: RAM blocks whose address is not known
 * go by the number of their descriptor. */
static guint64 ram_key(guint64 host, gint32 number)
{
    return host ? host : (G_GUINT64_CONSTANT(1) << 63) | (guint32)number;
}

static void remember(GHashTable *table, guint64 key, const SsClosed *closed)
{
    SsClosed *kept = g_memdup2(closed, sizeof(*closed));
    kept->key = key;
    g_hash_table_replace(table, &kept->key, kept);
}

static SsClosed *recall(GHashTable *table, guint64 key, gint32 number)
{
    SsClosed *closed = g_hash_table_lookup(table, &key);
    return closed && closed->number == number ? closed : NULL;
}

/* Whether a RAM block has taken the descriptor over. */
static bool has_ram(const SsMapping *mapping)
{
    return mapping && (mapping->host || mapping->added_ns);
}

static SsClosed closed_of(const SsDescriptor *descriptor, SsCloser closer, gint64 ns)
{
    const SsMapping *mapping = descriptor->mapping;
    SsClosed closed = { .number = descriptor->number,
                        .closer = closer,
                        .ino = descriptor->ino,
                        .label = descriptor->label,
                        .request = descriptor->request,
                        .seq = descriptor->seq,
                        .device = descriptor->device,
                        .birth_ns = descriptor->birth_ns,
                        .closed_ns = ns };
    if (mapping) {
        closed.device = mapping->device;
        closed.mapping = mapping->pointer;
        closed.shmid = mapping->shmid;
        closed.shm_offset = mapping->shm_offset;
        closed.len = mapping->len;
        closed.in_region = mapping->in_region;
        closed.birth_ns = MAX(closed.birth_ns, mapping->told_ns);
    }
    return closed;
}

static void tell(SsModel *model, SsProcess *process, SsNoticeKind kind, const SsClose *close,
                 gint64 ns)
{
    ss_model_tell(model, &(SsNotice){ .kind = kind,
                                      .ns = ns,
                                      .since_ns = close->first.closed_ns,
                                      .process = process,
                                      .device = close->first.device,
                                      .close = close });
}

/* Marks the close as told, also where it is remembered. */
static void tell_early(SsModel *model, SsProcess *process, SsClosed *closed, gint64 ns)
{
    SsClosed *ram = recall(process->closed_ram, closed->ram, closed->number);
    closed->told = true;
    if (ram) {
        ram->told = true;
    }
    tell(model, process, SS_NOTICE_CLOSED_EARLY,
         &(SsClose){ .closer = closed->closer,
                     .number = closed->number,
                     .ret = closed->ret,
                     .first = *closed },
         ns);
}

/* Closed by another than its RAM block. */
static void taken(SsModel *model, const SsDescriptor *descriptor, SsThread *thread, SsCloser closer,
                  gint32 ret, gint64 ns, bool told)
{
    const SsMapping *mapping = descriptor->mapping;
    SsProcess *process = descriptor->process;
    if (!has_ram(mapping)) {
        return;
    }
    SsClosed closed = closed_of(descriptor, closer, ns);
    closed.told = told;
    closed.ret = ret;
    closed.ram = ram_key(mapping->host, closed.number);
    /* The mapping itself may be at its end, which that thread tells next. */
    if (mapping->in_region && !told && closer != SS_CLOSER_MAPPING) {
        tell_early(model, process, &closed, ns);
    }
    remember(process->closed_ram, closed.ram, &closed);
    if (!mapping->finalized_ns) {
        closed.thread = thread;
        closed.thread_events = thread ? thread->events : 0;
        remember(process->closed_mappings, mapping->pointer, &closed);
        if (thread) {
            thread->closed_mapping = mapping->pointer;
        }
    }
}

/* Received ones are known by their number only. */
static guint64 received_key(gint32 number)
{
    return (G_GUINT64_CONSTANT(3) << 62) | (guint32)number;
}

static void again(SsModel *model, SsProcess *process, const SsClosed *first, SsCloser closer,
                  gint32 number, gint32 ret, gint64 ns)
{
    SsDescriptor *now = g_hash_table_lookup(process->fds, GINT_TO_POINTER(number));
    SsClose close = { .closer = closer,
                      .number = number,
                      .ret = ret,
                      .first = *first,
                      .victim = ret == NOT_OPEN ? NULL : now };
    if (!first->told) {
        tell(model, process, SS_NOTICE_CLOSED_AGAIN, &close, ns);
    }
    if (now) {
        /* Its own RAM block will close it again: a consequence, and not told apart. */
        taken(model, now, NULL, closer, ret, ns, true);
        if (now->role == SS_FD_RECEIVED) {
            SsClosed victim = closed_of(now, closer, ns);
            remember(process->closed_ram, received_key(number), &victim);
        }
        ss_descriptor_close(model, now, ns, ret);
    }
}

static SsClosed unseen(gint32 number, SsDevice *device, gint64 ns)
{
    return (SsClosed){ .number = number, .device = device, .birth_ns = ns, .closed_ns = ns };
}

static void closed_by_dispatch(SsModel *model, SsProcess *process, SsThread *thread,
                               const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    gint32 number = u->vhost_user_backend_fd_close.fd;
    gint32 ret = u->vhost_user_backend_fd_close.ret;
    guint64 seq = u->vhost_user_backend_fd_close.seq;
    SsDevice *device = ss_device_get(process, u->vhost_user_backend_fd_close.dev, 0, event->ns);
    SsDescriptor *descriptor = g_hash_table_lookup(process->fds, GINT_TO_POINTER(number));
    bool own = descriptor && descriptor->role == SS_FD_RECEIVED && descriptor->device == device &&
               descriptor->seq == seq;
    const SsClosed *victim = recall(process->closed_ram, received_key(number), number);
    if (victim && victim->device == device && victim->seq == seq) {
        guint64 key = received_key(number);
        g_hash_table_remove(process->closed_ram, &key);
        if (ret == NOT_OPEN) {
            return; /* it was closed by mistake, and that was told */
        }
    }
    if (descriptor && !own && descriptor->older_device == device && descriptor->older_seq == seq) {
        /* What came with this message was closed before, and the number handed out again. */
        SsClosed first = unseen(number, device, descriptor->birth_ns);
        first.ino = descriptor->older_ino;
        first.label = descriptor->older_label;
        first.seq = seq;
        again(model, process, &first, SS_CLOSER_DISPATCH, number, ret, event->ns);
    } else if (ret == NOT_OPEN) {
        SsClosed first = descriptor ? closed_of(descriptor, SS_CLOSER_UNSEEN, event->ns)
                                    : unseen(number, device, event->ns);
        again(model, process, &first, SS_CLOSER_DISPATCH, number, ret, event->ns);
    } else if (descriptor) {
        if (descriptor->role == SS_FD_DUPLICATE) {
            taken(model, descriptor, thread, SS_CLOSER_DISPATCH, ret, event->ns, false);
        }
        ss_descriptor_close(model, descriptor, event->ns, ret);
    }
}

static void closed_by_mapping(SsModel *model, SsProcess *process, SsThread *thread,
                              const SsEvent *event)
{
    guint64 pointer = event->u.virtio_shmem_fd_close.mapping;
    gint32 number = event->u.virtio_shmem_fd_close.fd;
    gint32 ret = event->u.virtio_shmem_fd_close.ret;
    SsDescriptor *descriptor = g_hash_table_lookup(process->fds, GINT_TO_POINTER(number));
    const SsClosed *first = recall(process->closed_mappings, pointer, number);
    if (!first && process->closed_last.mapping == pointer &&
        process->closed_last.number == number) {
        first = &process->closed_last;
    }
    bool own = descriptor && descriptor->mapping_pointer == pointer;
    if (first && !own) {
        SsClosed known = *first;
        again(model, process, &known, SS_CLOSER_MAPPING, number, ret, event->ns);
    } else if (ret == NOT_OPEN) {
        SsClosed known = own ? closed_of(descriptor, SS_CLOSER_UNSEEN, event->ns)
                             : unseen(number, NULL, event->ns);
        again(model, process, &known, SS_CLOSER_MAPPING, number, ret, event->ns);
    } else if (descriptor) {
        taken(model, descriptor, thread, SS_CLOSER_MAPPING, ret, event->ns, false);
        ss_descriptor_close(model, descriptor, event->ns, ret);
    }
}

static void reclaimed(SsModel *model, SsProcess *process, const SsEvent *event)
{
    guint64 host = event->u.ram_block_reclaimed.host;
    gint32 number = event->u.ram_block_reclaimed.fd;
    gint32 ret = event->u.ram_block_reclaimed.ret;
    SsDescriptor *descriptor = g_hash_table_lookup(process->fds, GINT_TO_POINTER(number));
    /* QEMU reclaims other RAM blocks with descriptors too. */
    SsMapping *mapping = descriptor ? descriptor->mapping : NULL;
    bool own = descriptor && descriptor->role == SS_FD_DUPLICATE &&
               !(mapping && mapping->host && mapping->host != host);
    /* A mapping whose RAM block's address was not told may have it there by now. */
    bool open_there =
        ret != NOT_OPEN && own && mapping && (!mapping->host || mapping->host == host);
    SsClosed *first = open_there ? NULL : recall(process->closed_ram, host, number);
    if (!first && !open_there) {
        first = recall(process->closed_ram, ram_key(0, number), number);
    }
    if (first) {
        SsClosed known = *first;
        g_hash_table_remove(process->closed_ram, &known.ram);
        again(model, process, &known, SS_CLOSER_RAM_BLOCK, number, ret, event->ns);
    } else if (ret == NOT_OPEN) {
        SsClosed known = own ? closed_of(descriptor, SS_CLOSER_UNSEEN, event->ns)
                             : unseen(number, NULL, event->ns);
        again(model, process, &known, SS_CLOSER_RAM_BLOCK, number, ret, event->ns);
    } else if (own) {
        if (mapping && !mapping->finalized_ns) {
            SsClosed closed = closed_of(descriptor, SS_CLOSER_RAM_BLOCK, event->ns);
            if (mapping->in_region && mapping->host == host) {
                tell_early(model, process, &closed, event->ns);
            }
            remember(process->closed_mappings, mapping->pointer, &closed);
        }
        ss_descriptor_close(model, descriptor, event->ns, ret);
    } else if (descriptor) {
        /* That RAM block had the number before: somebody closed it, and it was handed out. */
        SsClosed known = unseen(number, descriptor->device, descriptor->birth_ns);
        if (mapping && mapping->ram_ns) {
            /* As good as what was told since its own RAM block was, which may be of another
             * mapping at the same address. */
            known.birth_ns = MIN(known.birth_ns, mapping->ram_ns);
        }
        again(model, process, &known, SS_CLOSER_RAM_BLOCK, number, ret, event->ns);
    }
}

/* The thread did something after it closed a mapping's descriptor. */
static void went_on(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    guint64 pointer = thread->closed_mapping;
    SsClosed *closed = g_hash_table_lookup(process->closed_mappings, &pointer);
    bool at_end = event->id == SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED &&
                  event->u.virtio_shmem_mapping_finalized.mapping == pointer;
    if (closed && closed->thread == thread && thread->events == closed->thread_events) {
        return; /* the close itself */
    }
    thread->closed_mapping = 0;
    if (closed && closed->in_region && !closed->told && !at_end) {
        tell_early(model, process, closed, closed->closed_ns);
    }
}

/* One that was closed before, by the mapping's own end when that is one step of a thread. */
static void finalized(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    guint64 pointer = event->u.virtio_shmem_mapping_finalized.mapping;
    SsClosed *closed = g_hash_table_lookup(process->closed_mappings, &pointer);
    if (!closed) {
        return;
    }
    bool at_end = closed->thread == thread && thread->events == closed->thread_events + 1;
    if (!closed->told && !at_end && closed->closer != SS_CLOSER_RAM_BLOCK) {
        tell_early(model, process, closed, event->ns);
    }
    process->closed_last = *closed;
    g_hash_table_remove(process->closed_mappings, &pointer);
}

void ss_closing_born(SsProcess *process, guint64 pointer, guint64 host)
{
    if (pointer) {
        g_hash_table_remove(process->closed_mappings, &pointer);
        if (process->closed_last.mapping == pointer) {
            process->closed_last = (SsClosed){ .number = -1 };
        }
    }
    if (host) {
        g_hash_table_remove(process->closed_ram, &host);
    }
}

bool ss_closing_known(const SsProcess *process, guint64 pointer, gint32 number)
{
    return recall(process->closed_mappings, pointer, number);
}

void ss_closing_implied(SsModel *model, const SsDescriptor *older, gint64 ns)
{
    taken(model, older, NULL, SS_CLOSER_UNSEEN, 0, ns, false);
}

void ss_closing_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    if (thread->closed_mapping) {
        went_on(model, process, thread, event);
    }
    switch (event->id) {
    case SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE:
        closed_by_dispatch(model, process, thread, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_CLOSE:
        closed_by_mapping(model, process, thread, event);
        break;
    case SS_EVENT_RAM_BLOCK_RECLAIMED:
        reclaimed(model, process, event);
        break;
    case SS_EVENT_VIRTIO_SHMEM_FD_DUP:
        ss_closing_born(process, event->u.virtio_shmem_fd_dup.mapping, 0);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_RAM:
        ss_closing_born(process, event->u.virtio_shmem_mapping_ram.mapping,
                        event->u.virtio_shmem_mapping_ram.host);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED:
        ss_closing_born(process, event->u.virtio_shmem_mapping_added.mapping,
                        event->u.virtio_shmem_mapping_added.host);
        break;
    case SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED:
        finalized(model, process, thread, event);
        break;
    default:
        break;
    }
}
