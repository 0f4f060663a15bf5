/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of an ELF file of this machine's width and byte order. Whatever is in its headers,
 * nothing beyond the file and no more than some hundred MiB is read.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

typedef struct SsElfFile SsElfFile;

typedef struct SsPart {
    char *bytes; /* owned; a zero byte follows them; NULL: there is none */
    gsize size;
    guint64 address; /* in the program */
} SsPart;

/* NULL with the reason, which the caller frees. */
SsElfFile *ss_elf_open(const char *path, char **ret_reason);
void ss_elf_close(SsElfFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsElfFile, ss_elf_close)

bool ss_elf_has_section(SsElfFile *file, const char *name);
/* FALSE when there is none that has contents; `part` is the caller's. */
bool ss_elf_section(SsElfFile *file, const char *name, SsPart *part);
/* What is loaded and cannot be written: SsPart, owned by the array, which the caller frees. */
GPtrArray *ss_elf_constant_parts(SsElfFile *file);
/* Names of the libraries it is linked with; the caller frees the array, which owns them. */
GPtrArray *ss_elf_needed(SsElfFile *file);
/* The 32 bits that stand a pointer's width before the pointer to `address`, as in a structure
 * { int; const char *; }. FALSE when there is no such pointer. */
bool ss_elf_before_pointer(SsElfFile *file, guint64 address, guint32 *ret_number);

/* The first occurrence at or after `from`, or NULL. */
const char *ss_part_find(const SsPart *part, const char *from, const char *bytes, gsize length);
void ss_part_clear(SsPart *part);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SsPart, ss_part_clear)
