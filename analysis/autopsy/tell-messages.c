/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Messages that lie unread. Offsets are those of the vhost-user specification, "Message
 * Specification"; a message has the byte order of its host, and evidence is explained on hosts of
 * the same.
 */
#include <string.h>

#include "analysis/autopsy/tell-parts.h"

#define REPLY (1u << 2)
#define SET_MEM_TABLE 5
/* Bytes of a message before its regions, and of each. */
#define TABLE_HEADER (12 + 8)
#define TABLE_REGION 32
#define TABLE_MOST 8

/* Of VhostUserMMap: shmid, padding, fd_offset, shm_offset, len, flags. */
#define MMAP_SHM_OFFSET 16
#define MMAP_LEN 24
#define MMAP_SIZE 40

static guint64 number(const SsUnread *message, gsize offset, gsize size)
{
    guint64 value = 0;
    if (offset + size <= message->len) {
        memcpy(&value, message->payload + offset, size); /* little-endian, as x86_64 is */
    }
    return value;
}

static SsInbox empty(const SsSeenSocket *socket)
{
    return (SsInbox){ .known = socket && socket->known, .bytes = socket ? socket->unread : 0 };
}

static void take(SsInbox *inbox, const SsUnread *message)
{
    inbox->request = message->request;
    inbox->flags = message->flags;
    inbox->size = message->size;
}

/* A peek ends behind a message that brings descriptors. Of what is sent as a device is told of its
 * memory, nothing but a table of several regions has such a size. */
static void guess(SsInbox *inbox, guint64 rest)
{
    guint64 entries = (rest - TABLE_HEADER) / TABLE_REGION;
    inbox->request = 0;
    if (rest > TABLE_HEADER && (rest - TABLE_HEADER) % TABLE_REGION == 0 && entries >= 2 &&
        entries <= TABLE_MOST) {
        inbox->request = SET_MEM_TABLE;
        inbox->entries = (guint32)entries;
        inbox->by_size = true;
    }
}

/* The front-end waits for the reply to the last that is answered. Without REPLY_ACK it sends a
 * GET_FEATURES behind a table, and waits for that one's: the table is what matters. */
SsInbox ss_tell_main_inbox(const SsSeenSocket *socket)
{
    SsInbox inbox = empty(socket);
    SsUnread message;
    bool answered = false;
    for (gsize at = 0;
         socket && socket->peek == SS_PEEK_DONE && ss_unread_next(socket, &at, &message);) {
        bool now = ss_request_answered(message.request, message.flags);
        if ((message.flags & REPLY) || (answered && !now)) {
            continue;
        }
        answered = now;
        take(&inbox, &message);
        inbox.entries =
            message.request == SET_MEM_TABLE ? (guint32)number(&message, 0, sizeof(guint32)) : 0;
    }
    if (!answered && inbox.request && inbox.request != SET_MEM_TABLE) {
        guess(&inbox, socket->unread - MIN(socket->unread, socket->peeked->len));
    }
    return inbox;
}

/* It is the first whose reply the back-end waits for. */
SsInbox ss_tell_backend_inbox(const SsSeenSocket *socket)
{
    SsInbox inbox = empty(socket);
    SsUnread message;
    for (gsize at = 0; socket && socket->peek == SS_PEEK_DONE && !inbox.request &&
                       ss_unread_next(socket, &at, &message);) {
        bool shmem =
            message.request == SS_REQUEST_SHMEM_MAP || message.request == SS_REQUEST_SHMEM_UNMAP;
        if ((message.flags & REPLY) || !(message.request == SS_REQUEST_SHARED_OBJECT_LOOKUP ||
                                         (message.flags & SS_HEADER_NEED_REPLY))) {
            continue;
        }
        take(&inbox, &message);
        inbox.has_range = shmem && message.len >= MMAP_SIZE;
        if (inbox.has_range) {
            inbox.shmid = message.payload[0];
            inbox.shm_offset = number(&message, MMAP_SHM_OFFSET, sizeof(guint64));
            inbox.len = number(&message, MMAP_LEN, sizeof(guint64));
        }
    }
    return inbox;
}
