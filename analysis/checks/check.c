/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "analysis/checks/check.h"

const SsCheck *const ss_all_checks[] = {
    &ss_check_reply_commit_deadlock,
    &ss_check_stuck_wait,
    &ss_check_commit_before_reply,
    &ss_check_nested_wait,
    &ss_check_fd_leak,
    &ss_check_double_close,
    &ss_check_fd_closed_early,
    &ss_check_fd_backlog,
    &ss_check_mapping_leak,
    &ss_check_memory_region_leak,
    &ss_check_stale_mapping,
    &ss_check_missing_reply,
    &ss_check_double_reply,
    &ss_check_commit_without_begin,
    &ss_check_transaction_left_open,
    &ss_check_died_in_request,
    &ss_check_accepted_not_mapped,
    &ss_check_refused_but_mapped,
    &ss_check_readonly_writable,
    &ss_check_memory_table_failed,
    &ss_check_unsolicited_reply,
    &ss_check_overlap,
    &ss_check_out_of_range,
    &ss_check_unmap_unknown,
    &ss_check_sources_disagree,
    NULL,
};

static void on_notice(SsModel *model, const SsNotice *notice, gpointer user_data)
{
    const SsChecks *checks = user_data;
    for (const SsCheck *const *check = checks->told[notice->kind]; *check; check++) {
        (*check)->notice(user_data, *check, notice);
    }
}

static void tell_checks(SsChecks *checks)
{
    G_STATIC_ASSERT(G_N_ELEMENTS(ss_all_checks) <= SS_MAX_CHECKS);
    for (guint kind = 0; kind < SS_N_NOTICES; kind++) {
        const SsCheck **told = checks->told[kind];
        for (const SsCheck *const *check = ss_all_checks; *check; check++) {
            g_assert((*check)->notices);
            if ((*check)->notices & (1u << kind)) {
                *told++ = *check;
            }
        }
    }
}

SsChecks *ss_checks_new(SsModel *model)
{
    SsChecks *checks = g_new0(SsChecks, 1);
    checks->model = model;
    checks->findings = g_ptr_array_new_with_free_func((GDestroyNotify)ss_finding_free);
    checks->undecided = ss_undecided_new();
    checks->left_out = g_ptr_array_new();
    checks->not_here = g_ptr_array_new();
    checks->not_asked = g_ptr_array_new();
    checks->alone = g_ptr_array_new();
    checks->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    tell_checks(checks);
    ss_model_set_notice(model, on_notice, checks);
    return checks;
}

void ss_checks_free(SsChecks *checks)
{
    if (!checks) {
        return;
    }
    g_hash_table_unref(checks->by_key);
    g_ptr_array_unref(checks->findings);
    g_ptr_array_unref(checks->left_out);
    g_ptr_array_unref(checks->not_here);
    g_ptr_array_unref(checks->not_asked);
    g_ptr_array_unref(checks->alone);
    g_clear_pointer(&checks->undecided, g_ptr_array_unref);
    g_free(checks);
}

bool ss_check_decidable(const SsModel *model, const SsCheck *check, const SsProcess *process)
{
    if (ss_process_looked(process)) {
        return check->look;
    }
    if (ss_process_is_backend(process)) {
        return check->of_backends && ss_wire_recorded(model, process->trace);
    }
    if (ss_process_outside(process)) {
        return check->outside && ss_wire_recorded(model, process->trace);
    }
    return ss_needs_recorded(model, check->needs, process);
}

static void set_process(SsFinding *finding, const SsModel *model, const SsProcess *process)
{
    finding->has_process = true;
    finding->pid = process->pid;
    finding->process_birth_ns = process->birth_ns;
    finding->process_name = g_strdup(process->name);
    finding->vm = g_strdup(process->vm);
    finding->host = g_strdup(ss_model_trace(model, process->trace)->hostname);
}

/* The text of a check with the front-end's name in QEMU's place. Owned. */
static char *named(const char *text, const SsProcess *process)
{
    g_auto(GStrv) parts = g_strsplit(text, "QEMU", -1);
    return g_strjoinv(process->called, parts);
}

static void name_front(SsFinding *finding, const SsProcess *process)
{
    finding->front_rule = named(finding->rule, process);
    finding->rule = finding->front_rule;
    if (finding->remedy_for_good) {
        finding->front_remedy = named(finding->remedy_for_good, process);
        finding->remedy_for_good = finding->front_remedy;
    }
}

static void set_device(SsFinding *finding, const SsDevice *device)
{
    finding->has_device = true;
    finding->dev = device->dev;
    finding->vdev = device->vdev;
    finding->virtio_id = device->virtio_id;
    finding->device_id = g_strdup(device->id);
    finding->chardev = g_strdup(device->chardev);
}

static SsFinding *finding_new(SsChecks *checks, const SsCheck *check, SsCertainty certainty,
                              char *summary_taken)
{
    SsFinding *finding = ss_finding_new();
    finding->id = check->id;
    finding->title = check->title;
    finding->rule = check->rule;
    finding->remedy_now = check->remedy_now;
    finding->remedy_for_good = check->remedy_for_good;
    finding->certainty = certainty;
    finding->summary = summary_taken;
    finding->count = 1;
    g_ptr_array_add(checks->findings, finding);
    return finding;
}

static char *key_text(const SsCheck *check, SsCertainty certainty, const SsProcess *process,
                      const SsDevice *device, const char *place)
{
    return g_strdup_printf("%s|%d|%p|%p|%s", check->id, certainty, (const void *)process,
                           (const void *)device, place);
}

SsFinding *ss_checks_find(const SsChecks *checks, const SsCheck *check, SsCertainty certainty,
                          const SsProcess *process, const SsDevice *device, const char *place)
{
    g_autofree char *key = key_text(check, certainty, process, device, place);
    return g_hash_table_lookup(checks->by_key, key);
}

SsFinding *ss_checks_report(SsChecks *checks, const SsCheck *check, SsCertainty certainty,
                            SsProcess *process, SsDevice *device, gint64 from_ns, gint64 to_ns,
                            const char *place, char *summary_taken)
{
    g_autofree char *summary = summary_taken;
    bool lost = ss_model_lost(checks->model, process, from_ns, to_ns);
    checks->last = NULL;
    if (!ss_check_decidable(checks->model, check, process)) {
        return NULL; /* ss_checks_finish() says that it cannot decide */
    }
    if (lost) {
        certainty = SS_UNKNOWN;
    }
    g_autofree char *key = key_text(check, certainty, process, device, place);
    SsFinding *known = g_hash_table_lookup(checks->by_key, key);
    if (known) {
        checks->last = known;
        known->count++;
        known->last_ns = MAX(known->last_ns, to_ns);
        return NULL;
    }
    SsFinding *finding = finding_new(checks, check, certainty, g_steal_pointer(&summary));
    finding->first_ns = from_ns;
    finding->last_ns = to_ns;
    finding->key = g_steal_pointer(&key);
    g_hash_table_insert(checks->by_key, finding->key, finding);
    checks->last = finding;
    set_process(finding, checks->model, process);
    if (process->called) {
        name_front(finding, process);
    }
    if (device) {
        set_device(finding, device);
    }
    if (lost) {
        finding->condition = g_strdup("events were lost in this time");
    }
    return finding;
}

/* The class that a recording leaves out unless it is asked for: what needs it is not to be
 * missed then. */
static bool left_out(const SsModel *model, const SsCheck *check)
{
    bool any = false, traced = false;
    for (guint t = 0; t < model->traces->len; t++) {
        const SsTraceInfo *trace = ss_model_trace(model, t);
        traced |= (ss_trace_sources(model, t) & SS_SOURCE_TRACEPOINTS) != 0;
        for (guint id = 0; id < SS_N_EVENTS; id++) {
            any |= trace->recorded[id] && ss_catalogue_events[id].event_class == SS_CLASS_DETAIL;
        }
    }
    return (check->needs & SS_NEEDS(DETAIL)) && !any && (traced || !model->traces->len);
}

static void add_undecided(SsChecks *checks, const SsCheck *check)
{
    bool looked = ss_model_looked(checks->model);
    if (looked && !check->look) {
        SsUndecided *undecided = ss_undecided_looked(check->id);
        g_ptr_array_add(checks->undecided, undecided);
        return;
    }
    if (looked) {
        return;
    }
    if (!check->of_backends && ss_model_of_backends(checks->model)) {
        g_ptr_array_add(checks->not_here, (gpointer)check->id);
        return;
    }
    if (check->compares && !ss_model_has_both(checks->model)) {
        g_ptr_array_add(checks->alone, (gpointer)check->id);
        return;
    }
    if (left_out(checks->model, check)) {
        g_ptr_array_add(checks->left_out, (gpointer)check->id);
        return;
    }
    GPtrArray *undecided =
        ss_undecided(checks->model, check->id, check->needs, check->outside, check->of_standing);
    if (check->unseen) {
        ss_undecided_unseen(undecided, checks->model, check->id, check->unseen);
    }
    for (guint i = 0; i < undecided->len; i++) {
        const SsUndecided *one = g_ptr_array_index(undecided, i);
        if (!one->partial && !one->outside) {
            SsFinding *finding = finding_new(checks, check, SS_UNKNOWN,
                                             g_strdup_printf("cannot be decided: %s", one->why));
            finding->first_ns = checks->model->begin_ns;
            finding->last_ns = checks->model->end_ns;
        }
    }
    g_ptr_array_extend_and_steal(checks->undecided, undecided);
}

static gint by_weight(gconstpointer a, gconstpointer b)
{
    const SsFinding *fa = *(const SsFinding *const *)a;
    const SsFinding *fb = *(const SsFinding *const *)b;
    if (fa->certainty != fb->certainty) {
        return fa->certainty > fb->certainty ? -1 : 1;
    }
    if (fa->id != fb->id) {
        for (const SsCheck *const *check = ss_all_checks; *check; check++) {
            if ((*check)->id == fa->id || (*check)->id == fb->id) {
                return (*check)->id == fa->id ? -1 : 1;
            }
        }
    }
    if (fa->hazard && fb->hazard) {
        return 0; /* those of a device were found together, and stay so: the sort is stable */
    }
    return fa->first_ns < fb->first_ns ? -1 : fa->first_ns > fb->first_ns;
}

const SsProcess *ss_finding_process(const SsModel *model, const SsFinding *finding)
{
    for (guint p = 0; finding->has_process && p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        if (process->pid == finding->pid && process->birth_ns == finding->process_birth_ns) {
            return process;
        }
    }
    return NULL;
}

static void doubt(SsFinding *finding, const char *why)
{
    finding->certainty = SS_UNKNOWN;
    g_free(finding->condition);
    finding->condition = g_strdup(why);
}

/* What was found of a descriptor whose file's others came and went unseen, or of a device when
 * one of its channels was not followed any more. */
static void doubt_finding(const SsModel *model, SsFinding *finding)
{
    const SsProcess *process = ss_finding_process(model, finding);
    for (guint i = 0; process && process->unsure && finding->about && i < finding->about->len;
         i++) {
        const SsAbout *about = &g_array_index(finding->about, SsAbout, i);
        if (about->fd >= 0 && g_hash_table_contains(process->unsure, &about->ino)) {
            doubt(finding, "a descriptor of that file came or went by a call that nobody watches");
        }
    }
    for (guint i = 0; process && process->gaps && i < process->gaps->len; i++) {
        const SsGap *gap = &g_array_index(process->gaps, SsGap, i);
        if (finding->has_device && finding->dev == gap->dev && finding->last_ns >= gap->ns) {
            doubt(finding, "the library lost track of a channel of the device");
        }
    }
}

void ss_checks_finish(SsChecks *checks)
{
    for (guint i = 0; i < checks->findings->len; i++) {
        doubt_finding(checks->model, g_ptr_array_index(checks->findings, i));
    }
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        add_undecided(checks, *check);
    }
    g_ptr_array_sort(checks->findings, by_weight);
}

SsCertainty ss_checks_worst(const SsChecks *checks, bool *ret_any)
{
    SsCertainty worst = SS_UNKNOWN;
    *ret_any = checks->findings->len > 0;
    for (guint i = 0; i < checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(checks->findings, i);
        worst = MAX(worst, finding->certainty);
    }
    return worst;
}

const char *ss_front_text(const SsProcess *process)
{
    return process->called ? process->called : "QEMU";
}

char *ss_thread_text(const SsThread *thread)
{
    const char *front = ss_front_text(thread->process);
    if (thread->waiting && thread->wait.told_by_other) {
        return g_strdup(front); /* its main loop stands; it may be a virtual CPU that waits */
    }
    if (thread->tid == thread->process->pid) {
        return thread->process->called ? g_strdup(front) : g_strdup("QEMU main loop");
    }
    return g_strdup_printf("%s thread %s", front, *thread->name ? thread->name : "unnamed");
}
