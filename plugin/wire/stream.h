/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One direction of a vhost-user channel as a stream of bytes: where each message begins and
 * ends, however it was cut into calls. Knows nothing of descriptors but how many came, and of
 * no system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Header of a message, in the host's byte order (specification, "Header"). */
typedef struct SsWireHeader {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* bytes of payload */
} SsWireHeader;

#define SS_WIRE_FLAG_VERSION_MASK 0x3u
#define SS_WIRE_FLAG_VERSION 0x1u
#define SS_WIRE_FLAG_REPLY 0x4u
#define SS_WIRE_FLAG_NEED_REPLY 0x8u

/* The longest payload that is looked into: a reply to GET_SHMEM_CONFIG. */
#define SS_WIRE_PAYLOAD_MAX (8u + 256u * 8u)
/* Longer than any message of the specification; beyond it the stream is no longer believed. */
#define SS_WIRE_SIZE_MAX (16u << 20)
/* More than one message can carry: the kernel's limit (SCM_MAX_FD). */
#define SS_WIRE_FDS_MAX 253u

typedef enum SsWireBroken {
    SS_WIRE_SOUND,
    SS_WIRE_NOT_VHOST_USER, /* a header that none can be */
    SS_WIRE_TOO_LONG,       /* a payload longer than SS_WIRE_SIZE_MAX */
} SsWireBroken;

/* State of one direction; all zero at the first byte. */
typedef struct SsWireStream {
    uint64_t seq;      /* of the message under way; 0 before the first */
    uint64_t got;      /* bytes of it so far, header included; 0 between messages */
    uint32_t n_fds;    /* descriptors that went with it so far */
    uint64_t began_ns; /* when its first byte passed, in the clock of the caller */
    SsWireBroken broken;
    union {
        SsWireHeader header;
        uint8_t header_bytes[sizeof(SsWireHeader)];
    };
    uint8_t payload[SS_WIRE_PAYLOAD_MAX]; /* its first bytes */
} SsWireStream;

/* A message is whole in @stream, and is forgotten after the call. */
typedef void (*SsWireWhole)(const SsWireStream *stream, void *data);

/* Bytes of @iov, up to @length in all, cut down to what @count says it has. */
size_t ss_wire_iov_size(const struct iovec *iov, size_t count);

/*
 * Feeds @length bytes that lie at offset @from of @iov, and calls @whole for each message that
 * becomes whole. @now_ns is when they passed. Stops for good at a header that none can be
 * (@stream->broken).
 */
void ss_wire_stream_feed(SsWireStream *stream, const struct iovec *iov, size_t from, size_t length,
                         uint64_t now_ns, SsWireWhole whole, void *data);

/*
 * Where in the next @length bytes of @iov the last message begins; 0 when none begins there. A
 * read of a socket ends with what descriptors came with, so they belong to that one.
 */
size_t ss_wire_stream_last_begin(const SsWireStream *stream, const struct iovec *iov,
                                 size_t length);

/* What the first bytes of a connection are. */
typedef enum SsWireFirst {
    SS_WIRE_FIRST_UNDECIDED, /* too few to tell */
    SS_WIRE_FIRST_REQUEST,   /* a front-end's first request */
    SS_WIRE_FIRST_OTHER,     /* something else */
} SsWireFirst;

/* Judges the first @length bytes (up to a header's size are looked at). */
SsWireFirst ss_wire_first(const uint8_t *bytes, size_t length);

/* Copies up to @length bytes at offset @from of @iov, and returns how many there were. */
size_t ss_wire_iov_copy(void *to, const struct iovec *iov, size_t count, size_t from,
                        size_t length);

/* What a message means to the one who sent it. */

/*
 * True when the sender of request @request may wait for a reply to it: it asked for one, or the
 * request has one of its own (specification, "Communication"). @backend: on the back-end
 * channel. @acks: NEED_REPLY means something on this channel (REPLY_ACK was not refused).
 */
bool ss_wire_asks(const SsWireHeader *header, bool backend, bool acks);
