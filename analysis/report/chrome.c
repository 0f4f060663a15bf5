/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The trace event format that Chrome and Perfetto read. Each mapping is an asynchronous event with
 * an id of its own, so that those that overlap keep their own track; its phases nest in it. Arrows
 * lead from a request to its reply and on to the commit that made the range visible. Counters tell
 * the live mappings and their bytes. A process is told by its place in the report: pids of two
 * hosts may be equal.
 */
#include "analysis/model/lives.h"
#include "analysis/report/formats.h"
#include "analysis/report/json.h"
#include "analysis/report/names.h"

/* An arrow begins and ends at something that has a length: 1 ns. */
#define POINT_US 0.001

enum {
    TRACK_REQUESTS = 1,
    TRACK_REPLIES,
    TRACK_COMMITS,
};

typedef struct Delta {
    gint64 ns;
    gint64 mappings, bytes;
} Delta;

static double us_of(const SsReport *report, gint64 ns)
{
    return (double)(ns - report->model->begin_ns) / 1000;
}

static void set_double(JsonBuilder *json, const char *name, double value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_double_value(json, value);
}

static void begin_event(JsonBuilder *json, const char *phase, const char *name, guint pid,
                        guint tid, double us)
{
    json_builder_begin_object(json);
    ss_json_string(json, "ph", phase);
    ss_json_string(json, "name", name);
    ss_json_int(json, "pid", pid);
    ss_json_int(json, "tid", tid);
    set_double(json, "ts", us);
}

static void add_name(JsonBuilder *json, const char *what, guint pid, guint tid, const char *name)
{
    begin_event(json, "M", what, pid, tid, 0);
    ss_json_begin_object(json, "args");
    ss_json_string(json, "name", name);
    json_builder_end_object(json);
    json_builder_end_object(json);
}

static guint pid_of(const SsReport *report, const SsProcess *process)
{
    guint index = 0;
    (void)g_ptr_array_find(report->model->processes, process, &index);
    return index + 1;
}

static void add_names(JsonBuilder *json, const SsReport *report)
{
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        g_autofree char *name = ss_process_text(process->vm, process->name, process->pid);
        add_name(json, "process_name", p + 1, 0, name);
        if (!ss_process_is_backend(process)) {
            add_name(json, "thread_name", p + 1, TRACK_REQUESTS, "requests of the back-end");
            add_name(json, "thread_name", p + 1, TRACK_REPLIES, "replies");
            add_name(json, "thread_name", p + 1, TRACK_COMMITS, "commits");
        }
    }
}

static void add_async(JsonBuilder *json, const char *phase, const char *name, guint pid, guint id,
                      double us)
{
    begin_event(json, phase, name, pid, 0, us);
    ss_json_string(json, "cat", "mapping");
    ss_json_int(json, "id", id);
    json_builder_end_object(json);
}

/* From the one step to the next that was seen. */
static void add_phases(JsonBuilder *json, const SsReport *report, const SsLife *life, guint pid,
                       guint id, gint64 end_ns)
{
    const struct {
        gint64 ns;
        const char *name;
    } steps[] = {
        { life->request_ns, "requested" },   { life->reply_ns, "replied" },
        { life->visible_ns, "visible" },     { life->removed_ns, "removed" },
        { life->finalized_ns, "finalized" },
    };
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        gint64 until_ns = end_ns;
        for (guint j = G_N_ELEMENTS(steps) - 1; j > i; j--) {
            until_ns = steps[j].ns ? steps[j].ns : until_ns;
        }
        if (steps[i].ns && until_ns >= steps[i].ns) {
            add_async(json, "b", steps[i].name, pid, id, us_of(report, steps[i].ns));
            add_async(json, "e", steps[i].name, pid, id, us_of(report, until_ns));
        }
    }
}

static void add_point(JsonBuilder *json, const SsReport *report, const char *name, guint pid,
                      guint tid, gint64 ns, const char *flow, guint id)
{
    begin_event(json, "X", name, pid, tid, us_of(report, ns));
    set_double(json, "dur", POINT_US);
    json_builder_end_object(json);
    if (flow) {
        begin_event(json, flow, "mapping", pid, tid, us_of(report, ns));
        ss_json_string(json, "cat", "flow");
        ss_json_int(json, "id", id);
        if (*flow == 'f') {
            ss_json_string(json, "bp", "e");
        }
        json_builder_end_object(json);
    }
}

/* Request, reply, commit: an arrow needs two of them. */
static void add_flow(JsonBuilder *json, const SsReport *report, const SsLife *life, guint pid,
                     guint id, const char *name)
{
    const gint64 times[] = { life->request_ns, life->reply_ns, life->visible_ns };
    static const guint tracks[] = { TRACK_REQUESTS, TRACK_REPLIES, TRACK_COMMITS };
    guint known = 0, told = 0;
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        known += times[i] != 0;
    }
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        if (times[i]) {
            const char *flow = known < 2 ? NULL : !told ? "s" : told + 1 == known ? "f" : "t";
            add_point(json, report, name, pid, tracks[i], times[i], flow, id);
            told++;
        }
    }
}

static void add_life(JsonBuilder *json, const SsReport *report, const SsLife *life, guint id)
{
    guint pid = pid_of(report, life->process);
    gint64 begin_ns = life->request_ns   ? life->request_ns
                      : life->birth_ns   ? life->birth_ns
                      : life->visible_ns ? life->visible_ns
                                         : report->model->begin_ns;
    gint64 end_ns = life->closed_ns ? life->closed_ns : report->model->end_ns;
    g_autofree char *name = g_strdup_printf(
        "%s #%" G_GUINT64_FORMAT " region %u 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
        ss_life_device(life), life->seq, life->shmid, life->shm_offset, life->len);
    end_ns = MAX(begin_ns, end_ns);
    begin_event(json, "b", name, pid, 0, us_of(report, begin_ns));
    ss_json_string(json, "cat", "mapping");
    ss_json_int(json, "id", id);
    ss_json_begin_object(json, "args");
    ss_json_string(json, "device", ss_life_device(life));
    ss_json_string(json, "state", life->state);
    if (life->label) {
        ss_json_string(json, "label", life->label);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
    add_phases(json, report, life, pid, id, end_ns);
    add_async(json, "e", name, pid, id, us_of(report, end_ns));
    add_flow(json, report, life, pid, id, name);
}

static gint by_time(gconstpointer a, gconstpointer b)
{
    gint64 na = ((const Delta *)a)->ns, nb = ((const Delta *)b)->ns;
    return na < nb ? -1 : na > nb;
}

/* Of one process: what was visible to the guest, and its bytes. */
static void add_counters(JsonBuilder *json, const SsReport *report, const SsProcess *process)
{
    g_autoptr(GArray) deltas = g_array_new(FALSE, FALSE, sizeof(Delta));
    gint64 mappings = 0, bytes = 0;
    for (guint i = 0; i < report->lives->len; i++) {
        const SsLife *life = g_ptr_array_index(report->lives, i);
        gint64 gone_ns = life->removed_ns ? life->removed_ns : life->finalized_ns;
        if (life->process != process || !life->visible_ns) {
            continue;
        }
        Delta up = { life->visible_ns, 1, (gint64)life->len };
        Delta down = { MAX(gone_ns, life->visible_ns), -1, -(gint64)life->len };
        g_array_append_val(deltas, up);
        if (gone_ns) {
            g_array_append_val(deltas, down);
        }
    }
    g_array_sort(deltas, by_time);
    for (guint i = 0; i < deltas->len; i++) {
        const Delta *delta = &g_array_index(deltas, Delta, i);
        mappings += delta->mappings;
        bytes += delta->bytes;
        if (i + 1 < deltas->len && g_array_index(deltas, Delta, i + 1).ns == delta->ns) {
            continue;
        }
        begin_event(json, "C", "live mappings", pid_of(report, process), 0,
                    us_of(report, delta->ns));
        ss_json_begin_object(json, "args");
        ss_json_signed(json, "mappings", mappings);
        json_builder_end_object(json);
        json_builder_end_object(json);
        begin_event(json, "C", "mapped bytes", pid_of(report, process), 0,
                    us_of(report, delta->ns));
        ss_json_begin_object(json, "args");
        ss_json_signed(json, "bytes", bytes);
        json_builder_end_object(json);
        json_builder_end_object(json);
    }
}

static void add_finding(JsonBuilder *json, const SsReport *report, const SsFinding *finding)
{
    const SsProcess *process = ss_finding_process(report->model, finding);
    const char *vm = !finding->has_process ? ""
                     : *finding->vm        ? finding->vm
                                           : finding->process_name;
    g_autofree char *device =
        finding->has_device
            ? ss_device_name(finding->device_id, finding->chardev, finding->dev, finding->vdev)
            : g_strdup("");
    begin_event(json, "i", finding->id, process ? pid_of(report, process) : 0, 0,
                us_of(report, finding->first_ns));
    ss_json_string(json, "s", process ? "p" : "g");
    ss_json_string(json, "cat", "finding");
    ss_json_begin_object(json, "args");
    ss_json_string(json, "certainty", ss_certainty_name(finding->certainty));
    ss_json_string(json, "summary", finding->summary);
    ss_json_int(json, "count", MAX(finding->count, 1));
    ss_json_string(json, "vm", vm);
    ss_json_string(json, "device", device);
    g_autofree char *labels = ss_finding_labels_text(finding);
    if (labels) {
        ss_json_string(json, "labels", labels);
    }
    json_builder_end_object(json);
    json_builder_end_object(json);
}

char *ss_report_chrome(const SsReport *report)
{
    JsonBuilder *json = json_builder_new();
    json_builder_begin_object(json);
    ss_json_string(json, "displayTimeUnit", "ns");
    ss_json_begin_array(json, "traceEvents");
    add_names(json, report);
    for (guint i = 0; i < report->lives->len; i++) {
        add_life(json, report, g_ptr_array_index(report->lives, i), i + 1);
    }
    for (guint p = 0; p < report->model->processes->len; p++) {
        add_counters(json, report, g_ptr_array_index(report->model->processes, p));
    }
    for (guint i = 0; i < report->checks->findings->len; i++) {
        add_finding(json, report, g_ptr_array_index(report->checks->findings, i));
    }
    json_builder_end_array(json);
    return ss_json_end(json, false);
}
