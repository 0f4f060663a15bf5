/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Two directories of a recording as bytes, for a fuzzer: the lengths of their files, then the
 * files. A length of 0 is a file that is not there; more than there is means the rest.
 */
#pragma once

#include <glib.h>

#define SS_ARCHIVE_FILES 8
#define SS_ARCHIVE_HEAD (2 * SS_ARCHIVE_FILES)

/* "a/metadata" and so on; static. */
extern const char *const ss_archive_names[SS_ARCHIVE_FILES];

/* Makes the directory what the bytes say, in place of what it held before. */
void ss_archive_unpack(const guint8 *data, gsize size, const char *directory);
/* The file's place in the bytes; its length is 0 when it is not there. */
gsize ss_archive_find(const guint8 *data, gsize size, guint file, gsize *ret_length);
