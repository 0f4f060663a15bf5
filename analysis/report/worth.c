/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What "nothing found" is worth: which checks could decide, in which situations the back-end
 * could have sent a request and QEMU would not have read it, which of those never came about,
 * and what proves that a hazard is none.
 */
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/text-parts.h"

const char *const ss_window_names[SS_WINDOW_N_CLASSES] = {
    [SS_WINDOW_DEFERRED_COMMIT] = "deferred commit",
    [SS_WINDOW_EARLY_COMMIT] = "commit before its reply",
    [SS_WINDOW_OTHER_COMMIT] = "other commit",
    [SS_WINDOW_DISPATCH] = "dispatch",
    [SS_WINDOW_START] = "start",
    [SS_WINDOW_STOP] = "stop",
    [SS_WINDOW_RESET] = "reset",
    [SS_WINDOW_UNREALIZE] = "unplug",
    [SS_WINDOW_ELSEWHERE] = "elsewhere",
};

static bool is_left_out(const SsChecks *checks, const SsCheck *check)
{
    return g_ptr_array_find(checks->left_out, check->id, NULL) ||
           g_ptr_array_find(checks->not_here, check->id, NULL) ||
           g_ptr_array_find(checks->alone, check->id, NULL) ||
           g_ptr_array_find(checks->not_asked, check->id, NULL);
}

guint ss_checks_count(const SsChecks *checks)
{
    guint count = 0;
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        count += !is_left_out(checks, *check);
    }
    return count;
}

guint ss_checks_decided(const SsChecks *checks)
{
    guint decided = 0;
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        bool whole = !is_left_out(checks, *check);
        for (guint i = 0; i < checks->undecided->len; i++) {
            const SsUndecided *undecided = g_ptr_array_index(checks->undecided, i);
            whole &= undecided->partial || undecided->check != (*check)->id;
        }
        decided += whole;
    }
    return decided;
}

bool ss_windows_recorded(const SsModel *model)
{
    static const SsEventId begin[] = { SS_EVENT_VHOST_USER_REQUEST,
                                       SS_EVENT_VHOST_USER_DEVICE,
                                       SS_EVENT_VHOST_USER_START,
                                       SS_EVENT_VHOST_USER_STOP,
                                       SS_EVENT_MEMORY_COMMIT_START,
                                       SS_EVENT_MEMORY_COMMIT_END,
                                       SS_EVENT_VHOST_USER_BACKEND_SHMEM,
                                       SS_EVENT_VHOST_USER_BACKEND_REPLY,
                                       SS_EVENT_VHOST_USER_BACKEND_DISPATCHED,
                                       SS_N_EVENTS };
    /* From outside those are counted that are certain. */
    static const SsEventId outside[] = { SS_EVENT_VHOST_USER_REQUEST,
                                         SS_EVENT_VHOST_USER_BACKEND_SHMEM, SS_N_EVENTS };
    bool traced = false;
    for (guint t = 0; t < model->traces->len; t++) {
        traced |= (ss_trace_sources(model, t) & SS_SOURCE_TRACEPOINTS) != 0;
    }
    return ss_events_recorded(model, traced ? begin : outside);
}

guint ss_hazards_withdrawn(const SsDevice *device)
{
    guint hazards = 0;
    for (guint i = 0; device->windows && i < device->windows->kinds->len; i++) {
        const SsWindow *window = g_ptr_array_index(device->windows->kinds, i);
        hazards += window->withdrawn ? device->windows->n_sync : 0;
    }
    return hazards;
}

static void add_windows(const SsModel *model, GString *out)
{
    GString *opened = g_string_new(NULL), *never = g_string_new(NULL);
    for (guint i = 0; i < SS_WINDOW_N_CLASSES; i++) {
        GString *text = model->windows[i] ? opened : never;
        g_string_append_printf(text, "%s%s", text->len ? ", " : "", ss_window_names[i]);
        if (model->windows[i]) {
            g_string_append_printf(text, " %" G_GUINT64_FORMAT, model->windows[i]);
        }
    }
    if (!ss_windows_recorded(model)) {
        ss_text_labelled(out, SS_LABEL, "windows", "what opens them was not recorded");
    } else if (!opened->len && model->windows_unknown) {
        ss_text_labelled(out, SS_LABEL, "windows", "not known, nor is what was negotiated");
    } else if (!opened->len) {
        ss_text_labelled(out, SS_LABEL, "windows",
                         "QEMU never waited for a back-end that could have sent a request");
    } else {
        g_autofree char *text = g_strdup_printf("QEMU waited for the back-end in: %s", opened->str);
        g_autofree char *rest = g_strdup_printf("never in: %s", never->str);
        ss_text_labelled(out, SS_LABEL, "windows", text);
        if (never->len) {
            ss_text_labelled(out, SS_LABEL, "", rest);
        }
    }
    g_string_free(opened, TRUE);
    g_string_free(never, TRUE);
}

/* "thread vu (4312)", of all that do the one or the other. */
static char *threads_text(const SsPeer *peer, bool serve)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < peer->n_threads; i++) {
        const SsPeerThread *thread = &peer->threads[i];
        if (serve ? thread->served : thread->asked) {
            g_autofree char *name = ss_peer_thread_text(peer, thread->tid);
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", name);
        }
    }
    return g_string_free(text, FALSE);
}

static void add_apart(const SsDevice *device, GString *out)
{
    guint hazards = ss_hazards_withdrawn(device);
    const SsPeer *peer = device->peer;
    g_autofree char *name = ss_device_text(device->id, device->chardev, device->dev, device->vdev);
    g_autofree char *serve = threads_text(peer, true);
    g_autofree char *ask = threads_text(peer, false);
    g_autofree char *text = g_strdup_printf(
        "%u hazard%s of device %s: in its back-end %d the %s was seen to serve the main channel, "
        "and the %s to send requests and wait",
        hazards, hazards == 1 ? "" : "s", name, peer->process->pid, serve, ask);
    ss_text_labelled(out, SS_LABEL, "withdrawn", text);
}

static void add_withdrawn(const SsReport *report, const SsDevice *device, GString *out)
{
    if (device->windows->disproof.apart && device->peer) {
        add_apart(device, out);
        return;
    }
    const SsDisproof *proof = &device->windows->disproof;
    guint hazards = ss_hazards_withdrawn(device);
    g_autofree char *name = ss_device_text(device->id, device->chardev, device->dev, device->vdev);
    g_autofree char *frontend = ss_frontend_request_text(proof->frontend_request);
    g_autofree char *backend = ss_backend_request_text(proof->backend_request);
    g_autofree char *at = ss_duration_text(proof->answered_ns - report->model->begin_ns);
    g_autofree char *text = g_strdup_printf(
        "%u hazard%s of device %s: its back-end serves both channels at once. %s #%" G_GUINT64_FORMAT
        " %s, and %s #%" G_GUINT64_FORMAT " was answered meanwhile (%s after the begin)",
        hazards, hazards == 1 ? "" : "s", name, backend, proof->backend_seq,
        proof->read || proof->told ? "waited for its reply" : "lay unread", frontend,
        proof->frontend_seq, at);
    ss_text_labelled(out, SS_LABEL, "withdrawn", text);
}

static void add_devices(const SsReport *report, GString *out)
{
    const SsModel *model = report->model;
    bool asked = false, windows = false;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            asked |= device->windows && device->windows->n_sync;
            windows |= device->windows && device->windows->kinds->len;
            if (ss_hazards_withdrawn(device)) {
                add_withdrawn(report, device, out);
            }
        }
    }
    if (windows && !asked) {
        ss_text_labelled(out, SS_LABEL, "",
                         "no back-end sent a request whose reply it asked for: no hazard is known");
    }
}

static void add_verdict(const SsReport *report, GString *out)
{
    guint decided = ss_checks_decided(report->checks);
    guint hazards = 0;
    for (guint i = 0; i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        hazards += finding->certainty == SS_HAZARD;
    }
    if (!decided) {
        g_string_append(out, "Nothing can be said from this recording.\n");
        return;
    }
    g_string_append(out, "Nothing found");
    if (hazards) {
        g_string_append_printf(out, " but %u hazard%s", hazards, hazards == 1 ? "" : "s");
    }
    if (decided < ss_checks_count(report->checks)) {
        g_string_append_printf(out, " by the %u check%s that could decide", decided,
                               decided == 1 ? "" : "s");
    }
    if (report->selection && ss_selection_any(report->selection)) {
        g_autofree char *of = ss_selection_text(report->selection, report->model);
        g_string_append_printf(out, "; asked for: %s", of);
    }
    g_string_append(out, ".\n");
}

void ss_worth_text(const SsReport *report, GString *out, bool found)
{
    if (!found) {
        add_verdict(report, out);
    }
    ss_undecided_text(out, report->checks->undecided);
    g_autofree char *decided =
        g_strdup_printf("%u of %u checks could decide", ss_checks_decided(report->checks),
                        ss_checks_count(report->checks));
    ss_text_labelled(out, SS_LABEL, "worth", decided);
    for (guint i = 0; i < report->checks->left_out->len; i++) {
        g_autofree char *text =
            g_strdup_printf("not looked for: %s, which needs events that are recorded with "
                            "--set catalogue",
                            (const char *)g_ptr_array_index(report->checks->left_out, i));
        ss_text_labelled(out, SS_LABEL, "", text);
    }
    if (report->checks->not_here->len) {
        g_autofree char *text = g_strdup_printf(
            "not looked for: what %u checks look for, which look into a front-end: none told",
            report->checks->not_here->len);
        ss_text_labelled(out, SS_LABEL, "", text);
        return;
    }
    add_windows(report->model, out);
    add_devices(report, out);
}
