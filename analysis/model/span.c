/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Counts and durations: all that stays of finished things.
 */
#include "analysis/model/parts.h"
#include "analysis/model/text.h"

/* A hostile trace may refuse for any number of reasons. */
#define MAX_REASONS 64
#define MAX_NAME_BYTES 256

void ss_span_add(SsSpan *span, gint64 duration_ns)
{
    /* Clocks of two threads may disagree by a little; time does not run backwards. */
    gint64 duration = MAX(duration_ns, 0);
    span->count++;
    span->sum_ns += MIN(duration, G_MAXINT64 - span->sum_ns);
    span->max_ns = MAX(span->max_ns, duration);
}

void ss_counts_init(SsCounts *counts)
{
    counts->refusals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void ss_counts_clear(SsCounts *counts)
{
    g_clear_pointer(&counts->refusals, g_hash_table_unref);
}

void ss_counts_refusal(SsCounts *counts, const char *reason)
{
    counts->refused++;
    guint64 *count = g_hash_table_lookup(counts->refusals, reason);
    if (!count) {
        if (g_hash_table_size(counts->refusals) >= MAX_REASONS) {
            reason = "other";
            count = g_hash_table_lookup(counts->refusals, reason);
        }
        if (!count) {
            count = g_new0(guint64, 1);
            g_hash_table_insert(counts->refusals, g_strdup(reason), count);
        }
    }
    (*count)++;
}

/* Keeps the old string when the new one is not known. */
void ss_replace_string(char **owned, const char *value)
{
    if (value && *value) {
        g_free(*owned);
        *owned = ss_text_sanitize(value, MAX_NAME_BYTES);
    } else if (!*owned) {
        *owned = g_strdup("");
    }
}
