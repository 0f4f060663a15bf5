/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Labels as the library keeps and tells them, of one file and of more than there is room for.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "note-heard.h"

/* ---- one file ---- */

static void test_taken_away(void)
{
    int fd = make_file(), other = make_file();
    shmemscope_note(fd, "one");
    assert_told(fd, "one", FALSE);
    shmemscope_note(other, "other");
    assert_told(other, "other", FALSE);
    shmemscope_note(fd, "two");
    assert_told(fd, "two", FALSE);
    g_assert_cmpstr(kept(fd), ==, "two");
    shmemscope_note(fd, NULL);
    assert_told(fd, "", FALSE);
    g_assert_null(kept(fd));
    shmemscope_note(fd, "three");
    assert_told(fd, "three", FALSE);
    shmemscope_note(fd, "");
    assert_told(fd, "", FALSE);
    g_assert_null(kept(fd));
    /* What is not there, too: it may be in a recording still. */
    shmemscope_note(fd, NULL);
    assert_told(fd, "", FALSE);
    g_assert_cmpstr(kept(other), ==, "other");
    close_file(fd);
    close_file(other);
}

static void test_errno(void)
{
    int fd = make_file();
    static const char *labels[] = { "label", "", NULL };
    int fds[] = { fd, -1, 1 << 30, fd };
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
        set_recorded(i + 1 < G_N_ELEMENTS(fds));
        for (guint l = 0; l < G_N_ELEMENTS(labels); l++) {
            n_told = 0;
            errno = EXDEV;
            shmemscope_note(fds[i], labels[l]);
            g_assert_cmpint(errno, ==, EXDEV);
            g_assert_cmpuint(n_told, ==, i == 0);
        }
    }
    set_recorded(TRUE);
    n_told = 0;
    close_file(fd);
}

/* As many bytes as fit; of a character that does not, none. */
static void test_cut(void)
{
    static const struct {
        guint letters;
        const char *end; /* behind them, and behind that a megabyte */
        guint kept;      /* of both */
    } cases[] = {
        { 255, "", 255 },
        { 254, "\303\251", 254 },
        { 253, "\303\251", 255 },
        { 253, "\342\202\254", 253 },
        { 252, "\342\202\254", 255 },
        { 254, "\360\237\222\241", 254 },
        { 253, "\360\237\222\241", 253 },
        { 252, "\360\237\222\241", 252 },
        { 251, "\360\237\222\241", 255 },
        /* What is whole is left, whatever comes behind it; and what is no character is as well. */
        { 253, "\303\251\251", 255 },
        { 252, "\342\202\254\254\254", 255 },
        { 250, "\200\200\200\200\200\200\200", 255 },
        { 252, "\377\200\200\200", 255 },
        { 254, "\303x", 255 },
    };
    int fd = make_file();
    shmemscope_note(fd, "short");
    assert_told(fd, "short", FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GString *text = g_string_new(NULL);
        g_string_set_size(text, cases[i].letters);
        memset(text->str, 'a', text->len);
        g_string_append(text, cases[i].end);
        g_autofree char *expected = g_strndup(text->str, cases[i].kept);
        gsize before = text->len;
        g_string_set_size(text, before + (1 << 20));
        memset(text->str + before, 'z', 1 << 20);
        shmemscope_note(fd, text->str);
        assert_told(fd, expected, TRUE);
        g_assert_cmpstr(kept(fd), ==, expected);
        if (cases[i].kept == 255) {
            shmemscope_note(fd, expected);
            assert_told(fd, expected, FALSE);
        }
        g_string_free(text, TRUE);
    }
    close_file(fd);
}

/* ---- another file of the same inode ---- */

static SsWireLabel *place_of(guint64 ino)
{
    SsWireLabel *found = NULL;
    for (guint i = 0; i < PLACES; i++) {
        SsWireLabel *label = &ss_wire_labels[i / SS_WIRE_LABEL_WAYS][i % SS_WIRE_LABEL_WAYS];
        if (label->number && label->ino == ino) {
            g_assert_null(found);
            found = label;
        }
    }
    return found;
}

/* What the library does with its lock, and its tracer may read at that time. */
static void set_birth(int fd, guint64 born_ns)
{
    SsWireGuard guard;
    g_assert_true(ss_wire_enter(&guard));
    place_of(inode(fd))->born_ns = born_ns;
    ss_wire_leave(&guard);
}

static void note_sent(int fd, const SsWireIdentity *identity)
{
    SsWireGuard guard;
    g_assert_true(ss_wire_enter(&guard));
    ss_wire_note_sent(fd, identity);
    ss_wire_leave(&guard);
}

static void forget_all(void)
{
    SsWireGuard guard;
    g_assert_true(ss_wire_enter(&guard));
    memset(ss_wire_labels, 0, sizeof(ss_wire_labels));
    ss_wire_leave(&guard);
}

/* A request of a channel, and with it the file, or none: -1. */
static void send_request(int channel, guint32 request, int fd)
{
    SsWireHeader header = { request, 1, 0 };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec iov = { &header, sizeof(header) };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    g_assert_cmpint(sendmsg(channel, &message, 0), ==, sizeof(header));
}

static void test_reuse(void)
{
    static const struct {
        guint64 noted, sent;
        gboolean other;
    } births[] = { { 7, 7, FALSE }, { 7, 0, FALSE }, { 0, 7, FALSE },
                   { 0, 0, FALSE }, { 7, 8, TRUE },  { 8, 7, TRUE } };
    int fd = make_file(), channel[2];
    struct statx status;
    SsWireIdentity identity;
    g_assert_cmpint(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &status), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(births); i++) {
        g_assert_true(ss_wire_identify(fd, &identity));
        shmemscope_note(fd, "first");
        assert_told(fd, "first", FALSE);
        guint64 born_ns = status.stx_mask & STATX_BTIME
                              ? status.stx_btime.tv_sec * G_GUINT64_CONSTANT(1000000000) +
                                    status.stx_btime.tv_nsec
                              : 0;
        g_assert_cmpuint(place_of(inode(fd))->born_ns, ==, born_ns);
        set_birth(fd, births[i].noted);
        identity.born_ns = births[i].sent;
        note_sent(fd, &identity);
        if (births[i].other) {
            assert_told(fd, "", FALSE);
            g_assert_null(kept(fd));
            /* It is said once. */
            note_sent(fd, &identity);
        }
        g_assert_cmpuint(n_told, ==, 0);
        g_assert_cmpstr(kept(fd), ==, births[i].other ? NULL : "first");
    }
    /* It is seen with the request that brings it along. */
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), ==, 0);
    send_request(channel[0], SS_FRONTEND_GET_FEATURES, -1);
    shmemscope_note(fd, "second");
    assert_told(fd, "second", FALSE);
    send_request(channel[0], SS_FRONTEND_SET_LOG_FD, fd);
    g_assert_cmpuint(n_told, ==, 0);
    if (status.stx_mask & STATX_BTIME) {
        set_birth(fd, place_of(inode(fd))->born_ns - 1);
        send_request(channel[0], SS_FRONTEND_SET_LOG_FD, fd);
        assert_told(fd, "", FALSE);
    }
    close(channel[0]);
    close(channel[1]);
    close_file(fd);
}

/* ---- more files than there is room for ---- */

typedef struct Noted {
    guint64 ino;
    guint64 number;
    gint set; /* -1: not known, as it went too soon */
} Noted;

/* What is kept of them now; who is gone was older than all that are where it was. */
static guint look(Noted *noted, guint n)
{
    g_autoptr(GHashTable) places = g_hash_table_new(g_int64_hash, g_int64_equal);
    guint64 oldest[SS_WIRE_LABEL_SETS] = { 0 };
    guint used[SS_WIRE_LABEL_SETS] = { 0 }, n_kept = 0;
    for (guint i = 0; i < PLACES; i++) {
        guint set = i / SS_WIRE_LABEL_WAYS;
        SsWireLabel *label = &ss_wire_labels[set][i % SS_WIRE_LABEL_WAYS];
        if (label->number) {
            oldest[set] = used[set]++ ? MIN(oldest[set], label->number) : label->number;
            g_assert_true(g_hash_table_insert(places, &label->ino, label));
        }
    }
    for (guint i = 0; i < n; i++) {
        const SsWireLabel *label = g_hash_table_lookup(places, &noted[i].ino);
        if (label) {
            char text[32];
            g_snprintf(text, sizeof(text), "file %u", i);
            g_assert_cmpstr(label->text, ==, text);
            g_assert_cmpuint(label->number, ==, noted[i].number);
            noted[i].set = (gint)((label - &ss_wire_labels[0][0]) / SS_WIRE_LABEL_WAYS);
            n_kept++;
        } else if (noted[i].set >= 0) {
            g_assert_cmpuint(used[noted[i].set], ==, SS_WIRE_LABEL_WAYS);
            g_assert_cmpuint(noted[i].number, <, oldest[noted[i].set]);
        }
    }
    g_assert_cmpuint(n_kept, ==, g_hash_table_size(places));
    return n_kept;
}

static int note_number(Noted *noted, guint i, int fd)
{
    char text[32];
    g_snprintf(text, sizeof(text), "file %u", i);
    shmemscope_note(fd, text);
    noted[i] = (Noted){ .ino = inode(fd), .number = ss_wire_notes, .set = -1 };
    return fd;
}

static void test_eviction(void)
{
    enum {
        FILES = PLACES + PLACES / 4,
        STEP = 1024
    };
    g_autofree Noted *noted = g_new0(Noted, FILES);
    forget_all();
    set_recorded(FALSE);
    int first = note_number(noted, 0, make_file());
    for (guint i = 1; i < FILES; i++) {
        g_assert_cmpint(close(note_number(noted, i, make_file())), ==, 0);
        if (i % STEP == 0) {
            (void)look(noted, i + 1);
            /* By its new label it is a new one. */
            note_number(noted, 0, first);
        }
    }
    guint n_kept = look(noted, FILES);
    /* The sets fill evenly, so that the room is used. */
    g_assert_cmpuint(n_kept, >, PLACES * 7 / 8);
    set_recorded(TRUE);
    tell_again();
    g_assert_cmpuint(n_told, ==, n_kept);
    g_assert_cmpstr(kept(first), ==, "file 0");
    forget_all();
    close_file(first);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    begin_to_hear();
    g_test_add_func("/wire/note/taken-away", test_taken_away);
    g_test_add_func("/wire/note/errno", test_errno);
    g_test_add_func("/wire/note/cut", test_cut);
    g_test_add_func("/wire/note/reuse", test_reuse);
    g_test_add_func("/wire/note/eviction", test_eviction);
    add_tests_of_many();
    return g_test_run();
}
