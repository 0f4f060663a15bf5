/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From evidence to the model: what was seen twice is told as the model's own events, and what has
 * no event is set in its nouns. From there on everything is as with a recording, and nothing that
 * a look cannot show is taken for absent.
 */
#pragma once

#include "analysis/autopsy/evidence.h"
#include "analysis/model/model.h"

/* Tells the model all of it; no other evidence, and no trace, may be in the model. `path` names
 * it in the report: of the file it was loaded from, or "this host". Finishes nothing. */
void ss_tell(SsModel *model, const SsEvidence *evidence, const char *path);
