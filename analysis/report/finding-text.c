/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A finding as text, from its heading to where to read more. A deadlock's is read by people in a
 * hurry, on any terminal, and by scripts: it fits a screen of 24 lines.
 */
#include "analysis/report/layout.h"
#include "analysis/report/text-parts.h"

#define SCREEN_LINES 24
/* A witness of fewer rows tells nothing. */
#define MIN_ROWS 4

/* Columns of a witness: time, QEMU, back-end. */
#define TIME_COLUMNS 14
#define QEMU_COLUMNS 32
#define BACKEND_COLUMNS (SS_COLUMNS - 2 - TIME_COLUMNS - QEMU_COLUMNS)

static const SsWitness *witness_at(const SsFinding *finding, guint index)
{
    return index < finding->witness->len ? g_ptr_array_index(finding->witness, index) : NULL;
}

static char *indented(const SsWitness *witness)
{
    return g_strdup_printf("%*s%s", 2 * witness->indent, "", witness->text);
}

/* The row of one step; of two when the back-end's next is at the same time. Moves `*at`. */
static char *row(const SsFinding *finding, guint *at, gint64 begin_ns)
{
    const SsWitness *witness = witness_at(finding, (*at)++);
    const SsWitness *next = witness_at(finding, *at);
    GString *out = g_string_new("  ");
    g_autofree char *time =
        g_strdup_printf("+%.3f ms", (double)(witness->ns - begin_ns) / SS_NS_PER_MS);
    g_autofree char *text = indented(witness);
    /* Hours into a hang the time is wide: the text gives way. */
    guint wide = MAX(ss_text_width(time) + 1, TIME_COLUMNS);
    guint qemu = QEMU_COLUMNS + TIME_COLUMNS - MIN(wide, 40);
    ss_text_cell(out, time, wide, true);
    if (witness->backend) {
        ss_text_cell(out, "", qemu, true);
        ss_text_cell(out, text, BACKEND_COLUMNS, false);
    } else if (next && next->backend && next->ns == witness->ns &&
               ss_text_width(text) + 2 <= qemu) {
        g_autofree char *beside = indented(next);
        ss_text_cell(out, text, qemu, true);
        ss_text_cell(out, beside, BACKEND_COLUMNS, false);
        (*at)++;
    } else {
        ss_text_cell(out, text, SS_COLUMNS - 2 - wide, false);
    }
    return g_string_free(out, FALSE);
}

/* At most `most` rows: the middle is left out, what led to it and how it ended is not. */
static void add_witness(GString *out, const SsFinding *finding, guint most)
{
    if (!finding->witness->len) {
        return;
    }
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(g_free);
    gint64 begin = witness_at(finding, 0)->ns;
    for (guint at = 0; at < finding->witness->len;) {
        g_ptr_array_add(rows, row(finding, &at, begin));
    }
    g_string_append(out, "\n  ");
    ss_text_cell(out, "time", TIME_COLUMNS, true);
    ss_text_cell(out, "QEMU", QEMU_COLUMNS, true);
    g_string_append(out, "back-end\n");
    guint head = rows->len > most ? most / 3 : rows->len;
    guint tail = rows->len > most ? rows->len - (most - head - 1) : rows->len;
    for (guint i = 0; i < rows->len; i++) {
        if (i < head || i >= tail) {
            g_string_append_printf(out, "%s\n", (const char *)g_ptr_array_index(rows, i));
        } else if (i == head) {
            g_string_append(out, "  ");
            ss_text_cell(out, "", TIME_COLUMNS, true);
            g_string_append_printf(out, "(%u steps left out)\n", tail - head);
        }
    }
}

void ss_text_labels(GString *out, const SsFinding *finding)
{
    g_autofree char *labels = ss_finding_labels_text(finding);
    if (labels) {
        g_string_append(out, "  ");
        ss_text_wrap(out, 2, 2, labels);
    }
}

void ss_text_states(GString *out, const SsFinding *finding)
{
    guint who = 0;
    for (guint i = 0; i < finding->statements->len; i++) {
        const SsStatement *statement = g_ptr_array_index(finding->statements, i);
        who = MAX(who, ss_text_width(statement->who));
    }
    for (guint i = 0; i < finding->statements->len; i++) {
        const SsStatement *statement = g_ptr_array_index(finding->statements, i);
        ss_text_labelled(out, MIN(who, 24) + 1, statement->who, statement->text);
    }
    if (finding->condition) {
        g_string_append(out, "  ");
        ss_text_wrap(out, 2, 2, finding->condition);
    }
}

void ss_text_remedies(GString *out, const SsFinding *finding)
{
    g_string_append_c(out, '\n');
    if (finding->place) {
        g_autofree char *place =
            g_strdup_printf("%s()%s%s", finding->place, finding->place_reason ? ", " : "",
                            finding->place_reason ? finding->place_reason : "");
        ss_text_labelled(out, 8, "place", place);
    }
    ss_text_labelled(out, 8, "rule", finding->rule);
    if (finding->remedy_now) {
        g_autofree char *now = g_strdup_printf("now: %s", finding->remedy_now);
        ss_text_labelled(out, 8, "ends it", now);
    }
    if (finding->remedy_for_good) {
        g_autofree char *good = g_strdup_printf("for good: %s", finding->remedy_for_good);
        ss_text_labelled(out, 8, finding->remedy_now ? "" : "ends it", good);
    }
    if (finding->costs) {
        ss_text_labelled(out, 8, "costs", finding->costs);
    }
    g_autofree char *more = g_strdup_printf("docs/findings/%s.md", finding->id);
    ss_text_labelled(out, 8, "more", more);
}

static guint lines_of(const GString *text)
{
    guint lines = 0;
    for (gsize i = 0; i < text->len; i++) {
        lines += text->str[i] == '\n';
    }
    return lines;
}

void ss_text_finding(const SsReport *report, GString *out, const SsFinding *finding)
{
    g_autoptr(GString) above = g_string_new(NULL);
    g_autoptr(GString) below = g_string_new(NULL);
    ss_text_heading(report, above, finding, NULL);
    g_string_append(above, "  ");
    ss_text_wrap(above, 2, 2, finding->summary);
    ss_text_labels(above, finding);
    ss_text_states(above, finding);
    ss_text_remedies(below, finding);
    guint most = G_MAXUINT;
    if (g_str_equal(finding->id, ss_check_reply_commit_deadlock.id)) {
        guint taken = lines_of(above) + lines_of(below) + 2; /* and the witness's head */
        most = MAX(SCREEN_LINES - MIN(taken, SCREEN_LINES), MIN_ROWS);
    }
    g_string_append_printf(out, "\n%s", above->str);
    add_witness(out, finding, most);
    g_string_append(out, below->str);
}
