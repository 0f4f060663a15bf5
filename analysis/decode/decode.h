/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reads CTF traces with libbabeltrace2 and feeds the model. Nothing outside this folder
 * knows babeltrace, but for its plugin.
 */
#pragma once

#include "analysis/checks/selection.h"

/* Called now and then; the number of events read so far. */
typedef void (*SsProgressFunc)(guint64 events, gpointer user_data);

typedef struct SsDecodeOptions {
    SsMoment until;          /* events later than this are left out; when it is given */
    SsProgressFunc progress; /* may be NULL */
    gpointer progress_data;
} SsDecodeOptions;

#define SS_DECODE_ERROR (ss_decode_error_quark())
GQuark ss_decode_error_quark(void);

/* Reads every CTF trace at or below the paths (NULL-terminated) into the model, in order of
 * time; does not finish the model. Things of a trace that cannot be used, and do not keep the
 * rest from being read, are added to `diagnostics` (array of owned char *). FALSE with an
 * error when a trace cannot be read. */
gboolean ss_decode(SsModel *model, const char *const *paths, const SsDecodeOptions *options,
                   GPtrArray *diagnostics, GError **error);
