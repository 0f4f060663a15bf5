/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel.h"
#include "control.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    int ours;
    int theirs;
} Pair;

static Pair new_pair(void)
{
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    return (Pair){ .ours = ends[0], .theirs = ends[1] };
}

static void close_pair(Pair pair)
{
    g_assert_cmpint(close(pair.ours), ==, 0);
    g_assert_cmpint(close(pair.theirs), ==, 0);
}

/* Reads all there is, and how many descriptors came with it (they are closed). */
static size_t receive(int fd, uint8_t *bytes, size_t room, unsigned *ret_fds)
{
    char control[CMSG_SPACE(SS_CHANNEL_MAX_FDS * sizeof(int))];
    struct iovec part = { .iov_base = bytes, .iov_len = room };
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT);
    struct cmsghdr *rights;

    g_assert_cmpint(count, >, 0);
    *ret_fds = 0;
    rights = CMSG_FIRSTHDR(&message);
    if (rights != NULL) {
        *ret_fds = (unsigned)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < *ret_fds; i++) {
            int passed;

            memcpy(&passed, CMSG_DATA(rights) + i * sizeof(int), sizeof(passed));
            g_assert_cmpint(close(passed), ==, 0);
        }
    }
    return (size_t)count;
}

static void test_layout(void)
{
    static const uint8_t expected[] = {
        9,    0,    0, 0, 9, 0, 0, 0,    40, 0, 0, 0, /* request, flags, size */
        7,    0,    0, 0, 0, 0, 0, 0,                 /* shmid and padding */
        0x00, 0x10, 0, 0, 0, 0, 0, 0,                 /* fd_offset */
        0x00, 0x20, 0, 0, 0, 0, 0, 0x80,              /* shm_offset */
        0x00, 0x30, 0, 0, 0, 0, 0, 0,                 /* len */
        1,    0,    0, 0, 0, 0, 0, 0,                 /* flags */
    };
    SsChannelMessage message = {
        .request = 9,
        .flags = SS_CHANNEL_VERSION | SS_CHANNEL_NEED_REPLY,
        .size = SS_CHANNEL_SHMEM_SIZE,
        .shmid = 7,
        .fd_offset = 0x1000,
        .shm_offset = UINT64_C(0x8000000000002000),
        .len = 0x3000,
        .map_flags = 1,
    };
    Pair pair = new_pair();
    uint8_t bytes[256];
    unsigned fds;

    g_assert_true(G_BYTE_ORDER == G_LITTLE_ENDIAN);
    g_assert_true(ss_channel_send(pair.ours, &message, NULL));
    g_assert_cmpmem(bytes, receive(pair.theirs, bytes, sizeof(bytes), &fds), expected,
                    sizeof(expected));
    g_assert_cmpuint(fds, ==, 0);
    close_pair(pair);
}

static void test_odd_messages(void)
{
    static const struct {
        unsigned size;
        unsigned cut;
        unsigned fds;
        size_t sent;
    } cases[] = {
        { 40, 0, 1, 52 },   { 40, 0, 8, 52 }, { 0, 0, 64, 12 },   { 39, 0, 0, 51 },
        { 100, 0, 2, 112 }, { 40, 6, 0, 6 },  { 40, 100, 0, 52 },
    };
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(file, >=, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        SsChannelMessage message = {
            .request = 9,
            .size = cases[i].size,
            .cut = cases[i].cut,
            .fds = cases[i].fds,
            .fd = file,
        };
        Pair pair = new_pair();
        uint8_t bytes[256];
        unsigned fds;

        g_assert_true(ss_channel_send(pair.ours, &message, NULL));
        g_assert_cmpuint(receive(pair.theirs, bytes, sizeof(bytes), &fds), ==, cases[i].sent);
        g_assert_cmpuint(fds, ==, cases[i].fds);
        close_pair(pair);
    }
    g_assert_cmpint(close(file), ==, 0);
}

static void test_too_much(void)
{
    SsChannelMessage fds = { .request = 9, .size = 40, .fds = SS_CHANNEL_MAX_FDS + 1 };
    SsChannelMessage bytes = { .request = 9, .size = SS_CHANNEL_MAX_PAYLOAD + 1 };
    g_autoptr(GError) error = NULL;
    Pair pair = new_pair();

    g_assert_false(ss_channel_send(pair.ours, &fds, &error));
    g_assert_cmpstr(error->message, ==,
                    "Cannot write to back-end channel: more descriptors or "
                    "bytes than this back-end can send");
    g_assert_false(ss_channel_send(pair.ours, &bytes, NULL));
    close_pair(pair);
}

static void send_reply(int fd, uint32_t request, uint32_t flags, uint32_t size, uint64_t value)
{
    uint32_t header[3] = { request, flags, size };

    g_assert_cmpint(write(fd, header, sizeof(header)), ==, sizeof(header));
    g_assert_cmpint(write(fd, &value, sizeof(value)), ==, sizeof(value));
}

static void test_reply(void)
{
    Pair pair = new_pair();
    uint64_t value = 42;

    send_reply(pair.theirs, 9, 5, 8, 0);
    g_assert_true(ss_channel_read_reply(pair.ours, 9, &value, NULL));
    g_assert_cmpuint(value, ==, 0);
    send_reply(pair.theirs, 10, 5, 8, UINT64_MAX - 1);
    g_assert_true(ss_channel_read_reply(pair.ours, 10, &value, NULL));
    g_assert_cmpuint(value, ==, UINT64_MAX - 1);
    close_pair(pair);
}

static void test_no_reply(void)
{
    static const uint32_t wrong[][3] = { { 10, 5, 8 }, { 9, 1, 8 }, { 9, 5, 12 } };
    uint64_t value = 42;

    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        Pair pair = new_pair();

        send_reply(pair.theirs, wrong[i][0], wrong[i][1], wrong[i][2], 0);
        g_assert_false(ss_channel_read_reply(pair.ours, 9, &value, &error));
        g_assert_true(g_str_has_prefix(error->message, "Cannot understand back-end channel: "));
        g_assert_cmpuint(value, ==, 42);
        close_pair(pair);
    }
}

static void test_end(void)
{
    SsChannelMessage message = { .request = 9, .size = 40 };
    g_autoptr(GError) error = NULL;
    Pair pair = new_pair();
    uint64_t value = 42;

    /* Half a header, and then nothing. */
    g_assert_cmpint(write(pair.theirs, "123456", 6), ==, 6);
    g_assert_cmpint(shutdown(pair.theirs, SHUT_RDWR), ==, 0);
    g_assert_false(ss_channel_read_reply(pair.ours, 9, &value, &error));
    g_assert_cmpstr(error->message, ==, "Cannot read back-end channel: the front-end closed it");
    g_clear_error(&error);
    g_assert_false(ss_channel_send(pair.ours, &message, &error));
    g_assert_cmpstr(error->message, ==, "Cannot write to back-end channel: Broken pipe");
    close_pair(pair);
}

static void test_signals(void)
{
    g_autoptr(GError) error = NULL;
    gboolean ended = FALSE;
    SsControl *control;
    int ends[2];
    int wake = eventfd(0, EFD_CLOEXEC);

    g_assert_cmpint(pipe(ends), ==, 0);
    control = ss_control_new(ends[0], wake, &error);
    g_assert_no_error(error);

    /* A line in two pieces, and one that comes before it is awaited. */
    g_assert_cmpint(write(ends[1], "early\ng", 7), ==, 7);
    g_assert_cmpint(write(ends[1], "o\n", 2), ==, 2);
    g_assert_true(ss_control_wait(control, "go"));
    g_assert_true(ss_control_take(control, "early", &ended));
    g_assert_false(ss_control_take(control, "early", &ended));
    g_assert_false(ended);

    g_assert_cmpint(close(ends[1]), ==, 0);
    g_assert_false(ss_control_wait(control, "go"));
    g_assert_false(ss_control_take(control, "go", &ended));
    g_assert_true(ended);
    ss_control_free(control);
    g_assert_cmpint(close(ends[0]), ==, 0);
    g_assert_cmpint(close(wake), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/channel/layout", test_layout);
    g_test_add_func("/channel/odd-messages", test_odd_messages);
    g_test_add_func("/channel/too-much", test_too_much);
    g_test_add_func("/channel/reply", test_reply);
    g_test_add_func("/channel/no-reply", test_no_reply);
    g_test_add_func("/channel/end", test_end);
    g_test_add_func("/control/signals", test_signals);
    return g_test_run();
}
