/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

/* Whether the directory is still that of the process that was read first. */
static bool is_still(int dir, const SsSeenProcess *process)
{
    char stat[1024];
    return ss_proc_read(dir, "stat", stat, sizeof stat) > 0 && ss_proc_after_name(stat) &&
           *ss_proc_after_name(stat) != 'Z' && *ss_proc_after_name(stat) != 'X' &&
           ss_proc_field(stat, 22) == process->start_ticks;
}

void ss_details_process(SsFinder *finder, SsSeenProcess *process, SsSince *since)
{
    int dir = ss_proc_open(process->pid);
    if (dir < 0 || !is_still(dir, process)) {
        process->ended = true;
    } else {
        ss_fds_read(dir, process);
        if (!ss_finder_take_maps(finder, process)) {
            ss_maps_read(dir, process);
        }
        ss_threads_read(dir, process, since);
        process->ended = !is_still(dir, process);
    }
    if (dir >= 0) {
        (void)close(dir);
    }
}

static void ask_holder(SsFinder *finder, SsSeenSocket *socket)
{
    socket->peek = SS_PEEK_NO_HOLDER;
    for (guint i = 0; i < socket->holders->len; i++) {
        const SsSeenHolder *holder = &g_array_index(socket->holders, SsSeenHolder, i);
        SsSeenProcess *process = ss_finder_process(finder, holder->pid);
        int dir = process ? ss_proc_open(holder->pid) : -1;
        if (dir >= 0 && is_still(dir, process)) {
            gint32 flags;
            (void)ss_fds_info(dir, holder->fd, &flags, &socket->unread_fds);
            ss_peek(socket, process, holder->fd);
        } else {
            socket->peek = SS_PEEK_ENDED;
        }
        if (dir >= 0) {
            (void)close(dir);
        }
        if (socket->peek == SS_PEEK_DONE || socket->peek == SS_PEEK_OFFSET) {
            return;
        }
    }
}

static gint compare_holders(gconstpointer a, gconstpointer b)
{
    const SsSeenHolder *one = a;
    const SsSeenHolder *other = b;
    return one->pid != other->pid ? (one->pid > other->pid) - (one->pid < other->pid)
                                  : (one->fd > other->fd) - (one->fd < other->fd);
}

static SsSeenSocket *add_socket(SsFinder *finder, guint64 inode, bool is_end)
{
    if (!inode || ss_look_socket(finder->look, inode)) {
        return ss_look_socket(finder->look, inode);
    }
    SsSeenSocket *socket = ss_seen_socket_new(inode);
    const SsDiag *diag = ss_finder_diag(finder, inode);
    if (diag) {
        socket->known = !diag->hidden;
        socket->netns = diag->netns;
        socket->listens = diag->listens;
        socket->peer = diag->peer;
        socket->unread = diag->unread;
        socket->pending_at = diag->pending_at;
        g_free(socket->path);
        socket->path = g_strdup(diag->path);
    }
    const GArray *holders = g_hash_table_lookup(finder->holders, &inode);
    if (holders) {
        g_array_append_vals(socket->holders, holders->data, holders->len);
        g_array_sort(socket->holders, compare_holders);
    }
    g_hash_table_insert(finder->look->sockets, &socket->inode, socket);
    if (is_end) {
        ask_holder(finder, socket);
    }
    return socket;
}

void ss_details_sockets(SsFinder *finder)
{
    GPtrArray *channels = finder->look->channels;
    for (guint i = 0; i < channels->len; i++) {
        SsSeenChannel *channel = g_ptr_array_index(channels, i);
        const SsSeenSocket *front = add_socket(finder, channel->front_inode, true);
        (void)add_socket(finder, channel->back_inode, true);
        if (front && front->pending_at) {
            (void)add_socket(finder, front->pending_at, false);
        }
        /* Whose descriptors nobody here may see is known by who made the socket. */
        if (front && !channel->back_pid && channel->kind == SS_CHANNEL_MAIN &&
            channel->back_inode && front->peer_pid) {
            SsSeenProcess *back = ss_finder_process(finder, front->peer_pid);
            if (back) {
                channel->back_pid = back->pid;
                back->detailed = true;
                back->roles |= SS_ROLE_BACK_END;
            }
        }
    }
    /* A pair between a front-end and a process of which only that is known. */
    for (guint i = 0; i < channels->len; i++) {
        SsSeenChannel *channel = g_ptr_array_index(channels, i);
        if (channel->kind == SS_CHANNEL_BACK_END && !channel->back_pid && channel->main >= 0) {
            const SsSeenChannel *main = g_ptr_array_index(channels, (guint)channel->main);
            channel->back_pid = main->back_pid;
        }
    }
}

/* Whether a channel's ends block. */
static void read_flags(SsLook *look)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, look->sockets);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsSeenSocket *socket = value;
        for (guint i = 0; i < socket->holders->len; i++) {
            const SsSeenHolder *holder = &g_array_index(socket->holders, SsSeenHolder, i);
            const SsSeenProcess *process = ss_look_process(look, holder->pid);
            SsSeenFd *fd = process ? ss_seen_fd(process, holder->fd) : NULL;
            int dir = fd && fd->inode == socket->inode ? ss_proc_open(holder->pid) : -1;
            gint32 unread_fds;
            if (dir >= 0) {
                (void)ss_fds_info(dir, holder->fd, &fd->flags, &unread_fds);
                (void)close(dir);
            }
        }
    }
}

void ss_details_finish(SsLook *look)
{
    ss_recall(look);
    read_flags(look);
    for (guint i = 0; i < look->processes->len; i++) {
        SsSeenProcess *process = g_ptr_array_index(look->processes, i);
        for (guint j = 0; j < process->threads->len; j++) {
            SsSeenThread *thread = g_ptr_array_index(process->threads, j);
            guint64 inode = thread->fd < 0 ? 0 : ss_seen_socket_of(process, thread->fd);
            const SsSeenSocket *socket = inode ? ss_look_socket(look, inode) : NULL;
            if (socket && !thread->timeout_known && socket->receive_timeout_ns >= 0) {
                thread->timeout_known = true;
                thread->timeout_ns = socket->receive_timeout_ns ? socket->receive_timeout_ns : -1;
            }
        }
    }
}
