/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hostile back-end sent, message by message in its log, and in sums. */
#pragma once

#include "hostile-model.h"
#include "log.h"

typedef struct {
    uint64_t sent;
    uint64_t connections;
    uint64_t closed; /* connections, by a message */
    uint64_t maps;   /* accepted */
    uint64_t unmaps; /* accepted */
    uint64_t unknown;
    uint64_t replies;
    uint64_t received;   /* descriptors, by the front-end */
    GHashTable *refused; /* owned: reason (static) to count */
} SsHostileTally;

SsHostileTally *ss_hostile_tally_new(void);
/* NULL is accepted. */
void ss_hostile_tally_free(SsHostileTally *tally);

/* Counts a message that is about to be sent, and logs it; `seq` is its number on the channel. */
void ss_hostile_tally_add(SsHostileTally *tally, SsLog *log, const SsHostileMessage *message,
                          const SsHostileVerdict *verdict, uint64_t seq);

/* Adds the sums to a line of the log. */
void ss_hostile_tally_write(const SsHostileTally *tally, SsLogLine *line);
