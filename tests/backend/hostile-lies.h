/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * False answers to what a MAP or UNMAP makes the front-end ask on the main channel: the memory
 * table's entries of the shared memory window, and tables that have some. Those of guest RAM are
 * left to libvhost-user.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SsHostileLies SsHostileLies;

SsHostileLies *ss_hostile_lies_new(uint64_t seed);
/* NULL is accepted. */
void ss_hostile_lies_free(SsHostileLies *lies);

/* For ss_device_set_answer(), with the lies as its data. */
gboolean ss_hostile_lies_answer(int sock, const uint8_t *message, size_t length, void *data);

/* From now on only the truth. */
void ss_hostile_lies_stop(SsHostileLies *lies);

/* How many were told. */
uint64_t ss_hostile_lies_told(const SsHostileLies *lies);
