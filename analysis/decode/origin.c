/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/decode/origin.h"

#include <stdlib.h>
#include <string.h>

char *ss_origin_path(const char *path)
{
    char *real = realpath(path, NULL);
    char *taken = g_strdup(real ? real : path);
    free(real);
    return taken;
}

gint ss_origin_compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *ss_origin_directories(const bt_trace *trace)
{
    GPtrArray *directories = g_ptr_array_new_with_free_func(g_free);
    for (guint64 i = 0; i < bt_trace_get_stream_count(trace); i++) {
        const char *name = bt_stream_get_name(bt_trace_borrow_stream_by_index_const(trace, i));
        /* What a relay daemon calls its streams may be a file here, by accident. */
        if (!name || !g_path_is_absolute(name) || !g_file_test(name, G_FILE_TEST_IS_REGULAR)) {
            continue;
        }
        g_autofree char *directory = g_path_get_dirname(name);
        g_autofree char *path = ss_origin_path(directory);
        g_autofree char *metadata = g_build_filename(path, "metadata", NULL);
        if (g_file_test(metadata, G_FILE_TEST_IS_REGULAR) &&
            !g_ptr_array_find_with_equal_func(directories, path, g_str_equal, NULL)) {
            g_ptr_array_add(directories, g_steal_pointer(&path));
        }
    }
    g_ptr_array_sort(directories, ss_origin_compare);
    return directories;
}
