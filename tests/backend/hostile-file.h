/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors of every kind that a hostile back-end could send with a MAP. What the kernel does
 * with one is asked of the kernel here; what the front-end has to make of that is the model's.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
    const char *name;
    int fd; /* owned */
    uint64_t ino;
    gboolean is_directory;
    gboolean has_end;   /* lseek() can tell where it ends */
    uint64_t end;       /* bytes */
    uint64_t page_size; /* bytes; that of the file system for huge pages */
    gboolean readable;  /* mmap() with PROT_READ works */
    gboolean writable;  /* mmap() with PROT_READ and PROT_WRITE works */
    gboolean is_plain;  /* just what a well-behaved back-end would send */
} SsHostileFile;

/*
 * Opens one of each kind. Returns a new array of SsHostileFile, which closes them at its end;
 * the first ones are plain. NULL with `error` set on failure.
 */
GArray *ss_hostile_files_open(GError **error);

/* For the model's test: a file that exists only on paper, with fd -1. */
SsHostileFile ss_hostile_file_on_paper(uint64_t size);
