/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What was looked at, as a member of the report's JSON: report.schema.json is the contract.
 */
#include "analysis/autopsy/stacks.h"
#include "analysis/model/text.h"
#include "analysis/report/formats.h"
#include "analysis/report/json.h"
#include "analysis/report/names.h"
#include "analysis/report/now.h"

static void add_text(JsonBuilder *json, const char *name, const char *hostile)
{
    g_autofree char *harmless = ss_text_sanitize(hostile, 0);
    ss_json_string(json, name, harmless);
}

static void add_inbox(JsonBuilder *json, const char *name, const SsInbox *inbox, bool backend)
{
    json_builder_set_member_name(json, name);
    if (!inbox->known) {
        json_builder_add_null_value(json);
        return;
    }
    g_autofree char *request = !inbox->request ? NULL
                               : backend       ? ss_backend_request_text(inbox->request)
                                               : ss_frontend_request_text(inbox->request);
    json_builder_begin_object(json);
    ss_json_int(json, "bytes", inbox->bytes);
    ss_json_string_or_null(json, "request", request);
    if (inbox->has_range) {
        ss_json_int(json, "shmid", inbox->shmid);
        ss_json_int(json, "shm_offset", inbox->shm_offset);
        ss_json_int(json, "len", inbox->len);
    }
    if (inbox->entries) {
        ss_json_int(json, "regions", inbox->entries);
    }
    json_builder_end_object(json);
}

static void add_held(JsonBuilder *json, const SsDevice *device)
{
    ss_json_begin_array(json, "mapped");
    for (guint i = 0; device->held && i < device->held->len; i++) {
        const SsHeld *held = &g_array_index(device->held, SsHeld, i);
        json_builder_begin_object(json);
        ss_json_hex(json, "host", held->host);
        ss_json_int(json, "len", held->len);
        ss_json_int(json, "ino", held->ino);
        ss_json_int(json, "fd_offset", held->fd_offset);
        ss_json_int(json, "fds", held->fds);
        ss_json_bool(json, "writable", held->writable);
        ss_json_bool(json, "sure", held->sure);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_device(JsonBuilder *json, const SsDevice *device)
{
    static const char *const channels[] = { "unknown", "open", "closed", "pending" };
    json_builder_begin_object(json);
    ss_json_string(json, "id", device->id);
    ss_json_string(json, "chardev", device->chardev);
    ss_json_hex(json, "dev", device->dev);
    ss_json_string(json, "main_channel", channels[device->main_channel]);
    json_builder_set_member_name(json, "backend");
    if (device->peer) {
        json_builder_begin_object(json);
        ss_json_signed(json, "pid", device->peer->process->pid);
        ss_json_string(json, "name", device->peer->process->name);
        json_builder_end_object(json);
    } else {
        json_builder_add_null_value(json);
    }
    json_builder_set_member_name(json, "listener");
    if (device->listener && device->listener->pid) {
        json_builder_begin_object(json);
        ss_json_signed(json, "pid", device->listener->pid);
        ss_json_string(json, "name", device->listener->name);
        json_builder_end_object(json);
    } else {
        json_builder_add_null_value(json);
    }
    const SsInbox none = { 0 };
    add_inbox(json, "unread_by_backend", device->peer ? &device->peer->inbox : &none, false);
    add_inbox(json, "unread_by_front_end", &device->inbox, true);
    add_held(json, device);
    json_builder_end_object(json);
}

static void add_thread(JsonBuilder *json, const SsSeenThread *thread)
{
    static const char *const calls[] = { "unknown", "running", "outside", "in" };
    const char *name = thread->call == SS_CALL_IN ? ss_call_name(thread->nr) : NULL;
    json_builder_begin_object(json);
    ss_json_signed(json, "tid", thread->tid);
    add_text(json, "name", thread->comm);
    ss_json_string(json, "call", calls[thread->call]);
    ss_json_string_or_null(json, "syscall", name);
    json_builder_set_member_name(json, "since_ns");
    if (thread->last_ran_ns) {
        json_builder_add_int_value(json, thread->last_ran_ns);
    } else {
        json_builder_add_null_value(json);
    }
    json_builder_end_object(json);
}

static void add_denied(JsonBuilder *json, const GPtrArray *all)
{
    ss_json_begin_array(json, "denied");
    for (guint i = 0; i < all->len; i++) {
        const SsDenied *denied = g_ptr_array_index(all, i);
        json_builder_begin_object(json);
        add_text(json, "what", denied->what);
        add_text(json, "needs", denied->needs);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_vm(JsonBuilder *json, const SsVm *vm)
{
    json_builder_begin_object(json);
    add_text(json, "vm", vm->seen->vm);
    ss_json_signed(json, "pid", vm->seen->pid);
    add_text(json, "name", vm->seen->comm);
    add_text(json, "exe", vm->seen->exe);
    ss_json_string(json, "state", ss_vm_state_name(vm->state));
    ss_json_begin_array(json, "devices");
    for (guint i = 0; vm->process && i < vm->process->devices->len; i++) {
        add_device(json, g_ptr_array_index(vm->process->devices, i));
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "threads");
    for (guint i = 0; i < vm->seen->threads->len; i++) {
        add_thread(json, g_ptr_array_index(vm->seen->threads, i));
    }
    json_builder_end_array(json);
    add_denied(json, vm->seen->denied);
    json_builder_end_object(json);
}

static void add_look(JsonBuilder *json, const SsReport *report)
{
    const SsEvidence *evidence = report->evidence;
    g_autoptr(GArray) vms = ss_now_vms(report);
    ss_json_begin_object(json, "look");
    add_text(json, "tool", evidence->tool);
    add_text(json, "host", evidence->host);
    add_text(json, "boot_id", evidence->boot_id);
    add_text(json, "kernel", evidence->kernel);
    ss_json_begin_array(json, "looks");
    for (guint i = 0; i < evidence->looks->len; i++) {
        const SsLook *look = g_ptr_array_index(evidence->looks, i);
        json_builder_begin_object(json);
        ss_json_signed(json, "ns", look->ns);
        ss_json_signed(json, "took_ns", look->took_ns);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "vms");
    for (guint i = 0; i < vms->len; i++) {
        add_vm(json, &g_array_index(vms, SsVm, i));
    }
    json_builder_end_array(json);
    if (report->stacks) {
        ss_json_begin_array(json, "stacks");
        for (guint i = 0; i < report->stacks->len; i++) {
            ss_stacks_save(g_ptr_array_index(report->stacks, i), json);
        }
        json_builder_end_array(json);
    }
    if (evidence->looks->len) {
        const SsLook *last = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
        add_denied(json, last->denied);
    }
    json_builder_end_object(json);
}

static char *with_look(const SsReport *report, char *(*render)(const SsReport *))
{
    SsReport with = *report;
    with.add_json = add_look;
    return render(&with);
}

char *ss_now_json(const SsReport *report)
{
    return with_look(report, ss_report_json);
}

char *ss_now_html(const SsReport *report)
{
    return with_look(report, ss_report_html);
}
