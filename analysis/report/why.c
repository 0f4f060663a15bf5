/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope why, as text: one chain, or what there is to choose from.
 */
#include "analysis/report/why.h"

#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/text-table.h"

#define LABEL 11
#define NAME_COLUMNS 48

static double since_begin(const SsReport *report, gint64 ns)
{
    return (double)(ns - report->model->begin_ns) / SS_NS_PER_S;
}

static void bold(const SsReport *report, GString *out, const char *escape)
{
    if (report->colour) {
        g_string_append(out, escape);
    }
}

static void add_cells(GString *out, const char *const *cells, const guint *columns)
{
    g_string_append(out, "  ");
    for (guint i = 0; cells[i]; i++) {
        ss_text_cell(out, cells[i], columns[i], cells[i + 1] != NULL);
        g_string_append(out, cells[i + 1] ? " " : "\n");
    }
}

static void add_rows(const SsReport *report, GString *out, const SsChain *chain)
{
    static const guint columns[] = { 11, 9, 14 };
    static const guint text_at = 2 + 11 + 1 + 9 + 1 + 14 + 1;
    g_autoptr(GPtrArray) rows = ss_why_rows(chain);
    add_cells(out, (const char *const[]){ "time s", "after", "who", "what", NULL },
              (const guint[]){ columns[0], columns[1], columns[2], 4 });
    for (guint i = 0; i < rows->len; i++) {
        const SsWhyRow *row = g_ptr_array_index(rows, i);
        const SsWhyRow *before = i ? g_ptr_array_index(rows, i - 1) : NULL;
        g_autofree char *time = g_strdup_printf("%.6f", since_begin(report, row->ns));
        g_autofree char *after = before ? ss_duration_text(row->ns - before->ns) : g_strdup("");
        const char *const cells[] = { time, after, row->who };
        g_string_append(out, "  ");
        for (guint c = 0; c < G_N_ELEMENTS(cells); c++) {
            ss_text_cell(out, cells[c], columns[c], true);
            g_string_append_c(out, ' ');
        }
        ss_text_wrap(out, text_at, text_at, row->text);
    }
    if (chain->more) {
        g_autofree char *more =
            g_strdup_printf("%" G_GUINT64_FORMAT " more steps, which are not kept", chain->more);
        ss_text_labelled(out, LABEL, "and", more);
    }
}

/* Of several things one finding tells by the example of one, which may be another than this. */
static char *summary_text(const SsFinding *finding)
{
    bool of_all = g_ascii_isdigit(*finding->summary); /* "4 mappings were left" */
    return finding->about->len > 1 && finding->count > 1 && !of_all
               ? g_strdup_printf("one of %" G_GUINT64_FORMAT " such: %s", finding->count,
                                 finding->summary)
               : g_strdup(finding->summary);
}

static void add_missing(const SsReport *report, GString *out, const SsMissing *missing)
{
    bool found = missing->finding != NULL;
    g_autofree char *text = found
                                ? g_strdup_printf("%s: %s %s", missing->text, missing->finding->id,
                                                  ss_certainty_name(missing->finding->certainty))
                                : g_strdup_printf("%s; %s", missing->text, missing->why);
    bool sure = found && missing->finding->certainty >= SS_SUSPECTED;
    bold(report, out, sure ? "\033[1;31m" : "\033[1m");
    /* An unknown finding cannot say that it did not come. */
    ss_text_labelled(out, LABEL, sure ? "missing" : "not seen", text);
    bold(report, out, "\033[0m");
    if (found) {
        g_autofree char *summary = summary_text(missing->finding);
        g_autofree char *page = g_strdup_printf("docs/findings/%s.md", missing->finding->id);
        ss_text_labelled(out, LABEL, "", summary);
        if (!sure && missing->finding->condition) {
            ss_text_labelled(out, LABEL, "", missing->finding->condition);
        }
        ss_text_labelled(out, LABEL, "more", page);
    }
}

static void add_verdict(const SsReport *report, GString *out, const SsChain *chain)
{
    g_autoptr(GPtrArray) missing = ss_why_missing(report, chain);
    g_autoptr(GPtrArray) findings = ss_why_findings(report, chain, missing);
    for (guint i = 0; i < missing->len; i++) {
        add_missing(report, out, g_ptr_array_index(missing, i));
    }
    if (!missing->len && ss_why_ended_unseen(chain)) {
        ss_text_labelled(out, LABEL, "not seen", "how it ended, and what was closed");
    } else if (!missing->len && chain->ended) {
        g_autofree char *lasted = ss_duration_text(chain->last_ns - chain->first_ns);
        g_autofree char *text = g_strdup_printf("nothing: it %s, %s after its first step",
                                                chain->refused ? "was refused, and all is closed"
                                                               : "has ended, and all is closed",
                                                lasted);
        ss_text_labelled(out, LABEL, "missing", text);
    } else if (!missing->len) {
        bool lost = ss_model_lost(report->model, chain->process, chain->last_ns,
                                  ss_model_reach(report->model, chain->process));
        ss_text_labelled(out, LABEL, lost ? "not seen" : "missing",
                         lost           ? "what became of it: events were lost since"
                         : chain->added ? "nothing: it is mapped at the end of what was read"
                                        : "nothing that was due at the end of what was read");
    }
    for (guint i = 0; i < findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(findings, i);
        g_autofree char *summary = summary_text(finding);
        g_autofree char *text = g_strdup_printf("%s %s: %s", finding->id,
                                                ss_certainty_name(finding->certainty), summary);
        ss_text_labelled(out, LABEL, "found", text);
    }
}

static void add_chain(const SsReport *report, GString *out, const SsChain *chain)
{
    const SsProcess *process = chain->process;
    g_autofree char *what = ss_why_what_text(chain);
    g_autofree char *device = ss_device_label(chain->device, NAME_COLUMNS);
    g_autofree char *who = ss_process_text(process->vm, process->name, process->pid);
    g_autofree char *heading = g_strdup_printf("%s, device %s, %s", what, device, who);
    bold(report, out, "\033[1m");
    ss_text_wrap(out, 0, 2, heading);
    bold(report, out, "\033[0m");
    if (ss_why_label(chain)) {
        g_autofree char *label = g_strdup_printf("\"%s\"", ss_why_label(chain));
        ss_text_labelled(out, LABEL, "label", label);
    }
    if (!chain->request) {
        ss_text_labelled(out, LABEL, "before it", "its request was not seen");
    }
    add_rows(report, out, chain);
    add_verdict(report, out, chain);
}

static void add_choice(const SsReport *report, SsTextTable *table, const SsChain *chain)
{
    /* Rounded up: --at this time is not before it. */
    gint64 first_ns = chain->first_ns - report->model->begin_ns + 999;
    g_autofree char *at = g_strdup_printf("%.6f", (double)(first_ns / 1000) / 1e6);
    g_autofree char *until =
        chain->ended ? g_strdup_printf("%.6f", since_begin(report, chain->last_ns)) : g_strdup("-");
    g_autofree char *device = ss_device_label(chain->device, ss_text_table_first_columns(table));
    g_autofree char *region = chain->has_range ? g_strdup_printf("%u", chain->shmid) : g_strdup("");
    g_autofree char *range =
        chain->has_range ? g_strdup_printf("0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
                                           chain->shm_offset, chain->len)
                         : g_strdup("");
    GString *fds = g_string_new(NULL);
    if (chain->a_received >= 0) {
        g_string_append_printf(fds, "%d", chain->a_received);
    }
    if (chain->own_fd >= 0) {
        g_string_append_printf(fds, "%s%d", fds->len ? "," : "", chain->own_fd);
    }
    ss_text_table_row(table, (const char *const[]){ at, until, device, region, range, fds->str,
                                                    ss_why_state(chain), NULL });
    g_string_free(fds, TRUE);
    ss_text_table_label(table, ss_why_label(chain));
}

static void add_choices(const SsReport *report, GString *out, const GPtrArray *found)
{
    static const guint columns[] = { 11, 11, 10, 3, 19, 7, 11 };
    const SsChains *chains = report->chains;
    g_autofree char *wanted = ss_why_wanted_text(&chains->wanted);
    g_autofree char *heading = g_strdup_printf(
        "%" G_GUINT64_FORMAT " fit %s: which one, tell --at, --region, --device, --vm or --pid.",
        found->len + chains->more, wanted);
    ss_text_wrap(out, 0, 0, heading);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        SsTextTable *table = NULL;
        for (guint i = 0; i < found->len; i++) {
            const SsChain *chain = g_ptr_array_index(found, i);
            if (chain->process != process) {
                continue;
            }
            if (!table) {
                g_autofree char *who = ss_process_text(process->vm, process->name, process->pid);
                ss_text_wrap(out, 0, 2, who);
                table = ss_text_table_new(report, columns, G_N_ELEMENTS(columns), 2);
                ss_text_table_row(table, (const char *const[]){ "at s", "until s", "device", "reg",
                                                                "range", "fds", "state", NULL });
            }
            add_choice(report, table, chain);
        }
        if (table) {
            ss_text_table_end(table, out);
        }
    }
    if (chains->more) {
        g_autofree char *more = g_strdup_printf(
            "%" G_GUINT64_FORMAT " more have ended, and are not listed", chains->more);
        ss_text_labelled(out, LABEL, "and", more);
    }
}

static void add_none(const SsReport *report, GString *out)
{
    const SsChains *chains = report->chains;
    g_autofree char *wanted = ss_why_wanted_text(&chains->wanted);
    const SsWanted *what = &chains->wanted;
    bool chosen = what->at_given || what->pid || what->devices || what->vms;
    g_autofree char *text = g_strdup_printf(
        chosen ? "No request, mapping or descriptor that is %s is such as was asked for."
               : "No request, mapping or descriptor was told of that is %s.",
        wanted);
    g_autoptr(GPtrArray) unread = ss_why_unread(report, &chains->wanted);
    g_autoptr(GPtrArray) undecided = ss_listing_undecided(report, SS_LISTING_MAPPINGS);
    ss_text_wrap(out, 0, 0, text);
    for (guint i = 0; i < unread->len; i++) {
        ss_text_labelled(out, LABEL, "but", g_ptr_array_index(unread, i));
    }
    ss_undecided_text(out, undecided);
}

char *ss_why_text(const SsReport *report)
{
    g_autoptr(GPtrArray) found = ss_chains_found(report->chains);
    GString *out = g_string_new(NULL);
    if (!found->len) {
        add_none(report, out);
    } else if (found->len == 1 && !report->chains->more) {
        add_chain(report, out, g_ptr_array_index(found, 0));
    } else {
        add_choices(report, out, found);
    }
    return g_string_free(out, FALSE);
}
