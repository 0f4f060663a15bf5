/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A stream of events as bytes, for a fuzzer: records of one size, in which a byte stands for
 * each value, so that pointers, numbers of exchanges and descriptors meet. What a byte stands
 * for follows from the names in the catalogue, not from their order: a corpus outlives most
 * changes of it.
 *
 *   head     [classes left out, 2 bytes] [origin of time] [renderer]
 *   record   [what] [time since the one before] [who] [a byte for each field]
 */
#pragma once

#include "tests/analysis/fixture.h"

#define SS_FUZZ_RECORD 16

/* Feeds what the bytes say, and finishes the model; the number of events told to it. */
guint64 ss_fuzz_feed(const guint8 *data, gsize size, SsModel *model);
/* The fixture in that form, each value by the byte that comes nearest. */
GByteArray *ss_fuzz_encode(const SsFixture *fixture);
