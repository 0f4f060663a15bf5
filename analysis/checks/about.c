/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/about.h"

SsAbout ss_about_mapping(const SsMapping *mapping)
{
    return (SsAbout){ .fd = mapping->fd,
                      .ino = mapping->ino,
                      .has_range = mapping->len != 0,
                      .shmid = mapping->shmid,
                      .shm_offset = mapping->shm_offset,
                      .len = mapping->len,
                      .label = ss_mapping_label(mapping) };
}

SsAbout ss_about_descriptor(const SsDescriptor *descriptor)
{
    SsAbout about = { .fd = -1 };
    if (descriptor->mapping) {
        about = ss_about_mapping(descriptor->mapping);
    }
    about.fd = descriptor->number;
    about.ino = descriptor->ino;
    about.label = ss_descriptor_label(descriptor);
    return about;
}

SsAbout ss_about_exchange(const SsModel *model, const SsExchange *exchange)
{
    return (SsAbout){ .fd = -1,
                      .has_range = exchange->has_range,
                      .shmid = exchange->shmid,
                      .shm_offset = exchange->shm_offset,
                      .len = exchange->len,
                      .label = ss_label_text(model, exchange->label) };
}

char *ss_about_text(const SsAbout *about)
{
    GString *text = g_string_new(NULL);
    if (about->has_range) {
        g_string_append_printf(text,
                               "region %u 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
                               about->shmid, about->shm_offset, about->len);
    }
    if (about->fd >= 0) {
        g_string_append_printf(text, "%sfd %d", text->len ? ", " : "", about->fd);
        if (about->ino) {
            g_string_append_printf(text, " (inode %" G_GUINT64_FORMAT ")", about->ino);
        }
    }
    return g_string_free(text, FALSE);
}
