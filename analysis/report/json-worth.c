/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hazards, and what "nothing found" is worth, as JSON.
 */
#include "analysis/report/json.h"
#include "analysis/report/names.h"

void ss_json_hazard(JsonBuilder *json, const SsHazard *hazard)
{
    json_builder_set_member_name(json, "hazard");
    if (!hazard) {
        json_builder_add_null_value(json);
        return;
    }
    g_autofree char *frontend = ss_frontend_request_text(hazard->frontend_request);
    g_autofree char *backend = ss_backend_request_text(hazard->backend_request);
    json_builder_begin_object(json);
    ss_json_string(json, "frontend_request", frontend);
    ss_json_string(json, "inside", hazard->inside);
    ss_json_string(json, "backend_request", backend);
    ss_json_int(json, "opened", hazard->opened);
    if (hazard->margin_ns == G_MAXINT64) {
        ss_json_string_or_null(json, "margin_ns", NULL);
    } else {
        ss_json_signed(json, "margin_ns", hazard->margin_ns);
    }
    json_builder_end_object(json);
}

static void add_withdrawn(JsonBuilder *json, const SsReport *report, const SsDevice *device)
{
    const SsDisproof *proof = &device->windows->disproof;
    g_autofree char *frontend = ss_frontend_request_text(proof->frontend_request);
    g_autofree char *backend = ss_backend_request_text(proof->backend_request);
    json_builder_begin_object(json);
    ss_json_signed(json, "pid", device->process->pid);
    ss_json_string(json, "vm", device->process->vm);
    ss_json_string(json, "device", device->id);
    ss_json_hex(json, "vdev", device->vdev);
    ss_json_int(json, "hazards", ss_hazards_withdrawn(device));
    ss_json_string(json, "proof", proof->apart ? "threads" : proof->told ? "back-end" : "QEMU");
    ss_json_string(json, "backend_request", proof->apart ? "" : backend);
    ss_json_int(json, "backend_seq", proof->backend_seq);
    ss_json_bool(json, "read", proof->read);
    ss_json_string(json, "frontend_request", proof->apart ? "" : frontend);
    ss_json_int(json, "frontend_seq", proof->frontend_seq);
    ss_json_time(json, report, "sent_t_ns", proof->sent_ns);
    ss_json_time(json, report, "answered_t_ns", proof->answered_ns);
    json_builder_end_object(json);
}

void ss_json_worth(JsonBuilder *json, const SsReport *report)
{
    const SsModel *model = report->model;
    ss_json_begin_object(json, "worth");
    ss_json_int(json, "checks", ss_checks_count(report->checks));
    ss_json_int(json, "checks_decided", ss_checks_decided(report->checks));
    ss_json_begin_array(json, "left_out");
    for (guint i = 0; i < report->checks->left_out->len; i++) {
        json_builder_add_string_value(json, g_ptr_array_index(report->checks->left_out, i));
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "not_from_outside");
    for (guint i = 0; i < report->checks->undecided->len; i++) {
        const SsUndecided *undecided = g_ptr_array_index(report->checks->undecided, i);
        if (undecided->outside) {
            json_builder_add_string_value(json, undecided->check);
        }
    }
    json_builder_end_array(json);
    if (report->checks->not_here->len) {
        ss_json_begin_array(json, "no_front_end");
        for (guint i = 0; i < report->checks->not_here->len; i++) {
            json_builder_add_string_value(json, g_ptr_array_index(report->checks->not_here, i));
        }
        json_builder_end_array(json);
    }
    if (report->checks->alone->len) {
        ss_json_begin_array(json, "one_source");
        for (guint i = 0; i < report->checks->alone->len; i++) {
            json_builder_add_string_value(json, g_ptr_array_index(report->checks->alone, i));
        }
        json_builder_end_array(json);
    }
    ss_json_int(json, "waits_in_commit", model->waits_in_commit);
    ss_json_int(json, "waits_in_phase", model->waits_in_phase);
    ss_json_begin_object(json, "windows");
    for (guint i = 0; i < SS_WINDOW_N_CLASSES; i++) {
        if (ss_windows_recorded(model)) {
            ss_json_int(json, ss_window_names[i], model->windows[i]);
        } else {
            ss_json_string_or_null(json, ss_window_names[i], NULL);
        }
    }
    json_builder_end_object(json);
    ss_json_int(json, "windows_unknown", model->windows_unknown);
    ss_json_begin_array(json, "withdrawn");
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            if (ss_hazards_withdrawn(device)) {
                add_withdrawn(json, report, device);
            }
        }
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}
