/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parser of one direction: messages come out as they went in, however they are cut.
 */
#include <glib.h>
#include <string.h>

#include "plugin/wire/stream.h"
#include "ss-names.h"

#define MESSAGES 40

typedef struct Told {
    SsWireHeader header;
    guint32 n_fds;
    guint32 sum; /* of the payload, as far as it is kept */
} Told;

static guint32 sum_of(const guint8 *bytes, gsize length)
{
    guint32 sum = 1;
    for (gsize i = 0; i < length; i++) {
        sum = sum * 31 + bytes[i];
    }
    return sum;
}

static void note(const SsWireStream *stream, void *data)
{
    GArray *told = data;
    Told one = {
        .header = stream->header,
        .n_fds = stream->n_fds,
        .sum = sum_of(stream->payload, MIN(stream->header.size, SS_WIRE_PAYLOAD_MAX)),
    };
    g_array_append_val(told, one);
    g_assert_cmpuint(stream->seq, ==, told->len);
    g_assert_cmpuint(stream->got, ==, sizeof(SsWireHeader) + stream->header.size);
}

/* A stream of messages, what is to be told of them, and where each begins. */
static GByteArray *make_stream(GRand *random, GArray *expected, GArray *begins)
{
    static const guint32 sizes[] = { 0, 1, 7, 8, 40, 264, 2056, 2057, 70000 };
    GByteArray *bytes = g_byte_array_new();
    for (int i = 0; i < MESSAGES; i++) {
        guint32 at = bytes->len;
        Told one = { .header = {
                         .request = (guint32)g_rand_int_range(random, 1, 60),
                         .flags = SS_WIRE_FLAG_VERSION | (g_rand_int(random) & 0xfffffffc),
                         .size = sizes[g_rand_int_range(random, 0, G_N_ELEMENTS(sizes))],
                     } };
        g_array_append_val(begins, at);
        g_byte_array_append(bytes, (const guint8 *)&one.header, sizeof(one.header));
        at = bytes->len;
        for (guint32 k = 0; k < one.header.size; k++) {
            guint8 byte = (guint8)g_rand_int(random);
            g_byte_array_append(bytes, &byte, 1);
        }
        one.sum = sum_of(bytes->data + at, MIN(one.header.size, SS_WIRE_PAYLOAD_MAX));
        g_array_append_val(expected, one);
    }
    return bytes;
}

/* Cuts the next @length bytes into pieces for one call; the last one is longer than it need be. */
static gsize cut_iov(GRand *random, guint8 *bytes, gsize length, struct iovec *iov, gsize room)
{
    gsize count = 0, done = 0;
    while (done < length && count < room - 1) {
        gsize piece = (gsize)g_rand_int_range(random, 0, (gint32)(length - done) + 1);
        iov[count++] = (struct iovec){ bytes + done, piece };
        done += piece;
    }
    iov[count++] = (struct iovec){ bytes + done, length - done + 5 };
    return count;
}

static gsize a_length(GRand *random, gsize left)
{
    gsize most = g_rand_int_range(random, 0, 3) ? 30 : 5000;
    return (gsize)g_rand_int_range(random, 1, (gint32)MIN(left, most) + 1);
}

static void test_any_pieces(void)
{
    for (guint32 seed = 1; seed <= 120; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        g_autoptr(GArray) expected = g_array_new(FALSE, FALSE, sizeof(Told));
        g_autoptr(GArray) begins = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_autoptr(GArray) told = g_array_new(FALSE, FALSE, sizeof(Told));
        g_autoptr(GByteArray) bytes = make_stream(random, expected, begins);
        g_byte_array_set_size(bytes, bytes->len + 8); /* what a piece claims beyond the end */
        g_autofree SsWireStream *stream = g_new0(SsWireStream, 1);
        for (gsize at = 0; at < bytes->len - 8;) {
            gsize length = a_length(random, bytes->len - 8 - at);
            struct iovec iov[12];
            (void)cut_iov(random, bytes->data + at, length, iov, G_N_ELEMENTS(iov));
            /* Descriptors end a read: they are the last message's that begins in it. */
            guint32 expected_begin = 0, message = 0;
            bool begins_here = false;
            for (guint32 i = 0; i < begins->len; i++) {
                guint32 begin = g_array_index(begins, guint32, i);
                if (begin >= at && begin < at + length) {
                    expected_begin = begin - (guint32)at;
                    begins_here = true;
                }
                if (begin < at + length) {
                    message = i;
                }
            }
            gsize before = ss_wire_stream_last_begin(stream, iov, length);
            g_assert_cmpuint(before, ==, expected_begin);
            ss_wire_stream_feed(stream, iov, 0, before, seed, note, told);
            if (begins_here) {
                g_array_index(expected, Told, message).n_fds++;
                stream->n_fds++;
            }
            ss_wire_stream_feed(stream, iov, before, length - before, seed, note, told);
            g_assert_cmpint(stream->broken, ==, SS_WIRE_SOUND);
            at += length;
        }
        g_assert_cmpuint(told->len, ==, MESSAGES);
        g_assert_cmpuint(stream->got, ==, 0);
        g_assert_cmpmem(told->data, told->len * sizeof(Told), expected->data,
                        expected->len * sizeof(Told));
    }
}

static void never(const SsWireStream *stream, void *data)
{
    g_assert_not_reached();
}

static SsWireBroken judge(SsWireHeader header)
{
    g_autofree SsWireStream *stream = g_new0(SsWireStream, 1);
    struct iovec iov = { &header, sizeof(header) };
    ss_wire_stream_feed(stream, &iov, 0, sizeof(header), 0, never, NULL);
    return stream->broken;
}

static void test_what_none_can_be(void)
{
    g_assert_cmpint(judge((SsWireHeader){ 5, 0x1, 8 }), ==, SS_WIRE_SOUND);
    g_assert_cmpint(judge((SsWireHeader){ 5, 0x0, 8 }), ==, SS_WIRE_NOT_VHOST_USER);
    g_assert_cmpint(judge((SsWireHeader){ 5, 0x2, 8 }), ==, SS_WIRE_NOT_VHOST_USER);
    g_assert_cmpint(judge((SsWireHeader){ 0, 0x1, 8 }), ==, SS_WIRE_NOT_VHOST_USER);
    g_assert_cmpint(judge((SsWireHeader){ 5, 0x1, SS_WIRE_SIZE_MAX + 1 }), ==, SS_WIRE_TOO_LONG);
}

/* Nothing is believed behind a header that none can be. */
static void test_broken_for_good(void)
{
    g_autoptr(GArray) told = g_array_new(FALSE, FALSE, sizeof(Told));
    g_autofree SsWireStream *stream = g_new0(SsWireStream, 1);
    SsWireHeader headers[] = { { 1, 0x1, 0 }, { 1, 0x3, 0 }, { 1, 0x1, 0 } };
    struct iovec iov = { headers, sizeof(headers) };
    ss_wire_stream_feed(stream, &iov, 0, sizeof(headers), 0, note, told);
    g_assert_cmpuint(told->len, ==, 1);
    g_assert_cmpint(stream->broken, ==, SS_WIRE_NOT_VHOST_USER);
}

static void test_first_bytes(void)
{
    SsWireHeader first = { SS_FRONTEND_GET_FEATURES, 0x1, 0 };
    const guint8 *bytes = (const guint8 *)&first;
    for (gsize length = 0; length < sizeof(first); length++) {
        g_assert_cmpint(ss_wire_first(bytes, length), ==, SS_WIRE_FIRST_UNDECIDED);
    }
    g_assert_cmpint(ss_wire_first(bytes, sizeof(first)), ==, SS_WIRE_FIRST_REQUEST);
    g_assert_cmpint(ss_wire_first(bytes, 400), ==, SS_WIRE_FIRST_REQUEST);
    first.flags = 0x9;
    g_assert_cmpint(ss_wire_first(bytes, sizeof(first)), ==, SS_WIRE_FIRST_REQUEST);
    first.flags = 0x5; /* nobody begins with a reply */
    g_assert_cmpint(ss_wire_first(bytes, sizeof(first)), ==, SS_WIRE_FIRST_OTHER);
    first.flags = 0x0; /* vhost-user-gpu has no version */
    g_assert_cmpint(ss_wire_first(bytes, sizeof(first)), ==, SS_WIRE_FIRST_OTHER);
    first = (SsWireHeader){ SS_FRONTEND_GET_FEATURES, 0x1, 8 };
    g_assert_cmpint(ss_wire_first(bytes, sizeof(first)), ==, SS_WIRE_FIRST_OTHER);
    g_assert_cmpint(ss_wire_first((const guint8 *)"{\"QMP\"", 6), ==, SS_WIRE_FIRST_OTHER);
}

static void test_who_asks(void)
{
    SsWireHeader get = { SS_FRONTEND_GET_FEATURES, 0x1, 0 };
    SsWireHeader table = { SS_FRONTEND_SET_MEM_TABLE, 0x1, 8 };
    SsWireHeader table_ack = { SS_FRONTEND_SET_MEM_TABLE, 0x9, 8 };
    SsWireHeader reply = { SS_FRONTEND_GET_FEATURES, 0x5, 8 };
    SsWireHeader lookup = { SS_BACKEND_SHARED_OBJECT_LOOKUP, 0x1, 16 };
    g_assert_true(ss_wire_asks(&get, false, false));
    g_assert_false(ss_wire_asks(&get, true, false)); /* another request there */
    g_assert_false(ss_wire_asks(&table, false, true));
    g_assert_true(ss_wire_asks(&table_ack, false, true));
    g_assert_false(ss_wire_asks(&table_ack, false, false));
    g_assert_false(ss_wire_asks(&reply, false, true));
    g_assert_true(ss_wire_asks(&lookup, true, false));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/stream/any-pieces", test_any_pieces);
    g_test_add_func("/wire/stream/what-none-can-be", test_what_none_can_be);
    g_test_add_func("/wire/stream/broken-for-good", test_broken_for_good);
    g_test_add_func("/wire/stream/first-bytes", test_first_bytes);
    g_test_add_func("/wire/stream/who-asks", test_who_asks);
    return g_test_run();
}
