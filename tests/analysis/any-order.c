/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * any-order SEED EVENTS [listings]: feeds events of any kind in any order, with few distinct values
 * so that they meet, and renders everything. No sequence may crash or wedge the analysis (run it
 * under a sanitizer), and what the renderers say stays text. With "listings" what ended is kept and
 * listed, too, by each column.
 */
#include <stdio.h>
#include <stdlib.h>

#include "analysis/report/listing.h"
#include "analysis/report/report.h"
#include "analysis/report/why.h"
#include "analysis/wire/wire.h"

static const char *const words[] = {
    "",
    "unmap",
    "reset",
    "\033[31m",
    "\xff\xfe",
    "web-17",
    "\xe2\x80\xae",
    "no-region",
    "a very long word that no column of any table was made for, and that goes on and on",
};

static guint64 value(GRand *rand)
{
    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        return G_MAXUINT64;
    case 1:
        return (guint64)g_rand_int(rand) << 32 | g_rand_int(rand);
    default:
        return g_rand_int_range(rand, 0, 6);
    }
}

static void fill(SsEvent *event, GRand *rand)
{
    const SsEventInfo *info = &ss_catalogue_events[event->id];
    for (guint i = 0; i < info->n_fields; i++) {
        const SsFieldInfo *field = &info->fields[i];
        guint64 number = value(rand);
        if (field->type == SS_FIELD_STR) {
            const char **at = (gpointer)((guint8 *)&event->u + field->offset);
            *at = words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words))];
        } else {
            ss_event_set_integer(event, field, number);
        }
    }
}

static bool is_text(const char *text)
{
    if (!g_utf8_validate(text, -1, NULL)) {
        return false;
    }
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (c != '\n' && g_unichar_iscntrl(c)) {
            return false;
        }
    }
    return true;
}

static bool render(const SsReport *report)
{
    char *(*const renderers[])(const SsReport *) = {
        ss_report_text, ss_report_json, ss_mappings_text, ss_mappings_json, ss_fds_text,
        ss_fds_json,    ss_waits_text,  ss_waits_json,    ss_why_text,      ss_why_json,
    };
    for (guint i = 0; i < G_N_ELEMENTS(renderers) - (report->chains ? 0 : 2); i++) {
        g_autofree char *text = renderers[i](report);
        if (!is_text(text)) {
            (void)fprintf(stderr, "renderer %u: not text\n", i);
            return false;
        }
    }
    return true;
}

typedef GPtrArray *(*SsRows)(const SsReport *report, const SsProcess *process);

static bool same_rows(const GPtrArray *a, const GPtrArray *b)
{
    g_autoptr(GHashTable) all = g_hash_table_new(NULL, NULL);
    for (guint i = 0; i < a->len; i++) {
        g_hash_table_add(all, g_ptr_array_index(a, i));
    }
    for (guint i = 0; i < b->len; i++) {
        if (!g_hash_table_remove(all, g_ptr_array_index(b, i))) {
            return false;
        }
    }
    return g_hash_table_size(all) == 0;
}

/* By each column, up and down: an order takes nothing away, and can be shown. */
static bool sort(const SsReport *report, SsListed *listed, SsListing listing, SsRows rows)
{
    const SsProcess *process = g_ptr_array_index(report->model->processes, 0);
    g_autoptr(GPtrArray) plain = rows(report, process);
    for (const char *const *column = ss_listing_columns[listing]; *column; column++) {
        for (guint way = 0; way < 2; way++) {
            g_autofree char *word = g_strconcat(way ? "-" : "", *column, NULL);
            if (!ss_listed_sort(listed, listing, word)) {
                return false;
            }
            g_autoptr(GPtrArray) sorted = rows(report, process);
            if (!same_rows(plain, sorted)) {
                (void)fprintf(stderr, "sorted by %s there are other rows\n", word);
                return false;
            }
        }
    }
    listed->sort = NULL;
    return true;
}

static bool list(SsReport *report, const SsEnded *ended)
{
    static const SsRows rows[] = {
        [SS_LISTING_MAPPINGS] = ss_listed_mappings,
        [SS_LISTING_FDS] = ss_listed_fds,
        [SS_LISTING_WAITS] = ss_listed_waits,
    };
    SsListed listed = { .ended = ended };
    report->listed = &listed;
    report->columns = 132;
    for (guint l = 0; l < G_N_ELEMENTS(rows); l++) {
        if (!sort(report, &listed, (SsListing)l, rows[l])) {
            return false;
        }
    }
    (void)printf("%u mappings and %u descriptors ended\n", ended->mappings->len, ended->fds->len);
    return render(report) && ended->mappings->len && ended->fds->len;
}

int main(int argc, char **argv)
{
    bool listings = argc == 4 && g_str_equal(argv[3], "listings");
    if (argc != 3 && !listings) {
        (void)fprintf(stderr, "Usage: any-order SEED EVENTS [listings]\n");
        return 2;
    }
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)strtoul(argv[1], NULL, 10));
    guint64 events = strtoull(argv[2], NULL, 10);
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsWire) wire = ss_wire_new(model);
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    SsWanted wanted = { .kind = SS_WANTED_OFFSET, .offset = 0, .fd = 3 };
    wanted.kind = g_rand_boolean(rand) ? SS_WANTED_OFFSET : SS_WANTED_FD;
    SsChains *chains = listings ? NULL : ss_chains_new(model, &wanted);
    SsEnded *ended = listings ? ss_ended_new(model, false, 0) : NULL;
    guint trace = ss_model_add_trace(model, "any", "", "host");
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        ss_model_set_recorded(model, trace, id);
    }
    gint64 ns = 1000;
    for (guint64 i = 0; i < events; i++) {
        SsEvent event = { .id = g_rand_int_range(rand, 0, SS_N_EVENTS), .trace = trace };
        /* Mostly on, at times by seconds, at times back. */
        ns +=
            g_rand_int_range(rand, 0, 100) ? g_rand_int_range(rand, -10, 100000) : 3 * SS_NS_PER_S;
        event.ns = ns;
        event.pid = g_rand_int_range(rand, 100, 102);
        event.tid = event.pid + g_rand_int_range(rand, 0, 3);
        event.procname = words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words))];
        fill(&event, rand);
        ss_wire_event(wire, &event);
        if (g_rand_int_range(rand, 0, 1000) == 0) {
            ss_model_add_loss(model, trace, ns, ns + 1000, i % 3);
        }
    }
    ss_wire_finish(wire);
    ss_model_finish(model);
    ss_checks_finish(checks);
    SsReport report = { .model = model, .checks = checks, .chains = chains, .version = "test" };
    if (ended) {
        ss_ended_finish(ended);
        bool good = list(&report, ended) && model->events == events;
        ss_ended_free(ended);
        return !good;
    }
    if (!render(&report) || model->events != events) {
        return 1;
    }
    g_autoptr(GPtrArray) found = ss_chains_found(chains);
    for (guint i = 0; i < found->len; i++) {
        /* Told alone, each has its text too. */
        const SsChain *chain = g_ptr_array_index(found, i);
        g_autoptr(GPtrArray) rows = ss_why_rows(chain);
        g_autoptr(GPtrArray) missing = ss_why_missing(&report, chain);
        g_autoptr(GPtrArray) about = ss_why_findings(&report, chain, missing);
        g_autofree char *what = ss_why_what_text(chain);
        if (!is_text(what) || about->len > checks->findings->len) {
            (void)fprintf(stderr,
                          "what it is of is not text, or more was found of it than at all\n");
            return 1;
        }
        for (guint r = 0; r < rows->len; r++) {
            if (!is_text(((const SsWhyRow *)g_ptr_array_index(rows, r))->text)) {
                (void)fprintf(stderr, "a row is not text\n");
                return 1;
            }
        }
    }
    (void)printf("%" G_GUINT64_FORMAT " events, %u findings, %u chains\n", events,
                 checks->findings->len, found->len);
    ss_chains_free(chains);
    return 0;
}
