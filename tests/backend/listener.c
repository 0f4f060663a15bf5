/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listener.h"

#include "scenario.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static gboolean fail_listen(const char *path, GError **error)
{
    g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot listen: path=\"%s\": %s", path,
                g_strerror(errno));
    return FALSE;
}

gboolean ss_listener_open(const char *path, int *ret_listener, GError **error)
{
    g_autofree char *new_path = g_strdup_printf("%s.new", path);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener;

    if (strlen(new_path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return fail_listen(path, error);
    }
    (void)g_strlcpy(address.sun_path, new_path, sizeof(address.sun_path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return fail_listen(path, error);
    }
    (void)unlink(new_path);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0 || rename(new_path, path) != 0) {
        (void)fail_listen(path, error);
        (void)close(listener);
        (void)unlink(new_path);
        return FALSE;
    }
    *ret_listener = listener;
    return TRUE;
}

gboolean ss_listener_accept(int listener, int *ret_socket, GError **error)
{
    for (;;) {
        int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ssize_t count;
        char byte;

        if (sock < 0 && errno == EINTR) {
            continue;
        }
        if (sock < 0) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot accept front-end: %s",
                        g_strerror(errno));
            return FALSE;
        }
        do {
            count = recv(sock, &byte, 1, MSG_PEEK);
        } while (count < 0 && errno == EINTR);
        if (count > 0) {
            *ret_socket = sock;
            return TRUE;
        }
        (void)close(sock);
    }
}
