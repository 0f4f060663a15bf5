/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The back-end's copy of the memory table: stale from an update that failed until one that
 * works, or until the channel ends.
 */
#include "analysis/model/parts.h"

/* Comes before anything is sent; whether the back-end lives plays no part in it. */
#define NO_ROOM (-105) /* -ENOBUFS of Linux, where QEMU ran */

static void tell(SsModel *model, SsDevice *device, SsNoticeKind kind, gint64 ns)
{
    ss_model_tell(model, &(SsNotice){ .kind = kind,
                                      .ns = ns,
                                      .since_ns = device->table.stale_ns,
                                      .process = device->process,
                                      .device = device });
}

static void failed(SsModel *model, SsDevice *device, const SsEvent *event)
{
    SsTable *table = &device->table;
    if (!table->stale_ns) {
        *table = (SsTable){ .stale_ns = event->ns };
    }
    table->failed_ns = event->ns;
    table->entries = event->u.vhost_user_mem_table.entries;
    table->slots = event->u.vhost_user_mem_table.slots;
    table->ret = event->u.vhost_user_mem_table.ret;
    table->sure |= table->ret == NO_ROOM;
    if (table->ret == NO_ROOM) {
        tell(model, device, SS_NOTICE_TABLE_FAILED, event->ns);
    } else {
        table->judged = false;
    }
}

/* The back-end answers: it was not its end that made the update fail. */
static void answered(SsModel *model, SsDevice *device, gint64 ns)
{
    SsTable *table = &device->table;
    if (table->stale_ns && table->ret != NO_ROOM && !table->judged && ns > table->failed_ns) {
        table->judged = true;
        table->sure = true;
        tell(model, device, SS_NOTICE_TABLE_FAILED, ns);
    }
}

static void ended(SsModel *model, SsDevice *device, gint64 ns)
{
    if (device->table.sure) {
        tell(model, device, SS_NOTICE_TABLE_TOLD, ns);
    }
    device->table = (SsTable){ 0 };
}

/* The back-end may well have gone: then it was that. */
static void unsure_ended(SsDevice *device)
{
    if (!device->table.sure) {
        device->table = (SsTable){ 0 };
    }
}

void ss_table_event(SsModel *model, SsProcess *process, const SsEvent *event)
{
    const SsEventPayload *u = &event->u;
    gint64 ns = event->ns;

    switch (event->id) {
    case SS_EVENT_VHOST_USER_MEM_TABLE: {
        SsDevice *device = ss_device_get(process, u->vhost_user_mem_table.dev, 0, ns);
        if (u->vhost_user_mem_table.ret) {
            failed(model, device, event);
        } else {
            ended(model, device, ns);
        }
        break;
    }
    case SS_EVENT_VHOST_USER_REPLY_READ:
        if (u->vhost_user_reply_read.ret == 0) {
            answered(model, ss_device_get(process, u->vhost_user_reply_read.dev, 0, ns), ns);
        }
        break;
    case SS_EVENT_VHOST_USER_BACKEND_CHANNEL_CLOSE:
        unsure_ended(ss_device_get(process, u->vhost_user_backend_channel_close.dev, 0, ns));
        break;
    case SS_EVENT_VHOST_USER_CHANNEL_OPEN:
        unsure_ended(ss_device_get(process, u->vhost_user_channel_open.dev, 0, ns));
        break;
    case SS_EVENT_VHOST_USER_CHANNEL_CLOSE:
        ended(model, ss_device_get(process, u->vhost_user_channel_close.dev, 0, ns), ns);
        break;
    case SS_EVENT_VHOST_USER_DEVICE_GONE:
        ended(model, ss_device_get(process, u->vhost_user_device_gone.dev, 0, ns), ns);
        break;
    default:
        break;
    }
}

void ss_table_finish(SsModel *model, SsProcess *process, gint64 ns)
{
    for (guint i = 0; i < process->devices->len; i++) {
        ended(model, g_ptr_array_index(process->devices, i), ns);
    }
}
