/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shmemscope-drive: takes a virtio device of a QEMU without a guest through its life, over
 * the qtest protocol and QMP. Reads commands line by line on stdin and answers each with one
 * line on stdout: "ok", "ok TEXT" or "error REASON"; "error timeout" when QEMU did not answer.
 *
 * Exit status: 0 at `quit` or the end of the input, 1 without a connection, 2 usage.
 */
#include "command.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

static int report(int status, const char *message)
{
    (void)fprintf(stderr, "shmemscope-drive: %s\n", message);
    return status;
}

static gboolean connect_both(SsDrive *drive, const char *qtest_path, const char *qmp_path,
                             GError **error)
{
    gint64 deadline = g_get_monotonic_time() + drive->timeout_us;
    SsLines *qtest = ss_lines_connect(qtest_path, "qtest", error);
    SsLines *qmp;

    if (qtest == NULL) {
        return FALSE;
    }
    drive->qtest = ss_qtest_new(qtest);
    qmp = ss_lines_connect(qmp_path, "QMP", error);
    if (qmp == NULL) {
        return FALSE;
    }
    drive->qmp = ss_qmp_new(qmp, deadline, error);
    return drive->qmp != NULL;
}

static int read_commands(SsDrive *drive)
{
    char *line = NULL;
    size_t size = 0;
    int status = EXIT_GOOD;

    while (!drive->quit && getline(&line, &size, stdin) >= 0) {
        g_autofree char *answer = ss_drive_execute(drive, line);

        if (answer != NULL && (printf("%s\n", answer) < 0 || fflush(stdout) == EOF)) {
            g_autofree char *message =
                g_strdup_printf("Cannot write answer: %s", g_strerror(errno));

            status = report(EXIT_FAILED, message);
            break;
        }
    }
    free(line);
    return status;
}

int main(int argc, char **argv)
{
    g_autofree char *qtest_path = NULL;
    g_autofree char *qmp_path = NULL;
    int virtio_id = 0;
    const GOptionEntry entries[] = {
        { "qtest", 0, 0, G_OPTION_ARG_FILENAME, &qtest_path,
          "QEMU's qtest listens on the unix socket PATH", "PATH" },
        { "qmp", 0, 0, G_OPTION_ARG_FILENAME, &qmp_path,
          "QEMU's monitor listens on the unix socket PATH", "PATH" },
        { "device", 0, 0, G_OPTION_ARG_INT, &virtio_id,
          "Drive the first device of that virtio device id (default: the first of any)", "ID" },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- driver for a guestless QEMU");
    SsDrive drive = { .timeout_us = SS_DRIVE_DEFAULT_TIMEOUT_MS * G_GINT64_CONSTANT(1000) };
    g_autoptr(GError) error = NULL;
    int status;

    (void)setlocale(LC_ALL, "C");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        return report(EXIT_USAGE, error->message);
    }
    if (argc > 1 || qtest_path == NULL || qmp_path == NULL || virtio_id < 0 || virtio_id > 63) {
        return report(EXIT_USAGE, "usage: shmemscope-drive --qtest PATH --qmp PATH "
                                  "[--device ID]");
    }
    drive.virtio_id = (unsigned)virtio_id;
    if (connect_both(&drive, qtest_path, qmp_path, &error)) {
        status = read_commands(&drive);
    } else {
        status = report(EXIT_FAILED, error->message);
    }
    ss_qtest_free(drive.qtest);
    ss_qmp_free(drive.qmp);
    return status;
}
