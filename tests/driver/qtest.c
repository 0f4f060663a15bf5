/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qtest.h"

#include <errno.h>
#include <string.h>

struct SsQtest {
    SsLines *lines; /* owned */
    gint64 deadline;
    unsigned late; /* answers still to come of commands that were given up */
};

SsQtest *ss_qtest_new(SsLines *lines)
{
    SsQtest *qtest = g_new0(SsQtest, 1);

    qtest->lines = lines;
    return qtest;
}

void ss_qtest_free(SsQtest *qtest)
{
    if (qtest == NULL) {
        return;
    }
    ss_lines_free(qtest->lines);
    g_free(qtest);
}

void ss_qtest_set_deadline(SsQtest *qtest, gint64 deadline)
{
    qtest->deadline = deadline;
}

static gboolean fail(GError **error, const char *reason, const char *detail)
{
    g_set_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, "%s: \"%s\"", reason, detail);
    return FALSE;
}

/* Sends a command and reads the words after its OK into ret_words (NULL: there are none). */
static gboolean ask(SsQtest *qtest, const char *command, char ***ret_words, GError **error)
{
    /* The oldest answers are those of commands given up; one at a time, all before ours. */
    if (!ss_lines_send(qtest->lines, command, qtest->deadline, error)) {
        return FALSE;
    }
    qtest->late++;
    for (;;) {
        g_autofree char *line = ss_lines_receive(qtest->lines, qtest->deadline, error);
        g_auto(GStrv) words = NULL;

        if (line == NULL) {
            return FALSE;
        }
        words = g_strsplit(line, " ", -1);
        if (g_strcmp0(words[0], "IRQ") == 0) {
            continue;
        }
        qtest->late--;
        if (qtest->late > 0) {
            continue;
        }
        if (g_strcmp0(words[0], "OK") != 0) {
            return fail(error, "qtest refuses", line);
        }
        if (ret_words != NULL) {
            *ret_words = g_steal_pointer(&words);
        }
        return TRUE;
    }
}

static gboolean ask_number(SsQtest *qtest, const char *command, uint64_t *ret_value, GError **error)
{
    g_auto(GStrv) words = NULL;
    char *end = NULL;
    uint64_t value;

    if (!ask(qtest, command, &words, error)) {
        return FALSE;
    }
    if (g_strv_length(words) != 2) {
        return fail(error, "qtest gives no number for", command);
    }
    errno = 0;
    value = g_ascii_strtoull(words[1], &end, 0);
    if (errno != 0 || end == words[1] || *end != '\0') {
        return fail(error, "qtest gives no number but", words[1]);
    }
    *ret_value = value;
    return TRUE;
}

static char suffix(unsigned width)
{
    switch (width) {
    case 1:
        return 'b';
    case 2:
        return 'w';
    case 4:
        return 'l';
    default:
        g_assert(width == 8);
        return 'q';
    }
}

gboolean ss_qtest_out(SsQtest *qtest, unsigned width, uint16_t port, uint32_t value, GError **error)
{
    g_autofree char *command = g_strdup_printf("out%c 0x%x 0x%x", suffix(width), port, value);

    return ask(qtest, command, NULL, error);
}

gboolean ss_qtest_in(SsQtest *qtest, unsigned width, uint16_t port, uint32_t *ret_value,
                     GError **error)
{
    g_autofree char *command = g_strdup_printf("in%c 0x%x", suffix(width), port);
    uint64_t value;

    if (!ask_number(qtest, command, &value, error)) {
        return FALSE;
    }
    *ret_value = (uint32_t)value;
    return TRUE;
}

gboolean ss_qtest_write(SsQtest *qtest, unsigned width, uint64_t address, uint64_t value,
                        GError **error)
{
    g_autofree char *command =
        g_strdup_printf("write%c 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x",
                        suffix(width), address, value);

    return ask(qtest, command, NULL, error);
}

gboolean ss_qtest_read(SsQtest *qtest, unsigned width, uint64_t address, uint64_t *ret_value,
                       GError **error)
{
    g_autofree char *command =
        g_strdup_printf("read%c 0x%" G_GINT64_MODIFIER "x", suffix(width), address);

    return ask_number(qtest, command, ret_value, error);
}

gboolean ss_qtest_clear(SsQtest *qtest, uint64_t address, uint64_t size, GError **error)
{
    g_autofree char *command = g_strdup_printf(
        "memset 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x 0x0", address, size);

    return ask(qtest, command, NULL, error);
}
