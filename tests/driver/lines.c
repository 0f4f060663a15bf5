/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct SsLines {
    int fd;          /* owned */
    char *what;      /* owned */
    GString *unread; /* owned */
};

G_DEFINE_QUARK(ss - drive - error - quark, ss_drive_error)

SsLines *ss_lines_new(int fd, const char *what)
{
    SsLines *lines = g_new0(SsLines, 1);

    lines->fd = fd;
    lines->what = g_strdup(what);
    lines->unread = g_string_new(NULL);
    return lines;
}

void ss_lines_free(SsLines *lines)
{
    if (lines == NULL) {
        return;
    }
    (void)close(lines->fd);
    g_string_free(lines->unread, TRUE);
    g_free(lines->what);
    g_free(lines);
}

SsLines *ss_lines_connect(const char *path, const char *what, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int failure = 0;
    int fd;

    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
        failure = ENAMETOOLONG;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (failure == 0 &&
        (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)) {
        failure = errno;
    }
    if (failure != 0) {
        g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED,
                    "Cannot connect to %s: path=\"%s\": %s", what, path, g_strerror(failure));
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    return ss_lines_new(fd, what);
}

/* Waits until the socket is ready for `events`. */
static gboolean wait_for(SsLines *lines, short events, gint64 deadline, GError **error)
{
    struct pollfd polled = { .fd = lines->fd, .events = events };

    for (;;) {
        gint64 left_us = deadline - g_get_monotonic_time();
        int ready = poll(&polled, 1, (int)CLAMP((left_us + 999) / 1000, 0, G_MAXINT));

        if (ready > 0) {
            return TRUE;
        }
        if (ready < 0 && errno != EINTR) {
            g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, "cannot poll %s: %s",
                        lines->what, g_strerror(errno));
            return FALSE;
        }
        if (ready == 0 && left_us <= 0) {
            g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_TIMEOUT, "timeout");
            return FALSE;
        }
    }
}

static gboolean gone(SsLines *lines, const char *reason, GError **error)
{
    g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_GONE, "%s is gone: %s", lines->what, reason);
    return FALSE;
}

gboolean ss_lines_send(SsLines *lines, const char *text, gint64 deadline, GError **error)
{
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    size_t length = strlen(line);
    size_t sent = 0;

    while (sent < length) {
        ssize_t count;

        if (!wait_for(lines, POLLOUT, deadline, error)) {
            return FALSE;
        }
        count = send(lines->fd, line + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EINTR && errno != EAGAIN) {
            return gone(lines, g_strerror(errno), error);
        }
        sent += count > 0 ? (size_t)count : 0;
    }
    return TRUE;
}

char *ss_lines_receive(SsLines *lines, gint64 deadline, GError **error)
{
    for (;;) {
        char *newline = strchr(lines->unread->str, '\n');
        char piece[4096];
        ssize_t count;

        if (newline != NULL) {
            size_t length = (size_t)(newline - lines->unread->str);
            char *line = g_strndup(lines->unread->str, length);

            g_string_erase(lines->unread, 0, (gssize)length + 1);
            return g_strchomp(line);
        }
        if (!wait_for(lines, POLLIN, deadline, error)) {
            return NULL;
        }
        count = recv(lines->fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (count == 0) {
            (void)gone(lines, "it closed the connection", error);
            return NULL;
        }
        if (count < 0 && errno != EINTR && errno != EAGAIN) {
            (void)gone(lines, g_strerror(errno), error);
            return NULL;
        }
        if (count > 0) {
            g_string_append_len(lines->unread, piece, count);
        }
    }
}
