/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/decode/trace-set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "analysis/decode/decode.h"
#include "analysis/model/text.h"

#define MAX_DEPTH 12
/* CTF 1.8, packetized metadata: a magic number, then the trace's UUID. */
#define METADATA_MAGIC 0x75D11D57u
#define UUID_BYTES 16
/* The same in plain text: of the trace's block, which comes first. */
#define TEXT_UUID "trace\\s*\\{[^}]*\\buuid\\s*=\\s*\"([0-9a-fA-F-]{36})\""
#define TEXT_UUID_WITHIN 65536
/* ... and, behind a checksum, the bits of its content and of the packet. */
#define METADATA_HEAD_BYTES 37

static void group_free(gpointer data)
{
    SsTraceGroup *group = data;
    g_free(group->uuid);
    g_ptr_array_unref(group->directories);
    g_free(group);
}

char *ss_uuid_text(const guint8 *bytes)
{
    GString *uuid = g_string_new(NULL);
    for (guint i = 0; i < UUID_BYTES; i++) {
        gboolean dash = i == 4 || i == 6 || i == 8 || i == 10;
        g_string_append_printf(uuid, "%s%02x", dash ? "-" : "", bytes[i]);
    }
    return g_string_free(uuid, FALSE);
}

/* Of metadata that is plain text, as babeltrace2 writes it; "" when it tells none. */
static char *text_uuid(const char *metadata)
{
    g_autofree char *text = NULL;
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GRegex) regex = g_regex_new(TEXT_UUID, G_REGEX_RAW, 0, NULL);
    gsize length = 0;
    if (!g_file_get_contents(metadata, &text, &length, NULL) ||
        !g_regex_match_full(regex, text, (gssize)MIN(length, TEXT_UUID_WITHIN), 0, 0, &match,
                            NULL)) {
        return g_strdup("");
    }
    g_autofree char *found = g_match_info_fetch(match, 1);
    return g_ascii_strdown(found, -1);
}

static char *read_uuid(const char *metadata)
{
    guint8 head[4 + UUID_BYTES];
    FILE *file = g_fopen(metadata, "rbe");
    gsize got = file ? fread(head, 1, sizeof(head), file) : 0;
    if (file) {
        (void)fclose(file);
    }
    guint32 magic = 0;
    memcpy(&magic, head, got >= 4 ? 4 : 0);
    if (got < sizeof(head) ||
        (magic != METADATA_MAGIC && GUINT32_SWAP_LE_BE(magic) != METADATA_MAGIC)) {
        return text_uuid(metadata);
    }
    return ss_uuid_text(head + 4);
}

static guint32 metadata_u32(const guint8 *at, bool swapped)
{
    guint32 value;
    memcpy(&value, at, sizeof(value));
    return swapped ? GUINT32_SWAP_LE_BE(value) : value;
}

/* Whether each packet of the metadata holds what its head says. babeltrace2 waits without end for
 * the rest of one that does not: of a recording that was copied while it was made, or cut. */
static bool metadata_whole(const char *path)
{
    guint8 head[METADATA_HEAD_BYTES];
    FILE *file = g_fopen(path, "rbe");
    guint64 size = 0, at = 0;
    bool whole = true;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        size = (guint64)ftell(file);
    }
    while (file && whole && at < size && fseek(file, (long)at, SEEK_SET) == 0) {
        gsize got = fread(head, 1, sizeof(head), file);
        guint32 magic = got >= 4 ? metadata_u32(head, false) : 0;
        bool swapped = GUINT32_SWAP_LE_BE(magic) == METADATA_MAGIC;
        if (magic != METADATA_MAGIC && !swapped) {
            whole = at == 0; /* plain text, or behind a packet what is none */
            break;
        }
        guint64 content = got == sizeof(head) ? metadata_u32(head + 24, swapped) / 8 : 0;
        guint64 packet = got == sizeof(head) ? metadata_u32(head + 28, swapped) / 8 : 0;
        whole = content >= sizeof(head) && packet >= content && content <= size - at;
        at += packet;
    }
    if (file) {
        (void)fclose(file);
    }
    return whole;
}

static void add_directory(GPtrArray *groups, const char *directory, const char *metadata)
{
    g_autofree char *uuid = read_uuid(metadata);
    for (guint i = 0; i < groups->len && *uuid; i++) {
        SsTraceGroup *group = g_ptr_array_index(groups, i);
        if (g_str_equal(group->uuid, uuid)) {
            if (!g_ptr_array_find_with_equal_func(group->directories, directory, g_str_equal,
                                                  NULL)) {
                g_ptr_array_add(group->directories, g_strdup(directory));
            }
            return;
        }
    }
    SsTraceGroup *group = g_new0(SsTraceGroup, 1);
    group->uuid = g_steal_pointer(&uuid);
    group->directories = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(group->directories, g_strdup(directory));
    g_ptr_array_add(groups, group);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in the directory, sorted; NULL with errno when it cannot be read. */
static GPtrArray *list(const char *directory)
{
    DIR *dir = opendir(directory);
    if (!dir) {
        return NULL;
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            g_ptr_array_add(names, g_strdup(entry->d_name));
        }
    }
    (void)closedir(dir);
    g_ptr_array_sort(names, by_name);
    return names;
}

static void set_error(GError **error, const char *path, const char *why)
{
    g_autofree char *harmless = ss_text_sanitize(path, 0);
    g_set_error(error, SS_DECODE_ERROR, 0, "Cannot open trace: path=\"%s\": %s", harmless, why);
}

/* A file that cannot be read may be evidence: then that it is no directory is not what is wrong. */
static const char *reason(const char *path)
{
    int number = errno;
    int fd = number == ENOTDIR ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return g_strerror(number == ENOTDIR && fd < 0 ? errno : number);
}

static gboolean walk(GPtrArray *groups, const char *directory, guint depth, GError **error)
{
    g_autofree char *metadata = g_build_filename(directory, "metadata", NULL);
    if (g_file_test(metadata, G_FILE_TEST_IS_REGULAR)) {
        if (!metadata_whole(metadata)) {
            set_error(error, directory, "its metadata is cut off or damaged");
            return FALSE;
        }
        add_directory(groups, directory, metadata);
        return TRUE;
    }
    g_autoptr(GPtrArray) names = list(directory);
    if (!names) {
        set_error(error, directory, reason(directory));
        return FALSE;
    }
    for (guint i = 0; i < names->len && depth < MAX_DEPTH; i++) {
        g_autofree char *path = g_build_filename(directory, g_ptr_array_index(names, i), NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK) &&
            !walk(groups, path, depth + 1, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

GPtrArray *ss_trace_set_find(const char *const *paths, GError **error)
{
    g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func(group_free);
    for (; *paths; paths++) {
        guint before = groups->len;
        if (!walk(groups, *paths, 0, error)) {
            return NULL;
        }
        gboolean any = groups->len > before;
        for (guint i = 0; i < before && !any; i++) {
            SsTraceGroup *group = g_ptr_array_index(groups, i);
            for (guint d = 0; d < group->directories->len; d++) {
                any |= g_str_has_prefix(g_ptr_array_index(group->directories, d), *paths);
            }
        }
        if (!any) {
            set_error(error, *paths, "no CTF metadata at or below it");
            return NULL;
        }
    }
    return g_steal_pointer(&groups);
}
