/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: calls ACT EXPECTED
 */
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ss-names.h"

static FILE *expected;
static int conns;

void expect(const char *format, ...)
{
    va_list more;
    va_start(more, format);
    vfprintf(expected, format, more);
    va_end(more);
    fputc('\n', expected);
}

void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

const char *identity(int fd)
{
    static char texts[4][80];
    static unsigned int next;
    struct stat status;
    MUST(fstat(fd, &status) == 0);
    char *text = texts[next++ % 4];
    snprintf(text, sizeof(texts[0]), "fdev=%ju ino=%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    return text;
}

static uint64_t inode(int fd)
{
    struct stat status;
    MUST(fstat(fd, &status) == 0);
    return status.st_ino;
}

void send_message(Pair *pair, bool front, uint32_t request, uint32_t flags, const void *payload,
                  uint32_t size, const int *fds, uint32_t n_fds)
{
    SsWireHeader header = { request, flags, size };
    struct iovec iov[2] = { { &header, sizeof(header) }, { (void *)payload, size } };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
    if (n_fds) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                                           .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
    }
    int *seq = front ? &pair->front_seq : &pair->back_seq;
    int conn = front ? pair->front_conn : pair->back_conn;
    MUST(sendmsg(front ? pair->front : pair->back, &message, 0) ==
         (ssize_t)(sizeof(header) + size));
    expect("message conn=%d seq=%d sent=1 request=%u flags=%u size=%u fds=%u ret=0", conn, ++*seq,
           request, flags, size, n_fds);
    for (uint32_t i = 0; i < n_fds; i++) {
        expect("fd conn=%d seq=%d sent=1 index=%u fd=%d %s", conn, *seq, i, fds[i],
               identity(fds[i]));
    }
}

int receive_message(Pair *pair, bool front, uint32_t request, uint32_t flags, uint32_t size,
                    uint32_t n_fds)
{
    SsWireHeader header;
    struct iovec iov = { &header, sizeof(header) };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int fds[8] = { -1 };
    int socket = front ? pair->front : pair->back;
    int conn = front ? pair->front_conn : pair->back_conn;
    int seq = front ? pair->back_seq : pair->front_seq;
    MUST(recvmsg(socket, &message, 0) == sizeof(header));
    MUST(header.request == request && header.flags == flags && header.size == size);
    if (n_fds) {
        MUST(message.msg_controllen == CMSG_SPACE(n_fds * sizeof(int)));
        memcpy(fds, CMSG_DATA(&control.header), n_fds * sizeof(int));
    }
    char payload[4096];
    for (uint32_t at = 0; at < size;) {
        ssize_t got =
            read(socket, payload, size - at < sizeof(payload) ? size - at : sizeof(payload));
        MUST(got > 0);
        at += (uint32_t)got;
    }
    expect("message conn=%d seq=%d sent=0 request=%u flags=%u size=%u fds=%u ret=0", conn, seq,
           request, flags, size, n_fds);
    for (uint32_t i = 0; i < n_fds; i++) {
        expect("fd conn=%d seq=%d sent=0 index=%u fd=%d %s", conn, seq, i, fds[i],
               identity(fds[i]));
    }
    return fds[0];
}

Pair open_channel(void)
{
    int fds[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    Pair pair = { .front = fds[0], .back = fds[1] };
    uint64_t features = 1u << 3;
    pair.front_conn = ++conns;
    expect("channel conn=%d main=0 fd=%d sock=%ju role=0 backend=0", pair.front_conn, pair.front,
           (uintmax_t)inode(pair.front));
    send_message(&pair, true, SS_FRONTEND_GET_FEATURES, 1, NULL, 0, NULL, 0);
    pair.back_conn = ++conns;
    expect("channel conn=%d main=0 fd=%d sock=%ju role=1 backend=0", pair.back_conn, pair.back,
           (uintmax_t)inode(pair.back));
    (void)receive_message(&pair, false, SS_FRONTEND_GET_FEATURES, 1, 0, 0);
    send_message(&pair, false, SS_FRONTEND_GET_FEATURES, 5, &features, 8, NULL, 0);
    (void)receive_message(&pair, true, SS_FRONTEND_GET_FEATURES, 5, 8, 0);
    send_message(&pair, true, SS_FRONTEND_SET_PROTOCOL_FEATURES, 1, &features, 8, NULL, 0);
    (void)receive_message(&pair, false, SS_FRONTEND_SET_PROTOCOL_FEATURES, 1, 8, 0);
    return pair;
}

void close_channel(Pair *pair)
{
    MUST(close(pair->front) == 0);
    expect("channel_closed conn=%d fd=%d reason=0 ret=0", pair->front_conn, pair->front);
    MUST(close(pair->back) == 0);
    expect("channel_closed conn=%d fd=%d reason=0 ret=0", pair->back_conn, pair->back);
}

Pair open_backend_channel(Pair *main)
{
    int fds[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    Pair pair = { .front = fds[0] };
    uint64_t peer = inode(fds[1]);
    send_message(main, true, SS_FRONTEND_SET_BACKEND_REQ_FD, 1, NULL, 0, &fds[1], 1);
    pair.front_conn = ++conns;
    expect("channel conn=%d main=%d fd=%d sock=%ju peer=%ju role=0 backend=1", pair.front_conn,
           main->front_conn, fds[0], (uintmax_t)inode(fds[0]), (uintmax_t)peer);
    MUST(close(fds[1]) == 0); /* sent, and nothing that came */
    pair.back = receive_message(main, false, SS_FRONTEND_SET_BACKEND_REQ_FD, 1, 0, 1);
    pair.back_conn = ++conns;
    expect("channel conn=%d main=%d fd=%d sock=%ju role=1 backend=1", pair.back_conn,
           main->back_conn, pair.back, (uintmax_t)peer);
    return pair;
}

int receive_memfd(Pair *pair, size_t size)
{
    int memfd = memfd_create("calls", MFD_CLOEXEC);
    MUST(memfd >= 0 && ftruncate(memfd, (off_t)size) == 0);
    send_message(pair, true, SS_FRONTEND_SET_VRING_ERR, 1, &(uint64_t){ 0 }, 8, &memfd, 1);
    int came = receive_message(pair, false, SS_FRONTEND_SET_VRING_ERR, 1, 8, 1);
    /* Its own, of which nothing is told. At no time its number is free: threads of the tracer's
     * open files, too. */
    MUST(dup2(STDERR_FILENO, memfd) == memfd);
    return came;
}

int main(int argc, char **argv)
{
    const Act *all[] = { message_acts, descriptor_acts, memory_acts,
                         unseen_acts,  wait_acts,       note_acts };
    if (argc != 3 || !(expected = fopen(argv[2], "we"))) {
        return 2;
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (const Act *act = all[i]; act->name; act++) {
            if (strcmp(act->name, argv[1]) == 0) {
                act->run();
                return fclose(expected) == 0 ? 0 : 1;
            }
        }
    }
    return 2;
}
