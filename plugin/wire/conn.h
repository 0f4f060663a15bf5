/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Connections: which sockets are vhost-user channels, and what passes over them.
 */
#pragma once

#include <sys/socket.h>

#include "state.h"

/*
 * The connection that number @fd is, or NULL when it is none of ours. Looks at a number that was
 * not looked at yet. Takes the lock itself, when it has to.
 */
SsWireConn *ss_wire_conn_find(int fd);

/* A call on a connection, from before the real call until after it. */
typedef struct SsWireCall {
    SsWireConn *conn; /* NULL: nothing to do */
    uint32_t birth;
    int fd;
    uint32_t unread; /* of the device's other channel, before a send */
} SsWireCall;

/* Both are called without the lock. */
void ss_wire_receives(int fd, SsWireCall *ret_call);
void ss_wire_sends(int fd, SsWireCall *ret_call);
/* A cancelled thread leaves the call by this. */
void ss_wire_receives_no_more(SsWireCall *call);

/*
 * The real call returned @result (errno as it left it). @iov: what it was given, @message: its
 * header, NULL for a call that has none.
 */
void ss_wire_received(SsWireCall *call, const struct iovec *iov, size_t count, ssize_t result,
                      const struct msghdr *message);
void ss_wire_sent(SsWireCall *call, const struct iovec *iov, size_t count, ssize_t result,
                  const struct msghdr *message);

/* ---- with the lock ---- */

/* One of its descriptors was closed. */
void ss_wire_conn_closed(SsWireConn *conn, int fd, int error);

/* The ends of a socketpair(). */
void ss_wire_pair(int one, int other);

/* A place for a socket; NULL when all are taken. */
SsWireConn *ss_wire_conn_new(int fd);

/* Number @fd is the back-end channel of the device with main channel @main. */
void ss_wire_conn_backend(SsWireConn *main, int fd, const SsWireIdentity *came, uint64_t peer);

/* Our own end of a socketpair() whose other end has this inode; -1 when it is not known. */
int ss_wire_pair_of(uint64_t ino);

/* A candidate turns out to be a channel. */
void ss_wire_conn_open(SsWireConn *conn);

/* The connection's own events; the last two with the connection claimed. */
void ss_wire_conn_tell(const SsWireConn *conn);
void ss_wire_conn_end(SsWireConn *conn, uint8_t reason, int error);
void ss_wire_conn_gap(SsWireConn *conn, const char *reason);

/* A message of one side is whole (SsWireWhole, with a SsWireConn). */
void ss_wire_message_in(const SsWireStream *stream, void *conn);
void ss_wire_message_out(const SsWireStream *stream, void *conn);
/* A message could not be sent. */
void ss_wire_message_failed(SsWireConn *conn, const SsWireHeader *header, uint32_t fds, int error);

/* Number @fd came with a message that is not whole, and something happens to it: told now. */
void ss_wire_carried_now(int fd);
/* All that came with the message under way. */
void ss_wire_carried_all(SsWireConn *conn, SsWireSide *side, bool sent);

/* ---- anywhere ---- */

/* Bytes that lie unread in a socket; 0 when it cannot be told. Keeps errno. */
uint32_t ss_wire_unread(int fd);
