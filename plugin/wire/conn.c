/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "conn.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include "audit.h"
#include "file.h"
#include "real.h"
#include "tell.h"
#include "watch.h"

static uint64_t last_id;

static bool is_unix_stream(int fd)
{
    int value = 0;
    socklen_t length = sizeof(value);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length) < 0 || value != AF_UNIX) {
        return false;
    }
    length = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_STREAM;
}

SsWireConn *ss_wire_conn_find(int fd)
{
    uint32_t entry = ss_wire_entry(fd);
    SsWireKind kind = ss_wire_entry_kind(entry);
    if (kind == SS_WIRE_SOCKET) {
        return &ss_wire_conns[ss_wire_entry_index(entry)];
    }
    if (kind != SS_WIRE_UNKNOWN && kind != SS_WIRE_CLOSED) {
        return NULL;
    }
    int error = errno;
    SsWireConn *conn = NULL;
    SsWireGuard guard;
    bool stream = is_unix_stream(fd);
    if (ss_wire_own_process() && (stream || kind == SS_WIRE_CLOSED)) {
        if (ss_wire_enter(&guard)) {
            if (ss_wire_entry(fd) == entry) {
                ss_wire_number_taken(fd);
                conn = stream ? ss_wire_conn_new(fd) : NULL;
            }
            ss_wire_leave(&guard);
        }
    } else if (!stream && ss_wire_own_process()) {
        atomic_compare_exchange_strong(&ss_wire_numbers[fd], &entry, SS_WIRE_PASS);
    }
    errno = error;
    return conn;
}

SsWireConn *ss_wire_conn_new(int fd)
{
    uint32_t index = 0;
    while (index < ss_wire_conns_end && ss_wire_conns[index].state != SS_WIRE_FREE) {
        index++;
    }
    if (index == SS_WIRE_CONNS) {
        ss_wire_set(fd, SS_WIRE_PASS, 0);
        return NULL;
    }
    SsWireConn *conn = &ss_wire_conns[index];
    if (index == ss_wire_conns_end) {
        ss_wire_conns_end++;
    }
    uint32_t birth = conn->birth + 1;
    /* All but the long arrays, which count what they hold. */
    conn->reader = 0;
    conn->missed = false;
    conn->other_fd = -1;
    conn->inherited = false;
    conn->came = false;
    conn->identity = (SsWireIdentity){ 0 };
    conn->id = conn->sock = conn->peer = conn->main_id = conn->protocol_features = 0;
    conn->peer_pid = 0;
    conn->role = conn->backend = 0;
    conn->main = conn->other = NULL;
    conn->name[0] = '\0';
    conn->n_asks = 0;
    for (SsWireSide *side = &conn->in;; side = &conn->out) {
        SsWireStream *stream = &side->stream;
        stream->seq = stream->got = stream->n_fds = 0;
        stream->broken = SS_WIRE_SOUND;
        side->told = 0;
        side->tid = 0;
        if (side == &conn->out) {
            break;
        }
    }
    conn->fd = fd;
    conn->descriptors = 1;
    conn->birth = birth;
    conn->state = SS_WIRE_CANDIDATE;
    ss_wire_set(fd, SS_WIRE_SOCKET, index);
    return conn;
}

/* ---- identity ---- */

static void copy_name(SsWireConn *conn, const struct sockaddr_un *address, socklen_t length)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    if (conn->name[0] || length <= offset || address->sun_family != AF_UNIX) {
        return;
    }
    size_t size = length - offset;
    const char *path = address->sun_path;
    size_t to = 0;
    if (path[0] == '\0' && size > 1) {
        /* The abstract name space, as others write it. */
        conn->name[to++] = '@';
        path++;
        size--;
    }
    for (size_t i = 0; i < size && path[i] && to < sizeof(conn->name) - 1; i++) {
        conn->name[to++] = path[i];
    }
    conn->name[to] = '\0';
}

static void find_identity(SsWireConn *conn)
{
    SsWireIdentity identity;
    if (ss_wire_identify(conn->fd, &identity)) {
        conn->sock = identity.ino;
    }
    struct ucred other;
    socklen_t length = sizeof(other);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &other, &length) == 0) {
        conn->peer_pid = other.pid;
    }
    struct sockaddr_un address;
    length = sizeof(address);
    if (getsockname(conn->fd, (struct sockaddr *)&address, &length) == 0) {
        copy_name(conn, &address, length);
    }
    length = sizeof(address);
    if (getpeername(conn->fd, (struct sockaddr *)&address, &length) == 0) {
        copy_name(conn, &address, length);
    }
}

void ss_wire_conn_tell(const SsWireConn *conn)
{
    SS_WIRE_TELL(channel, conn->id, conn->main_id, conn->fd, conn->sock, conn->peer, conn->peer_pid,
                 conn->role, conn->backend, conn->name);
}

static void open_conn(SsWireConn *conn)
{
    find_identity(conn);
    conn->id = ++last_id;
    atomic_store(&conn->state, SS_WIRE_OPEN);
    ss_wire_conn_tell(conn);
    ss_wire_watch_wanted();
}

void ss_wire_conn_backend(SsWireConn *main, int fd, const SsWireIdentity *came, uint64_t peer)
{
    uint32_t entry = ss_wire_entry(fd);
    SsWireConn *conn;
    if (ss_wire_entry_kind(entry) == SS_WIRE_SOCKET) {
        conn = &ss_wire_conns[ss_wire_entry_index(entry)];
        if (conn->state != SS_WIRE_CANDIDATE) {
            return;
        }
    } else {
        ss_wire_file_forget(fd);
        conn = ss_wire_conn_new(fd);
        if (!conn) {
            return;
        }
    }
    if (main->other) {
        /* A new one takes the place of the old, which may live until it is closed. */
        main->other->other = NULL;
        atomic_store(&main->other->other_fd, -1);
    }
    if (came) {
        conn->came = true;
        conn->identity = *came;
    }
    conn->role = main->role;
    conn->backend = 1;
    conn->peer = peer;
    conn->main = main;
    conn->main_id = main->id;
    conn->other = main;
    main->other = conn;
    atomic_store(&conn->other_fd, main->fd);
    atomic_store(&main->other_fd, fd);
    open_conn(conn);
}

/* ---- ends ---- */

static void part(SsWireConn *conn)
{
    if (conn->other) {
        conn->other->other = NULL;
        atomic_store(&conn->other->other_fd, -1);
        if (conn->other->main == conn) {
            conn->other->main = NULL;
        }
    }
    conn->other = conn->main = NULL;
    atomic_store(&conn->other_fd, -1);
    for (uint32_t i = 0; i < ss_wire_conns_end; i++) {
        if (ss_wire_conns[i].main == conn) {
            ss_wire_conns[i].main = NULL;
        }
    }
}

static void flush(SsWireConn *conn)
{
    ss_wire_carried_all(conn, &conn->in, false);
    ss_wire_carried_all(conn, &conn->out, true);
}

void ss_wire_conn_end(SsWireConn *conn, uint8_t reason, int error)
{
    if (conn->state != SS_WIRE_OPEN) {
        return;
    }
    flush(conn);
    ss_wire_audit_lost();
    conn->n_asks = 0;
    atomic_store(&conn->state, SS_WIRE_ENDED);
    SS_WIRE_TELL(channel_closed, conn->id, conn->fd, reason, error);
    part(conn);
}

void ss_wire_conn_gap(SsWireConn *conn, const char *reason)
{
    if (conn->state != SS_WIRE_OPEN) {
        return;
    }
    flush(conn);
    conn->n_asks = 0;
    atomic_store(&conn->state, SS_WIRE_BLIND);
    SS_WIRE_TELL(gap, conn->id, reason);
}

void ss_wire_conn_closed(SsWireConn *conn, int fd, int error)
{
    if (conn->descriptors > 1) {
        conn->descriptors--;
        for (uint32_t number = 0; conn->fd == fd && number < ss_wire_numbers_end; number++) {
            uint32_t entry = ss_wire_entry((int)number);
            if ((int)number != fd && ss_wire_entry_kind(entry) == SS_WIRE_SOCKET &&
                &ss_wire_conns[ss_wire_entry_index(entry)] == conn) {
                conn->fd = (int)number;
                if (conn->other) {
                    atomic_store(&conn->other->other_fd, conn->fd);
                }
            }
        }
        return;
    }
    bool blind = conn->state == SS_WIRE_BLIND && conn->id;
    ss_wire_conn_end(conn, 0, error);
    if (blind) {
        SS_WIRE_TELL(channel_closed, conn->id, conn->fd, 0, error);
        part(conn);
    }
    conn->descriptors = 0;
    atomic_store(&conn->state, SS_WIRE_FREE);
}

/* ---- calls ---- */

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

/* The lock, for what a call did to its connection; false when that is not ours to tell. */
static bool call_enters(const SsWireCall *call, SsWireGuard *ret_guard)
{
    SsWireConn *conn = call->conn;
    if (!ss_wire_enter(ret_guard)) {
        atomic_store(&conn->missed, true);
        return false;
    }
    if (conn->birth != call->birth ||
        (conn->state != SS_WIRE_CANDIDATE && conn->state != SS_WIRE_OPEN)) {
        ss_wire_leave(ret_guard);
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
        ss_wire_leave(ret_guard);
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
            open_conn(conn);
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

void ss_wire_received(SsWireCall *call, const struct iovec *iov, size_t count, ssize_t result,
                      const struct msghdr *message)
{
    SsWireGuard guard;
    int error = errno;
    SsWireConn *conn = call->conn;
    ss_wire_receives_no_more(call);
    errno = error;
    if (!conn || (result < 0 && (error == EAGAIN || error == EINTR)) ||
        (result == 0 && ss_wire_iov_size(iov, count) == 0) || !call_enters(call, &guard)) {
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
    ss_wire_leave(&guard);
    ss_wire_watch_start();
}

void ss_wire_sent(SsWireCall *call, const struct iovec *iov, size_t count, ssize_t result,
                  const struct msghdr *message)
{
    SsWireGuard guard;
    int error = errno;
    SsWireConn *conn = call->conn;
    if (!conn || result == 0 || (result < 0 && (error == EAGAIN || error == EINTR)) ||
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
    ss_wire_leave(&guard);
    ss_wire_watch_start();
}
