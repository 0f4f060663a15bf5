/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The trace that filter.shmemscope.lifetimes adds: one stream, with an event for each mapping's
 * life and one for each finding. It has the clock of the trace that it is about.
 */
#pragma once

#include <stdbool.h>

#include <babeltrace2/babeltrace.h>

#include "analysis/checks/check.h"

typedef struct SsAdded SsAdded;

/* `clock` is copied. NULL when babeltrace has no memory left. */
SsAdded *ss_added_new(bt_self_message_iterator *iterator, const bt_clock_class *clock);
void ss_added_free(SsAdded *added);
/* Each makes a message that the caller owns; NULL when there is no memory left. `cycles`, by the
 * clock, is never before that of an earlier one. */
const bt_message *ss_added_stream_beginning(SsAdded *added);
const bt_message *ss_added_packet_beginning(SsAdded *added, guint64 cycles);
const bt_message *ss_added_life(SsAdded *added, const SsMapping *mapping, guint64 cycles);
const bt_message *ss_added_finding(SsAdded *added, const SsFinding *finding, guint64 cycles);
const bt_message *ss_added_packet_end(SsAdded *added, guint64 cycles);
const bt_message *ss_added_stream_end(SsAdded *added);
