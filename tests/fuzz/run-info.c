/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fuzzer: the record of a run that `shmemscope record` leaves beside the trace. The first byte
 * says whether the state at some time is asked for.
 */
#include <stdlib.h>

#include <glib/gstdio.h>

#include "analysis/decode/run-info.h"
#include "tests/fuzz/fuzz.h"

static char *directory;

static void remove_directory(void)
{
    g_autofree char *path = g_build_filename(directory, SS_RUN_INFO_NAME, NULL);
    (void)g_unlink(path);
    (void)g_rmdir(directory);
}

static char *path_of_record(void)
{
    if (!directory) {
        directory = g_build_filename(g_get_tmp_dir(), "shmemscope-fuzz-XXXXXX", NULL);
        if (!g_mkdtemp(directory)) {
            abort();
        }
        (void)atexit(remove_directory);
    }
    return g_build_filename(directory, SS_RUN_INFO_NAME, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *path = path_of_record();
    g_autoptr(GPtrArray) diagnostics = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(SsModel) model = ss_model_new();
    guint trace = ss_model_add_trace(model, "run", "", "host");
    FILE *file = g_fopen(path, "wbe");
    if (!file || (size > 1 && fwrite(data + 1, 1, size - 1, file) != size - 1) ||
        fclose(file) != 0) {
        abort();
    }
    /* Processes that it may tell of. */
    for (gint32 pid = 1; pid <= 3; pid++) {
        SsEvent event = { .id = SS_EVENT_MEMORY_COMMIT_END, .trace = trace, .ns = pid * 1000 };
        event.pid = event.tid = pid;
        ss_model_event(model, &event);
    }
    ss_run_info_read(model, directory, size && data[0] & 1 ? 2000 : 0, diagnostics);
    ss_model_finish(model);
    for (guint i = 0; i < diagnostics->len; i++) {
        if (!g_utf8_validate(g_ptr_array_index(diagnostics, i), -1, NULL)) {
            abort();
        }
    }
    return 0;
}
