/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/closer-text.h"

const char *ss_closer_text(SsCloser closer)
{
    static const char *const texts[] = {
        [SS_CLOSER_UNSEEN] = "somebody unseen",
        [SS_CLOSER_DISPATCH] = "the end of a dispatch",
        [SS_CLOSER_MAPPING] = "the mapping itself",
        [SS_CLOSER_RAM_BLOCK] = "the RAM block's reclaim",
    };
    return texts[closer];
}

const char *ss_closer_place(SsCloser closer)
{
    static const char *const places[] = {
        [SS_CLOSER_UNSEEN] = NULL,
        [SS_CLOSER_DISPATCH] = SS_PLACE_READ,
        [SS_CLOSER_MAPPING] = SS_PLACE_FINALIZE,
        [SS_CLOSER_RAM_BLOCK] = SS_PLACE_RECLAIM,
    };
    return places[closer];
}

SsAbout ss_closed_about(const SsModel *model, const SsClosed *closed)
{
    return (SsAbout){ .fd = closed->number,
                      .ino = closed->ino,
                      .has_range = closed->len != 0,
                      .shmid = closed->shmid,
                      .shm_offset = closed->shm_offset,
                      .len = closed->len,
                      .label = ss_label_text(model, closed->label) };
}

char *ss_closed_text(const SsClosed *closed)
{
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "fd %d", closed->number);
    if (closed->ino) {
        g_string_append_printf(text, " (inode %" G_GUINT64_FORMAT ")", closed->ino);
    }
    if (closed->len) {
        g_string_append_printf(text,
                               " of region %u 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
                               closed->shmid, closed->shm_offset, closed->len);
    } else if (closed->seq) {
        g_string_append_printf(text, " of #%" G_GUINT64_FORMAT, closed->seq);
    }
    return g_string_free(text, FALSE);
}
