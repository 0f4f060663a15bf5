/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A peek ends behind the first part of a stream that brings descriptors, and vhost-user sends those
 * with a header: of a SHMEM_MAP it shows which request it is, and not which range. The thread that
 * sent the last message of the stream stands in the wait for its answer, with the message as it was
 * sent on its stack, when it is written in C. It is taken for that only when it fits in all that
 * the socket does tell, and when nothing else on the stack does.
 */
#include <string.h>
#include <sys/uio.h>

#include "analysis/autopsy/parts.h"

#define SS_HEADER_BYTES 12
#define SS_STACK_BYTES (256u << 10)
#define SS_SET_MEM_TABLE 5
#define SS_REGION_BYTES 32

typedef struct SsSought {
    const guint8 *begin; /* weak; of the message, as far as it was peeked */
    gsize n_begin;
    gsize hidden; /* bytes that lie behind it in the socket */
    gint32 fds;   /* descriptors in all that is hidden; -1: not known */
} SsSought;

/* What the socket hides; false when nothing, or nothing that a single message can be. */
static bool seek(const SsSeenSocket *socket, SsSought *ret_sought)
{
    gsize offset = 0;
    gsize begin = 0;
    SsUnread unread = { 0 };
    if (socket->peek != SS_PEEK_DONE || socket->peeked->len == 0 ||
        socket->unread <= socket->peeked->len || socket->peeked->len >= SS_PEEK_BYTES) {
        return false;
    }
    while (begin = offset, ss_unread_next(socket, &offset, &unread) && unread.len == unread.size) {
    }
    /* Behind the last whole message; or behind the header whose payload comes in another part. */
    ret_sought->begin = socket->peeked->data + begin;
    ret_sought->n_begin = socket->peeked->len - begin;
    ret_sought->hidden = socket->unread - socket->peeked->len;
    ret_sought->fds = socket->unread_fds;
    if (ret_sought->n_begin == 0) {
        return ret_sought->hidden >= SS_HEADER_BYTES && ret_sought->hidden <= SS_PEEK_BYTES;
    }
    return ret_sought->n_begin >= SS_HEADER_BYTES && unread.size > unread.len &&
           unread.size - unread.len == ret_sought->hidden;
}

static guint32 word(const guint8 *bytes)
{
    guint32 value;
    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

/* A whole message of just that length that was not announced. Those that are not of a known shape
 * are passed over: too much looks like them. */
static bool is_message(const guint8 *bytes, const SsSought *sought)
{
    guint32 request = word(bytes);
    guint32 flags = word(bytes + 4);
    guint32 size = word(bytes + 8);
    if ((flags != 1 && flags != 9) || SS_HEADER_BYTES + size != sought->hidden) {
        return false;
    }
    guint32 regions = word(bytes + SS_HEADER_BYTES);
    return request == SS_SET_MEM_TABLE && size >= 8 && regions <= 64 &&
           size == 8 + regions * SS_REGION_BYTES &&
           (sought->fds < 0 || (guint32)sought->fds >= regions);
}

/* Returns the hidden bytes on the stack, weak; NULL when nothing fits, or things that differ. */
static const guint8 *search(const guint8 *stack, gsize len, const SsSought *sought)
{
    const guint8 *found = NULL;
    gsize whole = sought->n_begin + sought->hidden;
    for (gsize at = 0; at + whole <= len; at += 4) {
        const guint8 *here = stack + at;
        bool fits = sought->n_begin ? memcmp(here, sought->begin, sought->n_begin) == 0
                                    : is_message(here, sought);
        if (fits && found && memcmp(here + sought->n_begin, found, sought->hidden) != 0) {
            return NULL;
        }
        if (fits) {
            found = here + sought->n_begin;
        }
    }
    return found;
}

/* Whether it waits for what comes in by this socket. */
static bool waits_on(const SsSeenProcess *process, const SsSeenThread *thread, guint64 inode)
{
    if (thread->call != SS_CALL_IN) {
        return false;
    }
    bool found = thread->fd >= 0 && ss_seen_socket_of(process, thread->fd) == inode;
    for (guint i = 0; i < thread->polls->len && !found; i++) {
        const SsSeenPoll *poll = &g_array_index(thread->polls, SsSeenPoll, i);
        found = ss_seen_socket_of(process, poll->fd) == inode;
    }
    return found;
}

static gsize read_stack(gint32 pid, guint64 sp, guint8 *buffer, gsize len)
{
    /* In pieces, for the stack may end before: what is before the first hole counts. */
    gsize got = 0;
    while (got < len) {
        gsize piece = MIN((gsize)4096 - (gsize)((sp + got) % 4096), len - got);
        gsize part = ss_process_memory(pid, sp + got, buffer + got, piece);
        got += part;
        if (part < piece) {
            break;
        }
    }
    return got;
}

static void recall_from(SsSeenSocket *socket, const SsSought *sought, const SsSeenProcess *sender)
{
    g_autofree guint8 *stack = NULL;
    for (guint i = 0; i < sender->threads->len; i++) {
        const SsSeenThread *thread = g_ptr_array_index(sender->threads, i);
        if (!waits_on(sender, thread, socket->peer)) {
            continue;
        }
        stack = stack ? stack : g_malloc(SS_STACK_BYTES);
        gsize len = read_stack(sender->pid, thread->sp & ~(guint64)3, stack, SS_STACK_BYTES);
        const guint8 *found = search(stack, len, sought);
        if (found) {
            g_byte_array_append(socket->peeked, found, (guint)sought->hidden);
            socket->recalled = (guint32)sought->hidden;
            socket->recalled_tid = thread->tid;
            ss_seen_socket_count(socket);
            return;
        }
    }
}

void ss_recall(SsLook *look)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, look->sockets);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsSeenSocket *socket = value;
        const SsSeenSocket *peer = ss_look_socket(look, socket->peer);
        SsSought sought;
        if (!peer || !seek(socket, &sought)) {
            continue;
        }
        for (guint i = 0; i < peer->holders->len && !socket->recalled; i++) {
            const SsSeenHolder *holder = &g_array_index(peer->holders, SsSeenHolder, i);
            const SsSeenProcess *sender = ss_look_process(look, holder->pid);
            if (sender) {
                recall_from(socket, &sought, sender);
            }
        }
    }
}
