/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of a trace's streams tell of their completeness. Each CPU has a stream of its
 * own, and nobody counts what is missing before its first packet or behind its last: a snapshot
 * and a rotated chunk begin at another time on each CPU, and a copy of a recording under way
 * ends so. What LTTng 2 puts into its packets is read from the files; of other traces nothing
 * is told.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct SsStreams {
    /* Between these all streams tell, in cycles of the trace's clock. 0 and G_MAXUINT64 when
     * they tell from the beginning of the recording, and to its end. */
    guint64 from_cycles, until_cycles;
    guint missing; /* streams of which there is no file */
} SsStreams;

/* `directories`: of char *, the pieces of one trace. */
SsStreams ss_streams_look(const GPtrArray *directories);
