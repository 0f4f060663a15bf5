/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which of the files that a front-end has open and mapped came from a back-end.
 */
#include <string.h>

#include "analysis/autopsy/tell-parts.h"

/* As many of one device are kept. */
#define MAX_HELD 4096

typedef struct File {
    guint64 dev, inode;
} File;

static bool has_open(const SsSeenProcess *process, const File *file)
{
    for (guint i = 0; process && i < process->fds->len; i++) {
        const SsSeenFd *fd = g_ptr_array_index(process->fds, i);
        if (fd->kind == SS_FD_FILE && fd->dev == file->dev && fd->inode == file->inode) {
            return true;
        }
    }
    return false;
}

static bool has_mapped(const SsSeenProcess *process, const File *file)
{
    for (guint i = 0; process && i < process->maps->len; i++) {
        const SsSeenMap *map = g_ptr_array_index(process->maps, i);
        if (map->dev == file->dev && map->inode == file->inode) {
            return true;
        }
    }
    return false;
}

/* Memory of the guest's, and what else a front-end makes itself or is given by others. */
static bool is_own(const SsSeenProcess *front, const char *path)
{
    static const char *const names[] = { "/memfd:memory-backend-memfd",
                                         "/memfd:vhost-inflight",
                                         "/memfd:crosvm_guest",
                                         "/memfd:ch_ram",
                                         "/dev/shm/lttng",
                                         "/dev/shm/shm-ust-",
                                         "/dev/shm/shm-event-notifier",
                                         "/dev/shm/qemu",
                                         "/SYSV",
                                         "/dev/zero",
                                         "/dev/vfio",
                                         "/memfd:pipewire",
                                         "/memfd:pulseaudio",
                                         "/dev/shm/pulse",
                                         "/memfd:wayland",
                                         "/memfd:spice",
                                         "/memfd:sdl",
                                         "/memfd:doublemapper" };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_has_prefix(path, names[i])) {
            return true;
        }
    }
    /* A file that its command line names: "mem-path=/dev/hugepages/..." */
    g_autofree char *file = g_strdup(path);
    char *deleted = g_str_has_suffix(file, " (deleted)") ? strrchr(file, ' ') : NULL;
    if (deleted) {
        *deleted = '\0';
    }
    for (guint i = 1; i < front->argv->len; i++) {
        const char *word = g_ptr_array_index(front->argv, i);
        const char *at = strstr(word, "mem-path=");
        g_autofree char *named = at ? g_strdup(at + strlen("mem-path=")) : NULL;
        if (named) {
            named[strcspn(named, ",")] = '\0';
        }
        if ((named && *named && g_str_has_prefix(file, named)) || g_str_equal(word, file)) {
            return true;
        }
    }
    return false;
}

/* Another device's back-end that is there has it: then it is that one's. */
static bool is_others(const SsTell *tell, const SsSeenProcess *front, const SsSeenProcess *back,
                      const File *file)
{
    for (guint i = 0; i < tell->now->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(tell->now->channels, i);
        const SsSeenProcess *other = ss_look_process(tell->now, channel->back_pid);
        if (channel->front_pid == front->pid && other && other != back &&
            (has_open(other, file) || has_mapped(other, file))) {
            return true;
        }
    }
    return false;
}

static void add(SsDevice *device, const SsHeld *held)
{
    device->held = device->held ? device->held : g_array_new(FALSE, FALSE, sizeof(SsHeld));
    if (device->held->len < MAX_HELD) {
        g_array_append_val(device->held, *held);
    }
}

static guint count_open(const SsSeenProcess *front, const File *file, gint32 *ret_first)
{
    guint count = 0;
    *ret_first = -1;
    for (guint i = 0; i < front->fds->len; i++) {
        const SsSeenFd *fd = g_ptr_array_index(front->fds, i);
        if (fd->kind == SS_FD_FILE && fd->dev == file->dev && fd->inode == file->inode) {
            *ret_first = count++ ? *ret_first : fd->fd;
        }
    }
    return count;
}

/* How many back-ends of the front-end are gone: what nobody has any more may be of any of them. */
static guint gone_backends(const SsProcess *process)
{
    guint gone = 0;
    for (guint i = 0; i < process->devices->len; i++) {
        gone += !((const SsDevice *)g_ptr_array_index(process->devices, i))->peer;
    }
    return gone;
}

/* A front-end that has just lost its back-end takes the mappings out one after the other. */
static bool was_gone(const SsTell *tell, const SsSeenProcess *front)
{
    for (guint i = 0; tell->before && i < tell->before->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(tell->before->channels, i);
        if (channel->kind == SS_CHANNEL_MAIN && channel->front_pid == front->pid &&
            (!channel->back_pid || ss_tell_is_pending(tell->before, channel))) {
            return true;
        }
    }
    return false;
}

static bool was_mapped(const SsTell *tell, const SsSeenProcess *front, const SsSeenMap *map)
{
    const SsSeenProcess *before = tell->before ? ss_look_process(tell->before, front->pid) : NULL;
    for (guint i = 0; before && i < before->maps->len; i++) {
        const SsSeenMap *one = g_ptr_array_index(before->maps, i);
        if (one->begin == map->begin && one->dev == map->dev && one->inode == map->inode) {
            return true;
        }
    }
    return false;
}

void ss_tell_held(const SsTell *tell, const SsSeenProcess *front, const SsSeenProcess *back,
                  SsDevice *device)
{
    bool gone = !device->peer;
    if (gone && device->main_channel != SS_CHANNEL_CLOSED &&
        device->main_channel != SS_CHANNEL_PENDING) {
        return; /* it is there, and was not visible */
    }
    if (gone && (gone_backends(device->process) != 1 || !was_gone(tell, front))) {
        return;
    }
    for (guint i = 0; i < front->maps->len; i++) {
        const SsSeenMap *map = g_ptr_array_index(front->maps, i);
        const File file = { map->dev, map->inode };
        SsHeld held = { .ino = map->inode,
                        .host = map->begin,
                        .len = map->end - map->begin,
                        .fd_offset = map->offset,
                        .writable = map->writable };
        /* QEMU has what is mapped into a guest as RAM blocks; a tracer's buffers are none. */
        if ((front->is_qemu && !map->guarded) || (gone && !was_mapped(tell, front, map))) {
            continue;
        }
        held.fds = count_open(front, &file, &held.fd);
        held.sure = !gone && (has_open(back, &file) || has_mapped(back, &file));
        if (held.fds && !is_own(front, map->path) &&
            (held.sure || (gone && !is_others(tell, front, back, &file)))) {
            add(device, &held);
        }
    }
}
