/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the dynamic loader is told: needed libraries, and where pointers are to be. */
#include <string.h>
#include <unistd.h>

#include "analysis/doctor/elf-parts.h"

#define RELOCATIONS_MOST (4 * 1024 * 1024)

/* Where in the file an address of the program is; FALSE: nowhere. */
static bool offset_of(const SsElfFile *file, guint64 address, guint64 *ret_offset)
{
    for (guint i = 0; i < file->segments->len; i++) {
        const ElfW(Phdr) *segment = &g_array_index(file->segments, ElfW(Phdr), i);

        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz) {
            *ret_offset = segment->p_offset + (address - segment->p_vaddr);
            return true;
        }
    }
    return false;
}

/* The value of the dynamic section's first entry of that tag. */
static bool dynamic_value(const SsPart *dynamic, ElfW(Sxword) tag, guint64 *ret_value)
{
    for (gsize at = 0; at + sizeof(ElfW(Dyn)) <= dynamic->size; at += sizeof(ElfW(Dyn))) {
        ElfW(Dyn) entry;

        memcpy(&entry, dynamic->bytes + at, sizeof(entry));
        if (entry.d_tag == tag) {
            *ret_value = entry.d_un.d_val;
            return true;
        }
        if (entry.d_tag == DT_NULL) {
            break;
        }
    }
    return false;
}

static bool read_dynamic(const SsElfFile *file, SsPart *part)
{
    for (guint i = 0; i < file->segments->len; i++) {
        const ElfW(Phdr) *segment = &g_array_index(file->segments, ElfW(Phdr), i);

        if (segment->p_type == PT_DYNAMIC) {
            return ss_elf_read(file, segment->p_offset, segment->p_filesz, part);
        }
    }
    return false;
}

GPtrArray *ss_elf_needed(SsElfFile *file)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_auto(SsPart) dynamic = { 0 };
    g_auto(SsPart) strings = { 0 };
    guint64 address, size, offset;

    if (!read_dynamic(file, &dynamic) || !dynamic_value(&dynamic, DT_STRTAB, &address) ||
        !dynamic_value(&dynamic, DT_STRSZ, &size) || !offset_of(file, address, &offset) ||
        !ss_elf_read(file, offset, size, &strings)) {
        return g_steal_pointer(&names);
    }
    for (gsize at = 0; at + sizeof(ElfW(Dyn)) <= dynamic.size; at += sizeof(ElfW(Dyn))) {
        ElfW(Dyn) entry;

        memcpy(&entry, dynamic.bytes + at, sizeof(entry));
        if (entry.d_tag == DT_NULL) {
            break;
        }
        if (entry.d_tag == DT_NEEDED && entry.d_un.d_val < strings.size) {
            g_ptr_array_add(names, g_strdup(strings.bytes + entry.d_un.d_val));
        }
    }
    return g_steal_pointer(&names);
}

/* As the loader will put it there: the table of relocations has where, and what. */
static bool relocated(const SsElfFile *file, guint64 address, guint64 *ret_place)
{
    g_auto(SsPart) dynamic = { 0 };
    g_auto(SsPart) table = { 0 };
    guint64 place, size, offset;

    if (!read_dynamic(file, &dynamic) || !dynamic_value(&dynamic, DT_RELA, &place) ||
        !dynamic_value(&dynamic, DT_RELASZ, &size) || !offset_of(file, place, &offset) ||
        !ss_elf_read(file, offset, MIN(size, RELOCATIONS_MOST * sizeof(ElfW(Rela))), &table)) {
        return false;
    }
    for (gsize at = 0; at + sizeof(ElfW(Rela)) <= table.size; at += sizeof(ElfW(Rela))) {
        ElfW(Rela) entry;

        memcpy(&entry, table.bytes + at, sizeof(entry));
        if ((guint64)entry.r_addend == address) {
            *ret_place = entry.r_offset;
            return true;
        }
    }
    return false;
}

/* It is there already: of a program with a place of its own, or with relocations that are packed,
 * which tell only where. */
static bool in_place(const SsElfFile *file, guint64 address, guint64 *ret_place)
{
    const ElfW(Addr) pointer = address;

    for (guint i = 0; i < file->segments->len; i++) {
        const ElfW(Phdr) *segment = &g_array_index(file->segments, ElfW(Phdr), i);
        g_auto(SsPart) part = { 0 };
        const char *at;

        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) ||
            !ss_elf_read(file, segment->p_offset, segment->p_filesz, &part)) {
            continue;
        }
        for (at = part.bytes;
             (at = ss_part_find(&part, at, (const char *)&pointer, sizeof(pointer))); at++) {
            *ret_place = segment->p_vaddr + (guint64)(at - part.bytes);
            if (*ret_place % sizeof(pointer) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool ss_elf_before_pointer(SsElfFile *file, guint64 address, guint32 *ret_number)
{
    guint64 place, offset;

    return (relocated(file, address, &place) || in_place(file, address, &place)) &&
           place >= sizeof(void *) && offset_of(file, place - sizeof(void *), &offset) &&
           pread(file->fd, ret_number, sizeof(*ret_number), (off_t)offset) == sizeof(*ret_number);
}
