/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/fuzz/archive.h"

#include <stdlib.h>

#include <glib/gstdio.h>

const char *const ss_archive_names[SS_ARCHIVE_FILES] = {
    "a/metadata",          "a/stream_0", "a/stream_1", "a/index/stream_0.idx",
    "shmemscope-run.json", "b/metadata", "b/stream_0", "b/stream_1",
};

static void give_up(const char *path, const char *why)
{
    (void)g_fprintf(stderr, "Cannot write: path=\"%s\": %s\n", path, why);
    abort();
}

gsize ss_archive_find(const guint8 *data, gsize size, guint file, gsize *ret_length)
{
    gsize at = MIN(size, SS_ARCHIVE_HEAD);
    *ret_length = 0;
    for (guint i = 0; i <= file && size > SS_ARCHIVE_HEAD; i++) {
        at += *ret_length;
        *ret_length = MIN(data[2 * i] | (gsize)data[2 * i + 1] << 8, size - at);
    }
    return at;
}

void ss_archive_unpack(const guint8 *data, gsize size, const char *directory)
{
    for (guint i = 0; i < SS_ARCHIVE_FILES; i++) {
        g_autofree char *path = g_build_filename(directory, ss_archive_names[i], NULL);
        g_autofree char *parent = g_path_get_dirname(path);
        gsize length = 0;
        gsize at = ss_archive_find(data, size, i, &length);
        (void)g_unlink(path);
        if (!length) {
            (void)g_rmdir(parent); /* only when it is empty */
            continue;
        }
        if (g_mkdir_with_parents(parent, 0700) != 0) {
            give_up(parent, "no directory");
        }
        FILE *file = g_fopen(path, "wbe");
        if (!file || fwrite(data + at, 1, length, file) != length || fclose(file) != 0) {
            give_up(path, "not written");
        }
    }
}
