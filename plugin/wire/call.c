/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What each call that reads or writes a connection does to it.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "conn.h"
#include "file.h"
#include "note.h"
#include "real.h"
#include "tell.h"
#include "watch.h"

uint32_t ss_wire_unread(int fd)
{
    int error = errno, unread = 0;
    if (fd < 0 || ioctl(fd, FIONREAD, &unread) < 0 || unread < 0) {
        unread = 0;
    }
    errno = error;
    return (uint32_t)unread;
}

static void call_begins(int fd, SsWireCall *ret_call)
{
    SsWireConn *conn = ss_wire_conn_find(fd);
    uint32_t state = conn ? atomic_load(&conn->state) : SS_WIRE_FREE;
    *ret_call = (SsWireCall){ .fd = fd };
    if (state != SS_WIRE_CANDIDATE && state != SS_WIRE_OPEN) {
        return;
    }
    int error = errno;
    if (ss_wire_own_process()) {
        ret_call->conn = conn;
        ret_call->birth = atomic_load(&conn->birth);
    }
    errno = error;
}

void ss_wire_receives(int fd, SsWireCall *ret_call)
{
    call_begins(fd, ret_call);
    if (ret_call->conn) {
        atomic_store(&ret_call->conn->reader, ss_wire_own_tid());
    }
}

void ss_wire_receives_no_more(SsWireCall *call)
{
    if (call->conn) {
        int tid = ss_wire_own_tid();
        (void)atomic_compare_exchange_strong(&call->conn->reader, &tid, 0);
    }
}

void ss_wire_sends(int fd, SsWireCall *ret_call)
{
    call_begins(fd, ret_call);
    if (ret_call->conn && SS_WIRE_ON(message)) {
        ret_call->unread = ss_wire_unread(atomic_load(&ret_call->conn->other_fd));
    }
}

static void call_leaves(SsWireConn *conn, const SsWireGuard *guard)
{
    ss_wire_unclaim(conn);
    ss_wire_leave(guard);
}

/* The lock and the connection, for what a call did to it; false when that is not ours to tell. */
static bool call_enters(const SsWireCall *call, SsWireGuard *ret_guard)
{
    SsWireConn *conn = call->conn;
    if (!ss_wire_enter_claim(conn, ret_guard)) {
        return false;
    }
    if (conn->birth != call->birth ||
        (conn->state != SS_WIRE_CANDIDATE && conn->state != SS_WIRE_OPEN)) {
        call_leaves(conn, ret_guard);
        return false;
    }
    if (atomic_exchange(&conn->missed, false)) {
        if (conn->state == SS_WIRE_OPEN) {
            ss_wire_conn_gap(conn, "busy");
        }
        atomic_store(&conn->state, SS_WIRE_BLIND);
    } else if (conn->inherited && conn->state == SS_WIRE_OPEN && getppid() == ss_wire_forked_from) {
        /* The process it came from goes on, and what it takes of the stream is not seen here. */
        ss_wire_conn_gap(conn, "shared");
    }
    if (conn->state == SS_WIRE_BLIND) {
        call_leaves(conn, ret_guard);
        return false;
    }
    conn->inherited = false;
    return true;
}

/* Feeds bytes, and finds out what a candidate is. */
static void feed(SsWireConn *conn, SsWireSide *side, const struct iovec *iov, size_t from,
                 size_t length)
{
    bool sent = side == &conn->out;
    SsWireWhole whole = sent ? ss_wire_message_out : ss_wire_message_in;
    side->tid = ss_wire_own_tid();
    side->told = 0;
    if (conn->state == SS_WIRE_CANDIDATE) {
        SsWireStream *stream = &side->stream;
        uint8_t first[sizeof(SsWireHeader)];
        memcpy(first, stream->header_bytes, sizeof(first));
        size_t had = stream->got < sizeof(first) ? stream->got : sizeof(first);
        size_t more = ss_wire_iov_copy(first + had, iov, SIZE_MAX, from,
                                       length < sizeof(first) - had ? length : sizeof(first) - had);
        SsWireFirst is = ss_wire_first(first, had + more);
        SsWireSide *opposite = sent ? &conn->in : &conn->out;
        if (is == SS_WIRE_FIRST_OTHER || opposite->stream.got) {
            atomic_store(&conn->state, SS_WIRE_BLIND);
            return;
        }
        if (is == SS_WIRE_FIRST_REQUEST) {
            conn->role = sent ? 0 : 1;
            ss_wire_conn_open(conn);
        }
    }
    ss_wire_stream_feed(&side->stream, iov, from, length, ss_wire_now(), whole, conn);
    if (side->stream.broken) {
        ss_wire_conn_gap(conn,
                         side->stream.broken == SS_WIRE_TOO_LONG ? "too-long" : "not-vhost-user");
    }
}

/* Adds what a control message carries to the message under way, or that begins next. */
static void carry(SsWireConn *conn, SsWireSide *side, const struct msghdr *message)
{
    bool sent = side == &conn->out;
    struct msghdr *header = (struct msghdr *)message;
    if (!message->msg_control) {
        return;
    }
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            SsWireCarried carried = { .fd = -1 };
            memcpy(&carried.fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            (void)ss_wire_identify(carried.fd, &carried.identity);
            if (sent) {
                ss_wire_sent_note(&carried.identity);
                ss_wire_note_sent(carried.fd, &carried.identity);
            } else {
                ss_wire_number_taken(carried.fd);
                SsWireOrigin origin = {
                    .conn = conn->id,
                    .seq = side->stream.seq + (side->stream.got == 0),
                    .index = side->stream.n_fds,
                };
                ss_wire_file_add(carried.fd, &carried.identity, &origin);
            }
            if (side->stream.n_fds < SS_WIRE_CARRIED) {
                side->carried[side->stream.n_fds] = carried;
            }
            side->stream.n_fds++;
        }
    }
}

/*
 * While nobody listens, most messages are nobody's business but their channel's: they are followed
 * without the lock, and without the system calls that hold off signals. A handler that has to do
 * with the same channel meanwhile finds it taken, which is told as a gap. True when it was done.
 */
static bool follow_alone(const SsWireCall *call, SsWireSide *side, const struct iovec *iov,
                         size_t length, const struct msghdr *message)
{
    SsWireConn *conn = call->conn;
    int error = errno, cancel;
    if (ss_wire_listened() || (message && message->msg_controllen >= sizeof(struct cmsghdr)) ||
        !ss_wire_claim_alone(conn)) {
        return false;
    }
    /* A descriptor of a main channel may make another channel. */
    bool can = conn->state == SS_WIRE_OPEN && conn->birth == call->birth && !conn->missed &&
               !conn->inherited && (conn->backend || side->stream.n_fds == 0);
    if (can) {
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        feed(conn, side, iov, 0, length);
        (void)pthread_setcancelstate(cancel, NULL);
    }
    ss_wire_unclaim(conn);
    errno = error;
    return can;
}

void ss_wire_received(SsWireCall *call, const struct iovec *iov, size_t count, ssize_t result,
                      const struct msghdr *message)
{
    SsWireGuard guard;
    int error = errno;
    SsWireConn *conn = call->conn;
    ss_wire_receives_no_more(call);
    errno = error;
    if (!conn || (result < 0 && (error == EAGAIN || error == EINTR)) ||
        (result == 0 && ss_wire_iov_size(iov, count) == 0) ||
        (result > 0 && follow_alone(call, &conn->in, iov, (size_t)result, message)) ||
        !call_enters(call, &guard)) {
        return;
    }
    if (result <= 0) {
        bool gone = result == 0 || error == ECONNRESET || error == EPIPE;
        ss_wire_conn_end(conn, gone ? 1 : 2, result < 0 ? -error : 0);
    } else {
        /* Descriptors end a read: they belong to the last message that begins in it. */
        size_t length = (size_t)result, before = 0;
        if (message && message->msg_controllen >= sizeof(struct cmsghdr)) {
            before = ss_wire_stream_last_begin(&conn->in.stream, iov, length);
            if (before) {
                feed(conn, &conn->in, iov, 0, before);
            }
            /* Nobody begins with one, and those of other protocols are nothing of ours. */
            if (conn->state == SS_WIRE_OPEN) {
                carry(conn, &conn->in, message);
            }
        }
        if (conn->state == SS_WIRE_OPEN || conn->state == SS_WIRE_CANDIDATE) {
            feed(conn, &conn->in, iov, before, length - before);
        }
        if (conn->in.stream.got || message) {
            ss_wire_watch_begins(); /* a part of a message, or descriptors */
        }
    }
    call_leaves(conn, &guard);
    ss_wire_watch_start();
}

void ss_wire_sent(SsWireCall *call, const struct iovec *iov, size_t count, ssize_t result,
                  const struct msghdr *message)
{
    SsWireGuard guard;
    int error = errno;
    SsWireConn *conn = call->conn;
    if (!conn || result == 0 || (result < 0 && (error == EAGAIN || error == EINTR)) ||
        (result > 0 && follow_alone(call, &conn->out, iov, (size_t)result, message)) ||
        !call_enters(call, &guard)) {
        return;
    }
    conn->out.unread = call->unread;
    if (result > 0) {
        if (message && message->msg_controllen >= sizeof(struct cmsghdr) &&
            conn->state == SS_WIRE_OPEN) {
            carry(conn, &conn->out, message);
        }
        feed(conn, &conn->out, iov, 0, (size_t)result);
    } else if (conn->state == SS_WIRE_OPEN) {
        SsWireHeader header = conn->out.stream.header;
        if (conn->out.stream.got < sizeof(header) &&
            ss_wire_iov_copy(&header, iov, count, 0, sizeof(header)) < sizeof(header)) {
            header = (SsWireHeader){ 0 };
        }
        ss_wire_message_failed(conn, &header, conn->out.stream.n_fds, -error);
    }
    call_leaves(conn, &guard);
    ss_wire_watch_start();
}
