/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Labels, which the program itself gives to its files: a mapping is known by its file, in QEMU as
 * well, and not by a number of this process. They are kept, so that a recording that begins later
 * is told them, until their places are taken by others.
 */
#include "note.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "hooks.h"
#include "tell.h"

typedef struct SsWireText {
    char bytes[SHMEMSCOPE_LABEL_BYTES + 1];
    bool cut;
} SsWireText;

/* Of a character that does not fit whole nothing is left; other bytes are taken as they are. */
static size_t whole_characters(const char *text, size_t length)
{
    size_t begin = length;
    while (begin > 0 && length - begin < 3 && ((unsigned char)text[begin] & 0xc0) == 0x80) {
        begin--;
    }
    unsigned char first = (unsigned char)text[begin];
    size_t bytes = first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    return length - begin < bytes ? begin : length;
}

static void take_text(const char *label, SsWireText *ret_text)
{
    size_t length = label ? strnlen(label, SHMEMSCOPE_LABEL_BYTES + 1) : 0;
    ret_text->cut = length > SHMEMSCOPE_LABEL_BYTES;
    if (ret_text->cut) {
        length = whole_characters(label, SHMEMSCOPE_LABEL_BYTES);
    }
    if (length) {
        memcpy(ret_text->bytes, label, length);
    }
    ret_text->bytes[length] = '\0';
}

static SsWireLabel *set_of(uint64_t dev, uint64_t ino)
{
    uint64_t hash = (ino ^ dev << 32) * 0x9e3779b97f4a7c15ull;
    return ss_wire_labels[(hash >> 32) % SS_WIRE_LABEL_SETS];
}

static bool is_kept(const SsWireLabel *label)
{
    return label->number != 0 && label->process >= ss_wire_labels_since;
}

static SsWireLabel *find(const SsWireIdentity *identity)
{
    SsWireLabel *set = set_of(identity->dev, identity->ino);
    for (uint32_t i = 0; ss_wire_notes && i < SS_WIRE_LABEL_WAYS; i++) {
        if (is_kept(&set[i]) && set[i].dev == identity->dev && set[i].ino == identity->ino) {
            return &set[i];
        }
    }
    return NULL;
}

static SsWireLabel *find_place(const SsWireIdentity *identity)
{
    SsWireLabel *set = set_of(identity->dev, identity->ino), *oldest = &set[0];
    SsWireLabel *known = find(identity);
    for (uint32_t i = 0; !known && i < SS_WIRE_LABEL_WAYS; i++) {
        if (!is_kept(&set[i])) {
            return &set[i];
        }
        oldest = set[i].number < oldest->number ? &set[i] : oldest;
    }
    return known ? known : oldest;
}

static void keep(const SsWireIdentity *identity, const SsWireText *text)
{
    SsWireLabel *label = text->bytes[0] ? find_place(identity) : find(identity);
    if (!label) {
        return;
    }
    label->number = 0;
    if (text->bytes[0]) {
        label->dev = identity->dev;
        label->ino = identity->ino;
        label->born_ns = identity->born_ns;
        label->process = ss_wire_generation;
        label->cut = text->cut;
        memcpy(label->text, text->bytes, sizeof(label->text));
        label->number = ++ss_wire_notes;
    }
}

SS_EXPORT void shmemscope_wire_note(int fd, const char *label)
{
    SsWireGuard guard;
    SsWireIdentity identity;
    SsWireText text;
    int error = errno;
    take_text(label, &text);
    if (ss_wire_identify(fd, &identity) && ss_wire_enter(&guard)) {
        keep(&identity, &text);
        SS_WIRE_TELL(note, fd, identity.dev, identity.ino, 0, text.cut, text.bytes);
        ss_wire_leave(&guard);
    }
    errno = error;
}

void ss_wire_note_sent(int fd, const SsWireIdentity *identity)
{
    SsWireLabel *label = find(identity);
    if (label && label->born_ns && identity->born_ns && label->born_ns != identity->born_ns) {
        label->number = 0;
        SS_WIRE_TELL(note, fd, identity->dev, identity->ino, 0, 0, "");
    }
}

void ss_wire_notes_tell(void)
{
    bool parent_lives = ss_wire_forked_from && getppid() == ss_wire_forked_from;
    if (!ss_wire_notes || !SS_WIRE_ON(note)) {
        return;
    }
    for (uint32_t i = 0; i < SS_WIRE_LABEL_SETS * SS_WIRE_LABEL_WAYS; i++) {
        const SsWireLabel *label = &ss_wire_labels[i / SS_WIRE_LABEL_WAYS][i % SS_WIRE_LABEL_WAYS];
        bool own = label->process == ss_wire_generation;
        if (is_kept(label) && (own || !parent_lives)) {
            SS_WIRE_TELL(note, -1, label->dev, label->ino, 1, label->cut, label->text);
        }
    }
}
