/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Cuts of one CPU's stream of a fixture: the threads are taken to have moved between two CPUs, and
 * of one of them packets are missing, as decode would tell it.
 */
#pragma once

#include "tests/analysis/fixture.h"

typedef enum SsStreamCut {
    SS_STREAM_BEGINS, /* its first packets were overwritten */
    SS_STREAM_ENDS,   /* its last ones are not there */
    SS_STREAM_HOLE,   /* some in the middle, and the loss is told */
    SS_N_STREAM_CUTS,
} SsStreamCut;

/* At random. It shares its strings with `whole`, which must outlive it; free it with
 * ss_cut_streams_free(). */
SsFixture *ss_cut_streams_new(const SsFixture *whole, SsStreamCut kind, GRand *rand);
void ss_cut_streams_free(SsFixture *fixture);
