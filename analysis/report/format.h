/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The formats of a report, by name; and where it goes.
 */
#pragma once

#include "analysis/report/report.h"

typedef struct SsFormat {
    const char *name;
    char *(*render)(const SsReport *report); /* the caller frees it */
    bool lives;                              /* SsReport.lives is asked for */
} SsFormat;

/* Of a report. The first is what is taken when none is asked for; a NULL name ends them. */
extern const SsFormat ss_report_formats[];

/* NULL when there is none of that name; the first for a NULL name. */
const SsFormat *ss_format_find(const SsFormat *formats, const char *name);
/* "text, json or ..."; the caller frees it. */
char *ss_format_names(const SsFormat *formats);
/* Whether the descriptor is a terminal that moves its cursor and has colours; TERM tells. */
bool ss_output_terminal(int fd);
/* Whether a report to that file (NULL: standard output) has colours. */
bool ss_output_colour(const char *output);
/* Columns of the terminal that a report to that file goes to; 0: it is none. */
guint ss_output_columns(const char *output);
/* Writes to the file, or to standard output when it is NULL. That the reader of a
 * pipe has gone is G_FILE_ERROR_PIPE. */
bool ss_output_write(const char *output, const char *text, GError **error);
