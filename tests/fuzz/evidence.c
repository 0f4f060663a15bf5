/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fuzzer: evidence in a file, which may be anybody's. What is taken is saved and taken again, and
 * all that a reader of it may ask for is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include <glib/gstdio.h>

#include "analysis/autopsy/evidence.h"
#include "tests/fuzz/fuzz.h"

static char *directory;

static char *path_of(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

static void remove_directory(void)
{
    g_autofree char *path = path_of("evidence.json");
    (void)g_unlink(path);
    (void)g_rmdir(directory);
}

static char *saved(const SsEvidence *evidence, const char *path, gsize *ret_len)
{
    char *text;
    if (!ss_evidence_save(evidence, path, NULL) ||
        !g_file_get_contents(path, &text, ret_len, NULL)) {
        abort();
    }
    return text;
}

static void read_socket(const SsSeenSocket *socket)
{
    SsUnread unread;
    gsize offset = 0;
    gsize before = 0;
    while (ss_unread_next(socket, &offset, &unread)) {
        if (offset <= before || offset > socket->peeked->len || unread.len > unread.size ||
            unread.payload + unread.len > socket->peeked->data + socket->peeked->len) {
            abort();
        }
        before = offset;
    }
}

static void read_look(const SsLook *look, const SsLook *before)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, look->sockets);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        read_socket(value);
    }
    for (guint i = 0; i < look->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(look->channels, i);
        if (!ss_look_process(look, channel->front_pid) || channel->main >= (gint32)i) {
            abort();
        }
        (void)ss_look_socket(look, channel->front_inode);
    }
    for (guint i = 0; i < look->processes->len; i++) {
        const SsSeenProcess *process = g_ptr_array_index(look->processes, i);
        const SsSeenProcess *known = ss_look_process(before, process->pid);
        if (ss_look_process(look, process->pid) != process) {
            abort();
        }
        (void)ss_seen_same(known, process);
        for (guint j = 0; j < process->threads->len; j++) {
            const SsSeenThread *thread = g_ptr_array_index(process->threads, j);
            (void)ss_seen_stood(known ? ss_seen_thread(known, thread->tid) : NULL, thread);
            (void)ss_seen_socket_of(process, thread->fd);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!directory) {
        directory = g_build_filename(g_get_tmp_dir(), "shmemscope-fuzz-XXXXXX", NULL);
        if (!g_mkdtemp(directory)) {
            abort();
        }
        (void)atexit(remove_directory);
    }
    g_autofree char *text = size ? g_memdup2(data, size) : g_strdup("");
    g_autoptr(GError) error = NULL;
    g_autoptr(SsEvidence) evidence = ss_evidence_parse(text, size, "input", &error);
    if (!evidence) {
        if (!error || !g_utf8_validate(error->message, -1, NULL)) {
            abort();
        }
        return 0;
    }
    for (guint i = 0; i < evidence->looks->len; i++) {
        read_look(g_ptr_array_index(evidence->looks, i), g_ptr_array_index(evidence->looks, 0));
    }
    g_autofree char *path = path_of("evidence.json");
    gsize len;
    gsize again_len;
    g_autofree char *once = saved(evidence, path, &len);
    g_autoptr(SsEvidence) loaded = ss_evidence_load(path, NULL);
    if (!loaded) {
        abort();
    }
    g_autofree char *again = saved(loaded, path, &again_len);
    if (len != again_len || memcmp(once, again, len) != 0) {
        abort();
    }
    return 0;
}
