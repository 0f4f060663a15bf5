/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Sockets as the kernel tells of them, and looks into them that leave everything as it was.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "analysis/autopsy/parts.h"

#define MAP_REQUEST 9
#define HEADER_BYTES 12
#define MAP_BYTES 40

static guint64 inode_of(int fd)
{
    struct stat file;
    g_assert_cmpint(fstat(fd, &file), ==, 0);
    return file.st_ino;
}

static guint open_descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    guint n = 0;
    g_assert_nonnull(list);
    while (readdir(list)) {
        n++;
    }
    (void)closedir(list);
    return n;
}

static SsSeenSocket *peek(int fd)
{
    SsSeenSocket *socket = ss_seen_socket_new(inode_of(fd));
    SsSeenProcess *self = ss_seen_process_new((gint32)getpid());
    self->uid = (gint32)getuid();
    ss_peek(socket, self, fd);
    g_assert_cmpuint(self->denied->len, ==, 0);
    ss_seen_process_free(self);
    return socket;
}

static void pair_of(int ret[2])
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret), ==, 0);
}

/* A header, with a descriptor or without; then its payload, apart. */
static void send_map(int to, bool with_fd, guint8 fill)
{
    guint32 header[3] = { GUINT32_TO_LE(MAP_REQUEST), GUINT32_TO_LE(9), GUINT32_TO_LE(MAP_BYTES) };
    guint8 payload[MAP_BYTES];
    memset(payload, fill, sizeof payload);
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec part = { .iov_base = header, .iov_len = sizeof header };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (with_fd) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &to, sizeof to);
    }
    g_assert_cmpint(sendmsg(to, &message, 0), ==, sizeof header);
    g_assert_cmpint(send(to, payload, sizeof payload, 0), ==, sizeof payload);
}

static void test_peek_takes_nothing(void)
{
    int ends[2];
    pair_of(ends);
    send_map(ends[0], false, 0xa5);
    send_map(ends[0], false, 0x5a);
    guint before = open_descriptors();
    for (guint i = 0; i < 100; i++) {
        SsSeenSocket *socket = peek(ends[1]);
        g_assert_cmpint(socket->peek, ==, SS_PEEK_DONE);
        g_assert_cmpuint(socket->peeked->len, ==, 2 * (HEADER_BYTES + MAP_BYTES));
        g_assert_true(socket->at_message);
        g_assert_cmpuint(socket->messages, ==, 2);
        g_assert_cmpint(socket->peer_pid, ==, getpid());
        g_assert_cmpuint(socket->unread, ==, 2 * (HEADER_BYTES + MAP_BYTES));
        g_assert_cmpint(socket->receive_timeout_ns, ==, 0);
        ss_seen_socket_free(socket);
    }
    g_assert_cmpuint(open_descriptors(), ==, before);
    guint8 bytes[256];
    g_assert_cmpint(recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT), ==,
                    2 * (HEADER_BYTES + MAP_BYTES));
    g_assert_cmphex(bytes[HEADER_BYTES], ==, 0xa5);
    g_assert_cmphex(bytes[HEADER_BYTES + MAP_BYTES + HEADER_BYTES], ==, 0x5a);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Descriptors stay where they are, and hide what comes behind them. */
static void test_peek_ends_at_descriptors(void)
{
    int ends[2];
    pair_of(ends);
    send_map(ends[0], true, 1);
    guint before = open_descriptors();
    SsSeenSocket *socket = peek(ends[1]);
    g_assert_cmpint(socket->peek, ==, SS_PEEK_DONE);
    g_assert_cmpuint(socket->peeked->len, ==, HEADER_BYTES);
    g_assert_cmpuint(socket->unread, ==, HEADER_BYTES + MAP_BYTES);
    g_assert_true(socket->at_message);
    g_assert_cmpuint(socket->messages, ==, 0);
    ss_seen_socket_free(socket);
    g_assert_cmpuint(open_descriptors(), ==, before);
    gint32 flags;
    gint32 unread;
    int self = ss_proc_open((gint32)getpid());
    g_assert_true(ss_fds_info(self, ends[1], &flags, &unread));
    g_assert_cmpint(unread, ==, 1);
    (void)close(self);
    /* Its reader gets both. */
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    guint8 bytes[HEADER_BYTES + MAP_BYTES];
    struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    g_assert_cmpint(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), >=, HEADER_BYTES);
    const struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    g_assert_nonnull(rights);
    int fd;
    memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    g_assert_cmpuint(inode_of(fd), ==, inode_of(ends[0]));
    (void)close(fd);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Who peeks for itself, at a place of its own, is not moved. */
static void test_peek_offset_is_left_alone(void)
{
    int ends[2];
    pair_of(ends);
    send_map(ends[0], false, 7);
    int offset = 4;
    g_assert_cmpint(setsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset), ==, 0);
    SsSeenSocket *socket = peek(ends[1]);
    g_assert_cmpint(socket->peek, ==, SS_PEEK_OFFSET);
    g_assert_cmpuint(socket->peeked->len, ==, 0);
    ss_seen_socket_free(socket);
    socklen_t len = sizeof offset;
    g_assert_cmpint(getsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &offset, &len), ==, 0);
    g_assert_cmpint(offset, ==, 4);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_peek_is_of_that_socket(void)
{
    int ends[2];
    pair_of(ends);
    SsSeenSocket *socket = ss_seen_socket_new(inode_of(ends[0]));
    SsSeenProcess *self = ss_seen_process_new((gint32)getpid());
    send_map(ends[0], false, 7);
    ss_peek(socket, self, ends[1]); /* another one's number */
    g_assert_cmpint(socket->peek, ==, SS_PEEK_ENDED);
    g_assert_cmpuint(socket->peeked->len, ==, 0);
    ss_seen_process_free(self);
    ss_seen_socket_free(socket);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int ends_of(int fd, guint64 inode, const char *path)
{
    SsSocketFd socket = { .pid = (gint32)getpid(), .fd = fd, .inode = inode };
    g_autofree char *name = NULL;
    gint32 peer_pid = 0;
    int error = ss_peek_ends(&socket, &name, &peer_pid);
    g_assert_cmpstr(name, ==, error ? NULL : path);
    g_assert_cmpint(peer_pid, ==, error ? 0 : getpid());
    return error;
}

/* Of a connection the socket itself tells, and of nothing else. */
static void test_ends_of_a_connection(void)
{
    int ends[2];
    int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int alone = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pair_of(ends);
    send_map(ends[0], false, 0xa5);
    guint before = open_descriptors();
    g_assert_cmpint(ends_of(ends[1], inode_of(ends[1]), ""), ==, 0);
    g_assert_cmpint(ends_of(ends[1], inode_of(ends[0]), ""), ==, ENOTCONN);
    g_assert_cmpint(ends_of(inet, inode_of(inet), ""), ==, ENOTCONN);
    g_assert_cmpint(ends_of(alone, inode_of(alone), ""), ==, ENOTCONN);
    g_assert_cmpuint(open_descriptors(), ==, before);
    SsSeenSocket *left = peek(ends[1]);
    g_assert_cmpuint(left->unread, ==, HEADER_BYTES + MAP_BYTES);
    ss_seen_socket_free(left);
    (void)close(ends[0]);
    /* Whose other end is closed is no connection, whatever lies unread there. */
    g_assert_cmpint(ends_of(ends[1], inode_of(ends[1]), ""), ==, ENOTCONN);
    (void)close(ends[1]);
    g_assert_cmpint(ends_of(ends[1], 1, ""), ==, EBADF);
    (void)close(alone);
    (void)close(inet);
}

typedef struct Reader {
    int fd;
    gint tid; /* atomic */
    guint32 read, wrong;
} Reader;

#define N_WORDS 20000

/* Reads words that count upwards. */
static gpointer read_words(gpointer data)
{
    Reader *reader = data;
    g_atomic_int_set(&reader->tid, (gint)syscall(SYS_gettid));
    guint32 word;
    while (recv(reader->fd, &word, sizeof word, MSG_WAITALL) == sizeof word) {
        reader->wrong += word != reader->read;
        reader->read++;
    }
    return NULL;
}

static SsSeenThread *thread_of(gint tid)
{
    int self = ss_proc_open((gint32)getpid());
    SsSeenProcess *process = ss_seen_process_new((gint32)getpid());
    g_autoptr(SsSince) since = ss_since_new();
    ss_fds_read(self, process);
    ss_threads_read(self, process, since);
    (void)close(self);
    SsSeenThread *found = NULL;
    for (guint i = 0; i < process->threads->len && !found; i++) {
        SsSeenThread *thread = g_ptr_array_index(process->threads, i);
        if (thread->tid == tid) {
            found = g_ptr_array_steal_index(process->threads, i);
        }
    }
    ss_seen_process_free(process);
    g_assert_nonnull(found);
    return found;
}

/* A reader that stands in its call notices nothing, and one that runs loses nothing. */
static void test_reader_notices_nothing(void)
{
    int ends[2];
    pair_of(ends);
    Reader reader = { .fd = ends[1] };
    GThread *thread = g_thread_new("reader", read_words, &reader);
    SsSeenThread *before = NULL;
    do {
        g_clear_pointer(&before, ss_seen_thread_free);
        gint tid = g_atomic_int_get(&reader.tid);
        before = tid ? thread_of(tid) : NULL;
    } while (!before || before->call != SS_CALL_IN || before->fd != ends[1]);
    g_assert_cmpstr(ss_call_name(before->nr), ==, "recvfrom");
    for (guint i = 0; i < 1000; i++) {
        SsSeenSocket *socket = peek(ends[1]);
        g_assert_cmpint(socket->peek, ==, SS_PEEK_DONE);
        g_assert_cmpuint(socket->peeked->len, ==, 0);
        ss_seen_socket_free(socket);
    }
    SsSeenThread *after = thread_of(before->tid);
    g_assert_true(before->counts_known);
    g_assert_true(ss_seen_stood(before, after));
    for (guint32 word = 0; word < N_WORDS; word++) {
        g_assert_cmpint(send(ends[0], &word, sizeof word, 0), ==, sizeof word);
        if (word % 4 == 0) {
            SsSeenSocket *socket = peek(ends[1]);
            g_assert_cmpint(socket->peek, ==, SS_PEEK_DONE);
            ss_seen_socket_free(socket);
        }
    }
    (void)close(ends[0]);
    g_thread_join(thread);
    g_assert_cmpuint(reader.read, ==, N_WORDS);
    g_assert_cmpuint(reader.wrong, ==, 0);
    ss_seen_thread_free(before);
    ss_seen_thread_free(after);
    (void)close(ends[1]);
}

static GHashTable *dump(void)
{
    GHashTable *diag = ss_diag_new();
    int socket = ss_namespace_diag(-1);
    g_assert_cmpint(socket, >=, 0);
    g_assert_cmpint(ss_diag_dump(diag, socket, 0), ==, 0);
    (void)close(socket);
    return diag;
}

static const SsDiag *told(GHashTable *diag, int fd)
{
    guint64 inode = inode_of(fd);
    const SsDiag *found = g_hash_table_lookup(diag, &inode);
    g_assert_nonnull(found);
    return found;
}

static void test_kernel_tells_peers(void)
{
    int ends[2];
    pair_of(ends);
    send_map(ends[0], false, 0);
    g_autoptr(GHashTable) diag = dump();
    g_assert_cmpuint(told(diag, ends[0])->peer, ==, inode_of(ends[1]));
    g_assert_cmpuint(told(diag, ends[1])->peer, ==, inode_of(ends[0]));
    g_assert_cmpuint(told(diag, ends[1])->unread, ==, HEADER_BYTES + MAP_BYTES);
    g_assert_cmpuint(told(diag, ends[0])->unread, ==, 0);
    g_assert_cmpstr(told(diag, ends[0])->path, ==, "");
    (void)close(ends[0]);
    g_autoptr(GHashTable) later = dump();
    g_assert_cmpuint(told(later, ends[1])->peer, ==, 0);
    (void)close(ends[1]);
}

/* Another namespace's listener may be heard of first, and what is known stays where it is. */
static void test_kernel_tells_more(void)
{
    int ends[2];
    pair_of(ends);
    g_autoptr(GHashTable) diag = ss_diag_new();
    SsDiag *known = ss_diag_of(diag, inode_of(ends[0]));
    known->hidden = true;
    known->pending_at = 17;
    g_free(known->path);
    known->path = g_strdup("/run/other.sock");
    int socket = ss_namespace_diag(-1);
    g_assert_cmpint(ss_diag_dump(diag, socket, 0), ==, 0);
    (void)close(socket);
    g_assert_true(told(diag, ends[0]) == known);
    g_assert_false(known->hidden);
    g_assert_cmpuint(known->pending_at, ==, 17);
    g_assert_cmpuint(known->peer, ==, inode_of(ends[1]));
    g_assert_cmpstr(known->path, ==, "");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* One name in the file system and one that is not. */
static void check_listener(const struct sockaddr_un *address, socklen_t len, const char *name)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(listener, (const struct sockaddr *)address, len), ==, 0);
    g_assert_cmpint(listen(listener, 4), ==, 0);
    g_assert_cmpint(connect(client, (const struct sockaddr *)address, len), ==, 0);
    g_autoptr(GHashTable) before = dump();
    g_assert_true(told(before, listener)->listens);
    g_assert_cmpuint(told(before, listener)->unread, ==, 0);
    g_assert_cmpstr(told(before, listener)->path, ==, name);
    g_assert_cmpuint(told(before, client)->peer, ==, 0);
    g_assert_cmpuint(told(before, client)->pending_at, ==, inode_of(listener));
    g_assert_cmpint(ends_of(client, inode_of(client), name), ==, 0);
    g_assert_cmpint(ends_of(listener, inode_of(listener), name), ==, ENOTCONN);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    g_assert_cmpint(accepted, >=, 0);
    g_autoptr(GHashTable) after = dump();
    g_assert_cmpuint(told(after, client)->pending_at, ==, 0);
    g_assert_cmpuint(told(after, client)->peer, ==, inode_of(accepted));
    g_assert_cmpstr(told(after, accepted)->path, ==, name);
    g_assert_false(told(after, accepted)->listens);
    if (name[0] == '/') {
        struct stat file;
        g_assert_cmpint(stat(name, &file), ==, 0);
        g_assert_cmpuint(told(after, accepted)->file_inode, ==, file.st_ino);
        g_assert_cmpuint(told(after, accepted)->file_dev, ==, file.st_dev);
    }
    (void)close(accepted);
    (void)close(client);
    (void)close(listener);
}

static void test_kernel_tells_names(void)
{
    g_autofree char *directory = g_dir_make_tmp("ss-sockets-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "vu.sock", NULL);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    check_listener(&address, sizeof address, path);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    g_autofree char *abstract = g_strdup_printf("@ss-test-%d", getpid());
    memset(&address.sun_path, 0, sizeof address.sun_path);
    memcpy(address.sun_path + 1, abstract + 1, strlen(abstract) - 1);
    check_listener(&address,
                   (socklen_t)(G_STRUCT_OFFSET(struct sockaddr_un, sun_path) + strlen(abstract)),
                   abstract);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/peek/takes-nothing", test_peek_takes_nothing);
    g_test_add_func("/peek/ends-at-descriptors", test_peek_ends_at_descriptors);
    g_test_add_func("/peek/offset-is-left-alone", test_peek_offset_is_left_alone);
    g_test_add_func("/peek/is-of-that-socket", test_peek_is_of_that_socket);
    g_test_add_func("/peek/reader-notices-nothing", test_reader_notices_nothing);
    g_test_add_func("/ends/of-a-connection", test_ends_of_a_connection);
    g_test_add_func("/diag/more", test_kernel_tells_more);
    g_test_add_func("/diag/peers", test_kernel_tells_peers);
    g_test_add_func("/diag/names", test_kernel_tells_names);
    return g_test_run();
}
