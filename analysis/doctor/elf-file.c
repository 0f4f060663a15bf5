/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/doctor/elf-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADERS_MOST 256
#define SECTIONS_MOST 4096
#define PART_MOST (128 * 1024 * 1024)

void ss_part_clear(SsPart *part)
{
    g_clear_pointer(&part->bytes, g_free);
}

static void part_free(void *part)
{
    ss_part_clear(part);
    g_free(part);
}

const char *ss_part_find(const SsPart *part, const char *from, const char *bytes, gsize length)
{
    gsize skipped = (gsize)(from - part->bytes);

    return part->bytes && skipped < part->size ? memmem(from, part->size - skipped, bytes, length)
                                               : NULL;
}

void ss_elf_close(SsElfFile *file)
{
    if (!file) {
        return;
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    g_clear_pointer(&file->segments, g_array_unref);
    g_clear_pointer(&file->sections, g_array_unref);
    ss_part_clear(&file->names);
    g_free(file);
}

bool ss_elf_read(const SsElfFile *file, guint64 offset, guint64 size, SsPart *part)
{
    gsize got = 0;

    if (offset >= file->size || size == 0) {
        return false;
    }
    size = MIN(MIN(size, file->size - offset), PART_MOST);
    part->bytes = g_try_malloc(size + 1);
    if (!part->bytes) {
        return false;
    }
    while (got < size) {
        ssize_t more = pread(file->fd, part->bytes + got, size - got, (off_t)(offset + got));

        if (more <= 0) {
            break;
        }
        got += (gsize)more;
    }
    part->bytes[got] = '\0';
    part->size = got;
    return true;
}

/* A table of headers, without what is not in the file. */
static GArray *read_table(const SsElfFile *file, guint64 offset, guint entry, guint count,
                          guint size)
{
    g_autoptr(GArray) table = g_array_new(FALSE, FALSE, size);
    g_auto(SsPart) part = { 0 };

    if (entry == size && ss_elf_read(file, offset, (guint64)count * size, &part)) {
        g_array_append_vals(table, part.bytes, (guint)(part.size / size));
    }
    return g_steal_pointer(&table);
}

static const char *read_headers(SsElfFile *file)
{
    const ElfW(Ehdr) *header = &file->header;
    const ElfW(Shdr) * names;

    if (pread(file->fd, &file->header, sizeof(file->header), 0) != sizeof(file->header) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
        return "it is no ELF file";
    }
    if (header->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        header->e_ident[EI_DATA] != (G_BYTE_ORDER == G_LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB)) {
        return "it is of another width or byte order than this program";
    }
    file->segments = read_table(file, header->e_phoff, header->e_phentsize,
                                MIN(header->e_phnum, HEADERS_MOST), sizeof(ElfW(Phdr)));
    file->sections = read_table(file, header->e_shoff, header->e_shentsize,
                                MIN(header->e_shnum, SECTIONS_MOST), sizeof(ElfW(Shdr)));
    if (header->e_shstrndx < file->sections->len) {
        names = &g_array_index(file->sections, ElfW(Shdr), header->e_shstrndx);
        (void)ss_elf_read(file, names->sh_offset, names->sh_size, &file->names);
    }
    return NULL;
}

SsElfFile *ss_elf_open(const char *path, char **ret_reason)
{
    g_autoptr(SsElfFile) file = g_new0(SsElfFile, 1);
    const char *reason = NULL;
    struct stat status;

    /* It may be a pipe that nobody writes to. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &status) < 0) {
        reason = g_strerror(errno);
    } else if (!S_ISREG(status.st_mode)) {
        reason = "it is no file";
    } else {
        file->size = (guint64)status.st_size;
        reason = read_headers(file);
    }
    if (reason) {
        *ret_reason = g_strdup(reason);
        return NULL;
    }
    return g_steal_pointer(&file);
}

static const ElfW(Shdr) * find_section(const SsElfFile *file, const char *name)
{
    for (guint i = 0; i < file->sections->len; i++) {
        const ElfW(Shdr) *section = &g_array_index(file->sections, ElfW(Shdr), i);

        if (section->sh_name < file->names.size &&
            g_str_equal(file->names.bytes + section->sh_name, name)) {
            return section;
        }
    }
    return NULL;
}

bool ss_elf_has_section(SsElfFile *file, const char *name)
{
    return find_section(file, name);
}

bool ss_elf_section(SsElfFile *file, const char *name, SsPart *part)
{
    const ElfW(Shdr) *section = find_section(file, name);

    if (!section || section->sh_type == SHT_NOBITS ||
        !ss_elf_read(file, section->sh_offset, section->sh_size, part)) {
        return false;
    }
    part->address = section->sh_addr;
    return true;
}

GPtrArray *ss_elf_constant_parts(SsElfFile *file)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(part_free);

    for (guint i = 0; i < file->segments->len; i++) {
        const ElfW(Phdr) *segment = &g_array_index(file->segments, ElfW(Phdr), i);
        g_auto(SsPart) part = { .address = segment->p_vaddr };

        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W) &&
            ss_elf_read(file, segment->p_offset, segment->p_filesz, &part)) {
            g_ptr_array_add(parts, g_memdup2(&part, sizeof(part)));
            part.bytes = NULL;
        }
    }
    return g_steal_pointer(&parts);
}
