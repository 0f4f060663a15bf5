/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/ended.h"

#include "analysis/model/parts.h"

static bool is_since(const SsEnded *ended, gint64 ns)
{
    return ns >= (ended->absolute ? ended->from_ns : ended->model->begin_ns + ended->from_ns);
}

static void on_life(SsModel *model, const SsMapping *mapping, gpointer user_data)
{
    SsEnded *ended = user_data;
    if (model->finished || !is_since(ended, mapping->process->last_ns)) {
        return; /* what is left at the end has not ended */
    }
    SsMapping *copy = g_memdup2(mapping, sizeof(*mapping));
    copy->descriptor = NULL;
    copy->placed = NULL;
    if (!copy->closed_ns) {
        copy->closed_ns = mapping->process->last_ns; /* as late as that */
    }
    g_ptr_array_add(ended->mappings, copy);
}

static void on_closed(SsModel *model, const SsDescriptor *descriptor, gpointer user_data)
{
    (void)model;
    SsEnded *ended = user_data;
    if (!is_since(ended, descriptor->process->last_ns)) {
        return;
    }
    SsEndedFd *copy = g_new0(SsEndedFd, 1);
    copy->descriptor = *descriptor;
    copy->descriptor.closed_ns = descriptor->process->last_ns;
    if (descriptor->mapping) {
        copy->mapping = *descriptor->mapping;
        copy->mapping.descriptor = NULL;
        copy->descriptor.mapping = &copy->mapping;
    }
    g_ptr_array_add(ended->fds, copy);
}

static SsWaitKind *kind_of(SsEnded *ended, const SsWait *wait)
{
    SsWaitKind *kinds = g_hash_table_lookup(ended->waits, wait->device);
    if (!kinds) {
        kinds = g_new0(SsWaitKind, SS_MAX_REQUEST);
        g_hash_table_insert(ended->waits, wait->device, kinds);
    }
    return &kinds[wait->request < SS_MAX_REQUEST ? wait->request : 0];
}

static void on_applied(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event,
                       gpointer user_data)
{
    (void)model;
    (void)process;
    SsEnded *ended = user_data;
    const SsWait *wait = &thread->wait;
    if (event->id != SS_EVENT_VHOST_USER_REPLY_READ || thread->waiting || !wait->device ||
        wait->end_ns != event->ns || wait->seq != event->u.vhost_user_reply_read.seq ||
        !is_since(ended, event->ns)) {
        return;
    }
    SsWaitKind *kind = kind_of(ended, wait);
    ss_span_add(&kind->span, wait->end_ns - wait->begin_ns);
    kind->spoke += wait->spoke_ns != 0;
}

SsEnded *ss_ended_new(SsModel *model, bool absolute, gint64 from_ns)
{
    SsEnded *ended = g_new0(SsEnded, 1);
    ended->model = model;
    ended->absolute = absolute;
    ended->from_ns = from_ns;
    ended->mappings = g_ptr_array_new_with_free_func(g_free);
    ended->fds = g_ptr_array_new_with_free_func(g_free);
    ended->waits = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    ss_model_set_life(model, on_life, ended);
    ss_model_set_closed(model, on_closed, ended);
    ss_model_set_applied(model, on_applied, ended);
    return ended;
}

/* A wait that has not ended is counted where it spoke up. */
static void take_open_waits(SsEnded *ended, const SsProcess *process)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsThread *thread = value;
        if (thread->waiting && thread->wait.spoke_ns && thread->wait.device) {
            kind_of(ended, &thread->wait)->spoke++;
        }
    }
}

void ss_ended_finish(SsEnded *ended)
{
    for (guint p = 0; p < ended->model->processes->len; p++) {
        take_open_waits(ended, g_ptr_array_index(ended->model->processes, p));
    }
    for (guint i = 0; i < ended->mappings->len; i++) {
        SsMapping *mapping = g_ptr_array_index(ended->mappings, i);
        mapping->device = ss_device_now(mapping->device);
    }
    for (guint i = 0; i < ended->fds->len; i++) {
        SsEndedFd *fd = g_ptr_array_index(ended->fds, i);
        fd->descriptor.device = ss_device_now(fd->descriptor.device);
        fd->mapping.device = ss_device_now(fd->mapping.device);
    }
}

void ss_ended_free(SsEnded *ended)
{
    if (!ended) {
        return;
    }
    g_ptr_array_unref(ended->mappings);
    g_ptr_array_unref(ended->fds);
    g_hash_table_unref(ended->waits);
    g_free(ended);
}

const SsWaitKind *ss_ended_waits(const SsEnded *ended, const SsDevice *device)
{
    return g_hash_table_lookup(ended->waits, device);
}
