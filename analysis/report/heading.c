/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The first line of a finding: what it is, how certain, and whose.
 */
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/text-parts.h"

#define MAX_NAME_COLUMNS 24
/* With "device " a line of its own, when it has to be. */
#define MAX_DEVICE_COLUMNS (SS_COLUMNS - 4 - 7)

static void bold(const SsReport *report, GString *out, const char *code)
{
    if (report->colour) {
        g_string_append(out, code);
    }
}

/* A part of the heading goes to the next line when it does not fit into this one. */
static void add_part(GString *out, guint *at, const char *text)
{
    guint width = ss_text_width(text);
    if (*at + 3 + width > SS_COLUMNS) {
        g_string_append_printf(out, "\n    %s", text);
        *at = 4 + width;
    } else {
        g_string_append_printf(out, "   %s", text);
        *at += 3 + width;
    }
}

static char *short_name(const char *name, guint columns)
{
    GString *text = g_string_new(NULL);
    ss_text_cell(text, name, columns, false);
    return g_string_free(text, FALSE);
}

void ss_text_heading(const SsReport *report, GString *out, const SsFinding *finding,
                     const char *how_many)
{
    const char *certainty = ss_certainty_name(finding->certainty);
    guint at = ss_text_width(finding->title) + 1 + ss_text_width(certainty);
    bold(report, out, finding->certainty >= SS_SUSPECTED ? "\033[1;31m" : "\033[1m");
    g_string_append_printf(out, "%s %s", finding->title, certainty);
    bold(report, out, "\033[0m");
    if (finding->has_process) {
        g_autofree char *vm = short_name(finding->vm, MAX_NAME_COLUMNS);
        g_autofree char *name = short_name(finding->process_name, MAX_NAME_COLUMNS);
        g_autofree char *process = ss_process_text(vm, name, finding->pid);
        add_part(out, &at, process);
    }
    if (finding->has_device) {
        g_autofree char *full =
            ss_device_text(finding->device_id, finding->chardev, finding->dev, finding->vdev);
        g_autofree char *name = short_name(full, MAX_DEVICE_COLUMNS);
        g_autofree char *device = g_strdup_printf("device %s", name);
        add_part(out, &at, device);
    }
    if (finding->duration_ns) {
        bool stuck = g_str_equal(finding->id, ss_check_reply_commit_deadlock.id);
        g_autofree char *length = ss_duration_text(finding->duration_ns);
        g_autofree char *duration = g_strdup_printf("%s %s%s", stuck ? "stuck for" : "for",
                                                    finding->at_least ? "at least " : "", length);
        add_part(out, &at, duration);
    }
    if (how_many) {
        add_part(out, &at, how_many);
    } else if (finding->count > 1) {
        g_autofree char *count = g_strdup_printf("%" G_GUINT64_FORMAT " times", finding->count);
        add_part(out, &at, count);
    }
    g_string_append_c(out, '\n');
}
