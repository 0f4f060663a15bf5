/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hears what the library tells of labels, in the place of LTTng.
 */
#pragma once

#include <glib.h>

#include "plugin/wire/file.h"
#include "plugin/wire/hooks.h"
#include "plugin/wire/load.h"
#include "plugin/wire/note.h"
#include "plugin/wire/real.h"
#include "ss-names.h"

#define PLACES (SS_WIRE_LABEL_SETS * SS_WIRE_LABEL_WAYS)

/* A tracer that is there as well may have its own threads tell all of it at any time. */
typedef enum Hears {
    HEARS_NOTHING,
    HEARS_ALL,     /* into told */
    HEARS_LETTERS, /* of write_letters(), and counts them */
} Hears;
extern __thread Hears hears;

typedef struct Told {
    int fd;
    guint64 ino;
    gboolean again, cut;
    char label[SHMEMSCOPE_LABEL_BYTES + 1];
} Told;

extern Told told[PLACES + 1];
extern guint n_told;
extern __thread guint n_letters; /* but those told again */

/* Once, and this thread hears all. */
void begin_to_hear(void);

/* Whether labels are recorded. */
void set_recorded(gboolean recorded);

int make_file(void);
guint64 inode(int fd);

/* Takes its label away as well. */
void close_file(int fd);

/* A letter as often as it says itself, into as much room as a label has. */
void write_letters(char *text, guint number);

/* Exactly that, and nothing else since. */
void assert_told(int fd, const char *label, gboolean cut);

/* All that is kept, as whoever begins to listen now is told. */
void tell_again(void);

/* Owned by told; NULL when there is none. */
const char *kept(int fd);

void add_tests_of_many(void);
