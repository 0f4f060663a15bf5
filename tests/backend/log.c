/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include "scenario.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct SsLog {
    FILE *file; /* owned */
    char *path; /* owned */
    GMutex mutex;
    int error; /* errno of the first line that could not be written, or 0 */
    int held;  /* atomic boolean */
};

struct SsLogLine {
    SsLog *log;    /* weak */
    GString *text; /* owned */
};

uint64_t ss_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

SsLog *ss_log_open(const char *path, GError **error)
{
    SsLog *log;
    FILE *file = fopen(path, "we");

    if (file == NULL) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot open log: path=\"%s\": %s", path,
                    g_strerror(errno));
        return NULL;
    }
    log = g_new0(SsLog, 1);
    log->file = file;
    log->path = g_strdup(path);
    g_mutex_init(&log->mutex);
    return log;
}

gboolean ss_log_close(SsLog *log, GError **error)
{
    int failure;

    if (log == NULL) {
        return TRUE;
    }
    failure = log->error;
    if (fclose(log->file) != 0 && failure == 0) {
        failure = errno;
    }
    if (failure != 0) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot write log: path=\"%s\": %s", log->path,
                    g_strerror(failure));
    }
    g_mutex_clear(&log->mutex);
    g_free(log->path);
    g_free(log);
    return failure == 0;
}

void ss_log_hold(SsLog *log)
{
    g_atomic_int_set(&log->held, TRUE);
}

void ss_log_release(SsLog *log)
{
    g_atomic_int_set(&log->held, FALSE);
}

static void append_string(GString *text, const char *value)
{
    g_string_append_c(text, '"');
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            g_string_append_c(text, '\\');
            g_string_append_c(text, *c);
        } else if ((unsigned char)*c < 0x20) {
            g_string_append_printf(text, "\\u%04x", (unsigned)*c);
        } else {
            g_string_append_c(text, *c);
        }
    }
    g_string_append_c(text, '"');
}

static void append_key(SsLogLine *line, const char *key)
{
    g_string_append_c(line->text, ',');
    append_string(line->text, key);
    g_string_append_c(line->text, ':');
}

SsLogLine *ss_log_begin(SsLog *log, const char *thread, const char *op, uint64_t t_ns)
{
    SsLogLine *line;

    if (g_atomic_int_get(&log->held)) {
        return NULL;
    }
    line = g_new0(SsLogLine, 1);
    line->log = log;
    line->text = g_string_new(NULL);
    g_string_append_printf(line->text, "{\"t\":%" G_GUINT64_FORMAT, t_ns != 0 ? t_ns : ss_now_ns());
    ss_log_string(line, "thread", thread);
    ss_log_string(line, "op", op);
    return line;
}

void ss_log_number(SsLogLine *line, const char *key, uint64_t value)
{
    if (line != NULL) {
        append_key(line, key);
        g_string_append_printf(line->text, "%" G_GUINT64_FORMAT, value);
    }
}

void ss_log_boolean(SsLogLine *line, const char *key, gboolean value)
{
    if (line != NULL) {
        append_key(line, key);
        g_string_append(line->text, value ? "true" : "false");
    }
}

void ss_log_string(SsLogLine *line, const char *key, const char *value)
{
    if (line != NULL) {
        append_key(line, key);
        append_string(line->text, value);
    }
}

void ss_log_null(SsLogLine *line, const char *key)
{
    if (line != NULL) {
        append_key(line, key);
        g_string_append(line->text, "null");
    }
}

void ss_log_counts(SsLogLine *line, const char *key, GHashTable *counts)
{
    g_autoptr(GList) names = NULL;

    if (line == NULL) {
        return;
    }
    names = g_list_sort(g_hash_table_get_keys(counts), (GCompareFunc)strcmp);
    append_key(line, key);
    g_string_append_c(line->text, '{');
    for (GList *item = names; item != NULL; item = item->next) {
        if (item != names) {
            g_string_append_c(line->text, ',');
        }
        append_string(line->text, item->data);
        g_string_append_printf(line->text, ":%u",
                               GPOINTER_TO_UINT(g_hash_table_lookup(counts, item->data)));
    }
    g_string_append_c(line->text, '}');
}

void ss_log_numbers(SsLogLine *line, const char *key, const uint64_t *values, gsize count)
{
    if (line == NULL) {
        return;
    }
    append_key(line, key);
    g_string_append_c(line->text, '[');
    for (gsize i = 0; i < count; i++) {
        g_string_append_printf(line->text, "%s%" G_GUINT64_FORMAT, i > 0 ? "," : "", values[i]);
    }
    g_string_append_c(line->text, ']');
}

void ss_log_end(SsLogLine *line)
{
    SsLog *log;

    if (line == NULL) {
        return;
    }
    log = line->log;
    g_string_append(line->text, "}\n");
    g_mutex_lock(&log->mutex);
    if ((fputs(line->text->str, log->file) == EOF || fflush(log->file) == EOF) && log->error == 0) {
        log->error = errno;
    }
    g_mutex_unlock(&log->mutex);
    g_string_free(line->text, TRUE);
    g_free(line);
}
