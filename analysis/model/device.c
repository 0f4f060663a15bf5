/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Devices: a vhost_dev and its VirtIODevice, known by either until an event tells
 * both; their regions, channels and journal.
 */
#include "analysis/model/parts.h"

static SsDevice *device_new(SsProcess *process, gint64 ns)
{
    SsDevice *device = g_new0(SsDevice, 1);
    device->process = process;
    device->birth_ns = ns;
    device->id = g_strdup("");
    device->chardev = g_strdup("");
    device->regions = g_array_new(FALSE, FALSE, sizeof(SsRegion));
    ss_counts_init(&device->counts);
    g_ptr_array_add(process->devices, device);
    return device;
}

void ss_device_free(SsDevice *device)
{
    if (!device) {
        return;
    }
    g_free(device->id);
    g_free(device->chardev);
    g_array_unref(device->regions);
    g_clear_pointer(&device->places, g_tree_unref);
    ss_counts_clear(&device->counts);
    ss_windows_free(device->windows);
    g_free(device->sent);
    g_free(device->asked);
    g_clear_pointer(&device->held, g_array_unref);
    if (device->listener) {
        g_free(device->listener->name);
        g_free(device->listener->does);
        g_free(device->listener);
    }
    g_free(device);
}

static void set_dev(SsDevice *device, guint64 dev)
{
    device->dev = dev;
    g_hash_table_replace(device->process->by_dev, &device->dev, device);
}

static void set_vdev(SsDevice *device, guint64 vdev)
{
    device->vdev = vdev;
    g_hash_table_replace(device->process->by_vdev, &device->vdev, device);
}

/* The pointers may name another device from now on. */
static void retire(SsDevice *device)
{
    device->process->last_device = NULL;
    if (device->dev && g_hash_table_lookup(device->process->by_dev, &device->dev) == device) {
        g_hash_table_remove(device->process->by_dev, &device->dev);
    }
    if (device->vdev && g_hash_table_lookup(device->process->by_vdev, &device->vdev) == device) {
        g_hash_table_remove(device->process->by_vdev, &device->vdev);
    }
}

static void repoint(GHashTable *mappings, SsDevice *from, SsDevice *to)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsMapping *mapping = value;
        if (mapping->device == from) {
            mapping->device = to;
            if (mapping->placed) {
                ss_place_enter(mapping, mapping->place.since_ns);
            }
        }
    }
}

static void repoint_descriptors(GHashTable *fds, const SsDevice *from, SsDevice *to)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, fds);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsDescriptor *descriptor = value;
        if (descriptor->device == from) {
            descriptor->device = to;
        }
    }
}

static void add_counts(SsCounts *to, const SsCounts *from)
{
    /* What is told by a VirtIODevice alone. */
    to->mappings_created += from->mappings_created;
    to->mappings_visible += from->mappings_visible;
    to->mappings_removed += from->mappings_removed;
    to->mappings_finalized += from->mappings_finalized;
    to->fds_duplicated += from->fds_duplicated;
    to->fds_closed += from->fds_closed;
}

SsDevice *ss_device_now(SsDevice *device)
{
    while (device && device->absorbed) {
        device = device->absorbed;
    }
    return device;
}

/* `by_vdev` was known by its VirtIODevice only, and is `device`. */
static void absorb(SsDevice *device, SsDevice *by_vdev)
{
    SsProcess *process = device->process;
    retire(by_vdev);
    by_vdev->absorbed = device;
    repoint(process->mappings, by_vdev, device);
    repoint(process->closing, by_vdev, device);
    repoint_descriptors(process->fds, by_vdev, device);
    g_array_append_vals(device->regions, by_vdev->regions->data, by_vdev->regions->len);
    add_counts(&device->counts, &by_vdev->counts);
    device->live_mappings += by_vdev->live_mappings;
    device->fds_waiting += by_vdev->fds_waiting;
    device->birth_ns = MIN(device->birth_ns, by_vdev->birth_ns);
    device->late |= by_vdev->late;
}

SsDevice *ss_device_get(SsProcess *process, guint64 dev, guint64 vdev, gint64 ns)
{
    SsDevice *last = process->last_device;
    if (last && last->dev == dev && !vdev) {
        return last;
    }
    /* No device is told by two zeros, but a trace may say so: that is one device too. */
    SsDevice *by_dev = dev || !vdev ? g_hash_table_lookup(process->by_dev, &dev) : NULL;
    SsDevice *by_vdev = vdev ? g_hash_table_lookup(process->by_vdev, &vdev) : NULL;
    if (by_dev && (by_dev == by_vdev || !vdev)) {
        process->last_device = by_dev;
        return by_dev;
    }
    if (by_dev && by_dev->vdev) {
        /* The vhost_dev's memory serves another device now. */
        retire(by_dev);
        by_dev = NULL;
    }
    if (by_vdev && by_vdev->dev && dev) {
        retire(by_vdev);
        by_vdev = NULL;
    }
    if (by_dev && by_vdev) {
        absorb(by_dev, by_vdev);
        set_vdev(by_dev, vdev);
        return by_dev;
    }
    SsDevice *device = by_dev ? by_dev : by_vdev;
    if (!device) {
        device = device_new(process, ns);
    }
    if ((dev || !vdev) && !by_dev) {
        set_dev(device, dev);
    }
    if (vdev && device->vdev != vdev) {
        set_vdev(device, vdev);
    }
    return device;
}

SsDevice *ss_device_by_vdev(SsProcess *process, guint64 vdev, gint64 ns)
{
    return vdev ? ss_device_get(process, 0, vdev, ns) : NULL;
}

void ss_device_step(SsDevice *device, SsStepKind kind, gint64 ns, const SsStep *details)
{
    if (!device) {
        return;
    }
    SsStep *step = &device->journal[device->journal_next++ % SS_JOURNAL_STEPS];
    *step = details ? *details : (SsStep){ 0 };
    step->kind = kind;
    step->ns = ns;
}

void ss_device_label_request(SsDevice *device, guint64 seq, SsLabel label)
{
    guint64 kept = MIN(device->journal_next, SS_JOURNAL_STEPS);
    for (guint64 i = 1; label && i <= kept; i++) {
        SsStep *step = &device->journal[(device->journal_next - i) % SS_JOURNAL_STEPS];
        if (step->kind == SS_STEP_REQUEST) {
            step->label = step->seq == seq ? label : step->label;
            return;
        }
    }
}

void ss_device_judge_disconnect(SsModel *model, SsDevice *device, gint64 ns)
{
    gint64 since = device->disconnect_ns;
    device->disconnect_ns = 0;
    ss_model_tell(model, &(SsNotice){ .kind = SS_NOTICE_DISCONNECTED,
                                      .ns = ns,
                                      .since_ns = since,
                                      .process = device->process,
                                      .device = device });
}

static void disconnected(SsDevice *device, gint64 ns, bool main_channel)
{
    if (!device->disconnect_ns) {
        device->disconnect_ns = ns;
        device->disconnect_main = main_channel;
        g_queue_push_tail(&device->process->disconnects, device);
    }
}

/* A connection begins: what the last one left must be gone. */
static void connected(SsModel *model, SsDevice *device, gint64 ns)
{
    if (device->disconnect_ns) {
        ss_device_judge_disconnect(model, device, ns);
    }
    ss_windows_settle(device);
    device->told = device->usable = false;
    device->gone = false;
    device->gone_ns = 0;
}

/* A device begins to be told of: what was unplugged at that address is not meant. */
static void begin_anew(GHashTable *known, guint64 pointer)
{
    SsDevice *device = g_hash_table_lookup(known, &pointer);
    if (device && device->unrealized) {
        retire(device);
    }
}

static void told(SsProcess *process, const SsEvent *event)
{
    guint64 dev = event->u.vhost_user_device.dev;
    guint64 vdev = event->u.vhost_user_device.vdev;
    begin_anew(process->by_dev, dev);
    SsDevice *device = ss_device_get(process, dev, vdev, event->ns);
    device->gone = device->gone && !event->u.vhost_user_device.started;
    if (!device->features_known && device->main_channel == SS_CHANNEL_UNKNOWN &&
        event->u.vhost_user_device.started) {
        device->late = true; /* it was started before anybody listened */
        process->late_objects++;
    }
    ss_replace_string(&process->vm, event->u.vhost_user_device.vm);
    ss_replace_string(&device->id, event->u.vhost_user_device.id);
    ss_replace_string(&device->chardev, event->u.vhost_user_device.chardev);
    device->virtio_id = event->u.vhost_user_device.virtio_id;
    device->features = event->u.vhost_user_device.features;
    device->protocol_features = event->u.vhost_user_device.protocol_features;
    /* Before they are negotiated there is no back-end channel to judge. */
    device->features_known = device->protocol_features != 0;
    device->told = device->features_known;
    device->started = event->u.vhost_user_device.started;
    device->usable |= device->started;
}

static void set_region(SsDevice *device, guint32 shmid, guint64 size)
{
    for (guint i = 0; i < device->regions->len; i++) {
        SsRegion *region = &g_array_index(device->regions, SsRegion, i);
        if (region->shmid == shmid) {
            region->size = size;
            return;
        }
    }
    SsRegion region = { .shmid = shmid, .size = size };
    /* The protocol has 256 at most; a hostile trace may tell of more. */
    if (device->regions->len < 256) {
        g_array_append_val(device->regions, region);
    }
}

static void phase(SsDevice *device, SsThread *thread, const SsEvent *event, SsContextKind kind,
                  SsStepKind begin, guint8 ended, gint32 ret)
{
    SsStep step = { .ret = ret };
    if (!ended) {
        ss_device_step(device, begin, event->ns, &step);
        ss_context_push(thread,
                        &(SsContext){ .kind = kind, .device = device, .begin_ns = event->ns });
    } else {
        /* Each kind's end follows its begin in the enumeration. */
        ss_device_step(device, begin + 1, event->ns, &step);
        (void)ss_context_pop(thread, kind);
    }
}

static void mappings_left(SsModel *model, SsProcess *process, SsDevice *device, SsThread *thread,
                          SsNoticeKind kind, gint64 ns, guint64 mappings)
{
    ss_model_tell(model, &(SsNotice){ .kind = kind,
                                      .ns = ns,
                                      .since_ns = ns,
                                      .process = process,
                                      .device = device,
                                      .thread = thread,
                                      .mappings = mappings });
    if (device) {
        device->left_ns = ns;
    }
}

void ss_device_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    gint64 ns = event->ns;
    SsDevice *device;

    switch (event->id) {
    case SS_EVENT_VHOST_USER_DEVICE:
        told(process, event);
        break;
    case SS_EVENT_VHOST_USER_DEVICE_GONE:
        device = ss_device_get(process, u->vhost_user_device_gone.dev, 0, ns);
        device->gone = true;
        device->gone_ns = ns;
        device->started = false;
        device->main_channel = device->backend_channel = SS_CHANNEL_CLOSED;
        ss_device_step(device, SS_STEP_DEVICE_GONE, ns, NULL);
        disconnected(device, ns, true);
        break;
    case SS_EVENT_VHOST_USER_START:
        device = ss_device_get(process, u->vhost_user_start.dev, u->vhost_user_start.vdev, ns);
        device->usable = true;
        phase(device, thread, event, SS_CONTEXT_START, SS_STEP_START_BEGIN,
              u->vhost_user_start.phase, u->vhost_user_start.ret);
        device->started |= u->vhost_user_start.phase && u->vhost_user_start.ret == 0;
        break;
    case SS_EVENT_VHOST_USER_STOP:
        device = ss_device_get(process, u->vhost_user_stop.dev, u->vhost_user_stop.vdev, ns);
        phase(device, thread, event, SS_CONTEXT_STOP, SS_STEP_STOP_BEGIN, u->vhost_user_stop.phase,
              u->vhost_user_stop.ret);
        device->started &= !u->vhost_user_stop.phase;
        break;
    case SS_EVENT_VIRTIO_SHMEM_DEVICE_RESET:
        device = ss_device_by_vdev(process, u->virtio_shmem_device_reset.vdev, ns);
        phase(device, thread, event, SS_CONTEXT_RESET, SS_STEP_RESET_BEGIN,
              u->virtio_shmem_device_reset.phase, 0);
        if (u->virtio_shmem_device_reset.phase) {
            mappings_left(model, process, device, thread, SS_NOTICE_RESET_ENDED, ns,
                          u->virtio_shmem_device_reset.mappings);
        }
        break;
    case SS_EVENT_VIRTIO_SHMEM_DEVICE_UNREALIZE:
        device = ss_device_by_vdev(process, u->virtio_shmem_device_unrealize.vdev, ns);
        phase(device, thread, event, SS_CONTEXT_UNREALIZE, SS_STEP_UNREALIZE_BEGIN,
              u->virtio_shmem_device_unrealize.phase, 0);
        if (u->virtio_shmem_device_unrealize.phase) {
            mappings_left(model, process, device, thread, SS_NOTICE_UNREALIZED, ns,
                          u->virtio_shmem_device_unrealize.mappings);
            if (device) {
                device->unrealized = true;
            }
        }
        break;
    case SS_EVENT_VIRTIO_SHMEM_REGION:
        begin_anew(process->by_vdev, u->virtio_shmem_region.vdev);
        device = ss_device_by_vdev(process, u->virtio_shmem_region.vdev, ns);
        if (device) {
            device->usable = true;
            set_region(device, u->virtio_shmem_region.shmid, u->virtio_shmem_region.size);
        }
        break;
    case SS_EVENT_VHOST_USER_CHANNEL_OPEN:
        begin_anew(process->by_dev, u->vhost_user_channel_open.dev);
        device = ss_device_get(process, u->vhost_user_channel_open.dev, 0, ns);
        connected(model, device, ns);
        device->main_channel = SS_CHANNEL_OPEN;
        device->read_seq = 0; /* a new channel counts from 1 */
        ss_replace_string(&device->chardev, u->vhost_user_channel_open.chardev);
        break;
    case SS_EVENT_VHOST_USER_CHANNEL_CLOSE:
        device = ss_device_get(process, u->vhost_user_channel_close.dev, 0, ns);
        device->main_channel = SS_CHANNEL_CLOSED;
        ss_device_step(device, SS_STEP_MAIN_CLOSED, ns, NULL);
        disconnected(device, ns, true);
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_OPEN:
        device = ss_device_get(process, u->vhost_user_backend_channel_open.dev, 0, ns);
        ss_exchange_restart(model, device, event->ns);
        device->backend_channel = SS_CHANNEL_OPEN;
        device->last_seq = 0; /* a new channel counts from 1 */
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_CLOSE:
        device = ss_device_get(process, u->vhost_user_backend_channel_close.dev, 0, ns);
        device->backend_channel = SS_CHANNEL_CLOSED;
        ss_device_step(device, SS_STEP_BACKEND_CLOSED, ns, NULL);
        disconnected(device, ns, false);
        break;
    default:
        break;
    }
}
