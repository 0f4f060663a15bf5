/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a whole message says: told, and taken note of.
 */
#include <string.h>

#include "conn.h"
#include "file.h"
#include "ss-names.h"
#include "tell.h"
#include "watch.h"

#define PROTOCOL_F_REPLY_ACK 3

/* Payloads (specification, "Message payload"): all fields are in the host's byte order. */
typedef struct SsWireShmem {
    uint8_t shmid;
    uint8_t padding[7];
    uint64_t fd_offset;
    uint64_t shm_offset;
    uint64_t len;
    uint64_t flags;
} SsWireShmem;

typedef struct SsWireRegion {
    uint64_t gpa;
    uint64_t size;
    uint64_t addr;
    uint64_t offset;
} SsWireRegion;

static uint64_t value_of(const SsWireStream *stream)
{
    uint64_t value = 0;
    if (stream->header.size >= sizeof(value)) {
        memcpy(&value, stream->payload, sizeof(value));
    }
    return value;
}

/* ---- descriptors that go with it ---- */

static void tell_carried(const SsWireConn *conn, const SsWireSide *side, uint32_t index, bool sent)
{
    const SsWireCarried *carried = &side->carried[index];
    const SsWireIdentity *identity = &carried->identity;
    /* Those that come between two messages are the next one's. */
    uint64_t seq = side->stream.seq + (side->stream.got == 0);
    SS_WIRE_TELL(fd, conn->id, seq, sent, index, carried->fd, identity->dev, identity->ino,
                 identity->size, identity->access);
}

void ss_wire_carried_all(SsWireConn *conn, SsWireSide *side, bool sent)
{
    for (uint32_t i = 0; i < side->stream.n_fds && i < SS_WIRE_CARRIED; i++) {
        if (!side->carried[i].told) {
            side->carried[i].told = true;
            tell_carried(conn, side, i, sent);
        }
    }
}

void ss_wire_carried_now(int fd)
{
    for (uint32_t at = 0; SS_WIRE_ON(fd) && at < ss_wire_conns_end; at++) {
        SsWireConn *conn = &ss_wire_conns[at];
        if (conn->state != SS_WIRE_OPEN || !ss_wire_claim(conn)) {
            continue;
        }
        for (uint32_t i = 0; i < conn->in.stream.n_fds && i < SS_WIRE_CARRIED; i++) {
            if (conn->in.carried[i].fd == fd && !conn->in.carried[i].told) {
                conn->in.carried[i].told = true;
                tell_carried(conn, &conn->in, i, false);
            }
        }
        ss_wire_unclaim(conn);
    }
}

/* ---- what it is ---- */

static bool is_shmem(const SsWireConn *conn, const SsWireHeader *header, bool sent)
{
    return conn->backend && sent == (conn->role == 1) && !(header->flags & SS_WIRE_FLAG_REPLY) &&
           header->size >= sizeof(SsWireShmem) &&
           (header->request == SS_BACKEND_SHMEM_MAP || header->request == SS_BACKEND_SHMEM_UNMAP);
}

static void tell_regions(const SsWireConn *conn, const SsWireStream *stream)
{
    uint32_t room =
        (stream->header.size < SS_WIRE_PAYLOAD_MAX ? stream->header.size : SS_WIRE_PAYLOAD_MAX);
    for (uint32_t shmid = 0; 8 + (shmid + 1) * 8 <= room; shmid++) {
        uint64_t size;
        memcpy(&size, stream->payload + 8 + shmid * 8, sizeof(size));
        if (size) {
            SS_WIRE_TELL(region, conn->id, stream->seq, shmid, size);
        }
    }
}

static void tell_memory(const SsWireConn *conn, const SsWireStream *stream)
{
    uint32_t count = 1;
    if (stream->header.request == SS_FRONTEND_SET_MEM_TABLE) {
        memcpy(&count, stream->payload, sizeof(count));
    }
    uint32_t room =
        (stream->header.size < SS_WIRE_PAYLOAD_MAX ? stream->header.size : SS_WIRE_PAYLOAD_MAX);
    for (uint32_t i = 0; i < count && 8 + (i + 1) * sizeof(SsWireRegion) <= room; i++) {
        SsWireRegion region;
        memcpy(&region, stream->payload + 8 + i * sizeof(region), sizeof(region));
        SS_WIRE_TELL(memory_region, conn->id, stream->seq, i, region.gpa, region.size, region.addr,
                     region.offset);
    }
}

static void tell(SsWireConn *conn, SsWireSide *side, bool sent)
{
    const SsWireStream *stream = &side->stream;
    const SsWireHeader *header = &stream->header;
    if (is_shmem(conn, header, sent)) {
        SsWireShmem shmem;
        memcpy(&shmem, stream->payload, sizeof(shmem));
        SS_WIRE_TELL(shmem, conn->id, stream->seq, header->request, header->flags, stream->n_fds,
                     shmem.shmid, shmem.fd_offset, shmem.shm_offset, shmem.len, shmem.flags);
    } else if (SS_WIRE_ON(message)) {
        uint32_t unread = sent ? side->unread : ss_wire_unread(conn->other_fd);
        SS_WIRE_TELL(message, conn->id, stream->seq, sent, header->request, header->flags,
                     header->size, stream->n_fds, 0, value_of(stream), unread);
    }
    if (!conn->backend) {
        bool reply = header->flags & SS_WIRE_FLAG_REPLY;
        if (header->request == SS_FRONTEND_GET_SHMEM_CONFIG && reply) {
            tell_regions(conn, stream);
        } else if (!reply && (header->request == SS_FRONTEND_SET_MEM_TABLE ||
                              header->request == SS_FRONTEND_ADD_MEM_REG ||
                              header->request == SS_FRONTEND_REM_MEM_REG)) {
            tell_memory(conn, stream);
        }
    }
    ss_wire_carried_all(conn, side, sent);
}

/* ---- what follows from it ---- */

static bool acks(const SsWireConn *conn)
{
    const SsWireConn *main = conn->backend ? conn->main : conn;
    return main && (main->protocol_features & (1ull << PROTOCOL_F_REPLY_ACK));
}

static void note_ask(SsWireConn *conn, const SsWireStream *stream, int tid)
{
    if (conn->n_asks == SS_WIRE_ASKS) {
        memmove(&conn->asks[0], &conn->asks[1], (SS_WIRE_ASKS - 1) * sizeof(conn->asks[0]));
        conn->n_asks--;
    }
    conn->asks[conn->n_asks++] = (SsWireAsk){
        .seq = stream->seq,
        .request = stream->header.request,
        .tid = tid,
        .since_ns = ss_wire_now(),
    };
    ss_wire_watch_begins();
}

static void note_reply(SsWireConn *conn, uint32_t request)
{
    /* Counted once: a fork or a close in a handler may leave none of them. */
    uint32_t count = conn->n_asks;
    for (uint32_t i = 0; i < count; i++) {
        if (conn->asks[i].request == request) {
            memmove(&conn->asks[i], &conn->asks[i + 1], (count - 1 - i) * sizeof(conn->asks[0]));
            conn->n_asks = count - 1;
            return;
        }
    }
}

static void note_backend_channel(SsWireConn *conn, const SsWireSide *side, bool sent)
{
    if (side->stream.n_fds != 1) {
        return;
    }
    const SsWireCarried *carried = &side->carried[0];
    if (!sent) {
        ss_wire_conn_backend(conn, carried->fd, &carried->identity, 0);
        return;
    }
    int own = ss_wire_pair_of(carried->identity.ino);
    if (own >= 0) {
        ss_wire_conn_backend(conn, own, NULL, carried->identity.ino);
    }
}

static void note(SsWireConn *conn, SsWireSide *side, bool sent)
{
    const SsWireStream *stream = &side->stream;
    const SsWireHeader *header = &stream->header;
    bool from_front = sent == (conn->role == 0);
    if (header->flags & SS_WIRE_FLAG_REPLY) {
        if (!sent) {
            note_reply(conn, header->request);
        }
        return;
    }
    if (!conn->backend && from_front) {
        if (header->request == SS_FRONTEND_SET_PROTOCOL_FEATURES) {
            conn->protocol_features = value_of(stream);
        } else if (header->request == SS_FRONTEND_SET_BACKEND_REQ_FD) {
            note_backend_channel(conn, side, sent);
        }
    }
    if (sent && ss_wire_asks(header, conn->backend, acks(conn))) {
        note_ask(conn, stream, side->tid);
    }
}

void ss_wire_message_in(const SsWireStream *stream, void *data)
{
    SsWireConn *conn = data;
    tell(conn, &conn->in, false);
    note(conn, &conn->in, false);
}

void ss_wire_message_out(const SsWireStream *stream, void *data)
{
    SsWireConn *conn = data;
    tell(conn, &conn->out, true);
    note(conn, &conn->out, true);
}

void ss_wire_message_failed(SsWireConn *conn, const SsWireHeader *header, uint32_t fds, int error)
{
    uint64_t seq = conn->out.stream.seq + (conn->out.stream.got == 0);
    SS_WIRE_TELL(message, conn->id, seq, 1, header->request, header->flags, header->size, fds,
                 error, 0, conn->out.unread);
}
