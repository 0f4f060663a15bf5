/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/decode/streams.h"

#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>

#define PACKET_MAGIC 0xC1FC1FC1u
#define METADATA_MAGIC 0x75D11D57u
/* Offsets in bytes of what LTTng-UST puts at the head of a packet. */
#define AT_CLASS 20
#define AT_INSTANCE 24
#define AT_BEGIN 32
#define AT_END 40
#define AT_CONTENT 48
#define AT_PACKET 56
#define AT_NUMBER 64
#define AT_CPU 80
#define HEAD_BYTES 84
/* CTF index: magic, major, minor, size of an entry; all big-endian. */
#define INDEX_MAGIC 0xC1F1DCC1u
#define INDEX_HEAD_BYTES 16

typedef struct Stream {
    guint64 key; /* its class, and which of those */
    guint32 cpu;
    guint64 first_number, last_number;
    guint64 begin; /* cycles: of the first packet */
    bool open;     /* the last was never closed: it was taken out of memory, with all in it */
    guint64 packets;
    guint64 behind; /* packets the index knows, and the file has not */
} Stream;

static guint64 u64_at(const guint8 *head, guint at)
{
    guint64 value;
    memcpy(&value, head + at, sizeof(value));
    return value;
}

static guint32 u32_at(const guint8 *head, guint at)
{
    guint32 value;
    memcpy(&value, head + at, sizeof(value));
    return value;
}

static Stream *stream_of(GHashTable *streams, guint64 key, guint32 cpu)
{
    Stream *stream = g_hash_table_lookup(streams, &key);
    if (!stream) {
        stream = g_new0(Stream, 1);
        stream->key = key;
        stream->cpu = cpu;
        stream->first_number = G_MAXUINT64;
        g_hash_table_insert(streams, &stream->key, stream);
    }
    return stream;
}

static Stream *take_packet(GHashTable *streams, const guint8 *head)
{
    guint64 key = (guint64)u32_at(head, AT_CLASS) << 32 | (guint32)u64_at(head, AT_INSTANCE);
    Stream *stream = stream_of(streams, key, u32_at(head, AT_CPU));
    guint64 number = u64_at(head, AT_NUMBER);
    if (number < stream->first_number) {
        stream->first_number = number;
        stream->begin = u64_at(head, AT_BEGIN);
    }
    if (!stream->packets || number >= stream->last_number) {
        stream->last_number = number;
        stream->open = u64_at(head, AT_END) == 0;
    }
    stream->packets++;
    return stream;
}

/* How many packets the index of a stream's file knows; 0 when there is none. */
static guint64 indexed(const char *directory, const char *name)
{
    g_autofree char *file_name = g_strdup_printf("%s.idx", name);
    g_autofree char *path = g_build_filename(directory, "index", file_name, NULL);
    FILE *file = g_fopen(path, "rbe");
    guint8 head[INDEX_HEAD_BYTES];
    guint64 packets = 0;
    if (file && fread(head, 1, sizeof(head), file) == sizeof(head) &&
        GUINT32_FROM_BE(u32_at(head, 0)) == INDEX_MAGIC && fseek(file, 0, SEEK_END) == 0) {
        guint32 entry = GUINT32_FROM_BE(u32_at(head, 12));
        long size = ftell(file);
        packets = entry && size > INDEX_HEAD_BYTES ? (guint64)(size - INDEX_HEAD_BYTES) / entry : 0;
    }
    if (file) {
        (void)fclose(file);
    }
    return packets;
}

static void look_at_file(GHashTable *streams, const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    FILE *file = g_fopen(path, "rbe");
    guint8 head[HEAD_BYTES];
    Stream *stream = NULL;
    guint64 packets = 0;
    while (file && fread(head, 1, sizeof(head), file) == sizeof(head) &&
           u32_at(head, 0) == PACKET_MAGIC) {
        guint64 bytes = u64_at(head, AT_PACKET) / 8;
        if (bytes < HEAD_BYTES || bytes > G_MAXLONG) {
            break;
        }
        stream = take_packet(streams, head);
        packets++;
        if (fseek(file, (long)(bytes - HEAD_BYTES), SEEK_CUR) != 0) {
            break;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    guint64 known = stream ? indexed(directory, name) : 0;
    if (known > packets) {
        stream->behind += known - packets;
    }
}

/* Files of which only the index is there. */
static guint without_file(const char *directory)
{
    g_autofree char *indices = g_build_filename(directory, "index", NULL);
    GDir *dir = g_dir_open(indices, 0, NULL);
    guint missing = 0;
    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        if (g_str_has_suffix(name, ".idx")) {
            g_autofree char *stem = g_strndup(name, strlen(name) - strlen(".idx"));
            g_autofree char *path = g_build_filename(directory, stem, NULL);
            missing += indexed(directory, stem) && !g_file_test(path, G_FILE_TEST_IS_REGULAR);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    return missing;
}

/* The tracer's own metadata is in packets. Where it is plain text somebody else has written the
 * files anew, babeltrace2 for one, and what stands where in a packet is theirs. */
static bool of_tracer(const char *directory)
{
    g_autofree char *path = g_build_filename(directory, "metadata", NULL);
    FILE *file = g_fopen(path, "rbe");
    guint8 magic[4] = { 0 };
    bool read = file && fread(magic, 1, sizeof(magic), file) == sizeof(magic);
    if (file) {
        (void)fclose(file);
    }
    return read && u32_at(magic, 0) == METADATA_MAGIC;
}

static void look_at_directory(GHashTable *streams, const char *directory)
{
    if (!of_tracer(directory)) {
        return;
    }
    GDir *dir = g_dir_open(directory, 0, NULL);
    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        if (*name != '.' && !g_str_equal(name, "metadata")) {
            look_at_file(streams, directory, name);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
}

/* LTTng makes a stream for each CPU, numbered from 0: one that is left out is missing. */
static guint left_out(GHashTable *streams)
{
    guint64 most = 0;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, streams);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        most = MAX(most, ((const Stream *)value)->cpu);
    }
    guint missing = 0;
    /* No machine has more; a hostile trace may say so. */
    for (guint64 cpu = 0; cpu < most && most < 65536; cpu++) {
        bool found = false;
        g_hash_table_iter_init(&iter, streams);
        while (!found && g_hash_table_iter_next(&iter, NULL, &value)) {
            found = ((const Stream *)value)->cpu == cpu;
        }
        missing += !found;
    }
    return missing;
}

SsStreams ss_streams_look(const GPtrArray *directories)
{
    g_autoptr(GHashTable) streams =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    SsStreams ret = { 0 };
    guint no_file = 0;
    for (guint i = 0; i < directories->len; i++) {
        look_at_directory(streams, g_ptr_array_index(directories, i));
        no_file += without_file(g_ptr_array_index(directories, i));
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, streams);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Stream *stream = value;
        if (stream->first_number > 0) {
            ret.from_cycles = MAX(ret.from_cycles, stream->begin);
        }
        ret.extract |= stream->open && !stream->behind;
    }
    ret.missing = MAX(no_file, left_out(streams));
    return ret;
}
