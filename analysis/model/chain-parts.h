/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files that build chains share among themselves.
 */
#pragma once

#include "analysis/model/chain.h"
#include "analysis/model/parts.h"

/* The event that is being told, and where. */
typedef struct SsTelling {
    SsChains *chains;
    SsModel *model;
    SsProcess *process;
    SsThread *thread;
    const SsEvent *event;
} SsTelling;

/* chain-event.c */
/* A step of now, by who tells it; never NULL. */
SsChainStep *ss_telling_add(const SsTelling *telling, SsChain *chain, SsChainStepKind kind);
/* The chain of the request that the thread dispatches; with `begin` one is begun, if need be. */
SsChain *ss_telling_dispatch(const SsTelling *telling, bool begin);
/* Another mapping is made at the place of one: that ended, and nobody told. */
void ss_telling_reused(const SsTelling *telling, guint64 pointer);
void ss_chain_set_pointer(const SsTelling *telling, SsChain *chain, guint64 pointer);
void ss_chain_set_own(const SsTelling *telling, SsChain *chain, gint32 fd);
void ss_chain_set_range(SsChain *chain, guint32 shmid, guint64 offset, guint64 len);

/* chain-mapping.c, chain-time.c */
void ss_telling_mapping(const SsTelling *telling);
void ss_telling_time(const SsTelling *telling);
