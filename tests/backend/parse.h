/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal to the scenario parser: parse.c (lines and blocks), parse-statement.c (words). */
#pragma once

#include "scenario.h"

typedef struct {
    SsScenario *scenario; /* weak */
    GPtrArray *loops;     /* owned, of char *: the loop variables in scope, outermost first */
    char **words;         /* weak: the current line; at least one */
    unsigned count;       /* of words */
    unsigned line;        /* its number, from 1 */
    gboolean in_thread;
} SsParser;

/* Sets `error` to a message with the file and line; always returns FALSE. */
gboolean ss_parser_fail(SsParser *parser, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Reads a number; NULL with `error` set on failure. */
SsExpr *ss_parser_number(SsParser *parser, const char *word, GError **error);

/* Reads a number without loop variables and evaluates it. */
gboolean ss_parser_constant(SsParser *parser, const char *word, uint64_t *ret_value,
                            GError **error);

/* Fails unless the line has `count` words after the first. */
gboolean ss_parser_arguments(SsParser *parser, unsigned count, const char *usage, GError **error);

/* Reads the current line as a statement that has no body. */
SsStatement *ss_parser_statement(SsParser *parser, GError **error);
