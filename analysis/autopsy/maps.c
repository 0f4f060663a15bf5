/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "analysis/autopsy/parts.h"

#define SS_MAX_TEXT (64u << 20)
#define SS_MAX_MAPS 65536
#define SS_MIN_RAM (G_GUINT64_CONSTANT(1) << 20)

/* "7f..-7f.. rw-s 00000000 00:01 2053   /memfd:ram (deleted)" */
static bool parse_line(const char *line, gsize len, SsSeenMap *map)
{
    char *at;
    map->begin = g_ascii_strtoull(line, &at, 16);
    if (*at != '-') {
        return false;
    }
    map->end = g_ascii_strtoull(at + 1, &at, 16);
    const char *end = line + len;
    if (*at != ' ' || end - at < 6 || at[4] != 's') {
        return false;
    }
    map->readable = at[1] == 'r';
    map->writable = at[2] == 'w';
    map->offset = g_ascii_strtoull(at + 6, &at, 16);
    guint64 major = g_ascii_strtoull(at + 1, &at, 16);
    if (*at != ':') {
        return false;
    }
    guint64 minor = g_ascii_strtoull(at + 1, &at, 16);
    map->dev = makedev((unsigned)major, (unsigned)minor);
    map->inode = g_ascii_strtoull(at + 1, &at, 10);
    at += strspn(at, " ");
    map->path = at < end ? ss_evidence_string(at, (gsize)(end - at), 4096) : g_strdup("");
    return true;
}

/* Memory that nobody may touch: "7f..-7f.. ---p 00000000 00:00 0", right behind the map. */
static bool is_guard(const char *line, const SsSeenMap *map)
{
    char *at;
    if (g_ascii_strtoull(line, &at, 16) != map->end || *at != '-') {
        return false;
    }
    (void)g_ascii_strtoull(at + 1, &at, 16);
    return g_str_has_prefix(at, " ---p ");
}

void ss_maps_read(int dir, SsSeenProcess *process)
{
    g_autofree char *text = ss_proc_text(dir, "maps", SS_MAX_TEXT, NULL);
    if (!text) {
        if (errno != ENOENT && errno != ESRCH) {
            ss_process_deny(dir, process, "memory maps", SS_NEEDS_READ, errno);
        }
        return;
    }
    SsSeenMap *before = NULL;
    for (const char *line = text; *line && process->maps->len < SS_MAX_MAPS;) {
        gsize len = strcspn(line, "\n");
        SsSeenMap map = { 0 };
        if (before) {
            before->guarded = is_guard(line, before);
            before = NULL;
        }
        if (parse_line(line, len, &map)) {
            before = g_memdup2(&map, sizeof map);
            g_ptr_array_add(process->maps, before);
        }
        line += len + (line[len] == '\n');
    }
}

bool ss_maps_has(const SsSeenProcess *process, guint64 dev, guint64 inode)
{
    for (guint i = 0; i < process->maps->len; i++) {
        const SsSeenMap *map = g_ptr_array_index(process->maps, i);
        if (map->dev == dev && map->inode == inode) {
            return true;
        }
    }
    return false;
}

typedef struct SsFile {
    guint64 dev, inode;
    guint64 mapped; /* bytes */
} SsFile;

static guint file_hash(gconstpointer key)
{
    const SsFile *file = key;
    return g_int64_hash(&file->inode);
}

static gboolean file_equal(gconstpointer a, gconstpointer b)
{
    const SsFile *one = a;
    const SsFile *other = b;
    return one->dev == other->dev && one->inode == other->inode;
}

bool ss_maps_largest(const SsSeenProcess *process, guint64 *ret_dev, guint64 *ret_inode)
{
    g_autoptr(GHashTable) files = g_hash_table_new_full(file_hash, file_equal, g_free, NULL);
    guint64 most = SS_MIN_RAM - 1;
    for (guint i = 0; i < process->maps->len; i++) {
        const SsSeenMap *map = g_ptr_array_index(process->maps, i);
        if (!map->writable || !map->inode) {
            continue;
        }
        /* RAM may be mapped in parts, below and above a hole. */
        SsFile key = { .dev = map->dev, .inode = map->inode };
        SsFile *file = g_hash_table_lookup(files, &key);
        if (!file) {
            file = g_memdup2(&key, sizeof key);
            g_hash_table_add(files, file);
        }
        file->mapped += map->end - map->begin;
        if (file->mapped > most) {
            most = file->mapped;
            *ret_dev = file->dev;
            *ret_inode = file->inode;
        }
    }
    return most >= SS_MIN_RAM;
}
