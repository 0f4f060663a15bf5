/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A unix socket that speaks in lines, with a deadline for each wait. */
#pragma once

#include <glib.h>

typedef struct SsLines SsLines;

#define SS_DRIVE_ERROR (ss_drive_error_quark())
GQuark ss_drive_error_quark(void);

typedef enum {
    SS_DRIVE_ERROR_FAILED,
    SS_DRIVE_ERROR_TIMEOUT, /* no answer before the deadline */
    SS_DRIVE_ERROR_GONE,    /* the other side closed the connection */
} SsDriveError;

/* Deadlines are microseconds of g_get_monotonic_time(). */

/* Connects to `path`; `what` names the connection in messages. NULL with `error` set. */
SsLines *ss_lines_connect(const char *path, const char *what, GError **error);

/* As above, for a connected stream socket (taken). */
SsLines *ss_lines_new(int fd, const char *what);

/* NULL is accepted. */
void ss_lines_free(SsLines *lines);

/* Sends `text` and a newline. */
gboolean ss_lines_send(SsLines *lines, const char *text, gint64 deadline, GError **error);

/* A new string: the next line without its newline. NULL with `error` set. */
char *ss_lines_receive(SsLines *lines, gint64 deadline, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsLines, ss_lines_free)
