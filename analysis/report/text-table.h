/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tables of the verbs: 80 columns; on a terminal that has more, as many as their cells need.
 */
#pragma once

#include "analysis/report/report.h"

#define SS_TEXT_TABLE_COLUMNS 8

typedef struct SsTextTable SsTextTable;

/* `columns`: of each cell at 80 columns, with a blank between them and two before. What a terminal
 * has beyond that goes to the cells at `first`, as far as they need it, and then to the others. */
SsTextTable *ss_text_table_new(const SsReport *report, const guint *columns, guint n, guint first);
/* How many columns a cell at `first` has at most. */
guint ss_text_table_first_columns(const SsTextTable *table);
/* Takes a row, the first one as the heading; NULL ends the cells, which are copied. */
void ss_text_table_row(SsTextTable *table, const char *const *cells);
/* Takes what the back-end calls the row before, to stand below it: a column would be empty for
 * most. NULL is nothing. */
void ss_text_table_label(SsTextTable *table, const char *label);
/* Appends the table, and frees it. */
void ss_text_table_end(SsTextTable *table, GString *out);
