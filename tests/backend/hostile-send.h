/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a hostile message goes over the wire. */
#pragma once

#include "hostile-model.h"

/*
 * Sends the message over the back-end channel, whole or as far as it goes; an end of the channel
 * that belongs to it is the caller's to make. `spread` chooses where pieces begin. FALSE with
 * `error` set when the channel takes no more.
 */
gboolean ss_hostile_send(int channel, const SsHostileMessage *message, uint64_t spread,
                         GError **error);

/*
 * Reads the reply that the verdict asks for and compares it. FALSE with `error` set when it is
 * another one.
 */
gboolean ss_hostile_read_reply(int channel, const SsHostileMessage *message,
                               const SsHostileVerdict *verdict, GError **error);

/* Waits until the front-end has closed its end. FALSE with `error` set when it says something
 * before. */
gboolean ss_hostile_await_end(int channel, GError **error);

/* Whether the front-end has read all that was sent. */
gboolean ss_hostile_is_read(int channel);
/* Waits until it has; somebody else has to serve the main channel meanwhile. */
void ss_hostile_await_read(int channel);
