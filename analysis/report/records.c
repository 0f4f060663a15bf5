/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What text and JSON both need of the model's records.
 */
#include <string.h>

#include "analysis/report/names.h"
#include "analysis/report/report.h"

/* Versions of clang-format do not agree on a macro that is an initializer. */
/* clang-format off */
#define FIGURE(field, ...) { #field, G_STRUCT_OFFSET(SsCounts, field), { __VA_ARGS__ } }

const SsFigure ss_figures[] = {
    FIGURE(mappings_created, SS_EVENT_VIRTIO_SHMEM_FD_DUP, SS_N_EVENTS),
    FIGURE(mappings_visible, SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED, SS_EVENT_MEMORY_COMMIT_END,
           SS_N_EVENTS),
    FIGURE(mappings_removed, SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, SS_N_EVENTS),
    FIGURE(mappings_finalized, SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED, SS_N_EVENTS),
    FIGURE(fds_received, SS_EVENT_VHOST_USER_BACKEND_FD, SS_N_EVENTS),
    FIGURE(fds_duplicated, SS_EVENT_VIRTIO_SHMEM_FD_DUP, SS_N_EVENTS),
    FIGURE(fds_closed, SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE, SS_EVENT_VIRTIO_SHMEM_FD_CLOSE,
           SS_EVENT_RAM_BLOCK_RECLAIMED, SS_N_EVENTS),
    FIGURE(fds_close_failed, SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE, SS_EVENT_VIRTIO_SHMEM_FD_CLOSE,
           SS_EVENT_RAM_BLOCK_RECLAIMED, SS_N_EVENTS),
    FIGURE(fds_implied_closed, SS_EVENT_VHOST_USER_BACKEND_FD, SS_EVENT_VIRTIO_SHMEM_FD_DUP,
           SS_N_EVENTS),
    FIGURE(fds_waiting_most, SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED,
           SS_EVENT_RAM_BLOCK_RECLAIMED, SS_N_EVENTS),
    FIGURE(requests, SS_EVENT_VHOST_USER_BACKEND_REQUEST, SS_EVENT_VHOST_USER_BACKEND_SHMEM,
           SS_N_EVENTS),
    FIGURE(maps, SS_EVENT_VHOST_USER_BACKEND_SHMEM, SS_N_EVENTS),
    FIGURE(unmaps, SS_EVENT_VHOST_USER_BACKEND_SHMEM, SS_N_EVENTS),
    FIGURE(replies, SS_EVENT_VHOST_USER_BACKEND_REPLY, SS_N_EVENTS),
    FIGURE(replies_failed, SS_EVENT_VHOST_USER_BACKEND_REPLY, SS_N_EVENTS),
    FIGURE(refused, SS_EVENT_VHOST_USER_BACKEND_REFUSED, SS_N_EVENTS),
    FIGURE(mem_tables, SS_EVENT_VHOST_USER_REQUEST, SS_N_EVENTS),
    FIGURE(mem_tables_failed, SS_EVENT_VHOST_USER_MEM_TABLE, SS_N_EVENTS),
    { NULL, 0, { SS_N_EVENTS } },
};
/* clang-format on */

const SsEventId ss_live_events[] = { SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED,
                                     SS_EVENT_VIRTIO_SHMEM_MAPPING_STATE,
                                     SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED,
                                     SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED, SS_N_EVENTS };

const SsEventId ss_open_events[] = { SS_EVENT_VHOST_USER_BACKEND_FD,
                                     SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE,
                                     SS_EVENT_VIRTIO_SHMEM_FD_DUP,
                                     SS_EVENT_VIRTIO_SHMEM_FD_CLOSE,
                                     SS_EVENT_RAM_BLOCK_RECLAIMED,
                                     SS_EVENT_VIRTIO_SHMEM_MAPPING_STATE,
                                     SS_N_EVENTS };

bool ss_events_recorded(const SsModel *model, const SsEventId *events)
{
    bool any = false;
    for (guint t = 0; t < model->traces->len; t++) {
        const SsTraceInfo *trace = ss_model_trace(model, t);
        any |= trace->any_recorded;
        guint32 sources = trace->any_recorded ? ss_trace_sources(model, t) : 0;
        for (const SsEventId *id = events; (sources & SS_SOURCE_WIRE) && *id != SS_N_EVENTS; id++) {
            if (!ss_event_from_outside(*id) || !ss_wire_recorded(model, t)) {
                return false;
            }
        }
        for (const SsEventId *id = events; (sources & SS_SOURCE_TRACEPOINTS) && *id != SS_N_EVENTS;
             id++) {
            if (!trace->recorded[*id]) {
                return false;
            }
        }
    }
    return any;
}

bool ss_figure_recorded(const SsModel *model, const SsFigure *figure)
{
    return ss_events_recorded(model, figure->events);
}

guint64 ss_figure_value(const SsCounts *counts, const SsFigure *figure)
{
    return G_STRUCT_MEMBER(guint64, counts, figure->offset);
}

const SsFigure *ss_figure_find(const char *name)
{
    for (const SsFigure *figure = ss_figures; figure->name; figure++) {
        if (g_str_equal(figure->name, name)) {
            return figure;
        }
    }
    return NULL;
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    const SsMapping *ma = *(const SsMapping *const *)a;
    const SsMapping *mb = *(const SsMapping *const *)b;
    if (ma->vdev != mb->vdev) {
        return ma->vdev < mb->vdev ? -1 : 1;
    }
    if (ma->shmid != mb->shmid) {
        return ma->shmid < mb->shmid ? -1 : 1;
    }
    if (ma->shm_offset != mb->shm_offset) {
        return ma->shm_offset < mb->shm_offset ? -1 : 1;
    }
    return ma->birth_ns < mb->birth_ns ? -1 : ma->birth_ns > mb->birth_ns;
}

GPtrArray *ss_live_mappings(const SsProcess *process)
{
    GPtrArray *mappings = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(mappings, value);
    }
    g_hash_table_iter_init(&iter, process->closing);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        g_ptr_array_add(mappings, key);
    }
    g_ptr_array_sort(mappings, by_place);
    return mappings;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    gint32 na = (*(const SsDescriptor *const *)a)->number;
    gint32 nb = (*(const SsDescriptor *const *)b)->number;
    return na < nb ? -1 : na > nb;
}

GPtrArray *ss_open_fds(const SsProcess *process)
{
    GPtrArray *fds = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->fds);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(fds, value);
    }
    g_ptr_array_sort(fds, by_number);
    return fds;
}

static gint by_tid(gconstpointer a, gconstpointer b)
{
    gint32 ta = (*(const SsThread *const *)a)->tid;
    gint32 tb = (*(const SsThread *const *)b)->tid;
    return ta < tb ? -1 : ta > tb;
}

GPtrArray *ss_waiting_threads(const SsProcess *process)
{
    GPtrArray *threads = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsThread *thread = value;
        if (thread->waiting || thread->reading) {
            g_ptr_array_add(threads, value);
        }
    }
    g_ptr_array_sort(threads, by_tid);
    return threads;
}

static gint by_word(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *ss_reasons(const SsCounts *counts)
{
    GPtrArray *reasons = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, counts->refusals);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        g_ptr_array_add(reasons, key);
    }
    g_ptr_array_sort(reasons, by_word);
    return reasons;
}

char *ss_mapping_state_text(const SsMapping *mapping)
{
    if (mapping->closed_ns) {
        return g_strdup("closed");
    }
    if (mapping->finalized_ns) {
        return g_strdup("finalized, fd open");
    }
    if (mapping->removed_ns) {
        return g_strdup_printf("removed: %s", mapping->reason);
    }
    if (!mapping->birth_seen) {
        return g_strdup("live, from before");
    }
    return g_strdup(mapping->visible_ns ? "visible" : mapping->added_ns ? "added" : "made");
}

char *ss_process_text(const char *vm, const char *name, gint32 pid)
{
    const char *program = *name ? name : "process";
    return *vm ? g_strdup_printf("%s (%s %d)", vm, program, pid)
               : g_strdup_printf("%s %d", program, pid);
}

static char *purpose_text(const SsDescriptor *descriptor)
{
    if (descriptor->role == SS_FD_RECEIVED) {
        g_autofree char *request = ss_backend_request_text(descriptor->request);
        return descriptor->request
                   ? g_strdup_printf("came with %s #%" G_GUINT64_FORMAT, request, descriptor->seq)
                   : g_strdup_printf("came with #%" G_GUINT64_FORMAT, descriptor->seq);
    }
    const SsMapping *mapping = descriptor->mapping;
    if (!mapping) {
        return g_strdup("duplicate without a mapping");
    }
    return g_strdup_printf("mapping %u 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x%s",
                           mapping->shmid, mapping->shm_offset, mapping->len,
                           mapping->finalized_ns ? ", finalized"
                           : mapping->removed_ns ? ", removed"
                                                 : "");
}

char *ss_fd_purpose_text(const SsDescriptor *descriptor)
{
    g_autofree char *purpose = purpose_text(descriptor);
    return g_strconcat(descriptor->closed_ns ? "closed; " : "", purpose, NULL);
}
