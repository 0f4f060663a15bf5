/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that read ELF share among themselves. */
#pragma once

#include <elf.h>
#include <link.h>

#include "analysis/doctor/elf-file.h"

struct SsElfFile {
    int fd;
    guint64 size;
    ElfW(Ehdr) header;
    GArray *segments; /* ElfW(Phdr); owned */
    GArray *sections; /* ElfW(Shdr); owned; may be empty */
    SsPart names;     /* of sections */
};

/* Reads what is there of it; FALSE: nothing is. */
bool ss_elf_read(const SsElfFile *file, guint64 offset, guint64 size, SsPart *part);
