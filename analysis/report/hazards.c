/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hazards, which every healthy run of a back-end that waits for its replies has: one block for
 * those of a device, a line for each, and the order of messages of the one that was nearest.
 */
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/text-parts.h"

#define NUMBER_COLUMNS 5
#define WAITS_COLUMNS 17
#define INSIDE_COLUMNS 28
#define AGAINST_COLUMNS 13
#define TIMES_COLUMNS 7
#define QEMU_COLUMNS 36
#define MAX_ROWS 24

static bool same_block(const SsFinding *a, const SsFinding *b)
{
    return b->hazard && a->id == b->id && a->pid == b->pid && a->dev == b->dev &&
           a->process_birth_ns == b->process_birth_ns && g_str_equal(a->host, b->host) &&
           g_str_equal(a->device_id, b->device_id);
}

static const SsFinding *finding_at(const SsReport *report, guint index)
{
    return g_ptr_array_index(report->checks->findings, index);
}

/* "SHMEM_MAP" is "MAP" here, and " of another device's" is ", other": the columns are few. */
static char *short_text(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "SHMEM_", -1);
    g_autofree char *joined = g_strjoinv("", parts);
    g_auto(GStrv) others = g_strsplit(joined, " of another device's", -1);
    return g_strjoinv(", other", others);
}

static void add_row(GString *out, const char *number, const char *waits, const char *inside,
                    const char *against, const char *times, const char *missed)
{
    ss_text_cell(out, number, NUMBER_COLUMNS, true);
    ss_text_cell(out, waits, WAITS_COLUMNS, true);
    ss_text_cell(out, inside, INSIDE_COLUMNS, true);
    g_string_append_c(out, ' ');
    ss_text_cell(out, against, AGAINST_COLUMNS, true);
    ss_text_cell(out, times, TIMES_COLUMNS, true);
    g_string_append_printf(out, "%s\n", missed);
}

static void add_hazard(GString *out, const SsFinding *finding, guint number)
{
    const SsHazard *hazard = finding->hazard;
    g_autofree char *waits = ss_frontend_request_text(hazard->frontend_request);
    g_autofree char *backend = ss_backend_request_text(hazard->backend_request);
    g_autofree char *against = short_text(backend);
    g_autofree char *inside = short_text(*hazard->inside ? hazard->inside : "-");
    g_autofree char *number_text = g_strdup_printf("  %u", number);
    g_autofree char *times = g_strdup_printf("%" G_GUINT64_FORMAT, hazard->opened);
    g_autofree char *missed = hazard->margin_ns == G_MAXINT64 ? g_strdup("-")
                              : hazard->margin_ns == 0        ? g_strdup("nothing")
                                                              : ss_duration_text(hazard->margin_ns);
    add_row(out, number_text, waits, inside, against, times, missed);
}

/* What a line of the order says, of one or two steps that one party does in a row. */
static char *step_text(const SsOrder *order, guint index, guint *used)
{
    const SsOrderStep *step = &g_array_index(order->steps, SsOrderStep, index);
    const SsOrderStep *next =
        index + 1 < order->steps->len ? &g_array_index(order->steps, SsOrderStep, index + 1) : NULL;
    g_autofree char *request = ss_order_request_text(step);
    *used = 1;
    switch (step->kind) {
    case SS_ORDER_START:
        return g_strdup("starts the back-end");
    case SS_ORDER_STOP:
        return g_strdup("stops the back-end");
    case SS_ORDER_RESET:
        return g_strdup("device reset");
    case SS_ORDER_UNREALIZE:
        return g_strdup("device is unplugged");
    case SS_ORDER_READ:
        *used = next && next->kind == SS_ORDER_REPLY ? 2 : 1;
        return g_strdup_printf(*used == 2 ? "reads #%u and replies" : "reads #%u", step->number);
    case SS_ORDER_REPLY:
        return g_strdup_printf("replies to #%u", step->number);
    case SS_ORDER_COMMIT:
        return step->number ? g_strdup_printf("commit of #%u", step->number) : g_strdup("commit");
    case SS_ORDER_FRONTEND_REQUEST:
        *used = next && next->kind == SS_ORDER_FRONTEND_WAITS ? 2 : 1;
        return g_strdup_printf("%s%s", request, *used == 2 ? " ...waits" : "");
    case SS_ORDER_BACKEND_REQUEST:
        *used = next && next->kind == SS_ORDER_BACKEND_WAITS ? 2 : 1;
        return g_strdup_printf("%s #%u%s", request, step->number, *used == 2 ? " ...waits" : "");
    case SS_ORDER_BACKEND_WAITS:
        return g_strdup_printf("...waits for #%u", step->number);
    default:
        return g_strdup_printf("...waits for %s", request);
    }
}

static void add_order(GString *out, const SsOrder *order, guint number)
{
    g_autofree char *title = g_strdup_printf("order of %u", number);
    guint depth = 0, used;
    g_string_append(out, "\n  ");
    ss_text_cell(out, title, WAITS_COLUMNS - 2, true);
    ss_text_cell(out, "QEMU", QEMU_COLUMNS, true);
    g_string_append(out, "back-end\n");
    for (guint i = 0; i < order->steps->len; i += used) {
        const SsOrderStep *step = &g_array_index(order->steps, SsOrderStep, i);
        g_autofree char *plain = step_text(order, i, &used);
        g_autofree char *text = g_strdup_printf("%s%s", step->device ? "other: " : "", plain);
        bool backend = ss_order_kind_of_backend(step->kind);
        guint indent = backend ? QEMU_COLUMNS : 2 * depth;
        g_autofree char *line = g_strdup_printf("%*s%s", WAITS_COLUMNS + indent, "", text);
        ss_text_cell(out, line, SS_COLUMNS, false);
        g_string_append_c(out, '\n');
        depth += step->kind <= SS_ORDER_UNREALIZE || step->kind == SS_ORDER_COMMIT;
    }
}

/* The nearest of them; of equal ones the one that was open more often. */
static guint find_nearest(const SsReport *report, guint index, guint many)
{
    guint nearest = index;
    for (guint i = index + 1; i < index + many; i++) {
        const SsHazard *hazard = finding_at(report, i)->hazard;
        const SsHazard *near = finding_at(report, nearest)->hazard;
        if (hazard->margin_ns < near->margin_ns ||
            (hazard->margin_ns == near->margin_ns && hazard->opened > near->opened)) {
            nearest = i;
        }
    }
    return nearest;
}

guint ss_hazards_text(const SsReport *report, GString *out, guint index, guint first)
{
    const SsFinding *finding = finding_at(report, index);
    guint many = 1;
    while (index + many < report->checks->findings->len &&
           same_block(finding, finding_at(report, index + many))) {
        many++;
    }
    g_autofree char *how_many = g_strdup_printf("%u order%s", many, many == 1 ? "" : "s");
    g_string_append_c(out, '\n');
    ss_text_heading(report, out, finding, how_many);
    if (index == first) {
        g_autofree char *summary = g_strdup_printf(
            "QEMU waited while the back-end could have sent a request that it waits for. It did "
            "not happen here; both would stand %s.",
            finding->condition);
        g_string_append(out, "  ");
        ss_text_wrap(out, 2, 2, summary);
    }
    if (index > first && g_strcmp0(finding->condition, finding_at(report, first)->condition)) {
        g_autofree char *stands = g_strdup_printf("Here both would stand %s.", finding->condition);
        g_string_append(out, "  ");
        ss_text_wrap(out, 2, 2, stands);
    }
    add_row(out, "  no", "waits for", "inside", "against", "times", "missed by");
    for (guint i = index; i < index + MIN(many, MAX_ROWS); i++) {
        add_hazard(out, finding_at(report, i), i - first + 1);
    }
    if (many > MAX_ROWS) {
        g_string_append_printf(out, "  and %u more, which JSON has\n", many - MAX_ROWS);
    }
    if (index > first) {
        return many; /* the rest has been said */
    }
    guint nearest = find_nearest(report, index, many);
    if (finding_at(report, nearest)->order) {
        add_order(out, finding_at(report, nearest)->order, nearest - first + 1);
    }
    g_autofree char *more = g_strdup_printf("docs/findings/%s.md", finding->id);
    g_autofree char *good = g_strdup_printf("for good: %s", finding->remedy_for_good);
    g_autofree char *proof = g_strdup_printf("shmemscope waits --reproduce %s:%u TRACE",
                                             finding->id, nearest - first + 1);
    g_string_append_c(out, '\n');
    ss_text_labelled(out, 8, "ends it", good);
    ss_text_labelled(out, 8, "proof", proof);
    ss_text_labelled(out, 8, "more", more);
    return many;
}
