/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include "hotplug.h"

#include <errno.h>
#include <string.h>

/* A command gets its words after the first, and may set `ret_text` to a new string. */
typedef gboolean (*Command)(SsDrive *drive, char **words, char **ret_text, GError **error);

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error != NULL) {
        *error = g_error_new_valist(SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, format, args);
    }
    va_end(args);
    return FALSE;
}

static gboolean read_number(const char *word, uint64_t *ret_value, GError **error)
{
    char *end = NULL;
    uint64_t value;

    errno = 0;
    value = g_ascii_strtoull(word, &end, 0);
    if (!g_ascii_isdigit(*word) || *end != '\0' || errno != 0) {
        return fail(error, "\"%s\" is not a number", word);
    }
    *ret_value = value;
    return TRUE;
}

static gboolean require_device(SsDrive *drive, GError **error)
{
    return drive->found[drive->place] || fail(error, "no device was started");
}

/* The one that commands are about. */
static SsVirtioDevice *chosen(SsDrive *drive)
{
    return &drive->devices[drive->place];
}

/* From now on commands are about the device before which so many others come. */
static gboolean command_device(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint64_t place;

    if (!read_number(words[0], &place, error)) {
        return FALSE;
    }
    if (place >= SS_PCI_MAX_PLACES) {
        return fail(error, "devices are 0 to %d", SS_PCI_MAX_PLACES - 1);
    }
    drive->place = (unsigned)place;
    return TRUE;
}

static gboolean command_start(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    gboolean *found = &drive->found[drive->place];

    if (*found && !ss_pci_is_placed(drive->qtest, &chosen(drive)->pci, found, error)) {
        return FALSE;
    }
    if (!*found &&
        !ss_virtio_find(drive->qtest, drive->virtio_id, drive->place, chosen(drive), error)) {
        return FALSE;
    }
    *found = TRUE;
    return ss_virtio_start(drive->qtest, chosen(drive), error);
}

static gboolean command_reset(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    return require_device(drive, error) && ss_virtio_reset(drive->qtest, chosen(drive), error);
}

static gboolean command_status(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint8_t status;

    if (!require_device(drive, error) ||
        !ss_virtio_status(drive->qtest, chosen(drive), &status, error)) {
        return FALSE;
    }
    *ret_text = g_strdup_printf("0x%x", status);
    return TRUE;
}

static gboolean command_unplug(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    if (!require_device(drive, error) ||
        !ss_hotplug_remove(drive->qtest, drive->qmp, &chosen(drive)->pci, words[0], error)) {
        return FALSE;
    }
    drive->found[drive->place] = FALSE;
    return TRUE;
}

static gboolean locate(SsDrive *drive, char **words, uint64_t *ret_address, GError **error)
{
    uint64_t shmid;
    uint64_t offset;

    return require_device(drive, error) && read_number(words[0], &shmid, error) &&
           read_number(words[1], &offset, error) &&
           ss_virtio_locate(chosen(drive), shmid, offset, ret_address, error);
}

static gboolean command_read(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint64_t address;
    uint64_t value;

    if (!locate(drive, words, &address, error) ||
        !ss_qtest_read(drive->qtest, 8, address, &value, error)) {
        return FALSE;
    }
    *ret_text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", value);
    return TRUE;
}

static gboolean command_write(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint64_t address;
    uint64_t value;

    return locate(drive, words, &address, error) && read_number(words[2], &value, error) &&
           ss_qtest_write(drive->qtest, 8, address, value, error);
}

/* 64 bits at a guest physical address. */
static gboolean command_peek(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint64_t address;
    uint64_t value;

    if (!read_number(words[0], &address, error) ||
        !ss_qtest_read(drive->qtest, 8, address, &value, error)) {
        return FALSE;
    }
    *ret_text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", value);
    return TRUE;
}

static gboolean command_poke(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint64_t address;
    uint64_t value;

    return read_number(words[0], &address, error) && read_number(words[1], &value, error) &&
           ss_qtest_write(drive->qtest, 8, address, value, error);
}

static gboolean command_bar(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!require_device(drive, error)) {
        return FALSE;
    }
    for (unsigned i = 0; i < chosen(drive)->region_count; i++) {
        const SsVirtioRegion *region = &chosen(drive)->regions[i];

        g_string_append_printf(
            text, "%sshmid=%u address=0x%" G_GINT64_MODIFIER "x size=0x%" G_GINT64_MODIFIER "x",
            i > 0 ? " " : "", region->shmid, region->address, region->size);
    }
    *ret_text = g_string_free(g_steal_pointer(&text), FALSE);
    return TRUE;
}

static gboolean command_qmp(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    *ret_text = ss_qmp_execute(drive->qmp, words[0], error);
    return *ret_text != NULL;
}

static gboolean command_timeout(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    uint64_t timeout_ms;

    if (!read_number(words[0], &timeout_ms, error)) {
        return FALSE;
    }
    if (timeout_ms == 0 || timeout_ms > G_MAXINT) {
        return fail(error, "a timeout is 1 to %d ms", G_MAXINT);
    }
    drive->timeout_us = (gint64)timeout_ms * 1000;
    return TRUE;
}

static gboolean command_quit(SsDrive *drive, char **words, char **ret_text, GError **error)
{
    drive->quit = TRUE;
    return TRUE;
}

static const struct {
    const char *name;
    unsigned arguments; /* the last one takes the rest of the line */
    const char *usage;
    Command run;
} commands[] = {
    { "device", 1, "device PLACE", command_device },
    { "start", 0, "start", command_start },
    { "reset", 0, "reset", command_reset },
    { "status", 0, "status", command_status },
    { "unplug", 1, "unplug ID", command_unplug },
    { "read", 2, "read SHMID OFFSET", command_read },
    { "write", 3, "write SHMID OFFSET VALUE", command_write },
    { "peek", 1, "peek ADDRESS", command_peek },
    { "poke", 2, "poke ADDRESS VALUE", command_poke },
    { "bar", 0, "bar", command_bar },
    { "qmp", 1, "qmp JSON", command_qmp },
    { "timeout", 1, "timeout MS", command_timeout },
    { "quit", 0, "quit", command_quit },
};

/* Runs the command with the words after its name. */
static gboolean run(SsDrive *drive, const char *name, const char *rest, char **ret_text,
                    GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_auto(GStrv) words = NULL;
        gint64 deadline;

        if (strcmp(commands[i].name, name) != 0) {
            continue;
        }
        words = g_strsplit(rest, " ", MAX(1, (int)commands[i].arguments));
        if (g_strv_length(words) != (*rest != '\0' ? MAX(1, commands[i].arguments) : 0) ||
            (*rest != '\0') != (commands[i].arguments > 0)) {
            return fail(error, "usage: %s", commands[i].usage);
        }
        deadline = g_get_monotonic_time() + drive->timeout_us;
        ss_qtest_set_deadline(drive->qtest, deadline);
        ss_qmp_set_deadline(drive->qmp, deadline);
        return commands[i].run(drive, words, ret_text, error);
    }
    return fail(error, "command \"%s\" is not known", name);
}

char *ss_drive_execute(SsDrive *drive, const char *line)
{
    g_autofree char *text = g_strstrip(g_strdup(line));
    g_autofree char *answer = NULL;
    g_autoptr(GError) error = NULL;
    char *rest;

    if (*text == '\0') {
        return NULL;
    }
    rest = strchr(text, ' ');
    if (rest != NULL) {
        *rest++ = '\0';
        rest = g_strchug(rest);
    }
    if (!run(drive, text, rest != NULL ? rest : "", &answer, &error)) {
        /* One line, whatever QEMU's message holds. */
        return g_strdelimit(g_strconcat("error ", error->message, NULL), "\r\n", ' ');
    }
    return answer != NULL ? g_strconcat("ok ", answer, NULL) : g_strdup("ok");
}
