/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPTS_MOST 5       /* one script runs another: as many as the kernel follows */
#define SCRIPT_LINE_MOST 256 /* so much the kernel reads of a script's first line */
#define HEADERS_MOST 256
#define INTERPRETER_MOST 4096

void ss_program_clear(SsProgram *program)
{
    g_clear_pointer(&program->path, g_free);
    g_clear_pointer(&program->script, g_free);
    g_clear_pointer(&program->interpreter, g_free);
}

/* The parts of an ELF header that both classes have, in the host's byte order. */
typedef struct Header {
    guint machine, elf_class;
    guint64 table;
    guint count, size;
} Header;

static gboolean read_header(int fd, Header *header)
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr narrow;
        Elf64_Ehdr wide;
    } raw = { 0 };
    const unsigned char order = G_BYTE_ORDER == G_LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;

    if (pread(fd, &raw, sizeof(raw), 0) < (ssize_t)sizeof(raw.narrow) ||
        memcmp(raw.ident, ELFMAG, SELFMAG) != 0) {
        return FALSE;
    }
    header->elf_class = raw.ident[EI_CLASS];
    /* The place is the same in both classes; in the other order it is a number of no machine. */
    header->machine = raw.wide.e_machine;
    header->count = 0;
    if (raw.ident[EI_DATA] != order) {
        return TRUE;
    }
    if (header->elf_class == ELFCLASS64) {
        header->table = raw.wide.e_phoff;
        header->count = raw.wide.e_phnum;
        header->size = raw.wide.e_phentsize;
    } else {
        header->table = raw.narrow.e_phoff;
        header->count = raw.narrow.e_phnum;
        header->size = raw.narrow.e_phentsize;
    }
    return TRUE;
}

/* The name in PT_INTERP, or NULL. */
static char *read_interpreter(int fd, const Header *header)
{
    for (guint i = 0; i < MIN(header->count, HEADERS_MOST); i++) {
        off_t at = (off_t)(header->table + (guint64)i * header->size);
        guint64 offset, length;
        g_autofree char *name = NULL;
        ssize_t got;

        if (header->elf_class == ELFCLASS64) {
            Elf64_Phdr part;

            if (pread(fd, &part, sizeof(part), at) != sizeof(part) || part.p_type != PT_INTERP) {
                continue;
            }
            offset = part.p_offset;
            length = part.p_filesz;
        } else {
            Elf32_Phdr part;

            if (pread(fd, &part, sizeof(part), at) != sizeof(part) || part.p_type != PT_INTERP) {
                continue;
            }
            offset = part.p_offset;
            length = part.p_filesz;
        }
        name = g_malloc0(INTERPRETER_MOST + 1);
        got = pread(fd, name, MIN(length, INTERPRETER_MOST), (off_t)offset);
        return got > 0 ? g_steal_pointer(&name) : NULL;
    }
    return NULL;
}

/* The interpreter of a script, or NULL when the file is none. */
static char *script_interpreter(int fd)
{
    char line[SCRIPT_LINE_MOST + 1] = { 0 };
    ssize_t got = pread(fd, line, SCRIPT_LINE_MOST, 0);
    char *begin, *end;

    if (got < 3 || line[0] != '#' || line[1] != '!') {
        return NULL;
    }
    begin = line + 2 + strspn(line + 2, " \t");
    end = begin + strcspn(begin, " \t\n");
    return end > begin ? g_strndup(begin, (gsize)(end - begin)) : NULL;
}

gboolean ss_program_machine(const char *path, guint *ret_machine, guint *ret_class)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Header header;
    gboolean good;

    if (fd < 0) {
        return FALSE;
    }
    good = read_header(fd, &header);
    (void)close(fd);
    if (good) {
        *ret_machine = header.machine;
        *ret_class = header.elf_class;
    }
    return good;
}

gboolean ss_program_find(SsProgram *program, const char *name)
{
    g_autofree char *path = g_find_program_in_path(name);

    for (guint i = 0; i < SCRIPTS_MOST && path; i++) {
        g_autofree char *interpreter = NULL;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        Header header;

        if (fd < 0) {
            return FALSE;
        }
        if (read_header(fd, &header)) {
            program->interpreter = read_interpreter(fd, &header);
            program->machine = header.machine;
            program->elf_class = header.elf_class;
            program->path = g_steal_pointer(&path);
            (void)close(fd);
            return TRUE;
        }
        interpreter = script_interpreter(fd);
        (void)close(fd);
        if (!program->script) {
            program->script = g_strdup(path);
        }
        g_free(path);
        path = g_steal_pointer(&interpreter);
    }
    errno = ENOEXEC;
    return FALSE;
}

const char *ss_program_secure_reason(const SsProgram *program)
{
    struct stat file;

    if (stat(program->path, &file) < 0) {
        return NULL;
    }
    if ((file.st_mode & S_ISUID) && file.st_uid != getuid()) {
        return "it is set-user-ID, and the loader ignores LD_PRELOAD in such a program";
    }
    if ((file.st_mode & S_ISGID) && (file.st_mode & S_IXGRP) && file.st_gid != getgid()) {
        return "it is set-group-ID, and the loader ignores LD_PRELOAD in such a program";
    }
    /* Root has them anyway. */
    if (getuid() != 0 && getxattr(program->path, "security.capability", NULL, 0) > 0) {
        return "its file has capabilities, and the loader ignores LD_PRELOAD in such a program";
    }
    return NULL;
}
