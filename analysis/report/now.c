/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which VMs there are, how they are, and a line for each.
 */
#include "analysis/report/now.h"

#include <string.h>

#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/model/text.h"
#include "analysis/report/formats.h"
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/text-parts.h"

#define INDENT 4
#define NAME_COLUMNS 26
#define PID_COLUMNS 9
#define STATE_COLUMNS 10
#define FOR_COLUMNS 11
#define BACKEND_COLUMNS (SS_COLUMNS - NAME_COLUMNS - PID_COLUMNS - STATE_COLUMNS - FOR_COLUMNS)

static const char *const states[SS_N_VM_STATES] = {
    [SS_VM_DEADLOCK] = "deadlock", [SS_VM_STUCK] = "waits", [SS_VM_STALE] = "stale",
    [SS_VM_UNKNOWN] = "unknown",   [SS_VM_ENDED] = "ended", [SS_VM_HEALTHY] = "healthy",
};

const SsFormat ss_now_formats[] = {
    { "text", ss_now_text },      { "json", ss_now_json }, { "sarif", ss_report_sarif },
    { "junit", ss_report_junit }, { "html", ss_now_html }, { NULL, NULL },
};

const char *ss_vm_state_name(SsVmState state)
{
    return states[state];
}

char *ss_vm_name(const SsVm *vm)
{
    const char *name = *vm->seen->vm ? vm->seen->vm : vm->seen->comm;
    return ss_text_sanitize(*name ? name : "process", 0);
}

static SsVmState state_of(const SsFinding *finding)
{
    if (finding->certainty < SS_SUSPECTED) {
        return SS_VM_UNKNOWN;
    }
    if (g_str_equal(finding->id, ss_check_reply_commit_deadlock.id)) {
        return SS_VM_DEADLOCK;
    }
    return g_str_equal(finding->id, ss_check_stale_mapping.id) ? SS_VM_STALE : SS_VM_STUCK;
}

static SsVm vm_of(const SsReport *report, const SsSeenProcess *seen)
{
    SsVm vm = { .seen = seen, .state = seen->ended ? SS_VM_ENDED : SS_VM_HEALTHY };
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        if (process->pid == seen->pid && !ss_process_is_backend(process)) {
            vm.process = process;
        }
    }
    for (guint i = 0; !seen->ended && i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        bool its = finding->has_process && finding->pid == seen->pid;
        if (its && (!vm.finding || state_of(finding) < vm.state)) {
            vm.finding = finding;
            vm.state = state_of(finding);
        }
    }
    return vm;
}

static gint by_state(gconstpointer a, gconstpointer b)
{
    const SsVm *one = a, *other = b;
    if (one->state != other->state) {
        return one->state < other->state ? -1 : 1;
    }
    int names = strcmp(one->seen->vm, other->seen->vm);
    return names ? names : one->seen->pid - other->seen->pid;
}

GArray *ss_now_vms(const SsReport *report)
{
    const SsEvidence *evidence = report->evidence;
    GArray *vms = g_array_new(FALSE, FALSE, sizeof(SsVm));
    const SsLook *look =
        evidence->looks->len ? g_ptr_array_index(evidence->looks, evidence->looks->len - 1) : NULL;
    for (guint i = 0; look && i < look->processes->len; i++) {
        const SsSeenProcess *seen = g_ptr_array_index(look->processes, i);
        if (seen->roles & SS_ROLE_FRONT_END) {
            SsVm vm = vm_of(report, seen);
            g_array_append_val(vms, vm);
        }
    }
    g_array_sort(vms, by_state);
    return vms;
}

static char *when_text(const SsEvidence *evidence)
{
    const SsLook *first = g_ptr_array_index(evidence->looks, 0);
    const SsLook *last = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(first->ns / SS_NS_PER_S);
    g_autofree char *time = at ? g_date_time_format(at, "%Y-%m-%d %H:%M:%S UTC") : g_strdup("?");
    if (first == last) {
        return g_strdup_printf("%s, one look", time);
    }
    return g_strdup_printf("%s, and %.1f s later", time,
                           (double)(last->ns - first->ns) / SS_NS_PER_S);
}

static void add_summary(GString *out, const SsEvidence *evidence, const GArray *vms)
{
    guint counts[SS_N_VM_STATES] = { 0 };
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < vms->len; i++) {
        counts[g_array_index(vms, SsVm, i).state]++;
    }
    g_autofree char *host = ss_text_sanitize(evidence->host, 0);
    g_autofree char *when = when_text(evidence);
    if (!vms->len) {
        g_string_append_printf(text, "No VM was found on %s", host);
    } else {
        g_string_append_printf(text, "%u VM%s of %s", vms->len, vms->len == 1 ? "" : "s", host);
    }
    const char *before = ": ";
    for (guint state = 0; state < SS_N_VM_STATES; state++) {
        if (counts[state]) {
            g_string_append_printf(text, "%s%u %s", before, counts[state], states[state]);
            before = ", ";
        }
    }
    ss_text_wrap(out, 0, 4, text->str);
    g_string_append_printf(out, "looked at %s\n", when);
    g_string_free(text, TRUE);
}

/* "dev0 4311, fs1 4400": its devices with the process at the other end. */
static char *backends_text(const SsProcess *process)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; process && i < process->devices->len; i++) {
        const SsDevice *device = g_ptr_array_index(process->devices, i);
        g_autofree char *name = ss_device_label(device, SS_WITNESS_DEVICE_COLUMNS);
        g_string_append_printf(text, "%s%s ", i ? ", " : "", name);
        if (device->peer) {
            g_string_append_printf(text, "%d", device->peer->process->pid);
        } else if (device->listener) {
            g_string_append(text, "not accepted");
        } else {
            g_string_append(text, device->main_channel == SS_CHANNEL_CLOSED ? "gone" : "?");
        }
    }
    return g_string_free(text, FALSE);
}

static void add_line(const SsReport *report, GString *out, const SsVm *vm)
{
    g_autofree char *name = ss_vm_name(vm);
    g_autofree char *backends = backends_text(vm->process);
    g_autofree char *pid = g_strdup_printf("%*d  ", PID_COLUMNS - 2, vm->seen->pid);
    gint64 lasts = vm->finding ? vm->finding->duration_ns : 0;
    g_autofree char *time = ss_duration_text(lasts);
    g_autofree char *duration =
        lasts ? g_strdup_printf("%s%s", vm->finding->at_least ? "> " : "", time) : g_strdup("");
    bool bold = report->colour && vm->state <= SS_VM_STUCK;
    ss_text_cell(out, name, NAME_COLUMNS - 1, true);
    g_string_append_printf(out, " %s%s", pid, bold ? "\033[1;31m" : "");
    ss_text_cell(out, states[vm->state], STATE_COLUMNS - 1, true);
    g_string_append_printf(out, "%s ", bold ? "\033[0m" : "");
    ss_text_cell(out, duration, FOR_COLUMNS - 1, true);
    g_string_append_c(out, ' ');
    ss_text_cell(out, backends, BACKEND_COLUMNS, false);
    while (out->str[out->len - 1] == ' ') {
        g_string_truncate(out, out->len - 1);
    }
    g_string_append_c(out, '\n');
}

/* One line where it fits, up to where the text says more than a line has room for; else two. */
static void add_indented(GString *out, const char *text, const char *until)
{
    const char *end = strstr(text, until);
    bool whole = !end || ss_text_width(text) <= SS_COLUMNS - INDENT;
    g_autofree char *part = whole ? g_strdup(text) : g_strndup(text, (gsize)(end - text));
    g_string_append_printf(out, "%*s", INDENT, "");
    ss_text_wrap(out, INDENT, INDENT + 2, part);
}

/* What each of the two sides waits for, and what frees them. */
static void add_reasons(GString *out, const SsFinding *finding)
{
    for (guint i = 0; i < finding->statements->len && i < 2; i++) {
        const SsStatement *statement = g_ptr_array_index(finding->statements, i);
        g_autofree char *text = g_strdup_printf("%s %s", statement->who, statement->text);
        add_indented(out, text, ", which lies");
    }
    if (!finding->statements->len) {
        add_indented(out,
                     finding->certainty == SS_UNKNOWN && finding->condition ? finding->condition
                                                                            : finding->summary,
                     ", such as");
    }
    if (finding->remedy_own) {
        g_autofree char *text =
            finding->costs
                ? g_strdup_printf("frees it: %s, and %s", finding->remedy_own, finding->costs)
                : g_strdup(finding->remedy_own);
        add_indented(out, text, ";");
    }
}

static void add_table(const SsReport *report, GString *out, const SsEvidence *evidence,
                      const GArray *vms)
{
    add_summary(out, evidence, vms);
    g_string_append_c(out, '\n');
    ss_text_cell(out, "VM", NAME_COLUMNS, true);
    g_string_append_printf(out, "%*s  ", PID_COLUMNS - 2, "PID");
    ss_text_cell(out, "state", STATE_COLUMNS, true);
    ss_text_cell(out, "for", FOR_COLUMNS, true);
    g_string_append(out, "devices and back-ends\n");
    for (guint i = 0; i < vms->len; i++) {
        const SsVm *vm = &g_array_index(vms, SsVm, i);
        add_line(report, out, vm);
        if (vm->finding) {
            add_reasons(out, vm->finding);
        }
    }
}

/* What could not be seen of no VM in particular. */
static void add_denied(GString *out, const SsEvidence *evidence)
{
    const SsLook *look = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    for (guint i = 0; i < look->denied->len; i++) {
        const SsDenied *denied = g_ptr_array_index(look->denied, i);
        g_autofree char *text =
            g_strdup_printf("not seen: %s; needs %s", denied->what, denied->needs);
        g_autofree char *harmless = ss_text_sanitize(text, 0);
        g_string_append_c(out, i ? ' ' : '\n');
        ss_text_wrap(out, 0, 4, harmless);
    }
}

char *ss_now_text(const SsReport *report)
{
    const SsEvidence *evidence = report->evidence;
    g_autoptr(GArray) vms = ss_now_vms(report);
    GString *out = g_string_new(NULL);
    if (!evidence->looks->len) {
        g_string_append(out, "Nobody looked: there is nothing in it.\n");
        return g_string_free(out, FALSE);
    }
    if (vms->len == 1) {
        ss_now_vm_text(report, out, &g_array_index(vms, SsVm, 0));
    } else if (vms->len) {
        add_table(report, out, evidence, vms);
    } else {
        add_summary(out, evidence, vms);
    }
    add_denied(out, evidence);
    if (report->stacks) {
        ss_now_stacks_text(out, report->stacks);
    }
    return g_string_free(out, FALSE);
}
