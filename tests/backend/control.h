/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals between a scenario and whoever steps it: lines on stdout, lines on stdin. A line
 * that comes before it is awaited is kept.
 */
#pragma once

#include <glib.h>

typedef struct SsControl SsControl;

/* Begins to read `input` in a thread of its own; each signal is told through `wake` (an
 * eventfd, weak). NULL with `error` set on failure. */
SsControl *ss_control_new(int input, int wake, GError **error);

/* NULL is accepted. */
void ss_control_free(SsControl *control);

/* Takes a signal that has come: FALSE when it has not. `ret_ended` is set when none can come
 * any more, since the input has ended. */
gboolean ss_control_take(SsControl *control, const char *name, gboolean *ret_ended);

/* Waits for a signal: FALSE when the input ended, or ss_control_stop() was called, without. */
gboolean ss_control_wait(SsControl *control, const char *name);

/* Ends the waits of all threads. */
void ss_control_stop(SsControl *control);

/* Prints a line on stdout and flushes it. */
gboolean ss_control_tell(const char *name, GError **error);
