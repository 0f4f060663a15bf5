/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver against the other end of its two sockets, played from a script. */
#include "command.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An answer that is none: the other end hangs up. */
static const char hang_up[] = "hang up";

/* The other end: for each line it reads it sends the next answer of the script, and nothing
 * after the last one. */
typedef struct {
    int fd;                     /* owned */
    const char *const *answers; /* NULL-terminated */
    GPtrArray *read;            /* owned, of char * */
    GThread *thread;
} Peer;

static void *play(void *data)
{
    Peer *peer = data;
    const char *const *next = peer->answers;
    FILE *stream = fdopen(peer->fd, "r+");
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stream) >= 0) {
        const char *answer = *next != NULL ? *next++ : "";

        if (answer == hang_up) {
            break;
        }
        g_ptr_array_add(peer->read, g_strndup(line, strcspn(line, "\n")));
        g_assert_cmpint(write(peer->fd, answer, strlen(answer)), ==, strlen(answer));
    }
    free(line);
    (void)fclose(stream);
    return NULL;
}

static SsLines *begin(Peer *peer, const char *const *answers, const char *greeting)
{
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    g_assert_cmpint(write(ends[1], greeting, strlen(greeting)), ==, strlen(greeting));
    peer->fd = ends[1];
    peer->answers = answers;
    peer->read = g_ptr_array_new_with_free_func(g_free);
    peer->thread = g_thread_new("peer", play, peer);
    return ss_lines_new(ends[0], "the peer");
}

/* After the driver's end has closed its side. */
static void end(Peer *peer)
{
    g_thread_join(peer->thread);
    g_ptr_array_unref(peer->read);
}

static const char *read_by(const Peer *peer, unsigned index)
{
    g_assert_cmpuint(index, <, peer->read->len);
    return g_ptr_array_index(peer->read, index);
}

static gint64 soon(void)
{
    return g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
}

static void test_lines(void)
{
    static const char *const answers[] = { "one\r\ntwo\nthr", "ee\n", hang_up, NULL };
    g_autoptr(GError) error = NULL;
    Peer peer;
    g_autoptr(SsLines) lines = begin(&peer, answers, "");
    g_autofree char *one = NULL;
    g_autofree char *two = NULL;
    g_autofree char *three = NULL;

    g_assert_true(ss_lines_send(lines, "a", soon(), NULL));
    one = ss_lines_receive(lines, soon(), NULL);
    two = ss_lines_receive(lines, soon(), NULL);
    g_assert_cmpstr(one, ==, "one");
    g_assert_cmpstr(two, ==, "two");

    /* Half a line is none, and is kept for later. */
    g_assert_null(ss_lines_receive(lines, g_get_monotonic_time() + 50000, &error));
    g_assert_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_TIMEOUT);
    g_clear_error(&error);
    g_assert_true(ss_lines_send(lines, "b", soon(), NULL));
    three = ss_lines_receive(lines, soon(), NULL);
    g_assert_cmpstr(three, ==, "three");

    g_assert_true(ss_lines_send(lines, "c", soon(), NULL));
    g_assert_null(ss_lines_receive(lines, soon(), &error));
    g_assert_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_GONE);
    end(&peer);
}

static void test_connect(void)
{
    g_autofree char *long_path = g_strnfill(200, 'x');
    g_autoptr(GError) error = NULL;

    g_assert_null(ss_lines_connect("/nonexistent/sock", "qtest", &error));
    g_assert_cmpstr(error->message, ==,
                    "Cannot connect to qtest: path=\"/nonexistent/sock\": "
                    "No such file or directory");
    g_clear_error(&error);
    g_assert_null(ss_lines_connect(long_path, "qtest", &error));
    g_assert_true(g_str_has_suffix(error->message, "File name too long"));
}

static void test_qtest(void)
{
    static const char *const answers[] = {
        "OK\n",        "OK 0xcafe\n", "IRQ raise 3\nOK 0x1122334455667788\n",
        "FAIL what\n", "OK\n",        "OK hello\n",
        "OK\n",        NULL,
    };
    Peer peer;
    g_autoptr(SsQtest) qtest = ss_qtest_new(begin(&peer, answers, ""));
    g_autoptr(GError) error = NULL;
    uint64_t value = 0;
    uint32_t port = 0;

    ss_qtest_set_deadline(qtest, soon());
    g_assert_true(ss_qtest_out(qtest, 4, 0xcf8, 0x80000800, NULL));
    g_assert_true(ss_qtest_in(qtest, 2, 0xcfe, &port, NULL));
    g_assert_cmpuint(port, ==, 0xcafe);
    g_assert_true(ss_qtest_read(qtest, 8, UINT64_C(0x802000008), &value, NULL));
    g_assert_cmpuint(value, ==, UINT64_C(0x1122334455667788));

    g_assert_false(ss_qtest_write(qtest, 1, 5, 6, &error));
    g_assert_cmpstr(error->message, ==, "qtest refuses: \"FAIL what\"");
    g_clear_error(&error);
    g_assert_false(ss_qtest_read(qtest, 8, 0, &value, &error));
    g_assert_true(g_str_has_prefix(error->message, "qtest gives no number for: "));
    g_clear_error(&error);
    g_assert_false(ss_qtest_read(qtest, 8, 0, &value, &error));
    g_assert_cmpstr(error->message, ==, "qtest gives no number but: \"hello\"");
    g_assert_true(ss_qtest_clear(qtest, 0x100000, 0x3000, NULL));
    g_assert_cmpstr(read_by(&peer, 0), ==, "outl 0xcf8 0x80000800");
    g_assert_cmpstr(read_by(&peer, 1), ==, "inw 0xcfe");
    g_assert_cmpstr(read_by(&peer, 2), ==, "readq 0x802000008");
    g_assert_cmpstr(read_by(&peer, 3), ==, "writeb 0x5 0x6");
    g_assert_cmpstr(read_by(&peer, 6), ==, "memset 0x100000 0x3000 0x0");
    g_clear_pointer(&qtest, ss_qtest_free);
    end(&peer);
}

/* An answer that comes after its command was given up is not the next command's. */
static void test_late_answers(void)
{
    static const char *const answers[] = { "", "OK 0x1\nOK 0x2\n", NULL };
    Peer peer;
    g_autoptr(SsQtest) qtest = ss_qtest_new(begin(&peer, answers, ""));
    g_autoptr(GError) error = NULL;
    uint64_t value = 0;

    ss_qtest_set_deadline(qtest, g_get_monotonic_time() + 50000);
    g_assert_false(ss_qtest_read(qtest, 8, 0, &value, &error));
    g_assert_error(error, SS_DRIVE_ERROR, SS_DRIVE_ERROR_TIMEOUT);
    ss_qtest_set_deadline(qtest, soon());
    g_assert_true(ss_qtest_read(qtest, 8, 8, &value, NULL));
    g_assert_cmpuint(value, ==, 2);
    g_clear_pointer(&qtest, ss_qtest_free);
    end(&peer);
}

#define GREETING "{\"QMP\": {}}\r\n"

static void test_qmp(void)
{
    static const char *const answers[] = {
        "{\"return\": {}, \"id\": 1}\r\n",
        "{\"event\": \"STOP\"}\n{\"return\": {\"running\": true}, \"id\": 2}\n",
        "{\"error\": {\"class\": \"X\", \"desc\": \"no such\\nthing\"}, \"id\": 3}\n",
        "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/x\"}}\n"
        "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"dev1\"}}\n"
        "{\"return\": {}, \"id\": 4}\n"
        "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"dev0\"}}\n",
        "[]\n",
        NULL,
    };
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    Peer peer;
    g_autoptr(SsQmp) qmp = ss_qmp_new(begin(&peer, answers, GREETING), soon(), &error);

    g_assert_no_error(error);
    ss_qmp_set_deadline(qmp, soon());
    answer = ss_qmp_execute(qmp, "{\"execute\": \"query-status\", \"id\": \"mine\"}", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(answer, ==, "{\"running\":true}");
    g_assert_null(ss_qmp_execute(qmp, "{\"execute\": \"stop\"}", &error));
    g_assert_cmpstr(error->message, ==, "no such\nthing");
    g_clear_error(&error);
    g_assert_null(ss_qmp_execute(qmp, "stop", &error));
    g_assert_cmpstr(error->message, ==, "no JSON object: \"stop\"");
    g_clear_error(&error);

    g_assert_true(ss_qmp_device_del(qmp, "dev0", &error));
    g_assert_no_error(error);
    g_assert_true(ss_qmp_await_deleted(qmp, "dev0", &error));
    g_assert_true(ss_qmp_await_deleted(qmp, "dev1", &error));
    g_assert_cmpstr(read_by(&peer, 3), ==,
                    "{\"execute\":\"device_del\",\"arguments\":{\"id\":"
                    "\"dev0\"},\"id\":4}");
    g_assert_null(ss_qmp_execute(qmp, "{\"execute\": \"stop\"}", &error));
    g_assert_cmpstr(error->message, ==, "QMP sent no object: \"[]\"");
    g_clear_pointer(&qmp, ss_qmp_free);
    end(&peer);
}

static void test_qmp_greeting(void)
{
    static const char *const none[] = { NULL };
    g_autoptr(GError) error = NULL;
    Peer peer;

    g_assert_null(ss_qmp_new(begin(&peer, none, "{}\n"), soon(), &error));
    g_assert_cmpstr(error->message, ==, "QMP sent no greeting");
    end(&peer);
}

/* What a command answers: the driver with a qtest of this script and a silent QMP. */
static void test_commands(void)
{
    static const char *const qmp_answers[] = {
        "{\"return\": {}, \"id\": 1}\n",
        "{\"error\": {\"desc\": \"two\\nlines\"}, \"id\": 2}\n",
        NULL,
    };
    static const char *const no_answers[] = { NULL };
    static const struct {
        const char *line;
        const char *answer;
    } cases[] = {
        { "frobnicate", "error command \"frobnicate\" is not known" },
        { "start now", "error usage: start" },
        { "unplug", "error usage: unplug ID" },
        { "read 0", "error usage: read SHMID OFFSET" },
        { "write 0 0", "error usage: write SHMID OFFSET VALUE" },
        { "read 0 0", "error no device was started" },
        { "reset", "error no device was started" },
        { "bar", "error no device was started" },
        { "unplug dev0", "error no device was started" },
        { "timeout 0", "error a timeout is 1 to 2147483647 ms" },
        { "timeout soon", "error \"soon\" is not a number" },
        { "device 4", "error devices are 0 to 3" },
        { "device one", "error \"one\" is not a number" },
        { "device 3", "ok" },
        { "reset", "error no device was started" },
        { "device 0", "ok" },
        { "peek here", "error \"here\" is not a number" },
        { "poke 0x1000", "error usage: poke ADDRESS VALUE" },
        { "timeout 100", "ok" },
        { "qmp {\"execute\": \"stop\"}", "error two lines" },
        { "qmp {\"execute\": \"stop\"}", "error timeout" },
        { "start", "error timeout" },
        { "  \n", NULL },
        { "quit\n", "ok" },
    };
    Peer qtest_peer;
    Peer qmp_peer;
    SsDrive drive = { .timeout_us = 10 * G_USEC_PER_SEC };

    drive.qtest = ss_qtest_new(begin(&qtest_peer, no_answers, ""));
    drive.qmp = ss_qmp_new(begin(&qmp_peer, qmp_answers, GREETING), soon(), NULL);
    g_assert_nonnull(drive.qmp);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *answer = NULL;

        g_assert_false(drive.quit);
        answer = ss_drive_execute(&drive, cases[i].line);
        g_assert_cmpstr(answer, ==, cases[i].answer);
    }
    g_assert_true(drive.quit);
    ss_qtest_free(drive.qtest);
    ss_qmp_free(drive.qmp);
    end(&qtest_peer);
    end(&qmp_peer);
}

static void test_locate(void)
{
    const SsVirtioDevice device = {
        .regions = { { .shmid = 1, .address = 0x10000, .size = 0x1000 },
                     { .shmid = 0, .address = 0x20000, .size = 0x4000 } },
        .region_count = 2,
    };
    uint64_t address = 0;

    g_assert_true(ss_virtio_locate(&device, 0, 0x3ff8, &address, NULL));
    g_assert_cmpuint(address, ==, 0x23ff8);
    g_assert_true(ss_virtio_locate(&device, 1, 0, &address, NULL));
    g_assert_cmpuint(address, ==, 0x10000);
    g_assert_false(ss_virtio_locate(&device, 1, 0xff9, &address, NULL));
    g_assert_false(ss_virtio_locate(&device, 1, UINT64_MAX, &address, NULL));
    g_assert_false(ss_virtio_locate(&device, 257, 0, &address, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/drive/lines", test_lines);
    g_test_add_func("/drive/connect", test_connect);
    g_test_add_func("/drive/qtest", test_qtest);
    g_test_add_func("/drive/late-answers", test_late_answers);
    g_test_add_func("/drive/qmp", test_qmp);
    g_test_add_func("/drive/qmp-greeting", test_qmp_greeting);
    g_test_add_func("/drive/commands", test_commands);
    g_test_add_func("/drive/locate", test_locate);
    return g_test_run();
}
