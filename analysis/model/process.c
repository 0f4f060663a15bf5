/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Processes by host and pid, and their threads.
 */
#include <string.h>

#include "analysis/model/parts.h"

gint64 ss_process_key(const SsModel *model, guint trace, gint32 pid)
{
    return ((gint64)ss_model_trace(model, trace)->host << 32) | (guint32)pid;
}

void ss_model_tracer_begins(SsModel *model, guint trace, gint32 pid, gint64 ns)
{
    gint64 tracer = ((gint64)trace << 32) | (guint32)pid;
    if (g_hash_table_add(model->tracers, g_memdup2(&tracer, sizeof(tracer)))) {
        return;
    }
    gint64 key = ss_process_key(model, trace, pid);
    const SsProcess *process = g_hash_table_lookup(model->by_pid, &key);
    if (!process) {
        return;
    }
    gint64 from_ns = MIN(process->last_ns, ns - SS_GRACE_NS);
    if (process->silent_until_ns >= from_ns) {
        from_ns = MIN(from_ns, process->silent_from_ns);
    }
    ss_model_add_loss(model, trace, from_ns, ns, 0 /* not counted */);
}

static void descriptor_free(gpointer data)
{
    g_free(data);
}

static void thread_free(gpointer data)
{
    SsThread *thread = data;
    g_free(thread->name);
    g_free(thread);
}

static SsProcess *process_new(SsModel *model, const SsEvent *event)
{
    SsProcess *process = g_new0(SsProcess, 1);
    process->model = model;
    process->trace = event->trace;
    process->pid = event->pid;
    process->birth_ns = event->ns;
    process->vm = g_strdup("");
    ss_replace_string(&process->name, event->procname);
    process->name_of_main = event->tid == event->pid;
    process->devices = g_ptr_array_new_with_free_func((GDestroyNotify)ss_device_free);
    process->by_dev = g_hash_table_new(g_int64_hash, g_int64_equal);
    process->by_vdev = g_hash_table_new(g_int64_hash, g_int64_equal);
    process->mappings =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)ss_mapping_free);
    process->closing =
        g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, (GDestroyNotify)ss_mapping_free);
    process->fds = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, descriptor_free);
    process->closed_ram = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    process->closed_mappings = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    process->closed_last.number = -1;
    ss_structures_init(&process->structures);
    process->threads = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, thread_free);
    process->pending = g_ptr_array_new();
    g_queue_init(&process->disconnects);
    g_ptr_array_add(model->processes, process);
    return process;
}

void ss_process_free(SsProcess *process)
{
    if (!process) {
        return;
    }
    g_queue_clear(&process->disconnects);
    g_clear_pointer(&process->unsure, g_hash_table_unref);
    g_clear_pointer(&process->gaps, g_array_unref);
    g_clear_pointer(&process->peers, g_ptr_array_unref);
    g_ptr_array_unref(process->pending);
    g_hash_table_unref(process->threads);
    ss_structures_clear(&process->structures);
    g_hash_table_unref(process->closed_mappings);
    g_hash_table_unref(process->closed_ram);
    g_hash_table_unref(process->fds);
    g_hash_table_unref(process->closing);
    g_hash_table_unref(process->mappings);
    g_hash_table_unref(process->by_vdev);
    g_hash_table_unref(process->by_dev);
    g_ptr_array_unref(process->devices);
    g_free(process->unseen);
    g_free(process->called);
    g_free(process->vm);
    g_free(process->name);
    g_free(process);
}

SsProcess *ss_process_get(SsModel *model, const SsEvent *event)
{
    SsProcess *process = model->last_process;
    if (process && process->pid == event->pid && process->trace == event->trace) {
        return process;
    }
    gint64 key = ss_process_key(model, event->trace, event->pid);
    process = g_hash_table_lookup(model->by_pid, &key);
    if (!process) {
        process = process_new(model, event);
        g_hash_table_insert(model->by_pid, g_memdup2(&key, sizeof(key)), process);
    }
    return process;
}

static SsThread *thread_at(SsProcess *process, gint32 tid, const char *name)
{
    SsThread *thread = process->last_thread;
    if (thread && thread->tid == tid) {
        return thread;
    }
    thread = g_hash_table_lookup(process->threads, GINT_TO_POINTER(tid));
    if (!thread) {
        thread = g_new0(SsThread, 1);
        thread->process = process;
        thread->tid = tid;
        ss_replace_string(&thread->name, name);
        g_hash_table_insert(process->threads, GINT_TO_POINTER(tid), thread);
    }
    process->last_thread = thread;
    return thread;
}

SsThread *ss_thread_get(SsProcess *process, const SsEvent *event)
{
    if (event->tid == event->pid && !process->name_of_main) {
        /* Until now only a thread's own name was known. */
        ss_replace_string(&process->name, event->procname);
        process->name_of_main = true;
    }
    return thread_at(process, event->tid, event->procname);
}

SsThread *ss_thread_main(SsProcess *process)
{
    return thread_at(process, process->pid, process->name);
}

const SsExchange *ss_thread_open_request(const SsThread *thread, SsDevice **ret_device)
{
    for (guint i = thread->n_contexts; i > 0; i--) {
        const SsContext *context = &thread->contexts[i - 1];
        if (context->kind != SS_CONTEXT_DISPATCH || !context->device) {
            continue;
        }
        for (guint e = 0; e < SS_RECENT_EXCHANGES; e++) {
            const SsExchange *exchange = &context->device->exchanges[e];
            if (exchange->seq == context->seq && exchange->request_ns && !exchange->dispatched_ns) {
                if (ret_device) {
                    *ret_device = context->device;
                }
                return exchange;
            }
        }
    }
    return NULL;
}

char *ss_process_end_text(const SsProcess *process)
{
    if (process->end == SS_END_SIGNAL) {
        return g_strdup_printf("ended by signal %d", process->end_code);
    }
    return process->end_code >= 0 ? g_strdup_printf("exited with %d", process->end_code)
                                  : g_strdup("ended");
}
