/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/finding.h"
#include "analysis/report/names.h"

/* Of a finding, in one line. */
#define SHOWN_LABELS 4
#define MAX_WITNESS 24

static const char *const certainty_names[] = {
    [SS_UNKNOWN] = "unknown",   [SS_HAZARD] = "hazard", [SS_SUSPECTED] = "suspected",
    [SS_OBSERVED] = "observed", [SS_NEVER] = "never",
};

const char *ss_certainty_name(SsCertainty certainty)
{
    return certainty_names[certainty];
}

bool ss_certainty_parse(const char *word, SsCertainty *ret_certainty)
{
    for (guint i = 0; i < G_N_ELEMENTS(certainty_names); i++) {
        if (g_str_equal(word, certainty_names[i])) {
            *ret_certainty = i;
            return true;
        }
    }
    return false;
}

static void statement_free(gpointer data)
{
    SsStatement *statement = data;
    g_free(statement->who);
    g_free(statement->text);
    g_free(statement);
}

static void witness_free(gpointer data)
{
    SsWitness *witness = data;
    g_free(witness->text);
    g_free(witness);
}

static void about_clear(gpointer data)
{
    g_free((char *)((SsAbout *)data)->label);
}

SsFinding *ss_finding_new(void)
{
    SsFinding *finding = g_new0(SsFinding, 1);
    finding->statements = g_ptr_array_new_with_free_func(statement_free);
    finding->witness = g_ptr_array_new_with_free_func(witness_free);
    finding->about = g_array_new(FALSE, FALSE, sizeof(SsAbout));
    g_array_set_clear_func(finding->about, about_clear);
    finding->labels = g_ptr_array_new_with_free_func(g_free);
    return finding;
}

void ss_finding_free(SsFinding *finding)
{
    if (!finding) {
        return;
    }
    g_free(finding->summary);
    g_free(finding->condition);
    g_free(finding->remedy_own);
    g_free(finding->front_rule);
    g_free(finding->front_remedy);
    g_free(finding->costs);
    g_free(finding->process_name);
    g_free(finding->vm);
    g_free(finding->host);
    g_free(finding->device_id);
    g_free(finding->chardev);
    g_free(finding->key);
    g_free(finding->place_reason);
    g_array_unref(finding->about);
    g_ptr_array_unref(finding->labels);
    g_ptr_array_unref(finding->statements);
    g_ptr_array_unref(finding->witness);
    ss_order_free(finding->order);
    if (finding->hazard) {
        g_free(finding->hazard->inside);
        g_free(finding->hazard);
    }
    g_free(finding);
}

void ss_finding_set_place(SsFinding *finding, const char *function, const char *reason)
{
    finding->place = function;
    g_free(finding->place_reason);
    finding->place_reason = reason && *reason ? g_strdup(reason) : NULL;
}

void ss_finding_add_about(SsFinding *finding, const SsAbout *about)
{
    if (finding && finding->about->len < SS_MAX_ABOUT) {
        SsAbout kept = *about;
        kept.label = g_strdup(about->label);
        g_array_append_val(finding->about, kept);
        ss_finding_add_label(finding, about->label);
    }
}

void ss_finding_add_label(SsFinding *finding, const char *label)
{
    if (!finding || !label || finding->labels->len >= SS_MAX_ABOUT) {
        return;
    }
    if (!g_ptr_array_find_with_equal_func(finding->labels, label, g_str_equal, NULL)) {
        g_ptr_array_add(finding->labels, g_strdup(label));
    }
}

/* In running text; all of it is in JSON. */
static char *quoted(const char *label)
{
    glong length = g_utf8_strlen(label, -1);
    g_autofree char *begin = g_utf8_substring(label, 0, MIN(length, SS_LABEL_SHOWN));
    return g_strdup_printf("\"%s%s\"", begin, length > SS_LABEL_SHOWN ? "..." : "");
}

char *ss_labelled_text(char *text_taken, const char *label)
{
    if (!label) {
        return text_taken;
    }
    g_autofree char *text = text_taken;
    g_autofree char *shown = quoted(label);
    return g_strdup_printf("%s %s", text, shown);
}

char *ss_finding_labels_text(const SsFinding *finding)
{
    guint all = finding->labels->len, shown = MIN(all, SHOWN_LABELS);
    GString *text = g_string_new("labelled ");
    for (guint i = 0; i < shown; i++) {
        g_autofree char *label = quoted(g_ptr_array_index(finding->labels, i));
        g_string_append_printf(text, "%s%s", i ? ", " : "", label);
    }
    if (all > shown) {
        g_string_append_printf(text, " and %u more", all - shown);
    }
    return g_string_free(text, all == 0);
}

void ss_finding_state(SsFinding *finding, const char *who, char *text_taken)
{
    SsStatement *statement = g_new0(SsStatement, 1);
    statement->who = g_strdup(who);
    statement->text = text_taken;
    g_ptr_array_add(finding->statements, statement);
}

void ss_finding_set_hazard(SsFinding *finding, guint32 frontend_request, guint32 backend_request,
                           char *inside_taken, guint64 opened, gint64 margin_ns)
{
    finding->hazard = g_new0(SsHazard, 1);
    *finding->hazard = (SsHazard){ .frontend_request = frontend_request,
                                   .backend_request = backend_request,
                                   .inside = inside_taken,
                                   .opened = opened,
                                   .margin_ns = margin_ns };
}

void ss_finding_add_witness(SsFinding *finding, gint64 ns, bool backend, guint indent,
                            char *text_taken)
{
    SsWitness *witness = g_new0(SsWitness, 1);
    witness->ns = ns;
    witness->backend = backend;
    witness->indent = indent;
    witness->text = text_taken;
    g_ptr_array_add(finding->witness, witness);
}

static char *plain_text(const SsStep *step)
{
    g_autofree char *backend = ss_backend_request_text(step->request);
    g_autofree char *frontend = ss_frontend_request_text(step->request);
    guint64 seq = step->seq;

    switch (step->kind) {
    case SS_STEP_REQUEST:
        if (step->request == SS_REQUEST_SHMEM_MAP || step->request == SS_REQUEST_SHMEM_UNMAP) {
            return g_strdup_printf("%s #%" G_GUINT64_FORMAT " 0x%" G_GINT64_MODIFIER
                                   "x+0x%" G_GINT64_MODIFIER "x",
                                   backend, seq, step->a, step->b);
        }
        return g_strdup_printf("%s #%" G_GUINT64_FORMAT, backend, seq);
    case SS_STEP_REFUSED:
        return g_strdup_printf("refuses #%" G_GUINT64_FORMAT ": %s", seq,
                               g_strerror(ABS(MAX(step->ret, -4096))));
    case SS_STEP_REPLY:
        if (step->ret) {
            return g_strdup_printf("reply #%" G_GUINT64_FORMAT ": not sent, %s", seq,
                                   g_strerror(ABS(MAX(step->ret, -4096))));
        }
        return step->a ? g_strdup_printf("reply #%" G_GUINT64_FORMAT ": error", seq)
                       : g_strdup_printf("reply #%" G_GUINT64_FORMAT ": ok", seq);
    case SS_STEP_COMMIT_BEGIN:
        return seq ? g_strdup_printf("commit of #%" G_GUINT64_FORMAT, seq) : g_strdup("commit");
    case SS_STEP_COMMIT_END:
        return g_strdup("commit is done");
    case SS_STEP_FRONTEND_REQUEST:
        return step->ret ? g_strdup_printf("%s: not sent", frontend) : g_strdup(frontend);
    case SS_STEP_WAIT_BEGIN:
        return g_strdup("...waits");
    case SS_STEP_WAIT_LASTS:
        return g_strdup_printf("...waits, %.1f s", (double)step->a / 1000);
    case SS_STEP_WAIT_END:
        return step->ret ? g_strdup("the wait failed") : g_strdup_printf("%s answered", frontend);
    case SS_STEP_DISPATCHED:
        return step->ret ? g_strdup_printf("#%" G_GUINT64_FORMAT " ends the channel", seq)
                         : g_strdup_printf("done with #%" G_GUINT64_FORMAT, seq);
    case SS_STEP_START_BEGIN:
        return g_strdup("starts the back-end");
    case SS_STEP_START_END:
        return g_strdup("has started it");
    case SS_STEP_STOP_BEGIN:
        return g_strdup("stops the back-end");
    case SS_STEP_STOP_END:
        return g_strdup("has stopped it");
    case SS_STEP_RESET_BEGIN:
        return g_strdup("device reset");
    case SS_STEP_RESET_END:
        return g_strdup("reset is done");
    case SS_STEP_UNREALIZE_BEGIN:
        return g_strdup("device is unplugged");
    case SS_STEP_UNREALIZE_END:
        return g_strdup("unplug is done");
    case SS_STEP_MAIN_CLOSED:
        return g_strdup("main channel lost");
    case SS_STEP_BACKEND_CLOSED:
        return g_strdup("back-end channel closed");
    case SS_STEP_DEVICE_GONE:
        return g_strdup("vhost device cleaned up");
    case SS_STEP_FD_RECEIVED:
        return g_strdup_printf("receives fd %d", (gint32)step->a);
    case SS_STEP_FD_DUPLICATED:
        return g_strdup_printf("dup of fd %d: fd %d", (gint32)step->b, (gint32)step->a);
    case SS_STEP_FD_CLOSED:
        return g_strdup_printf(step->ret ? "close of fd %d fails" : "closes fd %d",
                               (gint32)step->a);
    case SS_STEP_MAPPING_ADDED:
    case SS_STEP_MAPPING_VISIBLE:
    case SS_STEP_MAPPING_REMOVED:
    case SS_STEP_MAPPING_FINALIZED: {
        const char *what = step->kind == SS_STEP_MAPPING_ADDED     ? "added"
                           : step->kind == SS_STEP_MAPPING_VISIBLE ? "visible"
                           : step->kind == SS_STEP_MAPPING_REMOVED ? "removed"
                                                                   : "finalized";
        return g_strdup_printf("%s 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x", what,
                               step->a, step->b);
    }
    }
    return g_strdup("?");
}

static char *step_text(const SsDevice *device, const SsStep *step)
{
    return ss_labelled_text(plain_text(step), ss_label_text(device->process->model, step->label));
}

static guint indent_of(const SsStep *step, guint *depth)
{
    switch (step->kind) {
    case SS_STEP_COMMIT_BEGIN:
    case SS_STEP_START_BEGIN:
    case SS_STEP_STOP_BEGIN:
    case SS_STEP_RESET_BEGIN:
    case SS_STEP_UNREALIZE_BEGIN:
        return (*depth)++;
    case SS_STEP_COMMIT_END:
    case SS_STEP_START_END:
    case SS_STEP_STOP_END:
    case SS_STEP_RESET_END:
    case SS_STEP_UNREALIZE_END:
        *depth = *depth ? *depth - 1 : 0;
        return *depth;
    case SS_STEP_WAIT_BEGIN:
    case SS_STEP_WAIT_LASTS:
    case SS_STEP_WAIT_END:
        return *depth + 1;
    default:
        return *depth;
    }
}

/* A step, and which of the devices it is of. */
typedef struct Told {
    SsStep step;
    const SsDevice *device; /* weak */
} Told;

/* An event is told after what it tells of. What the back-end has already received had been sent. */
static gint64 sent_ns(const SsDevice *device, const SsStep *step)
{
    const SsPass *pass = NULL;
    gint64 received_ns = 0;
    if (device->peer && step->kind == SS_STEP_REPLY) {
        pass = ss_trail_find(&device->peer->backend, step->seq);
        received_ns = pass ? pass->answered_ns : 0;
    } else if (device->peer && step->kind == SS_STEP_FRONTEND_REQUEST) {
        pass = ss_trail_find(&device->peer->main, step->seq);
        received_ns = pass ? pass->ns : 0;
    }
    return received_ns ? MIN(received_ns, step->ns) : step->ns;
}

static void choose(GArray *chosen, const SsDevice *device, gint64 from_ns, gint64 to_ns,
                   guint64 kinds)
{
    guint64 next = device->journal_next;
    guint64 first = next > SS_JOURNAL_STEPS ? next - SS_JOURNAL_STEPS : 0;
    for (guint64 i = first; i < next; i++) {
        const SsStep *step = &device->journal[i % SS_JOURNAL_STEPS];
        if (step->ns >= from_ns && step->ns <= to_ns && (kinds & SS_STEP_BIT(step->kind))) {
            Told told = { .step = *step, .device = device };
            told.step.ns = sent_ns(device, step);
            g_array_append_val(chosen, told);
        }
    }
}

static gint by_time(gconstpointer a, gconstpointer b)
{
    gint64 ta = ((const Told *)a)->step.ns;
    gint64 tb = ((const Told *)b)->step.ns;
    return ta < tb ? -1 : ta > tb;
}

/* With `named`, each step says whose it is. */
static char *told_text(const Told *told, bool named)
{
    char *text = step_text(told->device, &told->step);
    if (!named) {
        return text;
    }
    g_autofree char *plain = text;
    g_autofree char *device = ss_device_label(told->device, SS_WITNESS_DEVICE_COLUMNS);
    return g_strdup_printf("%s: %s", device, plain);
}

static void take(SsFinding *finding, const GArray *chosen, bool named)
{
    guint depth = 0;
    guint left_out = chosen->len > MAX_WITNESS ? chosen->len - MAX_WITNESS : 0;
    for (guint i = 0; i < chosen->len; i++) {
        const Told *told = &g_array_index(chosen, Told, i);
        const SsStep *step = &told->step;
        guint indent = indent_of(step, &depth);
        indent = MIN(indent, 3);
        if (left_out && i >= MAX_WITNESS / 2 && i < MAX_WITNESS / 2 + left_out) {
            if (i == MAX_WITNESS / 2) {
                ss_finding_add_witness(finding, step->ns, false, 0,
                                       g_strdup_printf("(%u steps left out)", left_out));
            }
            continue;
        }
        ss_finding_add_witness(finding, step->ns, step->kind == SS_STEP_REQUEST, indent,
                               told_text(told, named));
    }
}

void ss_finding_take_journal(SsFinding *finding, const SsDevice *device, gint64 from_ns,
                             gint64 to_ns, guint64 kinds)
{
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(Told));
    choose(chosen, device, from_ns, to_ns, kinds);
    take(finding, chosen, false);
}

void ss_finding_take_journals(SsFinding *finding, const SsDevice *device, const SsDevice *other,
                              gint64 from_ns, gint64 to_ns, guint64 kinds, guint64 other_kinds)
{
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(Told));
    /* Of two steps at the same time the cause, which is the other's, comes first. */
    choose(chosen, other, from_ns, to_ns, other_kinds);
    choose(chosen, device, from_ns, to_ns, kinds);
    g_array_sort(chosen, by_time);
    take(finding, chosen, true);
}
