/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end's log: one JSON object a line, flushed line by line, so that it is whole up to
 * the moment of a hang or a kill. Any thread may write.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct SsLog SsLog;
typedef struct SsLogLine SsLogLine;

/* Nanoseconds of CLOCK_MONOTONIC, the clock of LTTng's traces. */
uint64_t ss_now_ns(void);

/* Opens (and empties) the file. NULL with `error` set on failure. */
SsLog *ss_log_open(const char *path, GError **error);

/* Closes it. Returns FALSE when a line could not be written. NULL is accepted. */
gboolean ss_log_close(SsLog *log, GError **error);

/*
 * While the log is held, no thread's lines are written nor even put together: for what is timed.
 * A hold within a hold is one.
 */
void ss_log_hold(SsLog *log);
void ss_log_release(SsLog *log);

/*
 * Begins a line of `thread` about `op`, with the time `t_ns` (0: now). What follows adds
 * members; ss_log_end() writes the line out and frees it. NULL while the log is held, which the
 * others accept.
 */
SsLogLine *ss_log_begin(SsLog *log, const char *thread, const char *op, uint64_t t_ns);
void ss_log_number(SsLogLine *line, const char *key, uint64_t value);
void ss_log_boolean(SsLogLine *line, const char *key, gboolean value);
void ss_log_string(SsLogLine *line, const char *key, const char *value);
void ss_log_null(SsLogLine *line, const char *key);
/* A nested object; `counts` maps char * to the count, a pointer-sized integer. */
void ss_log_counts(SsLogLine *line, const char *key, GHashTable *counts);
/* An array. */
void ss_log_numbers(SsLogLine *line, const char *key, const uint64_t *values, gsize count);
void ss_log_end(SsLogLine *line);
