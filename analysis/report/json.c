/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The report as JSON; report.schema.json is its contract. Addresses and bit sets are
 * hexadecimal strings, since they use all 64 bits; t_ns counts from the begin of the
 * recording; null means "not recorded" or "not known".
 */
#include <json-glib/json-glib.h>

#include "analysis/report/names.h"
#include "analysis/report/report.h"

#define MAX_RECORDS 1000

static void add_string(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value ? value : "");
}

static void add_string_or_null(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    if (value) {
        json_builder_add_string_value(json, value);
    } else {
        json_builder_add_null_value(json);
    }
}

static void add_int(JsonBuilder *json, const char *name, guint64 value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, MIN(value, (guint64)G_MAXINT64));
}

static void add_signed(JsonBuilder *json, const char *name, gint64 value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, value);
}

static void add_bool(JsonBuilder *json, const char *name, bool value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_boolean_value(json, value);
}

static void add_hex(JsonBuilder *json, const char *name, guint64 value)
{
    g_autofree char *text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", value);
    add_string(json, name, text);
}

static void add_time(JsonBuilder *json, const SsReport *report, const char *name, gint64 ns)
{
    json_builder_set_member_name(json, name);
    if (ns) {
        json_builder_add_int_value(json, ns - report->model->begin_ns);
    } else {
        json_builder_add_null_value(json);
    }
}

static void begin_array(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_array(json);
}

static void begin_object(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_object(json);
}

static void add_trace(JsonBuilder *json, const SsTraceInfo *trace)
{
    json_builder_begin_object(json);
    add_string(json, "path", trace->path);
    add_string(json, "uuid", trace->uuid);
    add_string(json, "hostname", trace->hostname);
    add_int(json, "events", trace->events);
    add_signed(json, "begin_ns", trace->begin_ns);
    add_signed(json, "end_ns", trace->end_ns);
    begin_array(json, "not_recorded");
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (!trace->recorded[id]) {
            json_builder_add_string_value(json, ss_catalogue_events[id].name);
        }
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}

static void add_traces(JsonBuilder *json, const SsReport *report)
{
    const SsModel *model = report->model;
    bool uncounted;
    guint64 lost = ss_model_lost_events(model, &uncounted);
    begin_object(json, "trace");
    add_string(json, "uuid", model->traces->len ? ss_model_trace(model, 0)->uuid : "");
    add_signed(json, "begin_ns", model->begin_ns);
    add_signed(json, "end_ns", model->end_ns);
    add_int(json, "events", model->events);
    add_int(json, "lost", lost);
    add_bool(json, "lost_uncounted", uncounted);
    begin_array(json, "traces");
    for (guint t = 0; t < model->traces->len; t++) {
        add_trace(json, ss_model_trace(model, t));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}

static void add_counts(JsonBuilder *json, const SsReport *report, const SsCounts *counts)
{
    begin_object(json, "counts");
    for (const SsFigure *figure = ss_figures; figure->name; figure++) {
        if (ss_figure_recorded(report->model, figure)) {
            add_int(json, figure->name, ss_figure_value(counts, figure));
        } else {
            add_string_or_null(json, figure->name, NULL);
        }
    }
    begin_object(json, "refusals");
    g_autoptr(GPtrArray) reasons = ss_reasons(counts);
    for (guint i = 0; i < reasons->len; i++) {
        const char *reason = g_ptr_array_index(reasons, i);
        const guint64 *count = g_hash_table_lookup(counts->refusals, reason);
        add_int(json, reason, *count);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
}

static void add_process(JsonBuilder *json, const SsReport *report, const SsProcess *process)
{
    static const char *const ends[] = { "unknown", "alive", "exited", "signal" };
    json_builder_begin_object(json);
    add_signed(json, "pid", process->pid);
    add_string(json, "name", process->name);
    add_string(json, "vm", process->vm);
    add_string(json, "host", ss_model_trace(report->model, process->trace)->hostname);
    add_time(json, report, "birth_t_ns", process->birth_ns);
    add_time(json, report, "last_t_ns", process->last_ns);
    add_string(json, "end", ends[process->end]);
    json_builder_end_object(json);
}

static void add_device(JsonBuilder *json, const SsReport *report, const SsDevice *device)
{
    json_builder_begin_object(json);
    add_signed(json, "pid", device->process->pid);
    add_string(json, "id", device->id);
    add_int(json, "virtio_id", device->virtio_id);
    add_string(json, "chardev", device->chardev);
    add_hex(json, "dev", device->dev);
    add_hex(json, "vdev", device->vdev);
    add_hex(json, "features", device->features);
    add_hex(json, "protocol_features", device->protocol_features);
    add_bool(json, "started", device->started);
    add_bool(json, "gone", device->gone || device->unrealized);
    if (ss_events_recorded(report->model, ss_live_events)) {
        add_int(json, "live_mappings", device->live_mappings);
    } else {
        add_string_or_null(json, "live_mappings", NULL);
    }
    begin_array(json, "regions");
    for (guint i = 0; i < device->regions->len; i++) {
        const SsRegion *region = &g_array_index(device->regions, SsRegion, i);
        json_builder_begin_object(json);
        add_int(json, "shmid", region->shmid);
        add_int(json, "size", region->size);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    add_counts(json, report, &device->counts);
    json_builder_end_object(json);
}

static void add_span(JsonBuilder *json, const char *name, const SsSpan *span)
{
    begin_object(json, name);
    add_int(json, "count", span->count);
    add_signed(json, "mean_ns", span->count ? span->sum_ns / (gint64)span->count : 0);
    add_signed(json, "max_ns", span->max_ns);
    json_builder_end_object(json);
}

static void add_mapping(JsonBuilder *json, const SsReport *report, const SsMapping *mapping)
{
    g_autofree char *state = ss_mapping_state_text(mapping);
    json_builder_begin_object(json);
    add_signed(json, "pid", mapping->process->pid);
    add_string(json, "device", mapping->device ? mapping->device->id : "");
    add_hex(json, "mapping", mapping->pointer);
    add_hex(json, "vdev", mapping->vdev);
    add_int(json, "shmid", mapping->shmid);
    add_int(json, "shm_offset", mapping->shm_offset);
    add_int(json, "len", mapping->len);
    add_int(json, "fd_offset", mapping->fd_offset);
    add_signed(json, "fd", mapping->fd);
    add_int(json, "ino", mapping->ino);
    json_builder_set_member_name(json, "writable");
    if (mapping->details) {
        json_builder_add_boolean_value(json, mapping->writable);
    } else {
        json_builder_add_null_value(json);
    }
    if (mapping->gpa == G_MAXUINT64) {
        add_string_or_null(json, "gpa", NULL);
    } else {
        add_hex(json, "gpa", mapping->gpa);
    }
    add_string(json, "state", state);
    add_time(json, report, "created_t_ns", mapping->birth_seen ? mapping->birth_ns : 0);
    add_time(json, report, "visible_t_ns", mapping->visible_ns);
    add_time(json, report, "removed_t_ns", mapping->removed_ns);
    add_time(json, report, "finalized_t_ns", mapping->finalized_ns);
    json_builder_end_object(json);
}

static void add_fd(JsonBuilder *json, const SsReport *report, const SsDescriptor *descriptor)
{
    g_autofree char *purpose = ss_fd_purpose_text(descriptor);
    json_builder_begin_object(json);
    add_signed(json, "pid", descriptor->process->pid);
    add_string(json, "device", descriptor->device ? descriptor->device->id : "");
    add_signed(json, "fd", descriptor->number);
    add_string(json, "role", descriptor->role == SS_FD_RECEIVED ? "received" : "duplicate");
    add_int(json, "seq", descriptor->seq);
    add_int(json, "fdev", descriptor->fdev);
    add_int(json, "ino", descriptor->ino);
    add_int(json, "size", descriptor->size);
    add_time(json, report, "since_t_ns", descriptor->birth_ns);
    add_string(json, "purpose", purpose);
    json_builder_end_object(json);
}

static void add_wait(JsonBuilder *json, const SsReport *report, const SsThread *thread)
{
    const SsWait *wait = &thread->wait;
    json_builder_begin_object(json);
    add_signed(json, "pid", thread->process->pid);
    add_signed(json, "tid", thread->tid);
    add_string(json, "kind", thread->waiting ? "reply" : "read");
    add_string_or_null(json, "request",
                       thread->waiting ? ss_frontend_request_name(wait->request) : NULL);
    add_time(json, report, "since_t_ns", thread->waiting ? wait->begin_ns : thread->reading_ns);
    add_int(json, "waited_ms", thread->waiting ? wait->waited_ms : 0);
    add_bool(json, "spoke_up", thread->waiting && wait->spoke_ns);
    add_int(json, "unread", thread->waiting ? wait->unread : 0);
    add_string_or_null(json, "unread_request",
                       thread->waiting ? ss_backend_request_name(wait->peek_request) : NULL);
    json_builder_end_object(json);
}

/* "mappings", "descriptors" or "open_waits" of all processes. */
static void add_records(JsonBuilder *json, const SsReport *report, const char *name,
                        GPtrArray *(*records)(const SsProcess *),
                        void (*add)(JsonBuilder *, const SsReport *, gconstpointer), guint limit)
{
    guint64 total = 0;
    begin_array(json, name);
    for (guint p = 0; p < report->model->processes->len; p++) {
        g_autoptr(GPtrArray) found = records(g_ptr_array_index(report->model->processes, p));
        for (guint i = 0; i < found->len; i++, total++) {
            if (total < limit) {
                add(json, report, g_ptr_array_index(found, i));
            }
        }
    }
    json_builder_end_array(json);
    g_autofree char *total_name = g_strdup_printf("%s_total", name);
    add_int(json, total_name, total);
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

static void add_waits(JsonBuilder *json, const SsReport *report)
{
    begin_array(json, "waits");
    for (guint i = 0; i < SS_MAX_REQUEST; i++) {
        const SsWaitKind *kind = &report->model->waits[i];
        if (kind->span.count || kind->spoke) {
            g_autofree char *request = i ? ss_frontend_request_text(i) : g_strdup("other requests");
            json_builder_begin_object(json);
            add_string(json, "request", request);
            add_span(json, "ended", &kind->span);
            add_int(json, "spoke_up", kind->spoke);
            json_builder_end_object(json);
        }
    }
    json_builder_end_array(json);
}

static void add_finding(JsonBuilder *json, const SsReport *report, const SsFinding *finding)
{
    json_builder_begin_object(json);
    add_string(json, "id", finding->id);
    add_string(json, "certainty", ss_certainty_name(finding->certainty));
    add_string(json, "summary", finding->summary);
    add_string_or_null(json, "condition", finding->condition);
    json_builder_set_member_name(json, "process");
    if (finding->has_process) {
        json_builder_begin_object(json);
        add_signed(json, "pid", finding->pid);
        add_string(json, "name", finding->process_name);
        add_string(json, "vm", finding->vm);
        add_string(json, "host", finding->host);
        add_time(json, report, "birth_t_ns", finding->process_birth_ns);
        json_builder_end_object(json);
    } else {
        json_builder_add_null_value(json);
    }
    json_builder_set_member_name(json, "device");
    if (finding->has_device) {
        json_builder_begin_object(json);
        add_string(json, "id", finding->device_id);
        add_int(json, "virtio_id", finding->virtio_id);
        add_string(json, "chardev", finding->chardev);
        add_hex(json, "dev", finding->dev);
        add_hex(json, "vdev", finding->vdev);
        json_builder_end_object(json);
    } else {
        json_builder_add_null_value(json);
    }
    add_int(json, "count", finding->count);
    add_time(json, report, "first_t_ns", finding->first_ns);
    add_time(json, report, "last_t_ns", finding->last_ns);
    json_builder_set_member_name(json, "duration_ns");
    if (finding->duration_ns) {
        json_builder_add_int_value(json, finding->duration_ns);
    } else {
        json_builder_add_null_value(json);
    }
    begin_array(json, "statements");
    for (guint i = 0; i < finding->statements->len; i++) {
        const SsStatement *statement = g_ptr_array_index(finding->statements, i);
        json_builder_begin_object(json);
        add_string(json, "who", statement->who);
        add_string(json, "text", statement->text);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    begin_array(json, "witness");
    for (guint i = 0; i < finding->witness->len; i++) {
        const SsWitness *witness = g_ptr_array_index(finding->witness, i);
        json_builder_begin_object(json);
        add_signed(json, "t_ns", witness->ns - report->model->begin_ns);
        add_string(json, "side", witness->backend ? "back-end" : "QEMU");
        add_int(json, "indent", witness->indent);
        add_string(json, "text", witness->text);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    add_string(json, "rule", finding->rule);
    begin_object(json, "remedy");
    add_string_or_null(json, "now", finding->remedy_now);
    add_string_or_null(json, "for_good", finding->remedy_for_good);
    json_builder_end_object(json);
    g_autofree char *more = g_strdup_printf("docs/findings/%s.md", finding->id);
    add_string(json, "more", more);
    json_builder_end_object(json);
}

static JsonBuilder *document(const SsReport *report, const char *schema)
{
    JsonBuilder *json = json_builder_new();
    json_builder_begin_object(json);
    add_string(json, "schema", schema);
    add_string(json, "schema_version", SS_SCHEMA_VERSION);
    add_string(json, "tool_version", report->version);
    add_traces(json, report);
    begin_array(json, "processes");
    for (guint p = 0; p < report->model->processes->len; p++) {
        add_process(json, report, g_ptr_array_index(report->model->processes, p));
    }
    json_builder_end_array(json);
    return json;
}

static char *text_of(JsonBuilder *json_taken)
{
    g_autoptr(JsonBuilder) json = json_taken;
    json_builder_end_object(json);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(json);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}

static void add_undecided(JsonBuilder *json, const GPtrArray *all)
{
    begin_array(json, "undecided");
    for (guint i = 0; i < all->len; i++) {
        const SsUndecided *undecided = g_ptr_array_index(all, i);
        json_builder_begin_object(json);
        add_string(json, "check", undecided->check);
        add_string(json, "why", undecided->why);
        add_bool(json, "partial", undecided->partial);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_listing_undecided(JsonBuilder *json, const SsReport *report, SsListing listing)
{
    g_autoptr(GPtrArray) undecided = ss_listing_undecided(report, listing);
    add_undecided(json, undecided);
}

char *ss_report_json(const SsReport *report)
{
    const SsModel *model = report->model;
    JsonBuilder *json = document(report, "shmemscope-report");
    begin_array(json, "devices");
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            if (!device->absorbed) {
                add_device(json, report, device);
            }
        }
    }
    json_builder_end_array(json);
    add_counts(json, report, &model->counts);
    begin_object(json, "times");
    add_span(json, "request_to_reply", &model->counts.request_to_reply);
    add_span(json, "reply_to_visible", &model->counts.reply_to_visible);
    add_span(json, "removed_to_finalized", &model->counts.removed_to_finalized);
    add_span(json, "finalized_to_closed", &model->counts.finalized_to_closed);
    json_builder_end_object(json);
    add_waits(json, report);
    add_records(json, report, "open_waits", ss_waiting_threads, add_wait_record, MAX_RECORDS);
    add_records(json, report, "mappings", ss_live_mappings, add_mapping_record, MAX_RECORDS);
    add_records(json, report, "descriptors", ss_open_fds, add_fd_record, MAX_RECORDS);
    begin_array(json, "findings");
    for (guint i = 0; i < report->checks->findings->len; i++) {
        add_finding(json, report, g_ptr_array_index(report->checks->findings, i));
    }
    json_builder_end_array(json);
    add_undecided(json, report->checks->undecided);
    begin_object(json, "worth");
    add_int(json, "waits_in_commit", model->waits_in_commit);
    add_int(json, "waits_in_phase", model->waits_in_phase);
    json_builder_end_object(json);
    return text_of(json);
}

char *ss_mappings_json(const SsReport *report)
{
    JsonBuilder *json = document(report, "shmemscope-mappings");
    add_records(json, report, "mappings", ss_live_mappings, add_mapping_record, G_MAXUINT);
    add_listing_undecided(json, report, SS_LISTING_MAPPINGS);
    return text_of(json);
}

char *ss_fds_json(const SsReport *report)
{
    JsonBuilder *json = document(report, "shmemscope-fds");
    add_records(json, report, "descriptors", ss_open_fds, add_fd_record, G_MAXUINT);
    add_listing_undecided(json, report, SS_LISTING_FDS);
    return text_of(json);
}

char *ss_waits_json(const SsReport *report)
{
    JsonBuilder *json = document(report, "shmemscope-waits");
    add_waits(json, report);
    add_records(json, report, "open_waits", ss_waiting_threads, add_wait_record, G_MAXUINT);
    add_listing_undecided(json, report, SS_LISTING_WAITS);
    return text_of(json);
}
