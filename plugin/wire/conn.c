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
    /* Nor one that somebody still follows: interrupted, he goes on with what he had. */
    while (index < ss_wire_conns_end && (ss_wire_conns[index].state != SS_WIRE_FREE ||
                                         atomic_load(&ss_wire_conns[index].claimant))) {
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
    conn->id = conn->sock = conn->peer = conn->main_id = 0;
    conn->protocol_features = 0;
    conn->peer_pid = 0;
    conn->role = conn->backend = 0;
    conn->main = NULL;
    conn->other = NULL;
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

void ss_wire_conn_open(SsWireConn *conn)
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
    ss_wire_conn_open(conn);
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
    conn->other = NULL;
    conn->main = NULL;
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

static void end(SsWireConn *conn, uint8_t reason, int error, bool claimed)
{
    if (conn->state != SS_WIRE_OPEN) {
        return;
    }
    if (claimed) {
        flush(conn);
        conn->n_asks = 0;
    }
    ss_wire_audit_lost();
    atomic_store(&conn->state, SS_WIRE_ENDED);
    SS_WIRE_TELL(channel_closed, conn->id, conn->fd, reason, error);
    part(conn);
}

void ss_wire_conn_end(SsWireConn *conn, uint8_t reason, int error)
{
    end(conn, reason, error, true);
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
    bool claimed = ss_wire_claim(conn);
    end(conn, 0, error, claimed);
    if (claimed) {
        ss_wire_unclaim(conn);
    }
    if (blind) {
        SS_WIRE_TELL(channel_closed, conn->id, conn->fd, 0, error);
        part(conn);
    }
    conn->descriptors = 0;
    atomic_store(&conn->state, SS_WIRE_FREE);
}
