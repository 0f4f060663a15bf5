/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Text for terminals: at most 80 columns, measured as terminals do.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

#define SS_COLUMNS 80

/* Columns that valid UTF-8 takes. */
guint ss_text_width(const char *text);
/* Appends the text, cut to `columns` with "..." and padded to them when `pad`. */
void ss_text_cell(GString *out, const char *text, guint columns, bool pad);
/* Appends words of the text, broken into lines of at most 80 columns: the first begins
 * where the line stands (`at` columns), the others are indented by `indent`. Ends the last
 * line. */
void ss_text_wrap(GString *out, guint at, guint indent, const char *text);
/* A line "  LABEL    text", wrapped. */
void ss_text_labelled(GString *out, guint label_columns, const char *label, const char *text);
/* "1.234 s", "56.7 us"; the caller frees it. */
char *ss_duration_text(gint64 ns);
/* "4 KiB"; the caller frees it. */
char *ss_size_text(guint64 bytes);
