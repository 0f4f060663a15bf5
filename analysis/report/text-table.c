/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/report/text-table.h"

#include <string.h>

#include "analysis/report/layout.h"

struct SsTextTable {
    bool colour;
    guint room; /* columns of the terminal beyond 80 */
    guint all;  /* of the terminal, 80 at least */
    guint columns[SS_TEXT_TABLE_COLUMNS];
    guint n, first;
    GPtrArray *rows; /* owned; of owned GStrv, which has one member when it is a label */
};

static void row_free(gpointer data)
{
    g_strfreev(data);
}

SsTextTable *ss_text_table_new(const SsReport *report, const guint *columns, guint n, guint first)
{
    SsTextTable *table = g_new0(SsTextTable, 1);
    g_assert(n <= SS_TEXT_TABLE_COLUMNS && first < n);
    table->colour = report->colour;
    table->room = report->columns > SS_COLUMNS ? report->columns - SS_COLUMNS : 0;
    table->all = SS_COLUMNS + table->room;
    memcpy(table->columns, columns, n * sizeof(*columns));
    table->n = n;
    table->first = first;
    table->rows = g_ptr_array_new_with_free_func(row_free);
    return table;
}

guint ss_text_table_first_columns(const SsTextTable *table)
{
    return table->columns[table->first] + table->room;
}

void ss_text_table_row(SsTextTable *table, const char *const *cells)
{
    g_ptr_array_add(table->rows, g_strdupv((char **)cells));
}

void ss_text_table_label(SsTextTable *table, const char *label)
{
    if (label) {
        g_autofree char *quoted = g_strdup_printf("\"%s\"", label);
        ss_text_table_row(table, (const char *const[]){ quoted, NULL });
    }
}

static bool is_label(const SsTextTable *table, char **cells)
{
    return table->n > 1 && !cells[1];
}

static void widen(SsTextTable *table, guint at)
{
    guint needed = table->columns[at];
    for (guint i = 0; table->room && i < table->rows->len; i++) {
        char **cells = g_ptr_array_index(table->rows, i);
        if (!is_label(table, cells)) {
            needed = MAX(needed, ss_text_width(cells[at]));
        }
    }
    guint more = MIN(table->room, needed - table->columns[at]);
    table->columns[at] += more;
    table->room -= more;
}

void ss_text_table_end(SsTextTable *table, GString *out)
{
    widen(table, table->first);
    for (guint at = 0; at < table->n; at++) {
        widen(table, at);
    }
    for (guint i = 0; i < table->rows->len; i++) {
        char **cells = g_ptr_array_index(table->rows, i);
        bool bold = table->colour && !i;
        if (is_label(table, cells)) {
            g_string_append(out, "      ");
            ss_text_cell(out, cells[0], table->all - 6, false);
            g_string_append_c(out, '\n');
            continue;
        }
        g_string_append(out, bold ? "\033[1m  " : "  ");
        for (guint at = 0; at < table->n; at++) {
            bool last = at + 1 == table->n;
            ss_text_cell(out, cells[at], table->columns[at], !last);
            g_string_append(out, !last ? " " : bold ? "\033[0m\n" : "\n");
        }
    }
    g_ptr_array_unref(table->rows);
    g_free(table);
}
