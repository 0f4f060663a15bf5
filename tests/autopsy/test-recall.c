/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What descriptors hide in a socket, from the stack of the thread that sent it: when one thing
 * there fits, and never otherwise.
 */
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

#define HEADER_BYTES 12
#define MAP_BYTES 40
#define MESSAGE_BYTES (HEADER_BYTES + MAP_BYTES)

typedef struct Sender {
    int socket;     /* where it sends, and waits for the answer */
    bool keeps;     /* what it sent is on its stack meanwhile */
    guint8 another; /* 0: nothing else; else so does another payload with the same header */
    guint8 more;    /* bytes that follow in the socket */
} Sender;

/* Neither inlined nor with a header of its own: that would lie on the stack, too, or in what is
 * left of it below, where a sanitizer's frames have holes. */
static __attribute__((noinline)) void fill(guint8 message[MESSAGE_BYTES], guint8 payload)
{
    static const guint32 header[3] = { GUINT32_TO_LE(9), GUINT32_TO_LE(9),
                                       GUINT32_TO_LE(MAP_BYTES) };
    memcpy(message, header, sizeof header);
    memset(message + HEADER_BYTES, payload, MAP_BYTES);
}

/* Header with a descriptor, then payload, as libvhost-user does. */
static void send_message(const Sender *self, const guint8 *message)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec part = { .iov_base = (void *)message, .iov_len = HEADER_BYTES };
    struct msghdr out = { .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof control.bytes };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&out);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &self->socket, sizeof self->socket);
    g_assert_cmpint(sendmsg(self->socket, &out, 0), ==, HEADER_BYTES);
    g_assert_cmpint(send(self->socket, message + HEADER_BYTES, MAP_BYTES, 0), ==, MAP_BYTES);
    for (guint8 i = 0; i < self->more; i++) {
        g_assert_cmpint(send(self->socket, message, 1, 0), ==, 1);
    }
}

/* A sanitizer would have its variables elsewhere than on the stack. */
static __attribute__((no_sanitize("address"))) gpointer send_and_wait(gpointer data)
{
    const Sender *self = data;
    volatile guint8 message[MESSAGE_BYTES];
    volatile guint8 another[MESSAGE_BYTES];
    fill((guint8 *)message, 0x11);
    memset((guint8 *)another, 0, sizeof another);
    if (self->another) {
        fill((guint8 *)another, self->another);
    }
    send_message(self, (const guint8 *)message);
    if (!self->keeps) {
        memset((guint8 *)message, 0, sizeof message);
    }
    char answer;
    (void)recv(self->socket, &answer, 1, 0);
    /* Both are there until now. */
    return GINT_TO_POINTER(message[0] + another[0]);
}

static SsSeenSocket *add_socket(SsLook *look, int fd, int peer)
{
    struct stat file;
    g_assert_cmpint(fstat(fd, &file), ==, 0);
    SsSeenSocket *socket = ss_seen_socket_new(file.st_ino);
    g_assert_cmpint(fstat(peer, &file), ==, 0);
    socket->peer = file.st_ino;
    SsSeenHolder holder = { .pid = (gint32)getpid(), .fd = fd };
    g_array_append_val(socket->holders, holder);
    SsSeenProcess *self = ss_look_process(look, (gint32)getpid());
    ss_peek(socket, self, fd);
    socket->unread_fds = -1;
    g_hash_table_insert(look->sockets, &socket->inode, socket);
    return socket;
}

/* Takes the process into a look as soon as a thread of it stands in the wait for its answer. */
static SsLook *await_wait(int fd)
{
    for (;;) {
        SsLook *look = ss_look_new();
        SsSeenProcess *self = ss_seen_process_new((gint32)getpid());
        g_autoptr(SsSince) since = ss_since_new();
        int dir = ss_proc_open((gint32)getpid());
        ss_fds_read(dir, self);
        ss_threads_read(dir, self, since);
        (void)close(dir);
        ss_look_add(look, self);
        for (guint i = 0; i < self->threads->len; i++) {
            const SsSeenThread *thread = g_ptr_array_index(self->threads, i);
            if (thread->call == SS_CALL_IN && thread->fd == fd) {
                return look;
            }
        }
        ss_look_free(look);
        (void)sched_yield();
    }
}

static void check(Sender *sender, guint recalled)
{
    int ends[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    sender->socket = ends[0];
    GThread *thread = g_thread_new("sender", send_and_wait, sender);
    SsLook *look = await_wait(ends[0]);
    (void)add_socket(look, ends[0], ends[1]);
    const SsSeenSocket *socket = add_socket(look, ends[1], ends[0]);
    g_assert_cmpuint(socket->peeked->len, ==, HEADER_BYTES);
    ss_recall(look);
    g_assert_cmpuint(socket->recalled, ==, recalled);
    g_assert_cmpuint(socket->peeked->len, ==, HEADER_BYTES + recalled);
    g_assert_cmpuint(socket->messages, ==, recalled ? 1 : 0);
    if (recalled) {
        SsUnread unread;
        gsize offset = 0;
        g_assert_true(ss_unread_next(socket, &offset, &unread));
        g_assert_true(unread.is_recalled);
        for (guint i = 0; i < MAP_BYTES; i++) {
            g_assert_cmphex(unread.payload[i], ==, 0x11);
        }
        g_assert_cmpint(socket->recalled_tid, !=, (gint32)getpid());
    } else {
        g_assert_cmpint(socket->recalled_tid, ==, 0);
    }
    ss_look_free(look);
    g_assert_cmpint(send(ends[1], "x", 1, 0), ==, 1);
    g_thread_join(thread);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_one(void)
{
    Sender sender = { .keeps = true };
    check(&sender, MAP_BYTES);
}

static void test_the_same_twice(void)
{
    Sender sender = { .keeps = true, .another = 0x11 };
    check(&sender, MAP_BYTES);
}

static void test_two_that_differ(void)
{
    Sender sender = { .keeps = true, .another = 0x22 };
    check(&sender, 0);
}

static void test_none(void)
{
    Sender sender = { .keeps = false };
    check(&sender, 0);
}

/* Something follows: it is not the last message that the thread waits about. */
static void test_more_follows(void)
{
    Sender sender = { .keeps = true, .more = 3 };
    check(&sender, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/recall/one", test_one);
    g_test_add_func("/recall/the-same-twice", test_the_same_twice);
    g_test_add_func("/recall/two-that-differ", test_two_that_differ);
    g_test_add_func("/recall/none", test_none);
    g_test_add_func("/recall/more-follows", test_more_follows);
    return g_test_run();
}
