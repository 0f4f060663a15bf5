/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Finds CTF traces below a directory.
 */
#pragma once

#include <glib.h>

/* Directories that are pieces of one trace: rotated chunks share its UUID. */
typedef struct SsTraceGroup {
    char *uuid;             /* owned; "" when it has none */
    GPtrArray *directories; /* owned char *, in order of name */
} SsTraceGroup;

/* Array of owned SsTraceGroup; NULL with an error when a path cannot be read or has no
 * trace. */
GPtrArray *ss_trace_set_find(const char *const *paths, GError **error);
/* The 16 bytes as text; the caller frees it. */
char *ss_uuid_text(const guint8 *bytes);
