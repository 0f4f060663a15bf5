/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where what is known of a process comes from, and what therefore can be known of it.
 */
#include "analysis/model/parts.h"

bool ss_process_outside(const SsProcess *process)
{
    return process->sources == SS_SOURCE_WIRE;
}

bool ss_model_has_both(const SsModel *model)
{
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if (process->sources == (SS_SOURCE_TRACEPOINTS | SS_SOURCE_WIRE)) {
            return true;
        }
    }
    return false;
}

bool ss_process_looked(const SsProcess *process)
{
    return process->sources == SS_SOURCE_LOOK;
}

bool ss_model_looked(const SsModel *model)
{
    for (guint t = 0; t < model->traces->len; t++) {
        if (!ss_model_trace(model, t)->looked) {
            return false;
        }
    }
    return model->traces->len > 0;
}

bool ss_wire_recorded(const SsModel *model, guint trace)
{
    const SsTraceInfo *info = ss_model_trace(model, trace);
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (ss_catalogue_events[id].event_class == SS_CLASS_WIRE && !info->recorded[id]) {
            return false;
        }
    }
    return true;
}

static bool any_recorded(const SsTraceInfo *info, bool wire)
{
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (info->recorded[id] && ss_event_of_library(id) == wire) {
            return true;
        }
    }
    return false;
}

guint32 ss_trace_sources(const SsModel *model, guint trace)
{
    const SsTraceInfo *info = ss_model_trace(model, trace);
    guint32 sources = 0;
    bool backends = false;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if (process->trace == trace && ss_process_is_backend(process)) {
            backends = true;
        } else if (process->trace == trace) {
            sources |= ss_process_outside(process)  ? SS_SOURCE_WIRE
                       : ss_process_looked(process) ? SS_SOURCE_LOOK
                                                    : SS_SOURCE_TRACEPOINTS;
        }
    }
    if (!sources && !backends) {
        /* Nobody told anything: it is as good as what could have been told. */
        sources = any_recorded(info, false) || !any_recorded(info, true) ? SS_SOURCE_TRACEPOINTS
                                                                         : SS_SOURCE_WIRE;
    }
    return sources;
}

bool ss_event_from_outside(SsEventId id)
{
    switch (id) {
    case SS_EVENT_VHOST_USER_DEVICE_GONE:
    case SS_EVENT_VHOST_USER_START:
    case SS_EVENT_VIRTIO_SHMEM_DEVICE_RESET:
    case SS_EVENT_VIRTIO_SHMEM_DEVICE_UNREALIZE:
        return false;
    default:
        break;
    }
    switch (ss_catalogue_events[id].event_class) {
    case SS_CLASS_TRANSACTION:
    case SS_CLASS_DETAIL:
        return false;
    default:
        return true;
    }
}

bool ss_event_recorded(const SsModel *model, const SsProcess *process, SsEventId id)
{
    if (ss_process_outside(process)) {
        return ss_event_from_outside(id) && ss_wire_recorded(model, process->trace);
    }
    return ss_model_trace(model, process->trace)->recorded[id];
}
