/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is live, open or waited for, and how long waits took, as JSON.
 */
#include "analysis/report/json.h"
#include "analysis/report/listing.h"
#include "analysis/report/names.h"

void ss_json_span(JsonBuilder *json, const char *name, const SsSpan *span)
{
    ss_json_begin_object(json, name);
    ss_json_int(json, "count", span->count);
    ss_json_signed(json, "mean_ns", span->count ? span->sum_ns / (gint64)span->count : 0);
    ss_json_signed(json, "max_ns", span->max_ns);
    json_builder_end_object(json);
}

/* Whose it is: process, VM and device. */
static void add_owner(JsonBuilder *json, const SsProcess *process, const SsDevice *device)
{
    ss_json_signed(json, "pid", process->pid);
    ss_json_string(json, "vm", process->vm);
    ss_json_string(json, "device", device ? device->id : "");
    ss_json_hex(json, "vdev", device ? device->vdev : 0);
}

static void add_mapping(JsonBuilder *json, const SsReport *report, const SsMapping *mapping)
{
    g_autofree char *state = ss_mapping_state_text(mapping);
    json_builder_begin_object(json);
    ss_json_signed(json, "pid", mapping->process->pid);
    ss_json_string(json, "vm", mapping->process->vm);
    ss_json_string(json, "device", mapping->device ? mapping->device->id : "");
    ss_json_hex(json, "mapping", mapping->pointer);
    ss_json_hex(json, "vdev", mapping->vdev);
    ss_json_int(json, "shmid", mapping->shmid);
    ss_json_int(json, "shm_offset", mapping->shm_offset);
    ss_json_int(json, "len", mapping->len);
    ss_json_int(json, "fd_offset", mapping->fd_offset);
    ss_json_signed(json, "fd", mapping->fd);
    ss_json_int(json, "ino", mapping->ino);
    ss_json_string_or_null(json, "label", ss_mapping_label(mapping));
    json_builder_set_member_name(json, "writable");
    if (mapping->details) {
        json_builder_add_boolean_value(json, mapping->writable);
    } else {
        json_builder_add_null_value(json);
    }
    if (mapping->gpa == G_MAXUINT64) {
        ss_json_string_or_null(json, "gpa", NULL);
    } else {
        ss_json_hex(json, "gpa", mapping->gpa);
    }
    ss_json_string(json, "state", state);
    ss_json_time(json, report, "created_t_ns", mapping->birth_seen ? mapping->birth_ns : 0);
    ss_json_time(json, report, "visible_t_ns", mapping->visible_ns);
    ss_json_time(json, report, "removed_t_ns", mapping->removed_ns);
    ss_json_time(json, report, "finalized_t_ns", mapping->finalized_ns);
    ss_json_time(json, report, "closed_t_ns", mapping->closed_ns);
    json_builder_end_object(json);
}

static void add_fd(JsonBuilder *json, const SsReport *report, const SsDescriptor *descriptor)
{
    g_autofree char *purpose = ss_fd_purpose_text(descriptor);
    json_builder_begin_object(json);
    add_owner(json, descriptor->process, descriptor->device);
    ss_json_signed(json, "fd", descriptor->number);
    ss_json_string(json, "role", descriptor->role == SS_FD_RECEIVED ? "received" : "duplicate");
    ss_json_int(json, "seq", descriptor->seq);
    ss_json_int(json, "fdev", descriptor->fdev);
    ss_json_int(json, "ino", descriptor->ino);
    ss_json_string_or_null(json, "label", ss_descriptor_label(descriptor));
    ss_json_int(json, "size", descriptor->size);
    ss_json_time(json, report, "since_t_ns", descriptor->birth_ns);
    ss_json_time(json, report, "closed_t_ns", descriptor->closed_ns);
    ss_json_string(json, "purpose", purpose);
    json_builder_end_object(json);
}

static void add_wait(JsonBuilder *json, const SsReport *report, const SsThread *thread)
{
    const SsWait *wait = &thread->wait;
    json_builder_begin_object(json);
    add_owner(json, thread->process, thread->waiting ? wait->device : thread->reading);
    ss_json_signed(json, "tid", thread->tid);
    ss_json_string(json, "kind", thread->waiting ? "reply" : "read");
    ss_json_string_or_null(json, "request",
                           thread->waiting ? ss_frontend_request_name(wait->request) : NULL);
    ss_json_time(json, report, "since_t_ns", thread->waiting ? wait->begin_ns : thread->reading_ns);
    ss_json_int(json, "waited_ms", thread->waiting ? wait->waited_ms : 0);
    ss_json_bool(json, "spoke_up", thread->waiting && wait->spoke_ns);
    ss_json_int(json, "unread", thread->waiting ? wait->unread : 0);
    ss_json_string_or_null(json, "unread_request",
                           thread->waiting ? ss_backend_request_name(wait->peek_request) : NULL);
    json_builder_end_object(json);
}

/* "mappings", "descriptors" or "open_waits" of all processes. */
static void add_records(JsonBuilder *json, const SsReport *report, const char *name,
                        GPtrArray *(*records)(const SsReport *, const SsProcess *),
                        void (*add)(JsonBuilder *, const SsReport *, gconstpointer), guint limit)
{
    guint64 total = 0;
    ss_json_begin_array(json, name);
    for (guint p = 0; p < report->model->processes->len; p++) {
        g_autoptr(GPtrArray) found =
            records(report, g_ptr_array_index(report->model->processes, p));
        for (guint i = 0; i < found->len; i++, total++) {
            if (total < limit) {
                add(json, report, g_ptr_array_index(found, i));
            }
        }
    }
    json_builder_end_array(json);
    g_autofree char *total_name = g_strdup_printf("%s_total", name);
    ss_json_int(json, total_name, total);
}

static void add_mapping_record(JsonBuilder *json, const SsReport *report, gconstpointer record)
{
    add_mapping(json, report, record);
}

static void add_fd_record(JsonBuilder *json, const SsReport *report, gconstpointer record)
{
    add_fd(json, report, record);
}

static void add_wait_record(JsonBuilder *json, const SsReport *report, gconstpointer record)
{
    add_wait(json, report, record);
}

void ss_json_mappings(JsonBuilder *json, const SsReport *report, guint limit)
{
    add_records(json, report, "mappings", ss_listed_mappings, add_mapping_record, limit);
}

void ss_json_descriptors(JsonBuilder *json, const SsReport *report, guint limit)
{
    add_records(json, report, "descriptors", ss_listed_fds, add_fd_record, limit);
}

void ss_json_open_waits(JsonBuilder *json, const SsReport *report, guint limit)
{
    add_records(json, report, "open_waits", ss_listed_waits, add_wait_record, limit);
}

static void add_wait_kinds(JsonBuilder *json, const SsReport *report, const SsWaitKind *kinds,
                           const SsDevice *device)
{
    guint requests[SS_MAX_REQUEST];
    ss_listed_order(report, kinds, requests);
    for (guint at = 0; at < SS_MAX_REQUEST; at++) {
        guint i = requests[at];
        const SsWaitKind *kind = &kinds[i];
        if (!kind->span.count && !kind->spoke) {
            continue;
        }
        g_autofree char *request = ss_wait_kind_text(i);
        json_builder_begin_object(json);
        if (device) {
            add_owner(json, device->process, device);
        }
        ss_json_string(json, "request", request);
        ss_json_span(json, "ended", &kind->span);
        ss_json_int(json, "spoke_up", kind->spoke);
        json_builder_end_object(json);
    }
}

void ss_json_waits(JsonBuilder *json, const SsReport *report)
{
    SsWaitKind total[SS_MAX_REQUEST];
    ss_listed_total(report, total);
    ss_json_begin_array(json, "waits");
    if (ss_listed_ended(report)) {
        add_wait_kinds(json, report, total, NULL);
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "device_waits");
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            const SsWaitKind *kinds = ss_listed_kinds(report, device);
            if (kinds && ss_listed_ended(report)) {
                add_wait_kinds(json, report, kinds, device);
            }
        }
    }
    json_builder_end_array(json);
}
