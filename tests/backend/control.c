/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include "scenario.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct SsControl {
    GThread *thread; /* owned */
    int input;       /* weak */
    int wake;        /* weak */
    int quit;        /* owned: an eventfd that ends the thread */
    GMutex mutex;    /* guards what follows */
    GCond changed;
    GPtrArray *names; /* owned, of char *: signals not yet taken */
    gboolean ended;
};

static void wake(int fd)
{
    /* An eventfd is only full after 2^64 - 1 wakes. */
    (void)eventfd_write(fd, 1);
}

static void add_signals(SsControl *control, GString *text)
{
    char *newline;

    g_mutex_lock(&control->mutex);
    while ((newline = strchr(text->str, '\n')) != NULL) {
        size_t length = (size_t)(newline - text->str);

        g_ptr_array_add(control->names, g_strndup(text->str, length));
        g_string_erase(text, 0, (gssize)length + 1);
    }
    g_cond_broadcast(&control->changed);
    g_mutex_unlock(&control->mutex);
    wake(control->wake);
}

static void *read_input(void *data)
{
    g_autoptr(GString) text = g_string_new(NULL);
    SsControl *control = data;
    struct pollfd polled[2] = {
        { .fd = control->input, .events = POLLIN },
        { .fd = control->quit, .events = POLLIN },
    };

    for (;;) {
        char piece[256];
        ssize_t count;

        if (poll(polled, 2, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            break;
        }
        if (polled[1].revents != 0) {
            break;
        }
        count = read(control->input, piece, sizeof(piece));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            break;
        }
        g_string_append_len(text, piece, count);
        add_signals(control, text);
    }
    ss_control_stop(control);
    return NULL;
}

SsControl *ss_control_new(int input, int wake_fd, GError **error)
{
    SsControl *control;
    int quit = eventfd(0, EFD_CLOEXEC);

    if (quit < 0) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot create eventfd: %s", g_strerror(errno));
        return NULL;
    }
    control = g_new0(SsControl, 1);
    control->input = input;
    control->wake = wake_fd;
    control->quit = quit;
    control->names = g_ptr_array_new_with_free_func(g_free);
    g_mutex_init(&control->mutex);
    g_cond_init(&control->changed);
    control->thread = g_thread_new("control", read_input, control);
    return control;
}

void ss_control_free(SsControl *control)
{
    if (control == NULL) {
        return;
    }
    wake(control->quit);
    g_thread_join(control->thread);
    (void)close(control->quit);
    g_ptr_array_unref(control->names);
    g_cond_clear(&control->changed);
    g_mutex_clear(&control->mutex);
    g_free(control);
}

/* With the mutex held. */
static gboolean take_locked(SsControl *control, const char *name)
{
    for (unsigned i = 0; i < control->names->len; i++) {
        if (strcmp(g_ptr_array_index(control->names, i), name) == 0) {
            g_ptr_array_remove_index(control->names, i);
            return TRUE;
        }
    }
    return FALSE;
}

gboolean ss_control_take(SsControl *control, const char *name, gboolean *ret_ended)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&control->mutex);
    gboolean taken = take_locked(control, name);

    *ret_ended = control->ended;
    return taken;
}

gboolean ss_control_wait(SsControl *control, const char *name)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&control->mutex);

    while (!take_locked(control, name)) {
        if (control->ended) {
            return FALSE;
        }
        g_cond_wait(&control->changed, &control->mutex);
    }
    return TRUE;
}

void ss_control_stop(SsControl *control)
{
    g_mutex_lock(&control->mutex);
    control->ended = TRUE;
    g_cond_broadcast(&control->changed);
    g_mutex_unlock(&control->mutex);
    wake(control->wake);
}

gboolean ss_control_tell(const char *name, GError **error)
{
    if (printf("%s\n", name) < 0 || fflush(stdout) == EOF) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot write signal: name=\"%s\": %s", name,
                    g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}
