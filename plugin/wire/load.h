/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * When LTTng comes into the process. It brings threads, which make the C library's calls slower
 * in a program that has none, and it waits for the session daemon. So the provider is a shared
 * object beside this library, and is loaded when there may be something to tell:
 *
 * - with the first socket of the Unix domain, made or inherited: every vhost-user socket is one,
 *   or comes over one;
 * - with the first thread. Those of LTTng make nothing slower from then on, and later is too late:
 *   the loader's lock may be held by a thread that waits for the one that calls us.
 *
 * So nobody else runs while it is loaded. A program that names the provider in LD_PRELOAD as well
 * has it from its start.
 */
#pragma once

#include <stdbool.h>

#include "ss-wire-teller.h"

/* The provider's table, by this name. */
#define SS_WIRE_PROVIDER_SYMBOL "ss_wire_provider"
extern const SsWireTeller ss_wire_provider;

/* What the library tells by; before the provider is there it is a table of which nothing is on. */
extern const SsWireTeller *_Atomic ss_wire_teller;

/* Once, by the constructor. */
void ss_wire_load_begin(void);

/* A socket of the Unix domain was made. Without the lock; keeps errno. */
void ss_wire_load_for_socket(void);

/* A socket was put off, as it came from a signal handler perhaps: now, if it can be. */
void ss_wire_load_put_off(void);

/* A thread is about to be made. Without the lock. */
void ss_wire_load_for_thread(void);

bool ss_wire_loaded(void);

/* And was not there from the start, so that the tracer allocates what it keeps of a thread. */
bool ss_wire_loaded_late(void);

/* Around fork(). A child of several threads can load nothing: locks may be held for good. */
void ss_wire_load_before_fork(void);
void ss_wire_load_forked(void);

/* Tells all that lives; a probe of the tracer's state dump. */
void ss_wire_dump(void *data, void *session);
