/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a recording cannot tell: of the checks, and of the verbs that list.
 */
#include "analysis/report/layout.h"
#include "analysis/report/report.h"

#define LABEL 12

typedef struct Listing {
    const char *name;
    guint32 needs; /* event classes without which it would leave out or invent something */
    bool of_standing;
} Listing;

static const Listing listings[] = {
    [SS_LISTING_MAPPINGS] = { "mappings",
                              SS_NEEDS(MAPPING) | SS_NEEDS(TRANSACTION) | SS_NEEDS(FD) |
                                  SS_NEEDS(DEVICE),
                              false },
    [SS_LISTING_FDS] = { "fds",
                         SS_NEEDS(FD) | SS_NEEDS(MAPPING) | SS_NEEDS(BACKEND_REQUEST) |
                             SS_NEEDS(DEVICE),
                         false },
    [SS_LISTING_WAITS] = { "waits",
                           SS_NEEDS(WAIT) | SS_NEEDS(FRONTEND_REQUEST) | SS_NEEDS(BACKEND_REQUEST) |
                               SS_NEEDS(DISPATCH) | SS_NEEDS(DEVICE),
                           true },
};

GPtrArray *ss_listing_undecided(const SsReport *report, SsListing listing)
{
    const Listing *of = &listings[listing];
    return ss_undecided(report->model, of->name, of->needs, true, of->of_standing);
}

void ss_undecided_text(GString *out, const GPtrArray *undecided)
{
    g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < undecided->len; i++) {
        const SsUndecided *first = g_ptr_array_index(undecided, i);
        if (!g_hash_table_add(said, first->why)) {
            continue;
        }
        GString *text = g_string_new(first->check);
        for (guint j = i + 1; j < undecided->len; j++) {
            const SsUndecided *other = g_ptr_array_index(undecided, j);
            if (g_str_equal(other->why, first->why)) {
                g_string_append_printf(text, ", %s", other->check);
            }
        }
        g_string_append_printf(text, ": %s", first->why);
        ss_text_labelled(out, LABEL,
                         first->unseen    ? "not seen"
                         : first->partial ? "before it"
                                          : "UNKNOWN",
                         text->str);
        g_string_free(text, TRUE);
    }
}
