/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The stage between decode and model: of what the wire library tells from outside it makes the
 * model's own events, so that one set of checks serves all sources. What cannot be told from
 * outside it does not make up.
 */
#pragma once

#include "analysis/model/model.h"

typedef struct SsWire SsWire;

/* The model must outlive it. */
SsWire *ss_wire_new(SsModel *model);
void ss_wire_free(SsWire *wire);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsWire, ss_wire_free)

/* Takes any event in any order, as ss_model_event() does, which gets those of all other classes
 * unchanged; never fails. */
void ss_wire_event(SsWire *wire, const SsEvent *event);
/* No event follows: what was held back goes to the model. Before ss_model_finish(). */
void ss_wire_finish(SsWire *wire);
