/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of a scenario: `0x1000`, `64K`, `$i*0x1000+8`, `(2+$i)%4*4K`.
 *
 * Arithmetic is that of an unsigned 64-bit integer and wraps, so that a request whose sums
 * wrap can be written down: `0-0x1000` is 0xfffffffffffff000.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct SsExpr SsExpr;

/*
 * Reads the whole of `text`. `variables` (of char *, outermost first; may be NULL) names the
 * loop variables in scope; a later one hides an earlier one of the same name.
 *
 * Returns a new expression, or NULL with `ret_reason` (one clause, for the end of a message)
 * set to a new string.
 */
SsExpr *ss_expr_parse(const char *text, const GPtrArray *variables, char **ret_reason);

/* NULL is accepted. */
void ss_expr_free(SsExpr *expr);

/*
 * Evaluates with `values`, the loop variables' values in the order of `variables` above.
 * Returns false when a division by zero was asked for.
 */
gboolean ss_expr_eval(const SsExpr *expr, const uint64_t *values, uint64_t *ret_value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsExpr, ss_expr_free)
