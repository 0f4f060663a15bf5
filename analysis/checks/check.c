/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "analysis/checks/check.h"

const SsCheck *const ss_all_checks[] = {
    &ss_check_reply_commit_deadlock, &ss_check_stuck_wait,
    &ss_check_commit_before_reply,   &ss_check_fd_leak,
    &ss_check_mapping_leak,          &ss_check_stale_mapping,
    &ss_check_missing_reply,         &ss_check_double_reply,
    &ss_check_died_in_request,       NULL,
};

static void undecided_free(gpointer data)
{
    SsUndecided *undecided = data;
    g_free(undecided->why);
    g_free(undecided);
}

static void on_notice(SsModel *model, const SsNotice *notice, gpointer user_data)
{
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        (*check)->notice(user_data, *check, notice);
    }
}

SsChecks *ss_checks_new(SsModel *model)
{
    SsChecks *checks = g_new0(SsChecks, 1);
    checks->model = model;
    checks->findings = g_ptr_array_new_with_free_func((GDestroyNotify)ss_finding_free);
    checks->undecided = g_ptr_array_new_with_free_func(undecided_free);
    checks->by_key = g_hash_table_new(g_str_hash, g_str_equal);
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
    g_ptr_array_unref(checks->undecided);
    g_free(checks);
}

bool ss_check_decidable(const SsModel *model, const SsCheck *check, guint trace)
{
    const SsTraceInfo *info = ss_model_trace(model, trace);
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if ((check->needs & (1u << ss_catalogue_events[id].event_class)) && !info->recorded[id]) {
            return false;
        }
    }
    return true;
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

SsFinding *ss_checks_report(SsChecks *checks, const SsCheck *check, SsCertainty certainty,
                            SsProcess *process, SsDevice *device, gint64 from_ns, gint64 to_ns,
                            const char *place, char *summary_taken)
{
    g_autofree char *summary = summary_taken;
    bool lost = ss_model_lost(checks->model, process, from_ns, to_ns);
    if (!ss_check_decidable(checks->model, check, process->trace)) {
        return NULL; /* ss_checks_finish() says that it cannot decide */
    }
    if (lost) {
        certainty = SS_UNKNOWN;
    }
    g_autofree char *key = g_strdup_printf("%s|%d|%p|%p|%s", check->id, certainty, (void *)process,
                                           (void *)device, place);
    SsFinding *known = g_hash_table_lookup(checks->by_key, key);
    if (known) {
        known->count++;
        known->last_ns = MAX(known->last_ns, to_ns);
        return NULL;
    }
    SsFinding *finding = finding_new(checks, check, certainty, g_steal_pointer(&summary));
    finding->first_ns = from_ns;
    finding->last_ns = to_ns;
    finding->key = g_steal_pointer(&key);
    g_hash_table_insert(checks->by_key, finding->key, finding);
    set_process(finding, checks->model, process);
    if (device) {
        set_device(finding, device);
    }
    if (lost) {
        finding->condition = g_strdup("events were lost in this time");
    }
    return finding;
}

static void add_undecided(SsChecks *checks, const SsCheck *check, bool partial, char *why_taken)
{
    SsUndecided *undecided = g_new0(SsUndecided, 1);
    undecided->check = check->id;
    undecided->partial = partial;
    undecided->why = why_taken;
    g_ptr_array_add(checks->undecided, undecided);
    if (!partial) {
        SsFinding *finding = finding_new(checks, check, SS_UNKNOWN,
                                         g_strdup_printf("cannot be decided: %s", why_taken));
        finding->first_ns = checks->model->begin_ns;
        finding->last_ns = checks->model->end_ns;
    }
}

/* "event class wait (qemu:vhost_user_reply_wait) was not recorded", or NULL. */
static char *missing_text(const SsModel *model, const SsCheck *check, guint trace)
{
    const SsTraceInfo *info = ss_model_trace(model, trace);
    GString *text = NULL;
    for (guint c = 0; c < SS_N_CLASSES; c++) {
        guint events = 0, missing = 0;
        const char *example = NULL;
        for (guint id = 0; (check->needs & (1u << c)) && id < SS_N_EVENTS; id++) {
            if (ss_catalogue_events[id].event_class == c) {
                events++;
                if (!info->recorded[id]) {
                    missing++;
                    example = example ? example : ss_catalogue_events[id].name;
                }
            }
        }
        if (!missing) {
            continue;
        }
        if (!text) {
            text = g_string_new("not recorded: ");
        } else {
            g_string_append(text, ", ");
        }
        if (missing == events) {
            g_string_append_printf(text, "event class %s", ss_catalogue_classes[c]);
        } else {
            g_string_append_printf(text, "%s%s of event class %s", example,
                                   missing > 1 ? " and others" : "", ss_catalogue_classes[c]);
        }
    }
    return text ? g_string_free(text, FALSE) : NULL;
}

static void not_recorded(SsChecks *checks, const SsCheck *check)
{
    const SsModel *model = checks->model;
    bool any = false;
    for (guint t = 0; t < model->traces->len; t++) {
        any |= ss_model_trace(model, t)->any_recorded;
    }
    g_autoptr(GHashTable) said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint t = 0; t < model->traces->len; t++) {
        /* A trace of some other program beside QEMU's takes nothing away. */
        if (any && !ss_model_trace(model, t)->any_recorded) {
            continue;
        }
        char *why = missing_text(model, check, t);
        if (why && g_hash_table_add(said, why)) {
            add_undecided(checks, check, false, g_strdup(why));
        }
    }
}

static void lost_or_late(SsChecks *checks, const SsCheck *check, guint64 lost, bool uncounted,
                         guint64 late)
{
    if (lost || uncounted) {
        add_undecided(checks, check, false,
                      uncounted ? g_strdup("packets of events were lost")
                                : g_strdup_printf("%" G_GUINT64_FORMAT " event%s lost", lost,
                                                  lost == 1 ? " was" : "s were"));
    }
    if (late) {
        add_undecided(checks, check, true,
                      g_strdup("the recording began too late to tell of what happened before"));
    }
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
    return fa->first_ns < fb->first_ns ? -1 : fa->first_ns > fb->first_ns;
}

void ss_checks_finish(SsChecks *checks)
{
    const SsModel *model = checks->model;
    guint64 late = 0;
    bool uncounted;
    guint64 lost = ss_model_lost_events(model, &uncounted);
    for (guint i = 0; i < model->processes->len; i++) {
        late += ((const SsProcess *)g_ptr_array_index(model->processes, i))->late_objects;
    }
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        not_recorded(checks, *check);
        lost_or_late(checks, *check, lost, uncounted, late);
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

char *ss_thread_text(const SsThread *thread)
{
    if (thread->tid == thread->process->pid) {
        return g_strdup("QEMU main loop");
    }
    return g_strdup_printf("QEMU thread %s", *thread->name ? thread->name : "unnamed");
}
