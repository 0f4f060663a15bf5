/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each watched call that makes or closes one of these descriptors holds the lock until it is
 * noted, so that with the lock held none is under way. The exception is a receive: its numbers
 * exist a little before they are noted. What is found must therefore have been there the time
 * before, a second ago.
 */
#include "audit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "conn.h"
#include "file.h"
#include "real.h"
#include "tell.h"

#define FILES_AT_ONCE 256u
#define SIGHTINGS 64u
#define FILTER_BITS 65536u

typedef struct SsWireSighting {
    int fd;
    uint64_t dev;
    uint64_t ino;
} SsWireSighting;

/* The thread's own. */
static SsWireSighting sightings[2][SIGHTINGS];
static uint32_t n_sightings[2];
static uint8_t filter[FILTER_BITS / 8];
static char entries[16384];

bool ss_wire_audit_needed(void)
{
    for (uint32_t i = 0; i < ss_wire_files_end; i++) {
        if (ss_wire_files[i].used) {
            return true;
        }
    }
    return false;
}

/* Files [begin, end) that are open by all that is known. */
static void look_for_lost(uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end && i < ss_wire_files_end; i++) {
        const SsWireFile *file = &ss_wire_files[i];
        uint32_t entry = ss_wire_entry(file->fd);
        SsWireIdentity now;
        if (!file->used || ss_wire_entry_kind(entry) != SS_WIRE_FILE ||
            ss_wire_entry_index(entry) != i) {
            continue;
        }
        bool open = ss_wire_identify(file->fd, &now);
        if (open && now.dev == file->identity.dev && now.ino == file->identity.ino) {
            continue;
        }
        SS_WIRE_TELL(fd_lost, file->fd, file->identity.dev, file->identity.ino, open);
        if (open) {
            ss_wire_file_forget(file->fd);
        } else {
            /* As when a watched call had found it so: that it is closed again is told. */
            ss_wire_set(file->fd, SS_WIRE_CLOSED, i);
        }
    }
}

void ss_wire_audit_lost(void)
{
    if (SS_WIRE_ON(fd_lost)) {
        look_for_lost(0, ss_wire_files_end);
    }
}

/* ---- found ---- */

static uint32_t filter_bit(uint64_t ino)
{
    return (uint32_t)((ino * 0x9e3779b97f4a7c15ull) >> 48) % FILTER_BITS;
}

static void fill_filter(void)
{
    memset(filter, 0, sizeof(filter));
    for (uint32_t i = 0; i < ss_wire_files_end; i++) {
        if (ss_wire_files[i].used) {
            uint32_t bit = filter_bit(ss_wire_files[i].identity.ino);
            filter[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
}

/* The one that came, of the same file; NULL when there is none, or nothing can be said of it. */
static const SsWireFile *find_came(const SsWireIdentity *identity)
{
    uint32_t bit = filter_bit(identity->ino);
    /* Files without a type share one inode: event descriptors and their like. */
    if (!(filter[bit / 8] & 1u << bit % 8) || (identity->mode & S_IFMT) == 0 ||
        ss_wire_was_sent(identity)) {
        return NULL;
    }
    for (uint32_t i = 0; i < ss_wire_files_end; i++) {
        const SsWireFile *file = &ss_wire_files[i];
        if (file->used && file->identity.ino == identity->ino &&
            file->identity.dev == identity->dev) {
            return file;
        }
    }
    return NULL;
}

static bool seen_before(const SsWireSighting *sighting)
{
    for (uint32_t i = 0; i < n_sightings[0]; i++) {
        const SsWireSighting *before = &sightings[0][i];
        if (before->fd == sighting->fd && before->dev == sighting->dev &&
            before->ino == sighting->ino) {
            return true;
        }
    }
    return false;
}

static void look_at(int fd)
{
    uint32_t kind = ss_wire_entry_kind(ss_wire_entry(fd));
    SsWireIdentity identity;
    if (kind == SS_WIRE_FILE || kind == SS_WIRE_SOCKET || (uint32_t)fd >= SS_WIRE_NUMBERS ||
        !ss_wire_identify(fd, &identity)) {
        return;
    }
    const SsWireFile *came = find_came(&identity);
    if (!came) {
        return;
    }
    SsWireSighting sighting = { .fd = fd, .dev = identity.dev, .ino = identity.ino };
    if (seen_before(&sighting)) {
        SsWireOrigin origin = came->origin;
        SS_WIRE_TELL(fd_found, fd, identity.dev, identity.ino);
        /* From now on it is one of those that are watched. */
        ss_wire_file_forget(fd);
        ss_wire_file_add(fd, &identity, &origin);
    } else if (n_sightings[1] < SIGHTINGS) {
        sightings[1][n_sightings[1]++] = sighting;
    }
}

static void look_for_found(void)
{
    struct entry {
        uint64_t inode;
        int64_t offset;
        uint16_t length;
        uint8_t type;
        char name[];
    };
    /* System calls, for nobody else need know of this descriptor. */
    long directory =
        syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return;
    }
    for (;;) {
        SsWireGuard guard;
        long length = syscall(SYS_getdents64, directory, entries, sizeof(entries));
        if (length <= 0 || !ss_wire_enter(&guard)) {
            break;
        }
        fill_filter();
        for (long at = 0; at < length;) {
            const struct entry *entry = (const struct entry *)(const void *)(entries + at);
            if (entry->name[0] != '.' && atoi(entry->name) != directory) {
                look_at(atoi(entry->name));
            }
            at += entry->length;
        }
        ss_wire_leave(&guard);
    }
    (void)syscall(SYS_close, directory);
    memcpy(sightings[0], sightings[1], sizeof(sightings[0]));
    n_sightings[0] = n_sightings[1];
    n_sightings[1] = 0;
}

void ss_wire_audit(void)
{
    SsWireGuard guard;
    uint32_t begin = 0, end = 1;
    while (SS_WIRE_ON(fd_lost) && begin < end && ss_wire_enter(&guard)) {
        end = ss_wire_files_end;
        look_for_lost(begin, begin + FILES_AT_ONCE);
        begin += FILES_AT_ONCE;
        ss_wire_leave(&guard);
    }
    if (SS_WIRE_ON(fd_found)) {
        look_for_found();
    }
}
