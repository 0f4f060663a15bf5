/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stream.h"

#include <string.h>

#include "ss-names.h"

size_t ss_wire_iov_size(const struct iovec *iov, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += iov[i].iov_len;
    }
    return size;
}

size_t ss_wire_iov_copy(void *to, const struct iovec *iov, size_t count, size_t from, size_t length)
{
    size_t done = 0;
    for (size_t i = 0; i < count && done < length; i++) {
        if (from >= iov[i].iov_len) {
            from -= iov[i].iov_len;
            continue;
        }
        size_t piece = iov[i].iov_len - from;
        if (piece > length - done) {
            piece = length - done;
        }
        memcpy((uint8_t *)to + done, (const uint8_t *)iov[i].iov_base + from, piece);
        done += piece;
        from = 0;
    }
    return done;
}

/* The header of a message that goes on can be any request: new ones come with each year. */
static SsWireBroken judge(const SsWireHeader *header)
{
    if ((header->flags & SS_WIRE_FLAG_VERSION_MASK) != SS_WIRE_FLAG_VERSION ||
        header->request == 0 || header->request > 0xffff) {
        return SS_WIRE_NOT_VHOST_USER;
    }
    return header->size > SS_WIRE_SIZE_MAX ? SS_WIRE_TOO_LONG : SS_WIRE_SOUND;
}

/* Takes what it can of a piece for the message under way; returns how much. */
static size_t take(SsWireStream *stream, const uint8_t *bytes, size_t length)
{
    if (stream->got < sizeof(SsWireHeader)) {
        size_t piece = sizeof(SsWireHeader) - stream->got;
        if (piece > length) {
            piece = length;
        }
        memcpy(stream->header_bytes + stream->got, bytes, piece);
        stream->got += piece;
        if (stream->got == sizeof(SsWireHeader)) {
            stream->broken = judge(&stream->header);
        }
        return piece;
    }
    uint64_t at = stream->got - sizeof(SsWireHeader);
    size_t piece = stream->header.size - at;
    if (piece > length) {
        piece = length;
    }
    if (at < SS_WIRE_PAYLOAD_MAX) {
        size_t kept = SS_WIRE_PAYLOAD_MAX - at;
        memcpy(stream->payload + at, bytes, piece < kept ? piece : kept);
    }
    stream->got += piece;
    return piece;
}

static bool is_whole(const SsWireStream *stream)
{
    return stream->got >= sizeof(SsWireHeader) &&
           stream->got == sizeof(SsWireHeader) + stream->header.size;
}

void ss_wire_stream_feed(SsWireStream *stream, const struct iovec *iov, size_t from, size_t length,
                         uint64_t now_ns, SsWireWhole whole, void *data)
{
    for (; length && !stream->broken; iov++) {
        if (from >= iov->iov_len) {
            from -= iov->iov_len;
            continue;
        }
        const uint8_t *bytes = (const uint8_t *)iov->iov_base + from;
        size_t left = iov->iov_len - from < length ? iov->iov_len - from : length;
        from = 0;
        length -= left;
        while (left && !stream->broken) {
            if (stream->got == 0) {
                stream->seq++;
                stream->began_ns = now_ns;
            }
            size_t taken = take(stream, bytes, left);
            bytes += taken;
            left -= taken;
            if (!stream->broken && is_whole(stream)) {
                whole(stream, data);
                stream->got = 0;
                stream->n_fds = 0;
            }
        }
    }
}

size_t ss_wire_stream_last_begin(const SsWireStream *stream, const struct iovec *iov, size_t length)
{
    SsWireHeader header = stream->header;
    uint64_t got = stream->got;
    size_t at = 0, last = 0;
    while (at < length) {
        if (got == 0) {
            last = at;
        }
        if (got < sizeof(header)) {
            size_t piece = sizeof(header) - got;
            if (piece > length - at) {
                return last;
            }
            (void)ss_wire_iov_copy((uint8_t *)&header + got, iov, SIZE_MAX, at, piece);
            at += piece;
            got = sizeof(header);
        }
        uint64_t left = sizeof(header) + (uint64_t)header.size - got;
        if (left > length - at) {
            return last;
        }
        at += left;
        got = 0;
    }
    return last;
}

SsWireFirst ss_wire_first(const uint8_t *bytes, size_t length)
{
    /* What front-ends begin with; all of them without payload. */
    static const uint32_t beginnings[] = {
        SS_FRONTEND_GET_FEATURES,          SS_FRONTEND_SET_OWNER,     SS_FRONTEND_RESET_OWNER,
        SS_FRONTEND_GET_PROTOCOL_FEATURES, SS_FRONTEND_GET_QUEUE_NUM,
    };
    if (length > sizeof(SsWireHeader)) {
        length = sizeof(SsWireHeader);
    }
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        for (uint32_t need_reply = 0; need_reply <= 1; need_reply++) {
            SsWireHeader header = {
                .request = beginnings[i],
                .flags = SS_WIRE_FLAG_VERSION | (need_reply ? SS_WIRE_FLAG_NEED_REPLY : 0),
            };
            if (memcmp(bytes, &header, length) == 0) {
                return length == sizeof(header) ? SS_WIRE_FIRST_REQUEST : SS_WIRE_FIRST_UNDECIDED;
            }
        }
    }
    return SS_WIRE_FIRST_OTHER;
}

bool ss_wire_asks(const SsWireHeader *header, bool backend, bool acks)
{
    if (header->flags & SS_WIRE_FLAG_REPLY) {
        return false;
    }
    if (acks && (header->flags & SS_WIRE_FLAG_NEED_REPLY)) {
        return true;
    }
    if (backend) {
        return header->request == SS_BACKEND_SHARED_OBJECT_LOOKUP;
    }
    switch (header->request) {
    case SS_FRONTEND_GET_FEATURES:
    case SS_FRONTEND_GET_VRING_BASE:
    case SS_FRONTEND_GET_PROTOCOL_FEATURES:
    case SS_FRONTEND_GET_QUEUE_NUM:
    case SS_FRONTEND_GET_CONFIG:
    case SS_FRONTEND_CREATE_CRYPTO_SESSION:
    case SS_FRONTEND_POSTCOPY_ADVISE:
    case SS_FRONTEND_POSTCOPY_END:
    case SS_FRONTEND_GET_INFLIGHT_FD:
    case SS_FRONTEND_GET_MAX_MEM_SLOTS:
    case SS_FRONTEND_GET_STATUS:
    case SS_FRONTEND_GET_SHARED_OBJECT:
    case SS_FRONTEND_SET_DEVICE_STATE_FD:
    case SS_FRONTEND_CHECK_DEVICE_STATE:
    case SS_FRONTEND_GET_SHMEM_CONFIG:
        return true;
    default:
        return false;
    }
}
