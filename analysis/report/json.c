/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The report as JSON; report.schema.json is its contract. Addresses and bit sets are
 * hexadecimal strings, since they use all 64 bits; t_ns counts from the begin of the
 * recording; null means "not recorded" or "not known".
 */
#include "analysis/report/json.h"

#include "analysis/model/text.h"
#include "analysis/report/state.h"

#define MAX_RECORDS 1000

static void add_trace(JsonBuilder *json, const SsTraceInfo *trace)
{
    json_builder_begin_object(json);
    ss_json_string(json, "path", trace->path);
    ss_json_string(json, "uuid", trace->uuid);
    ss_json_string(json, "hostname", trace->hostname);
    ss_json_int(json, "events", trace->events);
    ss_json_signed(json, "begin_ns", trace->begin_ns);
    ss_json_signed(json, "end_ns", trace->end_ns);
    ss_json_begin_array(json, "not_recorded");
    bool wire = trace->recorded[SS_EVENT_SHMEMSCOPE_WIRE_LIBRARY];
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        /* Where no library was loaded, nobody misses what it would have told. */
        if (!trace->recorded[id] && !trace->looked && (wire || !ss_event_of_library(id))) {
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
    g_autoptr(GPtrArray) traces = ss_model_traces(model);
    const SsTraceInfo *first = traces->len ? g_ptr_array_index(traces, 0) : NULL;
    ss_json_begin_object(json, "trace");
    ss_json_string(json, "uuid", first ? first->uuid : "");
    ss_json_signed(json, "begin_ns", model->begin_ns);
    ss_json_signed(json, "end_ns", model->end_ns);
    ss_json_int(json, "events", model->events);
    ss_json_int(json, "lost", lost);
    ss_json_bool(json, "lost_uncounted", uncounted);
    ss_json_begin_array(json, "traces");
    for (guint t = 0; t < traces->len; t++) {
        add_trace(json, g_ptr_array_index(traces, t));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}

static void add_counts(JsonBuilder *json, const SsReport *report, const SsCounts *counts)
{
    ss_json_begin_object(json, "counts");
    for (const SsFigure *figure = ss_figures; figure->name; figure++) {
        if (ss_figure_recorded(report->model, figure)) {
            ss_json_int(json, figure->name, ss_figure_value(counts, figure));
        } else {
            ss_json_string_or_null(json, figure->name, NULL);
        }
    }
    ss_json_begin_object(json, "refusals");
    g_autoptr(GPtrArray) reasons = ss_reasons(counts);
    for (guint i = 0; i < reasons->len; i++) {
        const char *reason = g_ptr_array_index(reasons, i);
        const guint64 *count = g_hash_table_lookup(counts->refusals, reason);
        ss_json_int(json, reason, *count);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
}

static void add_connection(JsonBuilder *json, const SsPeer *peer)
{
    json_builder_begin_object(json);
    ss_json_int(json, "conn", peer->conn);
    ss_json_string(json, "socket", peer->name);
    ss_json_bool(json, "closed", peer->closed_ns != 0);
    if (peer->device) {
        ss_json_signed(json, "frontend_pid", peer->device->process->pid);
    } else {
        ss_json_string_or_null(json, "frontend_pid", NULL);
    }
    ss_json_string_or_null(json, "device", peer->device ? peer->device->id : NULL);
    ss_json_begin_array(json, "threads");
    for (guint i = 0; i < peer->n_threads; i++) {
        json_builder_begin_object(json);
        ss_json_signed(json, "tid", peer->threads[i].tid);
        ss_json_int(json, "served", peer->threads[i].served);
        ss_json_int(json, "asked", peer->threads[i].asked);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}

static void add_process(JsonBuilder *json, const SsReport *report, const SsProcess *process)
{
    static const char *const ends[] = { "unknown", "alive", "exited", "signal" };
    json_builder_begin_object(json);
    ss_json_signed(json, "pid", process->pid);
    ss_json_string(json, "name", process->name);
    ss_json_string(json, "vm", process->vm);
    ss_json_string(json, "host", ss_model_trace(report->model, process->trace)->hostname);
    ss_json_time(json, report, "birth_t_ns", process->birth_ns);
    ss_json_time(json, report, "last_t_ns", process->last_ns);
    ss_json_string(json, "end", ends[process->end]);
    ss_json_begin_array(json, "sources");
    if (process->sources & SS_SOURCE_TRACEPOINTS) {
        json_builder_add_string_value(json, "tracepoints");
    }
    if (process->sources & SS_SOURCE_WIRE) {
        json_builder_add_string_value(json, "wire");
    }
    if (process->sources & SS_SOURCE_LOOK) {
        json_builder_add_string_value(json, "look");
    }
    json_builder_end_array(json);
    g_autoptr(SsState) state = ss_state_of(report->model, process);
    ss_json_begin_object(json, "state");
    ss_json_string(json, "kind", ss_state_name(state->kind));
    ss_json_string(json, "text", state->text);
    ss_json_time(json, report, "since_t_ns", state->since_ns);
    json_builder_end_object(json);
    if (process->peers) {
        ss_json_begin_array(json, "connections");
        for (guint i = 0; i < process->peers->len; i++) {
            add_connection(json, g_ptr_array_index(process->peers, i));
        }
        json_builder_end_array(json);
    }
    json_builder_end_object(json);
}

static void add_device(JsonBuilder *json, const SsReport *report, const SsDevice *device)
{
    json_builder_begin_object(json);
    ss_json_signed(json, "pid", device->process->pid);
    ss_json_string(json, "vm", device->process->vm);
    ss_json_string(json, "id", device->id);
    ss_json_int(json, "virtio_id", device->virtio_id);
    ss_json_string(json, "chardev", device->chardev);
    ss_json_hex(json, "dev", device->dev);
    ss_json_hex(json, "vdev", device->vdev);
    ss_json_hex(json, "features", device->features);
    ss_json_hex(json, "protocol_features", device->protocol_features);
    ss_json_bool(json, "started", device->started);
    ss_json_bool(json, "gone", device->gone || device->unrealized);
    if (ss_events_recorded(report->model, ss_live_events)) {
        ss_json_int(json, "live_mappings", device->live_mappings);
    } else {
        ss_json_string_or_null(json, "live_mappings", NULL);
    }
    ss_json_begin_array(json, "regions");
    for (guint i = 0; i < device->regions->len; i++) {
        const SsRegion *region = &g_array_index(device->regions, SsRegion, i);
        json_builder_begin_object(json);
        ss_json_int(json, "shmid", region->shmid);
        ss_json_int(json, "size", region->size);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    add_counts(json, report, &device->counts);
    json_builder_end_object(json);
}

static void add_place(JsonBuilder *json, const SsFinding *finding)
{
    json_builder_set_member_name(json, "place");
    if (!finding->place) {
        json_builder_add_null_value(json);
        return;
    }
    json_builder_begin_object(json);
    ss_json_string(json, "function", finding->place);
    ss_json_string_or_null(json, "reason", finding->place_reason);
    json_builder_end_object(json);
}

static void add_about(JsonBuilder *json, const SsFinding *finding)
{
    ss_json_begin_array(json, "about");
    for (guint i = 0; i < finding->about->len; i++) {
        const SsAbout *about = &g_array_index(finding->about, SsAbout, i);
        json_builder_begin_object(json);
        if (about->fd >= 0) {
            ss_json_signed(json, "fd", about->fd);
            ss_json_int(json, "ino", about->ino);
        }
        if (about->has_range) {
            ss_json_int(json, "shmid", about->shmid);
            ss_json_int(json, "shm_offset", about->shm_offset);
            ss_json_int(json, "len", about->len);
        }
        if (about->label) {
            ss_json_string(json, "label", about->label);
        }
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_finding(JsonBuilder *json, const SsReport *report, const SsFinding *finding)
{
    json_builder_begin_object(json);
    ss_json_string(json, "id", finding->id);
    ss_json_string(json, "certainty", ss_certainty_name(finding->certainty));
    ss_json_string(json, "summary", finding->summary);
    ss_json_string_or_null(json, "condition", finding->condition);
    json_builder_set_member_name(json, "process");
    if (finding->has_process) {
        json_builder_begin_object(json);
        ss_json_signed(json, "pid", finding->pid);
        ss_json_string(json, "name", finding->process_name);
        ss_json_string(json, "vm", finding->vm);
        ss_json_string(json, "host", finding->host);
        ss_json_time(json, report, "birth_t_ns", finding->process_birth_ns);
        json_builder_end_object(json);
    } else {
        json_builder_add_null_value(json);
    }
    json_builder_set_member_name(json, "device");
    if (finding->has_device) {
        json_builder_begin_object(json);
        ss_json_string(json, "id", finding->device_id);
        ss_json_int(json, "virtio_id", finding->virtio_id);
        ss_json_string(json, "chardev", finding->chardev);
        ss_json_hex(json, "dev", finding->dev);
        ss_json_hex(json, "vdev", finding->vdev);
        json_builder_end_object(json);
    } else {
        json_builder_add_null_value(json);
    }
    ss_json_int(json, "count", finding->count);
    ss_json_time(json, report, "first_t_ns", finding->first_ns);
    ss_json_time(json, report, "last_t_ns", finding->last_ns);
    json_builder_set_member_name(json, "duration_ns");
    if (finding->duration_ns) {
        json_builder_add_int_value(json, finding->duration_ns);
    } else {
        json_builder_add_null_value(json);
    }
    if (finding->at_least) {
        ss_json_bool(json, "duration_at_least", true);
    }
    ss_json_begin_array(json, "statements");
    for (guint i = 0; i < finding->statements->len; i++) {
        const SsStatement *statement = g_ptr_array_index(finding->statements, i);
        json_builder_begin_object(json);
        ss_json_string(json, "who", statement->who);
        ss_json_string(json, "text", statement->text);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "witness");
    for (guint i = 0; i < finding->witness->len; i++) {
        const SsWitness *witness = g_ptr_array_index(finding->witness, i);
        json_builder_begin_object(json);
        ss_json_signed(json, "t_ns", witness->ns - report->model->begin_ns);
        ss_json_string(json, "side", witness->backend ? "back-end" : "QEMU");
        ss_json_int(json, "indent", witness->indent);
        ss_json_string(json, "text", witness->text);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    ss_json_hazard(json, finding->hazard);
    ss_json_order(json, "order", finding->order);
    add_place(json, finding);
    add_about(json, finding);
    ss_json_begin_array(json, "labels");
    for (guint i = 0; i < finding->labels->len; i++) {
        json_builder_add_string_value(json, g_ptr_array_index(finding->labels, i));
    }
    json_builder_end_array(json);
    ss_json_string(json, "rule", finding->rule);
    ss_json_begin_object(json, "remedy");
    ss_json_string_or_null(json, "now", finding->remedy_now);
    ss_json_string_or_null(json, "for_good", finding->remedy_for_good);
    if (finding->costs) {
        ss_json_string(json, "costs", finding->costs);
    }
    json_builder_end_object(json);
    g_autofree char *more = g_strdup_printf("docs/findings/%s.md", finding->id);
    ss_json_string(json, "more", more);
    json_builder_end_object(json);
}

JsonBuilder *ss_json_document(const SsReport *report, const char *schema)
{
    JsonBuilder *json = json_builder_new();
    json_builder_begin_object(json);
    ss_json_string(json, "schema", schema);
    ss_json_string(json, "schema_version", SS_SCHEMA_VERSION);
    ss_json_string(json, "tool_version", report->version);
    add_traces(json, report);
    ss_json_begin_array(json, "processes");
    for (guint p = 0; p < report->model->processes->len; p++) {
        add_process(json, report, g_ptr_array_index(report->model->processes, p));
    }
    json_builder_end_array(json);
    return json;
}

static void add_words(JsonBuilder *json, const char *name, char **words)
{
    if (!words) {
        ss_json_string_or_null(json, name, NULL);
        return;
    }
    ss_json_begin_array(json, name);
    for (; *words; words++) {
        g_autofree char *harmless = ss_text_sanitize(*words, 0);
        json_builder_add_string_value(json, harmless);
    }
    json_builder_end_array(json);
}

static void add_moment(JsonBuilder *json, const SsReport *report, const char *name,
                       const SsMoment *moment)
{
    if (moment->given) {
        gint64 begin_ns = report->model->begin_ns;
        ss_json_signed(json, name, ss_moment_ns(moment, begin_ns) - begin_ns);
    } else {
        ss_json_string_or_null(json, name, NULL);
    }
}

static void add_selection(JsonBuilder *json, const SsReport *report)
{
    const SsSelection *selection = report->selection;
    if (!selection || !ss_selection_any(selection)) {
        return;
    }
    ss_json_begin_object(json, "asked_for");
    add_words(json, "checks", selection->checks);
    add_words(json, "devices", selection->devices);
    add_words(json, "vms", selection->vms);
    add_moment(json, report, "begin_t_ns", &selection->begin);
    add_moment(json, report, "end_t_ns", &selection->end);
    ss_json_int(json, "findings_left_out", selection->left_out);
    json_builder_end_object(json);
}

static void add_undecided(JsonBuilder *json, const GPtrArray *all)
{
    ss_json_begin_array(json, "undecided");
    for (guint i = 0; i < all->len; i++) {
        const SsUndecided *undecided = g_ptr_array_index(all, i);
        json_builder_begin_object(json);
        ss_json_string(json, "check", undecided->check);
        ss_json_string(json, "why", undecided->why);
        ss_json_bool(json, "partial", undecided->partial);
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
    JsonBuilder *json = ss_json_document(report, "shmemscope-report");
    add_selection(json, report);
    ss_json_begin_array(json, "devices");
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
    ss_json_begin_object(json, "times");
    ss_json_span(json, "request_to_reply", &model->counts.request_to_reply);
    ss_json_span(json, "reply_to_visible", &model->counts.reply_to_visible);
    ss_json_span(json, "removed_to_finalized", &model->counts.removed_to_finalized);
    ss_json_span(json, "finalized_to_closed", &model->counts.finalized_to_closed);
    json_builder_end_object(json);
    ss_json_waits(json, report);
    ss_json_open_waits(json, report, MAX_RECORDS);
    ss_json_mappings(json, report, MAX_RECORDS);
    ss_json_descriptors(json, report, MAX_RECORDS);
    ss_json_begin_array(json, "findings");
    for (guint i = 0; i < report->checks->findings->len; i++) {
        add_finding(json, report, g_ptr_array_index(report->checks->findings, i));
    }
    json_builder_end_array(json);
    add_undecided(json, report->checks->undecided);
    ss_json_worth(json, report);
    if (report->add_json) {
        report->add_json(json, report);
    }
    return ss_json_end(json, true);
}

char *ss_mappings_json(const SsReport *report)
{
    JsonBuilder *json = ss_json_document(report, "shmemscope-mappings");
    ss_json_mappings(json, report, G_MAXUINT);
    add_listing_undecided(json, report, SS_LISTING_MAPPINGS);
    return ss_json_end(json, true);
}

char *ss_fds_json(const SsReport *report)
{
    JsonBuilder *json = ss_json_document(report, "shmemscope-fds");
    ss_json_descriptors(json, report, G_MAXUINT);
    add_listing_undecided(json, report, SS_LISTING_FDS);
    return ss_json_end(json, true);
}

char *ss_waits_json(const SsReport *report)
{
    JsonBuilder *json = ss_json_document(report, "shmemscope-waits");
    ss_json_waits(json, report);
    ss_json_open_waits(json, report, G_MAXUINT);
    add_listing_undecided(json, report, SS_LISTING_WAITS);
    return ss_json_end(json, true);
}
