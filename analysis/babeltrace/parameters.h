/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parameters of a component: a table says which there are, and what each may be.
 */
#pragma once

#include <babeltrace2/babeltrace.h>
#include <glib.h>
#include <stdbool.h>

typedef enum SsParameterKind {
    SS_PARAMETER_TEXT,  /* a string */
    SS_PARAMETER_TEXTS, /* a string, or an array of strings */
    SS_PARAMETER_TIME,  /* a number, or a string */
} SsParameterKind;

typedef struct SsParameter {
    const char *name; /* NULL ends the table */
    SsParameterKind kind;
} SsParameter;

/* What is wrong with the parameters, by the table; NULL when nothing is. The caller frees it. */
char *ss_parameters_fault(const SsParameter *table, const bt_value *params);
/* Of parameters that nothing is wrong with. NULL when it is not given; the caller frees it. A
 * number is the text of its digits. */
char *ss_parameters_text(const bt_value *params, const char *name);
char **ss_parameters_texts(const bt_value *params, const char *name);
