/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are asked, and small files. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/doctor/parts.h"

#define OUTPUT_MOST (1024 * 1024)
#define LINE_MOST 4096

/* In the child: its descendants end with it, and it waits for no terminal. */
static void alone(void *both)
{
    (void)setpgid(0, 0);
    if (both) {
        (void)dup2(STDOUT_FILENO, STDERR_FILENO);
    }
}

/* Reads until the end, or until the deadline; FALSE at that. */
static gboolean read_all(int fd, GString *output, gint64 deadline_us)
{
    char part[4096];

    for (;;) {
        gint64 left = deadline_us - g_get_monotonic_time();
        struct pollfd poller = { .fd = fd, .events = POLLIN };
        ssize_t got;

        if (left <= 0 || output->len >= OUTPUT_MOST ||
            poll(&poller, 1, (int)(left / 1000) + 1) == 0) {
            return FALSE;
        }
        got = read(fd, part, sizeof(part));
        if (got <= 0) {
            return got == 0;
        }
        g_string_append_len(output, part, got);
    }
}

char *ss_doctor_run(const char *const *argv, char **environment, bool both, guint seconds)
{
    const gint64 deadline_us = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
    g_autoptr(GString) output = g_string_new(NULL);
    gboolean ended;
    GPid pid;
    int out;

    if (!g_spawn_async_with_pipes(NULL, (char **)argv, environment,
                                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH |
                                      (both ? 0 : G_SPAWN_STDERR_TO_DEV_NULL),
                                  alone, both ? GINT_TO_POINTER(1) : NULL, &pid, NULL, &out, NULL,
                                  NULL)) {
        return NULL;
    }
    ended = read_all(out, output, deadline_us);
    (void)close(out);
    /* The group, too: what it started may hold the pipe. */
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    g_spawn_close_pid(pid);
    return ended ? g_string_free(g_steal_pointer(&output), FALSE) : NULL;
}

char *ss_doctor_line_of(const char *path)
{
    char text[LINE_MOST + 1] = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, text, LINE_MOST);

    if (fd >= 0) {
        (void)close(fd);
    }
    if (got <= 0) {
        return NULL;
    }
    text[strcspn(text, "\n")] = '\0';
    return g_strdup(text);
}

bool ss_doctor_capable(guint capability)
{
    g_autofree char *status = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
        return false;
    }
    line = strstr(status, "\nCapEff:");
    return line && (g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16) >> capability & 1);
}
