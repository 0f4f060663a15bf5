/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/autopsy/evidence.h"

#include <string.h>

#include "analysis/autopsy/parts.h"

#define SS_HEADER_BYTES 12
/* Header flags: version 1, reply, need-reply; the others are reserved. */
#define SS_HEADER_VERSION 1u
#define SS_HEADER_FLAGS 0xfu
/* Requests that any version of the protocol has; a stream that begins elsewhere seldom fits. */
#define SS_HEADER_MAX_REQUEST 64u
#define SS_HEADER_MAX_SIZE 8192u

void ss_denied_free(gpointer data)
{
    SsDenied *denied = data;
    if (denied) {
        g_free(denied->what);
        g_free(denied->needs);
        g_free(denied);
    }
}

void ss_seen_thread_free(gpointer data)
{
    SsSeenThread *thread = data;
    if (thread) {
        g_free(thread->comm);
        g_array_unref(thread->polls);
        g_free(thread);
    }
}

void ss_seen_fd_free(gpointer data)
{
    SsSeenFd *fd = data;
    if (fd) {
        g_free(fd->name);
        g_free(fd);
    }
}

void ss_seen_map_free(gpointer data)
{
    SsSeenMap *map = data;
    if (map) {
        g_free(map->path);
        g_free(map);
    }
}

void ss_seen_process_free(gpointer data)
{
    SsSeenProcess *process = data;
    if (process) {
        g_free(process->comm);
        g_free(process->exe);
        g_free(process->vm);
        g_ptr_array_unref(process->argv);
        g_ptr_array_unref(process->threads);
        g_ptr_array_unref(process->fds);
        g_ptr_array_unref(process->maps);
        g_ptr_array_unref(process->denied);
        g_free(process);
    }
}

void ss_seen_socket_free(gpointer data)
{
    SsSeenSocket *socket = data;
    if (socket) {
        g_free(socket->path);
        g_array_unref(socket->holders);
        g_byte_array_unref(socket->peeked);
        g_free(socket);
    }
}

void ss_seen_channel_free(gpointer data)
{
    SsSeenChannel *channel = data;
    if (channel) {
        g_free(channel->device);
        g_free(channel->driver);
        g_free(channel->chardev);
        g_free(channel->path);
        g_free(channel);
    }
}

SsSeenThread *ss_seen_thread_new(gint32 tid)
{
    SsSeenThread *thread = g_new0(SsSeenThread, 1);
    thread->tid = thread->own_tid = tid;
    thread->comm = g_strdup("");
    thread->fd = -1;
    thread->timeout_ns = -1;
    thread->polls = g_array_new(FALSE, TRUE, sizeof(SsSeenPoll));
    return thread;
}

SsSeenProcess *ss_seen_process_new(gint32 pid)
{
    SsSeenProcess *process = g_new0(SsSeenProcess, 1);
    process->pid = process->own_pid = pid;
    process->uid = -1;
    process->comm = g_strdup("");
    process->exe = g_strdup("");
    process->vm = g_strdup("");
    process->argv = g_ptr_array_new_with_free_func(g_free);
    process->threads = g_ptr_array_new_with_free_func(ss_seen_thread_free);
    process->fds = g_ptr_array_new_with_free_func(ss_seen_fd_free);
    process->maps = g_ptr_array_new_with_free_func(ss_seen_map_free);
    process->denied = g_ptr_array_new_with_free_func(ss_denied_free);
    return process;
}

SsSeenSocket *ss_seen_socket_new(guint64 inode)
{
    SsSeenSocket *socket = g_new0(SsSeenSocket, 1);
    socket->inode = inode;
    socket->path = g_strdup("");
    socket->unread_fds = -1;
    socket->receive_timeout_ns = -1;
    socket->holders = g_array_new(FALSE, TRUE, sizeof(SsSeenHolder));
    socket->peeked = g_byte_array_new();
    return socket;
}

SsSeenChannel *ss_seen_channel_new(SsChannelKind kind, SsChannelHow how)
{
    SsSeenChannel *channel = g_new0(SsSeenChannel, 1);
    channel->kind = kind;
    channel->how = how;
    channel->device = g_strdup("");
    channel->driver = g_strdup("");
    channel->chardev = g_strdup("");
    channel->path = g_strdup("");
    channel->front_fd = channel->back_fd = channel->main = -1;
    return channel;
}

SsLook *ss_look_new(void)
{
    SsLook *look = g_new0(SsLook, 1);
    look->processes = g_ptr_array_new_with_free_func(ss_seen_process_free);
    look->channels = g_ptr_array_new_with_free_func(ss_seen_channel_free);
    look->sockets = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, ss_seen_socket_free);
    look->denied = g_ptr_array_new_with_free_func(ss_denied_free);
    return look;
}

void ss_look_free(SsLook *look)
{
    if (look) {
        g_ptr_array_unref(look->processes);
        g_ptr_array_unref(look->channels);
        g_hash_table_unref(look->sockets);
        g_ptr_array_unref(look->denied);
        g_free(look);
    }
}

SsEvidence *ss_evidence_new(void)
{
    SsEvidence *evidence = g_new0(SsEvidence, 1);
    evidence->tool = g_strdup("");
    evidence->host = g_strdup("");
    evidence->boot_id = g_strdup("");
    evidence->kernel = g_strdup("");
    evidence->looks = g_ptr_array_new_with_free_func((GDestroyNotify)ss_look_free);
    return evidence;
}

void ss_evidence_free(SsEvidence *evidence)
{
    if (evidence) {
        g_free(evidence->tool);
        g_free(evidence->host);
        g_free(evidence->boot_id);
        g_free(evidence->kernel);
        g_ptr_array_unref(evidence->looks);
        g_clear_pointer(&evidence->stacks, g_ptr_array_unref);
        g_free(evidence);
    }
}

void ss_deny(GPtrArray *denied, const char *what, const char *needs, int error)
{
    for (guint i = 0; i < denied->len; i++) {
        const SsDenied *known = g_ptr_array_index(denied, i);
        if (g_str_equal(known->what, what)) {
            return;
        }
    }
    SsDenied *entry = g_new0(SsDenied, 1);
    entry->what = g_strdup(what);
    entry->needs = g_strdup(needs);
    entry->error = error;
    g_ptr_array_add(denied, entry);
}

void ss_look_add(SsLook *look, SsSeenProcess *process)
{
    guint at = look->processes->len;
    while (at > 0 &&
           ((SsSeenProcess *)g_ptr_array_index(look->processes, at - 1))->pid > process->pid) {
        at--;
    }
    g_ptr_array_insert(look->processes, (gint)at, process);
}

SsSeenProcess *ss_look_process(const SsLook *look, gint32 pid)
{
    guint low = 0;
    guint high = look->processes->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        SsSeenProcess *process = g_ptr_array_index(look->processes, middle);
        if (process->pid == pid) {
            return process;
        }
        if (process->pid < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

SsSeenSocket *ss_look_socket(const SsLook *look, guint64 inode)
{
    return g_hash_table_lookup(look->sockets, &inode);
}

SsSeenThread *ss_seen_thread(const SsSeenProcess *process, gint32 tid)
{
    for (guint i = 0; i < process->threads->len; i++) {
        SsSeenThread *thread = g_ptr_array_index(process->threads, i);
        if (thread->tid == tid) {
            return thread;
        }
    }
    return NULL;
}

SsSeenFd *ss_seen_fd(const SsSeenProcess *process, gint32 fd)
{
    for (guint i = 0; i < process->fds->len; i++) {
        SsSeenFd *seen = g_ptr_array_index(process->fds, i);
        if (seen->fd == fd) {
            return seen;
        }
    }
    return NULL;
}

guint64 ss_seen_socket_of(const SsSeenProcess *process, gint32 fd)
{
    const SsSeenFd *seen = ss_seen_fd(process, fd);
    return seen && seen->kind == SS_FD_SOCKET ? seen->inode : 0;
}

bool ss_seen_same(const SsSeenProcess *before, const SsSeenProcess *after)
{
    return before && after && !after->ended && before->pid == after->pid &&
           before->start_ticks == after->start_ticks;
}

bool ss_seen_stood(const SsSeenThread *before, const SsSeenThread *after)
{
    return before && after && before->tid == after->tid && before->call == after->call &&
           (before->call == SS_CALL_IN || before->call == SS_CALL_OUTSIDE) &&
           before->nr == after->nr && memcmp(before->args, after->args, sizeof before->args) == 0 &&
           before->sp == after->sp && before->pc == after->pc && before->counts_known &&
           after->counts_known && before->switches == after->switches &&
           before->cpu_ns == after->cpu_ns;
}

char *ss_evidence_string(const char *bytes, gsize len, gsize max)
{
    const char *nul = memchr(bytes, '\0', len);
    if (nul) {
        len = (gsize)(nul - bytes);
    }
    return g_utf8_make_valid(bytes, (gssize)MIN(len, max));
}

static guint32 word_at(const guint8 *bytes)
{
    guint32 word;
    memcpy(&word, bytes, sizeof word);
    return GUINT32_FROM_LE(word);
}

bool ss_unread_next(const SsSeenSocket *socket, gsize *offset, SsUnread *ret_unread)
{
    gsize at = *offset;
    if (at > socket->peeked->len || socket->peeked->len - at < SS_HEADER_BYTES) {
        return false;
    }
    const guint8 *header = socket->peeked->data + at;
    SsUnread unread = { .request = word_at(header),
                        .flags = word_at(header + 4),
                        .size = word_at(header + 8) };
    if (unread.request > SS_HEADER_MAX_REQUEST || unread.size > SS_HEADER_MAX_SIZE ||
        (unread.flags & 3) != SS_HEADER_VERSION || unread.flags & ~SS_HEADER_FLAGS) {
        return false;
    }
    at += SS_HEADER_BYTES;
    unread.payload = socket->peeked->data + at;
    unread.len = MIN(unread.size, socket->peeked->len - at);
    *offset = at + unread.len;
    unread.is_recalled = *offset > socket->peeked->len - MIN(socket->recalled, socket->peeked->len);
    *ret_unread = unread;
    return true;
}

void ss_seen_socket_count(SsSeenSocket *socket)
{
    SsUnread unread;
    gsize offset = 0;
    socket->at_message = ss_unread_next(socket, &offset, &unread);
    socket->messages = 0;
    offset = 0;
    while (ss_unread_next(socket, &offset, &unread) && unread.len == unread.size) {
        socket->messages++;
    }
}
