/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to GET_SHMEM_CONFIG, good and bad ones, each on a connection of its own. */
#pragma once

#include "log.h"

/*
 * Gives one answer of the table to each front-end that connects to `listener`, until all were
 * given.
 *
 * Devices that are added: tells "NAME works" or "NAME fails" on stdout before each, for what has
 * to become of the device, and serves it until it goes; "done" in the end.
 *
 * Reconnect: the first answer is a good one; "started" is told, and "go" on stdin awaited. Then
 * each answer is given to the front-end that comes again, which has to take it when the regions
 * are as they were and leave otherwise. In the end the good one is given again, "done" told, and
 * "go" awaited once more.
 *
 * FALSE with `error` set when it went otherwise.
 */
gboolean ss_hostile_configs(gboolean reconnect, SsLog *log, int listener, GError **error);
