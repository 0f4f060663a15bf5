/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of a back-end that keeps to the protocol, one after another, of every kind that
 * it allows: regions used in part and whole, files of all sizes and rights, few mappings and
 * many, with and without the wish for a reply. The same seed gives the same messages.
 */
#pragma once

#include "hostile-model.h"

typedef struct SsLegalMix SsLegalMix;

typedef struct {
    unsigned live;          /* mappings at once, at most */
    unsigned writable;      /* of them that the guest may write: each is an entry of the table */
    gboolean always_reply;  /* each message asks for its reply */
    gboolean whole_at_once; /* no message comes in pieces */
    gboolean plain;         /* files of the usual kind only: each can be mapped for writing */
} SsLegalLimits;

/* `model` says what is mapped at the time of a message; it and `files` (of SsHostileFile) stay
 * the caller's. */
SsLegalMix *ss_legal_mix_new(uint64_t seed, const SsLegalLimits *limits,
                             const SsHostileModel *model, const GArray *files);
/* NULL is accepted. */
void ss_legal_mix_free(SsLegalMix *mix);

/* Sets `ret_message` to the next one. There is always one, and the model takes it. */
void ss_legal_mix_next(SsLegalMix *mix, SsHostileMessage *ret_message);

/* A random number below `limit`, for what the sender has to choose. */
uint64_t ss_legal_mix_below(SsLegalMix *mix, uint64_t limit);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsLegalMix, ss_legal_mix_free)
