/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of a trace's streams tell of their completeness. Each CPU has a stream of its
 * own, and nobody counts what is missing before its first packet: a snapshot and a rotated chunk
 * begin at another time on each CPU. (Where a stream ends its messages tell.) What LTTng 2 puts
 * into its packets is read from the files; of other traces nothing is told.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct SsStreams {
    guint64 from_cycles; /* from here on all tell, by the trace's clock; 0: from the beginning */
    bool extract;        /* of lttng-crash, which leaves a packet open: it takes all there is */
    guint missing;       /* streams of which there is no file */
} SsStreams;

/* `directories`: of char *, the pieces of one trace. */
SsStreams ss_streams_look(const GPtrArray *directories);
