/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Takes the messages of babeltrace2, from whatever graph they come, and feeds the model.
 */
#pragma once

#include <stdbool.h>

#include <babeltrace2/babeltrace.h>

#include "analysis/decode/decode.h"

typedef struct SsReader SsReader;

/* The model, the options, the array of diagnostics (of owned char *) and `groups` have to live as
 * long as the reader. `groups`: the SsTraceGroup that are read; NULL when only messages tell which
 * those are. */
SsReader *ss_reader_new(SsModel *model, const SsDecodeOptions *options, GPtrArray *groups,
                        GPtrArray *diagnostics);
void ss_reader_free(SsReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsReader, ss_reader_free)

/* Takes a message, in order of time; the caller keeps it. FALSE: the rest is not wanted. */
bool ss_reader_take(SsReader *reader, const bt_message *message);
/* What makes the trace unusable; NULL when nothing does. Weak. */
const char *ss_reader_error(const SsReader *reader);
/* No message follows. Groups without a single packet tell nothing, and that is said here; what
 * lies beside a trace is read. Does not finish the model. */
void ss_reader_finish(SsReader *reader);
