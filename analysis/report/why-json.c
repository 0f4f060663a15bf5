/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope why, as JSON.
 */
#include "analysis/report/json.h"
#include "analysis/report/names.h"
#include "analysis/report/why.h"

static void add_fd(JsonBuilder *json, const char *name, gint32 fd)
{
    if (fd < 0) {
        ss_json_string_or_null(json, name, NULL);
    } else {
        ss_json_signed(json, name, fd);
    }
}

/* What both the chain and what there is to choose from have. */
static void add_what(JsonBuilder *json, const SsReport *report, const SsChain *chain)
{
    const SsDevice *device = chain->device;
    g_autofree char *request = ss_backend_request_text(chain->request);
    ss_json_signed(json, "pid", chain->process->pid);
    ss_json_string(json, "vm", chain->process->vm);
    ss_json_string(json, "device", device ? device->id : "");
    ss_json_hex(json, "vdev", device ? device->vdev : 0);
    ss_json_string_or_null(json, "request", chain->request ? request : NULL);
    ss_json_int(json, "seq", chain->seq);
    if (chain->has_range) {
        ss_json_begin_object(json, "range");
        ss_json_int(json, "shmid", chain->shmid);
        ss_json_int(json, "shm_offset", chain->shm_offset);
        ss_json_int(json, "len", chain->len);
        json_builder_end_object(json);
    } else {
        ss_json_string_or_null(json, "range", NULL);
    }
    ss_json_hex(json, "mapping", chain->pointer);
    add_fd(json, "received_fd", chain->a_received);
    add_fd(json, "fd", chain->own_fd);
    ss_json_int(json, "ino", chain->ino);
    ss_json_string_or_null(json, "label", ss_why_label(chain));
    ss_json_string(json, "state", ss_why_state(chain));
    ss_json_bool(json, "ended", chain->ended);
    ss_json_time(json, report, "first_t_ns", chain->first_ns);
    ss_json_time(json, report, "last_t_ns", chain->last_ns);
}

static void add_steps(JsonBuilder *json, const SsReport *report, const SsChain *chain)
{
    g_autoptr(GPtrArray) rows = ss_why_rows(chain);
    ss_json_begin_array(json, "steps");
    for (guint i = 0; i < rows->len; i++) {
        const SsWhyRow *row = g_ptr_array_index(rows, i);
        const SsWhyRow *before = i ? g_ptr_array_index(rows, i - 1) : row;
        json_builder_begin_object(json);
        ss_json_time(json, report, "t_ns", row->ns);
        ss_json_signed(json, "after_ns", row->ns - before->ns);
        ss_json_signed(json, "tid", row->tid);
        ss_json_string(json, "who", row->who);
        ss_json_string(json, "step", row->step);
        ss_json_string(json, "text", row->text);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    ss_json_int(json, "steps_left_out", chain->more);
}

static void add_finding(JsonBuilder *json, const SsFinding *finding)
{
    json_builder_begin_object(json);
    ss_json_string(json, "id", finding->id);
    ss_json_string(json, "certainty", ss_certainty_name(finding->certainty));
    ss_json_string(json, "summary", finding->summary);
    json_builder_end_object(json);
}

static void add_missing(JsonBuilder *json, const SsMissing *missing)
{
    json_builder_begin_object(json);
    ss_json_string(json, "step", missing->step);
    ss_json_string(json, "text", missing->text);
    json_builder_set_member_name(json, "finding");
    if (missing->finding) {
        add_finding(json, missing->finding);
    } else {
        json_builder_add_null_value(json);
    }
    ss_json_string_or_null(json, "why", missing->why);
    json_builder_end_object(json);
}

static void add_chain(JsonBuilder *json, const SsReport *report, const SsChain *chain)
{
    g_autoptr(GPtrArray) missing = ss_why_missing(report, chain);
    g_autoptr(GPtrArray) findings = ss_why_findings(report, chain, missing);
    ss_json_begin_object(json, "chain");
    add_what(json, report, chain);
    add_steps(json, report, chain);
    ss_json_begin_array(json, "missing");
    for (guint i = 0; i < missing->len; i++) {
        add_missing(json, g_ptr_array_index(missing, i));
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "about");
    for (guint i = 0; i < findings->len; i++) {
        add_finding(json, g_ptr_array_index(findings, i));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}

char *ss_why_json(const SsReport *report)
{
    const SsChains *chains = report->chains;
    g_autoptr(GPtrArray) found = ss_chains_found(chains);
    g_autofree char *wanted = ss_why_wanted_text(&chains->wanted);
    bool one = found->len == 1 && !chains->more;
    JsonBuilder *json = ss_json_document(report, "shmemscope-why");
    ss_json_string(json, "wanted", wanted);
    if (one) {
        add_chain(json, report, g_ptr_array_index(found, 0));
    } else {
        ss_json_string_or_null(json, "chain", NULL);
    }
    ss_json_begin_array(json, "candidates");
    for (guint i = 0; i < found->len; i++) {
        json_builder_begin_object(json);
        add_what(json, report, g_ptr_array_index(found, i));
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    ss_json_int(json, "candidates_total", found->len + chains->more);
    ss_json_begin_array(json, "unread");
    g_autoptr(GPtrArray) unread = ss_why_unread(report, &chains->wanted);
    for (guint i = 0; !found->len && i < unread->len; i++) {
        json_builder_add_string_value(json, g_ptr_array_index(unread, i));
    }
    json_builder_end_array(json);
    return ss_json_end(json, true);
}
