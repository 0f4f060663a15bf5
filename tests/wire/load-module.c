/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A library that waits in its constructor, the loader's lock held, for a thread that makes a
 * socket: as LTTng's own does.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static void *make_socket(void *data)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd >= 0 && close(fd) == 0 ? data : NULL;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, make_socket, (void *)"made") != 0 ||
        pthread_join(thread, &result) != 0 || !result) {
        _exit(3);
    }
}
