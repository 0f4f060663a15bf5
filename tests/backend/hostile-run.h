/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run of a hostile back-end: its thread sends the messages, the main thread serves the front-
 * end meanwhile, as a device with guest memory that is in use. Whenever the channel is at its
 * end, the main thread waits for the front-end to come again.
 */
#pragma once

#include "log.h"

typedef struct {
    uint64_t seed;
    uint64_t messages;
    gboolean reply_ack;
    gboolean mem_slots;
    gboolean one_region; /* of three: what a device behind a root port has room for */
    gboolean lies;       /* some replies on the main channel are false ones, too */
    gboolean endless;    /* messages until the front-end leaves, whatever it replies */
} SsHostileOptions;

/*
 * Sends the messages to the front-end that connects to `listener`, and judges what becomes of
 * each. At the end one good mapping is made, "mapped" is told on stdout; after the line "go" on
 * stdin it is taken out, and "done" is told. Endless messages have no such end: what the guest or
 * the user does with the device meanwhile is beyond the model. FALSE with `error` set when
 * something was not as the model says.
 */
gboolean ss_hostile_run(const SsHostileOptions *options, SsLog *log, int listener, GError **error);
