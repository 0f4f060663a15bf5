/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's qtest protocol: the hand of a guest that is not there. An answer that comes after
 * its deadline is recognised as late and dropped.
 */
#pragma once

#include "lines.h"

#include <stdint.h>

typedef struct SsQtest SsQtest;

/* `lines` is taken. */
SsQtest *ss_qtest_new(SsLines *lines);
/* NULL is accepted. */
void ss_qtest_free(SsQtest *qtest);

/* The deadline of all that follows. */
void ss_qtest_set_deadline(SsQtest *qtest, gint64 deadline);

/* Port I/O of `width` 1, 2 or 4 bytes. */
gboolean ss_qtest_out(SsQtest *qtest, unsigned width, uint16_t port, uint32_t value,
                      GError **error);
gboolean ss_qtest_in(SsQtest *qtest, unsigned width, uint16_t port, uint32_t *ret_value,
                     GError **error);

/* Guest physical memory, `width` 1, 2, 4 or 8 bytes. */
gboolean ss_qtest_write(SsQtest *qtest, unsigned width, uint64_t address, uint64_t value,
                        GError **error);
gboolean ss_qtest_read(SsQtest *qtest, unsigned width, uint64_t address, uint64_t *ret_value,
                       GError **error);
/* Fills `size` bytes of guest memory with zeroes. */
gboolean ss_qtest_clear(SsQtest *qtest, uint64_t address, uint64_t size, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsQtest, ss_qtest_free)
