/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a scenario: its main thread serves the front-end, the others begin when it starts. */
#pragma once

#include "log.h"
#include "scenario.h"

/*
 * Runs it to its end with the front-ends that connect to `listener` (stays the caller's).
 * FALSE with `error` set when it did not go as the scenario expects.
 */
gboolean ss_run_scenario(const SsScenario *scenario, SsLog *log, int listener, GError **error);
