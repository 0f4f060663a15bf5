/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hears what the library tells of labels.
 */
#include "note-heard.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Told told[PLACES + 1];
guint n_told;
__thread guint n_letters;
__thread Hears hears;

void write_letters(char *text, guint number)
{
    char letter = (char)('a' + number % 26);
    guint length = 100 + number % 26 * 6;
    memset(text, letter, length);
    text[length] = '\0';
}

static void hear_letters(const char *label)
{
    char expected[SHMEMSCOPE_LABEL_BYTES + 1] = "";
    if (*label) {
        write_letters(expected, (guint)(*label - 'a'));
    }
    g_assert_cmpstr(label, ==, expected);
}

static void hear(int32_t fd, uint64_t fdev, uint64_t ino, uint8_t again, uint8_t cut,
                 const char *label)
{
    if (hears == HEARS_ALL) {
        g_assert_cmpuint(fdev, !=, 0);
        g_assert_cmpuint(n_told, <, G_N_ELEMENTS(told));
        g_assert_cmpuint(strlen(label), <=, SHMEMSCOPE_LABEL_BYTES);
        Told *one = &told[n_told++];
        *one = (Told){ .fd = fd, .ino = ino, .again = again, .cut = cut };
        strcpy(one->label, label);
    } else if (hears == HEARS_LETTERS) {
        hear_letters(label);
        g_assert_false(cut);
        n_letters += !again;
    }
}

static void nothing(void)
{
}

static int notes_on = 1;
static const int off;
static SsWireTeller teller;

void begin_to_hear(void)
{
#define NOTHING(event) teller.event##_on = &off;
    SS_WIRE_TELLER_EACH(NOTHING)
#undef NOTHING
    teller.note_on = &notes_on;
    teller.note = hear;
    teller.init_thread = nothing;
    atomic_store(&ss_wire_teller, &teller);
    hears = HEARS_ALL;
}

void set_recorded(gboolean recorded)
{
    __atomic_store_n(&notes_on, recorded, __ATOMIC_RELAXED);
}

int make_file(void)
{
    int fd = memfd_create("test-note", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

guint64 inode(int fd)
{
    struct stat status;
    g_assert_cmpint(fstat(fd, &status), ==, 0);
    return status.st_ino;
}

void assert_told(int fd, const char *label, gboolean cut)
{
    g_assert_cmpuint(n_told, ==, 1);
    g_assert_cmpint(told[0].fd, ==, fd);
    g_assert_cmpuint(told[0].ino, ==, inode(fd));
    g_assert_false(told[0].again);
    g_assert_cmpint(told[0].cut, ==, cut);
    g_assert_cmpstr(told[0].label, ==, label);
    n_told = 0;
}

void tell_again(void)
{
    n_told = 0;
    ss_wire_dump(NULL, NULL);
}

const char *kept(int fd)
{
    const char *label = NULL;
    guint64 ino = inode(fd);
    tell_again();
    for (guint i = 0; i < n_told; i++) {
        g_assert_true(told[i].again && told[i].fd == -1);
        if (told[i].ino == ino) {
            g_assert_null(label); /* twice */
            label = told[i].label;
        }
    }
    n_told = 0;
    return label;
}

void close_file(int fd)
{
    shmemscope_note(fd, NULL);
    g_assert_null(kept(fd));
    g_assert_cmpint(close(fd), ==, 0);
}
