/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How many descriptors wait for RCU to close them: those of finalized mappings.
 */
#include "analysis/model/parts.h"

#define NO_NUMBER_LEFT (-24) /* -EMFILE of Linux, where QEMU ran */

static void finalized(SsModel *model, SsProcess *process, gint64 ns)
{
    SsBacklog *backlog = &process->backlog;
    guint waiting = g_hash_table_size(process->closing);
    if (waiting > backlog->most) {
        backlog->most = waiting;
        backlog->most_ns = ns;
        backlog->most_open = g_hash_table_size(process->fds);
    }
    model->counts.fds_waiting_most = MAX(model->counts.fds_waiting_most, waiting);
}

static void refused(SsProcess *process, SsThread *thread, gint64 ns)
{
    SsBacklog *backlog = &process->backlog;
    const SsContext *dispatch = ss_context_find(thread, SS_CONTEXT_DISPATCH);
    if (!backlog->refused++) {
        backlog->refused_ns = ns;
        backlog->refused_device = dispatch ? dispatch->device : NULL;
        backlog->refused_waiting = g_hash_table_size(process->closing);
    }
}

void ss_backlog_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event)
{
    if (event->id == SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED) {
        finalized(model, process, event->ns);
    } else if (event->id == SS_EVENT_VIRTIO_SHMEM_FD_DUP &&
               event->u.virtio_shmem_fd_dup.ret == NO_NUMBER_LEFT) {
        refused(process, thread, event->ns);
    }
}
