/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages, by each call that sends and each that receives, in pieces and together.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.h"
#include "ss-names.h"

extern ssize_t __read_chk(int fd, void *to, size_t size, size_t room);
extern ssize_t __recv_chk(int fd, void *to, size_t size, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags,
                              struct sockaddr *address, socklen_t *length);

#define SENDS 6
#define RECEIVES 9

static void send_by(int how, int fd, const void *bytes, size_t size)
{
    struct iovec iov[2] = { { (void *)bytes, 5 }, { (char *)bytes + 5, size - 5 } };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 2 } };
    ssize_t sent = 0;
    switch (how) {
    case 0:
        sent = write(fd, bytes, size);
        break;
    case 1:
        sent = writev(fd, iov, 2);
        break;
    case 2:
        sent = send(fd, bytes, size, MSG_NOSIGNAL);
        break;
    case 3:
        sent = sendto(fd, bytes, size, 0, NULL, 0);
        break;
    case 4:
        sent = sendmsg(fd, &message.msg_hdr, 0);
        break;
    default:
        MUST(sendmmsg(fd, &message, 1, 0) == 1);
        sent = message.msg_len;
    }
    MUST(sent == (ssize_t)size);
}

static void receive_by(int how, int fd, void *bytes, size_t size)
{
    struct iovec iov[2] = { { bytes, 5 }, { (char *)bytes + 5, size - 5 } };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 2 } };
    ssize_t got = 0;
    switch (how) {
    case 0:
        got = read(fd, bytes, size);
        break;
    case 1:
        got = readv(fd, iov, 2);
        break;
    case 2:
        got = recv(fd, bytes, size, MSG_WAITALL);
        break;
    case 3:
        got = recvfrom(fd, bytes, size, 0, NULL, NULL);
        break;
    case 4:
        got = recvmsg(fd, &message.msg_hdr, 0);
        break;
    case 5:
        MUST(recvmmsg(fd, &message, 1, 0, NULL) == 1);
        got = message.msg_len;
        break;
    case 6:
        got = __read_chk(fd, bytes, size, size);
        break;
    case 7:
        got = __recv_chk(fd, bytes, size, size, 0);
        break;
    default:
        got = __recvfrom_chk(fd, bytes, size, size, 0, NULL, NULL);
    }
    MUST(got == (ssize_t)size);
}

typedef struct Ask {
    SsWireHeader header;
    uint64_t value;
} Ask;

/* Each way to send against each way to receive. */
static void run_each_call(void)
{
    Pair pair = open_channel();
    for (int sends = 0; sends < SENDS; sends++) {
        for (int receives = 0; receives < RECEIVES; receives++) {
            Ask ask = { { SS_FRONTEND_SET_FEATURES, 1, 8 }, (uint64_t)(sends * 100 + receives) };
            Ask got;
            size_t size = sizeof(ask.header) + 8;
            char bytes[20];
            memcpy(bytes, &ask.header, sizeof(ask.header));
            memcpy(bytes + sizeof(ask.header), &ask.value, 8);
            errno = 4711;
            send_by(sends, pair.front, bytes, size);
            MUST(errno == 4711);
            expect("message conn=%d seq=%d sent=1 request=2 size=8 value=%ju", pair.front_conn,
                   ++pair.front_seq, (uintmax_t)ask.value);
            receive_by(receives, pair.back, &got, size);
            MUST(errno == 4711);
            expect("message conn=%d seq=%d sent=0 request=2 size=8 value=%ju", pair.back_conn,
                   pair.front_seq, (uintmax_t)ask.value);
        }
    }
    close_channel(&pair);
}

/* Byte by byte, looked at before it is taken, and nothing told before it is whole. */
static void run_pieces(void)
{
    Pair pair = open_channel();
    struct {
        SsWireHeader header;
        uint8_t payload[24];
    } message = { { SS_FRONTEND_GET_CONFIG, 1, 24 }, { 1, 2, 3 } };
    char got;
    for (size_t at = 0; at < 36; at++) {
        MUST(write(pair.front, (char *)&message + at, 1) == 1);
    }
    expect("message conn=%d seq=%d sent=1 request=24 flags=1 size=24", pair.front_conn,
           ++pair.front_seq);
    for (size_t at = 0; at < 36; at++) {
        char all[36];
        MUST(recv(pair.back, all, sizeof(all), MSG_PEEK) == (ssize_t)(36 - at));
        MUST(recv(pair.back, &got, 1, 0) == 1 && got == ((char *)&message)[at]);
    }
    expect("message conn=%d seq=%d sent=0 request=24 flags=1 size=24", pair.back_conn,
           pair.front_seq);
    MUST(recv(pair.back, &got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    close_channel(&pair);
}

/* Several messages in one call of either side; the descriptor is the last one's. */
static void run_together(void)
{
    Pair pair = open_channel();
    SsWireHeader first[3] = { { SS_FRONTEND_SET_OWNER, 1, 0 },
                              { SS_FRONTEND_GET_QUEUE_NUM, 1, 0 },
                              { SS_FRONTEND_SET_OWNER, 1, 0 } };
    MUST(write(pair.front, first, sizeof(first)) == sizeof(first));
    for (int i = 0; i < 3; i++) {
        expect("message conn=%d seq=%d sent=1 request=%u fds=0", pair.front_conn, ++pair.front_seq,
               first[i].request);
    }
    int memfd = memfd_create("calls", MFD_CLOEXEC);
    send_message(&pair, true, SS_FRONTEND_SET_VRING_KICK, 1, &(uint64_t){ 7 }, 8, &memfd, 1);
    char bytes[100];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    MUST(recvmsg(pair.back, &message, 0) == 36 + 20);
    int came;
    memcpy(&came, CMSG_DATA(&control.header), sizeof(came));
    for (int i = 0; i < 3; i++) {
        expect("message conn=%d seq=%d sent=0 request=%u fds=0", pair.back_conn,
               pair.front_seq - 3 + i, first[i].request);
    }
    expect("message conn=%d seq=%d sent=0 request=%d fds=1 value=7", pair.back_conn, pair.front_seq,
           SS_FRONTEND_SET_VRING_KICK);
    expect("fd conn=%d seq=%d sent=0 index=0 fd=%d %s access=2", pair.back_conn, pair.front_seq,
           came, identity(memfd));
    close_channel(&pair);
}

/* A send that fails is told, a receive that ends too. */
static void run_ends(void)
{
    Pair pair = open_channel();
    SsWireHeader header = { SS_FRONTEND_SET_OWNER, 1, 0 };
    MUST(close(pair.back) == 0);
    expect("channel_closed conn=%d fd=%d reason=0 ret=0", pair.back_conn, pair.back);
    MUST(send(pair.front, &header, sizeof(header), MSG_NOSIGNAL) < 0 && errno == EPIPE);
    expect("message conn=%d seq=%d sent=1 request=3 ret=%d", pair.front_conn, pair.front_seq + 1,
           -EPIPE);
    MUST(read(pair.front, &header, sizeof(header)) == 0);
    expect("channel_closed conn=%d fd=%d reason=1 ret=0", pair.front_conn, pair.front);
    MUST(close(pair.front) == 0);
    pair = open_channel();
    header.flags = 2; /* no such version */
    MUST(write(pair.front, &header, sizeof(header)) == sizeof(header));
    expect("gap conn=%d reason=not-vhost-user", pair.front_conn);
    MUST(write(pair.front, &header, sizeof(header)) == sizeof(header));
    MUST(close(pair.front) == 0);
    expect("channel_closed conn=%d fd=%d reason=0 ret=0", pair.front_conn, pair.front);
}

/* What the payloads say. */
static void run_payloads(void)
{
    Pair pair = open_channel();
    Pair other = open_backend_channel(&pair);
    uint64_t shmem[5] = { 3, 4096, 8192, 12288, 1 };
    int memfd = memfd_create("calls", MFD_CLOEXEC);
    SsWireHeader header = { SS_BACKEND_SHMEM_MAP, 9, 40 };
    struct iovec iov[2] = { { &header, 12 }, { shmem, 40 } };
    char bytes[4096];
    MUST(writev(other.back, iov, 2) == 52);
    expect("shmem conn=%d seq=1 request=9 header_flags=9 fds=0 shmid=3 fd_offset=4096 "
           "shm_offset=8192 len=12288 flags=1",
           other.back_conn);
    MUST(read(other.front, bytes, 52) == 52);
    expect("shmem conn=%d seq=1 request=9 header_flags=9 fds=0 shmid=3 fd_offset=4096 "
           "shm_offset=8192 len=12288 flags=1",
           other.front_conn);
    header.size = 32; /* too short for one */
    iov[1].iov_len = 32;
    MUST(writev(other.back, iov, 2) == 44);
    expect("message conn=%d seq=2 request=9 size=32 value=3", other.back_conn);
    uint64_t regions[1 + 256] = { 2, 1 << 20, 0, 3 << 20 };
    pair.back_seq = 1;
    send_message(&pair, false, SS_FRONTEND_GET_SHMEM_CONFIG, 5, regions, sizeof(regions), NULL, 0);
    expect("region conn=%d seq=2 shmid=0 size=%d", pair.back_conn, 1 << 20);
    expect("region conn=%d seq=2 shmid=2 size=%d", pair.back_conn, 3 << 20);
    uint64_t table[1 + 8] = { 2, 10, 11, 12, 13, 20, 21, 22, 23 };
    send_message(&pair, true, SS_FRONTEND_SET_MEM_TABLE, 1, table, sizeof(table), NULL, 0);
    expect("memory_region conn=%d seq=%d index=0 gpa=10 size=11 addr=12 offset=13", pair.front_conn,
           pair.front_seq);
    expect("memory_region conn=%d seq=%d index=1 gpa=20 size=21 addr=22 offset=23", pair.front_conn,
           pair.front_seq);
    uint64_t one[1 + 4] = { 0, 30, 31, 32, 33 };
    send_message(&pair, true, SS_FRONTEND_REM_MEM_REG, 1, one, sizeof(one), NULL, 0);
    expect("memory_region conn=%d seq=%d index=0 gpa=30 size=31 addr=32 offset=33", pair.front_conn,
           pair.front_seq);
    MUST(close(other.back) == 0);
    expect("channel_closed conn=%d fd=%d reason=0", other.back_conn, other.back);
    expect("fd_close fd=%d ret=0 again=0", other.back);
    MUST(close(memfd) == 0);
}

/* What is no channel stays so, whatever passes, descriptors included. */
static void run_strangers(void)
{
    int fds[2], memfd = memfd_create("calls", MFD_CLOEXEC);
    char bytes[64];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec iov = { "{\"QMP\": {}}\n", 12 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    memcpy(CMSG_DATA(&control.header), &memfd, sizeof(memfd));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    MUST(sendmsg(fds[0], &message, 0) == 12);
    iov.iov_base = bytes;
    MUST(recvmsg(fds[1], &message, 0) == 12);
    memcpy(&memfd, CMSG_DATA(&control.header), sizeof(memfd));
    MUST(close(dup(memfd)) == 0 && close(memfd) == 0);
    SsWireHeader header = { SS_FRONTEND_GET_FEATURES, 1, 0 };
    MUST(write(fds[0], &header, sizeof(header)) == sizeof(header)); /* too late to be the first */
    int ends[2];
    MUST(pipe(ends) == 0 && write(ends[1], &header, sizeof(header)) == sizeof(header));
    MUST(read(ends[0], &header, sizeof(header)) == sizeof(header));
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    MUST(write(ends[1], &header, sizeof(header)) == sizeof(header));
    /* A number that was a stranger's is a channel's next. */
    MUST(close(fds[0]) == 0 && close(fds[1]) == 0);
    Pair pair = open_channel();
    MUST(pair.front == fds[0]);
    close_channel(&pair);
}

const Act message_acts[] = {
    { "each-call", run_each_call },
    { "pieces", run_pieces },
    { "together", run_together },
    { "ends", run_ends },
    { "payloads", run_payloads },
    { "strangers", run_strangers },
    { NULL, NULL },
};
