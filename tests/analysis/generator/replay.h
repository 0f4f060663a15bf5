/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#pragma once

#include "ss-catalogue.h"

/* Fires the tracepoint of that name in the generated provider. */
void ss_replay_event(SsEventId id, const SsEventPayload *u);
