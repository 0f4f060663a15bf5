/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of a hostile back-end, one after another: first every pair of fields at their
 * edges and beyond, then a random mix. The same seed gives the same messages.
 */
#pragma once

#include "hostile-model.h"

typedef struct SsHostileMix SsHostileMix;

/*
 * `model` says what is mapped at the time of a message; it and `files` (of SsHostileFile) stay
 * the caller's. `count` is how many messages there will be: with too few of them the edges are
 * taken one by one, not in pairs.
 */
SsHostileMix *ss_hostile_mix_new(uint64_t seed, uint64_t count, const SsHostileModel *model,
                                 const GArray *files);
/* NULL is accepted. */
void ss_hostile_mix_free(SsHostileMix *mix);

/* Sets `ret_message` to the next one. There is always one. */
void ss_hostile_mix_next(SsHostileMix *mix, SsHostileMessage *ret_message);

/* From now on no message ends the channel. */
void ss_hostile_mix_go_on(SsHostileMix *mix);

/* A random number below `limit`, for what the sender has to choose. */
uint64_t ss_hostile_mix_below(SsHostileMix *mix, uint64_t limit);

/* What a good back-end would send: one page, writable. */
SsHostileMessage ss_hostile_good_map(const SsHostileFile *file, uint8_t shmid, uint64_t shm_offset);
SsHostileMessage ss_hostile_good_unmap(const SsHostileMapping *mapping);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsHostileMix, ss_hostile_mix_free)
