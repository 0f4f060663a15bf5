/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The report as text: what was recorded, what happened, what was found, and what
 * "nothing found" is worth.
 */
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/state.h"
#include "analysis/report/text-parts.h"

#define LABEL SS_LABEL

static char *figure_text(const SsReport *report, const SsCounts *counts, const char *name)
{
    const SsFigure *figure = ss_figure_find(name);
    if (!ss_figure_recorded(report->model, figure)) {
        return g_strdup("?");
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT, ss_figure_value(counts, figure));
}

/* ", 3 live": what is counted up by some events and down by others. */
static void add_alive(const SsReport *report, GString *text, const SsEventId *events, guint64 alive,
                      const char *word)
{
    if (ss_events_recorded(report->model, events)) {
        g_string_append_printf(text, ", %" G_GUINT64_FORMAT " %s", alive, word);
    } else {
        g_string_append_printf(text, ", ? %s", word);
    }
}

/* "256 created, 256 visible, ..." from pairs of figure and word, NULL at the end. */
static GString *figures(const SsReport *report, const SsCounts *counts, const char *const *pairs)
{
    GString *text = g_string_new(NULL);
    for (; pairs[0]; pairs += 2) {
        g_autofree char *value = figure_text(report, counts, pairs[0]);
        g_string_append_printf(text, "%s%s %s", text->len ? ", " : "", value, pairs[1]);
    }
    return text;
}

static char *lost_text(const SsModel *model)
{
    bool uncounted;
    guint64 lost = ss_model_lost_events(model, &uncounted);
    if (uncounted) {
        return g_strdup_printf("%" G_GUINT64_FORMAT " lost and packets nobody counted", lost);
    }
    return lost ? g_strdup_printf("%" G_GUINT64_FORMAT " LOST", lost) : g_strdup("none lost");
}

static void add_traces(const SsReport *report, GString *out)
{
    const SsModel *model = report->model;
    g_autofree char *lost = lost_text(model);
    g_autofree char *length = ss_duration_text(ss_model_length(model));
    g_autofree char *text =
        g_strdup_printf("%s, %" G_GUINT64_FORMAT " events, %s", length, model->events, lost);
    ss_text_labelled(out, LABEL, "recording", text);
    g_autoptr(GPtrArray) traces = ss_model_traces(model);
    for (guint t = 0; t < traces->len; t++) {
        const SsTraceInfo *trace = g_ptr_array_index(traces, t);
        ss_text_labelled(out, LABEL, t ? "" : "trace", trace->path);
    }
}

/* What is left out, so that nobody takes that for what is not there. */
static void add_selection(const SsReport *report, GString *out)
{
    const SsSelection *selection = report->selection;
    if (!selection || !ss_selection_any(selection)) {
        return;
    }
    g_autofree char *of = ss_selection_text(selection, report->model);
    g_autofree char *text =
        g_strdup_printf("findings %s; %u other%s left out. All else is of the whole recording%s",
                        of, selection->left_out, selection->left_out == 1 ? " is" : "s are",
                        selection->end.given ? " up to then" : "");
    ss_text_labelled(out, LABEL, "asked for", text);
}

static void add_device(GString *out, const SsDevice *device)
{
    g_autofree char *name = ss_device_text(device->id, device->chardev, device->dev, device->vdev);
    GString *text = g_string_new(name);
    if (device->virtio_id) {
        g_string_append_printf(text, ", virtio id %u", device->virtio_id);
    }
    if (*device->chardev && *device->id) {
        g_string_append_printf(text, ", chardev %s", device->chardev);
    }
    for (guint i = 0; i < device->regions->len; i++) {
        const SsRegion *region = &g_array_index(device->regions, SsRegion, i);
        g_autofree char *size = ss_size_text(region->size);
        g_string_append_printf(text, ", region %u: %s", region->shmid, size);
    }
    if (device->unrealized) {
        g_string_append(text, ", unplugged");
    } else if (device->gone) {
        g_string_append(text, ", disconnected");
    }
    ss_text_labelled(out, LABEL, "  device", text->str);
    g_string_free(text, TRUE);
}

static guint count_devices(const SsModel *model)
{
    guint devices = 0;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            devices += !device->absorbed;
        }
    }
    return devices;
}

/* What is the device's own of the sums below. */
static void add_device_counts(const SsReport *report, GString *out, const SsDevice *device)
{
    const SsCounts *counts = &device->counts;
    g_autoptr(GString) requests = figures(
        report, counts,
        (const char *const[]){ "maps", "MAP", "unmaps", "UNMAP", "refused", "refused", NULL });
    g_autoptr(GString) mappings =
        figures(report, counts,
                (const char *const[]){ "mappings_created", "created", "mappings_finalized",
                                       "finalized", NULL });
    add_alive(report, mappings, ss_live_events, device->live_mappings, "live");
    g_autofree char *text = g_strdup_printf("%s; mappings: %s", requests->str, mappings->str);
    ss_text_labelled(out, LABEL, "", text);
}

/* What a back-end's end of a connection is to the rest. */
static void add_peer(GString *out, const SsPeer *peer)
{
    GString *text = g_string_new(*peer->name ? peer->name : "socket without a name");
    if (peer->device) {
        const SsDevice *device = peer->device;
        g_autofree char *name =
            ss_device_text(device->id, device->chardev, device->dev, device->vdev);
        g_string_append_printf(text, ", of device %s of %d", name, device->process->pid);
    } else {
        g_string_append(text, ", whose front-end is not known");
    }
    if (peer->closed_ns) {
        g_string_append(text, ", closed");
    }
    ss_text_labelled(out, LABEL, "  channel", text->str);
    g_string_free(text, TRUE);
}

static void add_backend(const SsReport *report, GString *out, const SsProcess *process)
{
    g_autofree char *text = ss_process_text("", process->name, process->pid);
    ss_text_labelled(out, LABEL, "back-end", text);
    g_autoptr(SsState) state = ss_state_of(report->model, process);
    ss_text_labelled(out, LABEL, "  state", state->text);
    for (guint i = 0; i < process->peers->len; i++) {
        add_peer(out, g_ptr_array_index(process->peers, i));
    }
}

static void add_processes(const SsReport *report, GString *out)
{
    bool several = count_devices(report->model) > 1;
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        if (ss_process_is_backend(process)) {
            add_backend(report, out, process);
            continue;
        }
        g_autofree char *text = ss_process_text(process->vm, process->name, process->pid);
        ss_text_labelled(out, LABEL, "vm", text);
        if (process->sources & SS_SOURCE_WIRE) {
            ss_text_labelled(out, LABEL, "  seen",
                             process->sources & SS_SOURCE_TRACEPOINTS
                                 ? "by its tracepoints, and from outside by the wire library"
                                 : "from outside, by the wire library");
        }
        g_autoptr(SsState) state = ss_state_of(report->model, process);
        ss_text_labelled(out, LABEL, "  state", state->text);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            if (device->absorbed) {
                continue;
            }
            add_device(out, device);
            if (several) {
                add_device_counts(report, out, device);
            }
        }
    }
}

static guint64 count_live(const SsModel *model)
{
    guint64 live = 0;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            const SsDevice *device = g_ptr_array_index(process->devices, d);
            live += device->absorbed ? 0 : device->live_mappings;
        }
    }
    return live;
}

static guint64 count_open_fds(const SsModel *model)
{
    guint64 open = 0;
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        open += g_hash_table_size(process->fds);
    }
    return open;
}

static void add_refusals(const SsReport *report, GString *out)
{
    const SsCounts *counts = &report->model->counts;
    GString *text = g_string_new(NULL);
    g_autoptr(GPtrArray) reasons = ss_reasons(counts);
    if (!ss_figure_recorded(report->model, ss_figure_find("refused"))) {
        g_string_append(text, "not recorded");
    } else if (!reasons->len) {
        g_string_append(text, "none");
    }
    for (guint i = 0; i < reasons->len; i++) {
        const char *reason = g_ptr_array_index(reasons, i);
        const guint64 *count = g_hash_table_lookup(counts->refusals, reason);
        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " %s", i ? ", " : "", *count, reason);
    }
    ss_text_labelled(out, LABEL, "refusals", text->str);
    g_string_free(text, TRUE);
}

static void add_span(GString *text, const char *what, const SsSpan *span)
{
    if (!span->count) {
        return;
    }
    g_autofree char *mean = ss_duration_text(span->sum_ns / (gint64)span->count);
    g_autofree char *longest = ss_duration_text(span->max_ns);
    g_string_append_printf(text, "%s%s %s (longest %s)", text->len ? ", " : "", what, mean,
                           longest);
}

/* From outside a mapping's end is seen when RCU has passed. */
static bool traced(const SsModel *model)
{
    for (guint t = 0; t < model->traces->len; t++) {
        if (ss_trace_sources(model, t) & SS_SOURCE_TRACEPOINTS) {
            return true;
        }
    }
    return false;
}

static void add_counts(const SsReport *report, GString *out)
{
    const SsCounts *counts = &report->model->counts;
    g_autoptr(GString) mappings =
        figures(report, counts,
                (const char *const[]){ "mappings_created", "created", "mappings_visible", "visible",
                                       "mappings_removed", "removed", "mappings_finalized",
                                       "finalized", NULL });
    add_alive(report, mappings, ss_live_events, count_live(report->model), "live");
    ss_text_labelled(out, LABEL, "mappings", mappings->str);

    g_autoptr(GString) fds =
        figures(report, counts,
                (const char *const[]){ "fds_received", "received", "fds_duplicated", "duplicated",
                                       "fds_closed", "closed", NULL });
    if (counts->fds_close_failed) {
        g_string_append_printf(fds, ", %" G_GUINT64_FORMAT " closed with an error",
                               counts->fds_close_failed);
    }
    if (counts->fds_implied_closed) {
        g_string_append_printf(fds, ", %" G_GUINT64_FORMAT " closed unseen",
                               counts->fds_implied_closed);
    }
    add_alive(report, fds, ss_open_events, count_open_fds(report->model), "open");
    ss_text_labelled(out, LABEL, "descriptors", fds->str);
    if (counts->fds_waiting_most && traced(report->model)) {
        g_autofree char *most = figure_text(report, counts, "fds_waiting_most");
        g_autofree char *waited = g_strdup_printf("%s at once, at most, waited for RCU", most);
        ss_text_labelled(out, LABEL, "", waited);
    }

    g_autoptr(GString) requests = figures(
        report, counts,
        (const char *const[]){ "requests", "read", "maps", "MAP", "unmaps", "UNMAP", "replies",
                               "replies", "replies_failed", "replies not sent", NULL });
    ss_text_labelled(out, LABEL, "requests", requests->str);
    add_refusals(report, out);
    if (counts->mem_tables) {
        g_autoptr(GString) tables = figures(
            report, counts,
            (const char *const[]){ "mem_tables", "updates", "mem_tables_failed", "failed", NULL });
        ss_text_labelled(out, LABEL, "memory table", tables->str);
    }
    g_autoptr(GString) times = g_string_new(NULL);
    add_span(times, "request to reply", &counts->request_to_reply);
    add_span(times, "reply to visible", &counts->reply_to_visible);
    add_span(times, "removed to finalized", &counts->removed_to_finalized);
    add_span(times, "finalized to closed", &counts->finalized_to_closed);
    if (times->len) {
        ss_text_labelled(out, LABEL, "times", times->str);
    }
}

char *ss_report_text(const SsReport *report)
{
    const GPtrArray *findings = report->checks->findings;
    GString *out = g_string_new("shmemscope report\n\n");
    guint shown = 0;
    add_traces(report, out);
    add_selection(report, out);
    add_processes(report, out);
    if (!ss_model_of_backends(report->model)) {
        add_counts(report, out); /* of front-ends */
    }
    guint first_hazard = G_MAXUINT;
    for (guint i = 0; i < findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(findings, i);
        if (finding->hazard) {
            first_hazard = MIN(first_hazard, i);
            i += ss_hazards_text(report, out, i, first_hazard) - 1;
        } else if (finding->has_process) {
            ss_text_finding(report, out, finding);
            shown++;
        }
    }
    g_string_append_c(out, '\n');
    ss_worth_text(report, out, shown > 0);
    return g_string_free(out, FALSE);
}
