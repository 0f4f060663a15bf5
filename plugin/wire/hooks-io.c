/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The calls that read and write. Of a descriptor that is nothing of ours, one look at the table
 * of numbers, and on to the real call.
 */
#include <errno.h>

#include "conn.h"
#include "hooks.h"
#include "real.h"

static inline bool passes(int fd)
{
    return SS_WIRE_LIKELY(ss_wire_entry_kind(ss_wire_entry(fd)) >= SS_WIRE_PASS);
}

/* A thread that is cancelled in the real call stands in it no more. */
#define RECEIVING __attribute__((cleanup(ss_wire_receives_no_more))) SsWireCall

static ssize_t __attribute__((noinline)) slow_read(int fd, void *to, size_t size)
{
    RECEIVING call;
    ss_wire_receives(fd, &call);
    ssize_t result = REAL(read)(fd, to, size);
    if (call.conn) {
        struct iovec iov = { .iov_base = to, .iov_len = size };
        ss_wire_received(&call, &iov, 1, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline)) slow_readv(int fd, const struct iovec *iov, int count)
{
    RECEIVING call;
    ss_wire_receives(fd, &call);
    ssize_t result = REAL(readv)(fd, iov, count);
    if (call.conn && count > 0) {
        ss_wire_received(&call, iov, (size_t)count, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline)) slow_recv(int fd, void *to, size_t size, int flags)
{
    RECEIVING call;
    ss_wire_receives(fd, &call);
    ssize_t result = REAL(recv)(fd, to, size, flags);
    if (call.conn && !(flags & (MSG_PEEK | MSG_OOB))) {
        struct iovec iov = { .iov_base = to, .iov_len = size };
        ss_wire_received(&call, &iov, 1, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline))
slow_recvfrom(int fd, void *to, size_t size, int flags, __SOCKADDR_ARG address, socklen_t *length)
{
    RECEIVING call;
    ss_wire_receives(fd, &call);
    ssize_t result = REAL(recvfrom)(fd, to, size, flags, address, length);
    if (call.conn && !(flags & (MSG_PEEK | MSG_OOB))) {
        struct iovec iov = { .iov_base = to, .iov_len = size };
        ss_wire_received(&call, &iov, 1, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline)) slow_recvmsg(int fd, struct msghdr *message, int flags)
{
    RECEIVING call;
    ss_wire_receives(fd, &call);
    ssize_t result = REAL(recvmsg)(fd, message, flags);
    if (call.conn && message && !(flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE))) {
        ss_wire_received(&call, message->msg_iov, message->msg_iovlen, result, message);
    }
    return result;
}

static int __attribute__((noinline))
slow_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
              struct timespec *timeout)
{
    RECEIVING call;
    ss_wire_receives(fd, &call);
    int result = REAL(recvmmsg)(fd, messages, count, flags, timeout);
    bool counts = call.conn && !(flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE));
    for (int i = 0; counts && i < result; i++) {
        const struct msghdr *message = &messages[i].msg_hdr;
        ss_wire_received(&call, message->msg_iov, message->msg_iovlen, messages[i].msg_len,
                         message);
    }
    return result;
}

SS_EXPORT ssize_t read(int fd, void *to, size_t size)
{
    return passes(fd) ? REAL(read)(fd, to, size) : slow_read(fd, to, size);
}

SS_EXPORT ssize_t __read_chk(int fd, void *to, size_t size, size_t room)
{
    /* The real one ends the program, when it has to. */
    return passes(fd) || size > room ? REAL(__read_chk)(fd, to, size, room)
                                     : slow_read(fd, to, size);
}

SS_EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
    return passes(fd) ? REAL(readv)(fd, iov, count) : slow_readv(fd, iov, count);
}

SS_EXPORT ssize_t recv(int fd, void *to, size_t size, int flags)
{
    return passes(fd) ? REAL(recv)(fd, to, size, flags) : slow_recv(fd, to, size, flags);
}

SS_EXPORT ssize_t __recv_chk(int fd, void *to, size_t size, size_t room, int flags)
{
    return passes(fd) || size > room ? REAL(__recv_chk)(fd, to, size, room, flags)
                                     : slow_recv(fd, to, size, flags);
}

SS_EXPORT ssize_t recvfrom(int fd, void *to, size_t size, int flags, __SOCKADDR_ARG address,
                           socklen_t *length)
{
    return passes(fd) ? REAL(recvfrom)(fd, to, size, flags, address, length)
                      : slow_recvfrom(fd, to, size, flags, address, length);
}

SS_EXPORT ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags,
                                 __SOCKADDR_ARG address, socklen_t *length)
{
    return passes(fd) || size > room
               ? REAL(__recvfrom_chk)(fd, to, size, room, flags, address, length)
               : slow_recvfrom(fd, to, size, flags, address, length);
}

SS_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return passes(fd) ? REAL(recvmsg)(fd, message, flags) : slow_recvmsg(fd, message, flags);
}

SS_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
                       struct timespec *timeout)
{
    return passes(fd) ? REAL(recvmmsg)(fd, messages, count, flags, timeout)
                      : slow_recvmmsg(fd, messages, count, flags, timeout);
}

static ssize_t __attribute__((noinline)) slow_write(int fd, const void *from, size_t size)
{
    SsWireCall call;
    ss_wire_sends(fd, &call);
    ssize_t result = REAL(write)(fd, from, size);
    if (call.conn) {
        struct iovec iov = { .iov_base = (void *)from, .iov_len = size };
        ss_wire_sent(&call, &iov, 1, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline)) slow_writev(int fd, const struct iovec *iov, int count)
{
    SsWireCall call;
    ss_wire_sends(fd, &call);
    ssize_t result = REAL(writev)(fd, iov, count);
    if (call.conn && count > 0) {
        ss_wire_sent(&call, iov, (size_t)count, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline)) slow_send(int fd, const void *from, size_t size, int flags)
{
    SsWireCall call;
    ss_wire_sends(fd, &call);
    ssize_t result = REAL(send)(fd, from, size, flags);
    if (call.conn && !(flags & MSG_OOB)) {
        struct iovec iov = { .iov_base = (void *)from, .iov_len = size };
        ss_wire_sent(&call, &iov, 1, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline))
slow_sendto(int fd, const void *from, size_t size, int flags, __CONST_SOCKADDR_ARG address,
            socklen_t length)
{
    SsWireCall call;
    ss_wire_sends(fd, &call);
    ssize_t result = REAL(sendto)(fd, from, size, flags, address, length);
    if (call.conn && !(flags & MSG_OOB)) {
        struct iovec iov = { .iov_base = (void *)from, .iov_len = size };
        ss_wire_sent(&call, &iov, 1, result, NULL);
    }
    return result;
}

static ssize_t __attribute__((noinline))
slow_sendmsg(int fd, const struct msghdr *message, int flags)
{
    SsWireCall call;
    ss_wire_sends(fd, &call);
    ssize_t result = REAL(sendmsg)(fd, message, flags);
    if (call.conn && message && !(flags & MSG_OOB)) {
        ss_wire_sent(&call, message->msg_iov, message->msg_iovlen, result, message);
    }
    return result;
}

static int __attribute__((noinline))
slow_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    SsWireCall call;
    ss_wire_sends(fd, &call);
    int result = REAL(sendmmsg)(fd, messages, count, flags);
    bool counts = call.conn && !(flags & MSG_OOB);
    for (int i = 0; counts && i < result; i++) {
        const struct msghdr *message = &messages[i].msg_hdr;
        ss_wire_sent(&call, message->msg_iov, message->msg_iovlen, messages[i].msg_len, message);
    }
    return result;
}

SS_EXPORT ssize_t write(int fd, const void *from, size_t size)
{
    return passes(fd) ? REAL(write)(fd, from, size) : slow_write(fd, from, size);
}

SS_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
    return passes(fd) ? REAL(writev)(fd, iov, count) : slow_writev(fd, iov, count);
}

SS_EXPORT ssize_t send(int fd, const void *from, size_t size, int flags)
{
    return passes(fd) ? REAL(send)(fd, from, size, flags) : slow_send(fd, from, size, flags);
}

SS_EXPORT ssize_t sendto(int fd, const void *from, size_t size, int flags,
                         __CONST_SOCKADDR_ARG address, socklen_t length)
{
    return passes(fd) ? REAL(sendto)(fd, from, size, flags, address, length)
                      : slow_sendto(fd, from, size, flags, address, length);
}

SS_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return passes(fd) ? REAL(sendmsg)(fd, message, flags) : slow_sendmsg(fd, message, flags);
}

SS_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    return passes(fd) ? REAL(sendmmsg)(fd, messages, count, flags)
                      : slow_sendmmsg(fd, messages, count, flags);
}
