/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/lives.h"

static void life_free(gpointer data)
{
    SsLife *life = data;
    g_free(life->label);
    g_free(life->state);
    g_free(life);
}

static const char *state_of(const SsMapping *mapping)
{
    return mapping->closed_ns      ? "closed"
           : mapping->finalized_ns ? "finalized"
           : mapping->removed_ns   ? "removed"
           : mapping->visible_ns   ? "visible"
                                   : "not visible";
}

static void on_life(SsModel *model, const SsMapping *mapping, gpointer user_data)
{
    SsLife *life = g_new0(SsLife, 1);
    life->process = mapping->process;
    life->device = mapping->device;
    life->label = g_strdup(ss_mapping_label(mapping));
    life->state = g_strdup(state_of(mapping));
    life->shmid = mapping->shmid;
    life->shm_offset = mapping->shm_offset;
    life->len = mapping->len;
    life->seq = mapping->seq;
    life->fd_offset = mapping->fd_offset;
    life->gpa = mapping->gpa;
    life->ino = mapping->ino;
    life->fd = mapping->fd;
    life->writable = mapping->writable;
    life->details = mapping->details;
    (void)g_strlcpy(life->reason, mapping->reason, sizeof life->reason);
    life->request_ns = mapping->request_ns;
    life->reply_ns = mapping->reply_ns;
    life->birth_ns = mapping->birth_seen ? mapping->birth_ns : 0;
    life->added_ns = mapping->added_ns;
    life->visible_ns = mapping->visible_ns;
    life->removed_ns = mapping->removed_ns;
    life->finalized_ns = mapping->finalized_ns;
    life->closed_ns = mapping->closed_ns;
    g_ptr_array_add(user_data, life);
}

const char *ss_life_device(const SsLife *life)
{
    const SsDevice *device = ss_device_now(life->device);
    return !device ? "" : *device->id ? device->id : device->chardev;
}

GPtrArray *ss_lives_new(SsModel *model)
{
    GPtrArray *lives = g_ptr_array_new_with_free_func(life_free);
    ss_model_set_life(model, on_life, lives);
    return lives;
}
