/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which of a front-end's sockets are vhost-user channels. The main one is named by the command
 * line; one that was plugged in later is known by the guest's RAM, which only a vhost-user back-end
 * maps as well. The back-end channel is an unnamed pair between the same two processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

/* A connected socket of the front-end. */
typedef struct SsEnd {
    const SsSocketFd *socket; /* weak */
    const SsDiag *diag;       /* weak */
    const SsDiag *peer;       /* weak; NULL when the kernel tells nothing of it */
    const SsDiag *listener;   /* weak; that has not accepted it yet; NULL: none */
    bool taken;
} SsEnd;

static GArray *ends_of(SsFinder *finder, SsSeenProcess *front)
{
    GArray *ends = g_array_new(FALSE, TRUE, sizeof(SsEnd));
    const GArray *sockets = ss_finder_sockets(finder, front->pid);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_int64_hash, g_int64_equal);
    for (guint i = 0; sockets && i < sockets->len; i++) {
        /* Of each first: a namespace that is asked for one may have another's end, too. */
        (void)ss_finder_end(finder, front, &g_array_index(sockets, SsSocketFd, i));
    }
    for (guint i = 0; sockets && i < sockets->len; i++) {
        SsEnd end = { .socket = &g_array_index(sockets, SsSocketFd, i) };
        end.diag = ss_finder_diag(finder, end.socket->inode);
        /* A descriptor may have duplicates. */
        if (!end.diag || end.diag->listens ||
            !g_hash_table_add(seen, (gpointer)&end.socket->inode)) {
            continue;
        }
        end.peer = ss_finder_diag(finder, end.diag->peer);
        end.listener = ss_finder_diag(finder, end.diag->pending_at);
        if (end.diag->peer || end.listener || end.diag->hidden) {
            g_array_append_val(ends, end);
        }
    }
    return ends;
}

/* What the connection goes by: the name of whichever side is bound. */
static const SsDiag *named_side(const SsEnd *end)
{
    if (*end->diag->path) {
        return end->diag;
    }
    return end->peer && *end->peer->path ? end->peer : end->listener;
}

/* The file that the path is for the front-end. */
static bool stat_path(const SsSeenProcess *front, const char *path, struct stat *ret_file)
{
    if (path[0] == '@' || !*path) {
        return false;
    }
    g_autofree char *seen =
        g_strdup_printf("/proc/%d/%s%s%s", front->pid, path[0] == '/' ? "root" : "cwd",
                        path[0] == '/' ? "" : "/", path);
    /* Where that is denied: most often it is the same file for everybody. */
    return stat(seen, ret_file) == 0 ||
           (errno == EACCES && path[0] == '/' && stat(path, ret_file) == 0);
}

/* By its name; or by its file, which may have been bound under another name, and renamed. */
static bool is_bound_to(const SsDiag *diag, const char *path, const struct stat *file)
{
    return *path && (g_str_equal(diag->path, path) ||
                     (file && diag->file_inode && file->st_ino == diag->file_inode &&
                      file->st_dev == diag->file_dev));
}

static bool fits(const SsArgvDevice *device, const struct stat *file, const SsEnd *end)
{
    const SsDiag *named = named_side(end);
    return device->fd >= 0 ? end->socket->fd == device->fd
                           : named && is_bound_to(named, device->path, file);
}

static SsSeenChannel *add(SsFinder *finder, SsChannelKind kind, SsChannelHow how,
                          const SsSeenProcess *front, const SsEnd *end)
{
    SsSeenChannel *channel = ss_seen_channel_new(kind, how);
    channel->front_pid = front->pid;
    if (end) {
        channel->front_fd = end->socket->fd;
        channel->front_inode = end->socket->inode;
        channel->back_inode = end->diag->peer;
        guint64 other = end->diag->peer ? end->diag->peer : end->diag->pending_at;
        const SsSeenHolder *holder = other ? ss_finder_holder(finder, other, front->pid) : NULL;
        if (holder) {
            channel->back_pid = holder->pid;
            channel->back_fd = end->diag->peer ? holder->fd : -1;
        }
        const SsDiag *named = named_side(end);
        if (named) {
            g_free(channel->path);
            channel->path = g_strdup(named->path);
        }
    }
    g_ptr_array_add(finder->look->channels, channel);
    return channel;
}

/* The front-end's descriptors are denied: the kernel's list of sockets has the name all the same,
 * on the side that was accepted. */
static void find_by_name(SsFinder *finder, const SsArgvDevice *device, const struct stat *file,
                         SsSeenChannel *channel)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, finder->diag);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsDiag *diag = value;
        if (diag->listens || !diag->peer || !is_bound_to(diag, device->path, file)) {
            continue;
        }
        channel->front_inode = device->is_server ? diag->inode : diag->peer;
        channel->back_inode = device->is_server ? diag->peer : diag->inode;
        const SsSeenHolder *holder =
            ss_finder_holder(finder, channel->back_inode, channel->front_pid);
        if (holder) {
            channel->back_pid = holder->pid;
            channel->back_fd = holder->fd;
        }
        return;
    }
}

static void find_by_argv(SsFinder *finder, SsSeenProcess *front, GArray *ends)
{
    g_autoptr(GPtrArray) devices = ss_argv_devices(front);
    for (guint i = 0; i < devices->len; i++) {
        const SsArgvDevice *device = g_ptr_array_index(devices, i);
        SsEnd *found = NULL;
        struct stat bound;
        const struct stat *file = stat_path(front, device->path, &bound) ? &bound : NULL;
        for (guint j = 0; j < ends->len && !found; j++) {
            SsEnd *end = &g_array_index(ends, SsEnd, j);
            found = !end->taken && fits(device, file, end) ? end : NULL;
        }
        /* What another VMM's option names is vhost-user only if there is such a socket. */
        if (!found && !front->is_qemu) {
            continue;
        }
        SsSeenChannel *channel = add(finder, SS_CHANNEL_MAIN, SS_CHANNEL_BY_ARGV, front, found);
        if (found) {
            found->taken = true;
        } else if (!ss_finder_sockets(finder, front->pid)) {
            find_by_name(finder, device, file, channel);
        }
        g_free(channel->device);
        channel->device = g_strdup(device->device);
        g_free(channel->driver);
        channel->driver = g_strdup(device->driver);
        g_free(channel->chardev);
        channel->chardev = g_strdup(device->chardev);
        if (*device->path) {
            g_free(channel->path);
            channel->path = g_strdup(device->path);
        }
    }
}

static void find_by_memory(SsFinder *finder, const SsSeenProcess *front, GArray *ends)
{
    guint64 dev;
    guint64 inode;
    bool has_ram = false;
    bool looked = false;
    for (guint i = 0; i < ends->len; i++) {
        SsEnd *end = &g_array_index(ends, SsEnd, i);
        const SsSeenHolder *holder = end->taken || !named_side(end) || !end->diag->peer
                                         ? NULL
                                         : ss_finder_holder(finder, end->diag->peer, front->pid);
        if (!holder) {
            continue;
        }
        if (!looked) {
            has_ram = ss_maps_largest(ss_finder_maps(finder, front->pid), &dev, &inode);
            looked = true;
        }
        if (has_ram && ss_maps_has(ss_finder_maps(finder, holder->pid), dev, inode)) {
            (void)add(finder, SS_CHANNEL_MAIN, SS_CHANNEL_BY_MEMORY, front, end);
            end->taken = true;
        }
    }
}

/* The only main channel from `begin` on that fits: with its other end in process `pid`, or with 0
 * where that end is nobody's whose descriptors may be seen. -1: none; -2: several. */
static gint32 only_main(const SsFinder *finder, guint begin, guint end, gint32 pid)
{
    gint32 found = -1;
    for (guint i = begin; i < end; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(finder->look->channels, i);
        if (pid ? channel->back_pid == pid : channel->front_inode && channel->back_fd < 0) {
            found = found == -1 ? (gint32)i : -2;
        }
    }
    return found;
}

static void find_pairs(SsFinder *finder, const SsSeenProcess *front, GArray *ends, guint begin)
{
    guint n_main = finder->look->channels->len;
    for (guint i = 0; i < ends->len; i++) {
        SsEnd *end = &g_array_index(ends, SsEnd, i);
        if (end->taken || named_side(end) || !end->diag->peer) {
            continue;
        }
        const SsSeenHolder *any = ss_finder_holder(finder, end->diag->peer, 0);
        const SsSeenHolder *holder = ss_finder_holder(finder, end->diag->peer, front->pid);
        gint32 main = any && !holder ? -1 /* both ends are its own */
                                     : only_main(finder, begin, n_main, holder ? holder->pid : 0);
        if (main == -1) {
            continue;
        }
        SsSeenChannel *channel = add(finder, SS_CHANNEL_BACK_END, SS_CHANNEL_BY_PAIR, front, end);
        channel->main = MAX(main, -1);
        end->taken = true;
    }
}

void ss_channels_find(SsFinder *finder, SsSeenProcess *front)
{
    guint begin = finder->look->channels->len;
    ss_finder_ask(finder, front->pid);
    g_autoptr(GArray) ends = ends_of(finder, front);
    find_by_argv(finder, front, ends);
    find_by_memory(finder, front, ends);
    find_pairs(finder, front, ends, begin);
    /* Who may not see its descriptors cannot say that it has no more channels, or none. */
    front->detailed = front->detailed || !ss_finder_sockets(finder, front->pid);
    for (guint i = begin; i < finder->look->channels->len; i++) {
        SsSeenChannel *channel = g_ptr_array_index(finder->look->channels, i);
        front->detailed = true;
        front->roles |= SS_ROLE_FRONT_END;
        SsSeenProcess *back =
            channel->back_pid ? ss_finder_process(finder, channel->back_pid) : NULL;
        if (back) {
            back->detailed = true;
            back->roles |= SS_ROLE_BACK_END;
        } else {
            channel->back_pid = 0; /* it ended meanwhile */
            channel->back_fd = -1;
        }
    }
}
