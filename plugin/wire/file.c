/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "conn.h"
#include "real.h"
#include "tell.h"

#define SENT 4096u

static uint32_t next_place; /* where the search for a free one begins */
static struct {
    uint64_t dev;
    uint64_t ino;
} sent[SENT]; /* by a hash of the inode; the last of those that meet stays */

bool ss_wire_identify(int fd, SsWireIdentity *ret_identity)
{
    struct statx status;
    /* Not fstat(), of which a sanitizer thinks that it uses what another thread has opened. */
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &status) < 0) {
        return false;
    }
    int flags = REAL(fcntl)(fd, F_GETFL);
    int access = flags & O_ACCMODE;
    *ret_identity = (SsWireIdentity){
        .dev = makedev(status.stx_dev_major, status.stx_dev_minor),
        .ino = status.stx_ino,
        .size = status.stx_size,
        .born_ns = status.stx_mask & STATX_BTIME
                       ? (uint64_t)status.stx_btime.tv_sec * 1000000000u + status.stx_btime.tv_nsec
                       : 0,
        .mode = status.stx_mode,
        .access = flags < 0 || access == O_RDWR ? 2
                  : access == O_WRONLY          ? 1
                                                : 0,
    };
    return true;
}

static bool same(const SsWireIdentity *one, const SsWireIdentity *other)
{
    return one->dev == other->dev && one->ino == other->ino;
}

static void forget(uint32_t index)
{
    ss_wire_files[index].used = false;
}

/* A free place, or that of a number closed long ago. */
static int find_place(void)
{
    if (ss_wire_files_end < SS_WIRE_FILES && next_place >= ss_wire_files_end) {
        next_place = ss_wire_files_end;
        return (int)ss_wire_files_end++;
    }
    for (uint32_t tries = 0; tries < ss_wire_files_end; tries++) {
        uint32_t index = (next_place + tries) % ss_wire_files_end;
        SsWireFile *file = &ss_wire_files[index];
        if (!file->used) {
            next_place = index + 1;
            return (int)index;
        }
    }
    if (ss_wire_files_end < SS_WIRE_FILES) {
        return (int)ss_wire_files_end++;
    }
    for (uint32_t index = 0; index < ss_wire_files_end; index++) {
        SsWireFile *file = &ss_wire_files[index];
        if (ss_wire_entry_kind(ss_wire_entry(file->fd)) == SS_WIRE_CLOSED) {
            ss_wire_set(file->fd, SS_WIRE_UNKNOWN, 0);
            return (int)index;
        }
    }
    return -1;
}

void ss_wire_file_add(int fd, const SsWireIdentity *identity, const SsWireOrigin *origin)
{
    if ((uint32_t)fd >= SS_WIRE_NUMBERS) {
        return;
    }
    int index = find_place();
    if (index < 0) {
        ss_wire_set(fd, SS_WIRE_PASS, 0);
        return;
    }
    ss_wire_files[index] =
        (SsWireFile){ .used = true, .fd = fd, .identity = *identity, .origin = *origin };
    ss_wire_set(fd, SS_WIRE_FILE, (uint32_t)index);
}

void ss_wire_file_forget(int fd)
{
    uint32_t entry = ss_wire_entry(fd);
    SsWireKind kind = ss_wire_entry_kind(entry);
    if (kind == SS_WIRE_FILE || kind == SS_WIRE_CLOSED) {
        forget(ss_wire_entry_index(entry));
    }
    ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
}

void ss_wire_number_taken(int fd)
{
    uint32_t entry = ss_wire_entry(fd), index = ss_wire_entry_index(entry);
    switch (ss_wire_entry_kind(entry)) {
    case SS_WIRE_FILE: {
        const SsWireIdentity *identity = &ss_wire_files[index].identity;
        SS_WIRE_TELL(fd_lost, fd, identity->dev, identity->ino, 1);
        forget(index);
        break;
    }
    case SS_WIRE_CLOSED:
        forget(index);
        break;
    case SS_WIRE_SOCKET:
        ss_wire_conn_closed(&ss_wire_conns[index], fd, 0);
        break;
    default:
        break;
    }
    if (entry != SS_WIRE_UNKNOWN) {
        ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
    }
}

bool ss_wire_closing(int fd, SsWireClosing *ret_closing)
{
    uint32_t entry = ss_wire_entry(fd);
    uint32_t index = ss_wire_entry_index(entry);
    SsWireIdentity now;
    *ret_closing = (SsWireClosing){ .index = index };
    switch (ss_wire_entry_kind(entry)) {
    case SS_WIRE_SOCKET:
        ret_closing->socket = true;
        ret_closing->file = ss_wire_conns[index].came;
        ret_closing->identity = ss_wire_conns[index].identity;
        return true;
    case SS_WIRE_CLOSED:
        ret_closing->again = true;
        ret_closing->identity = ss_wire_files[index].identity;
        return true;
    case SS_WIRE_FILE:
        ret_closing->file = true;
        ret_closing->identity = ss_wire_files[index].identity;
        ss_wire_carried_now(fd);
        if (!SS_WIRE_ON(fd_close) && !SS_WIRE_ON(fd_lost)) {
            return true;
        }
        if (ss_wire_identify(fd, &now) && !same(&now, &ret_closing->identity)) {
            SS_WIRE_TELL(fd_lost, fd, ret_closing->identity.dev, ret_closing->identity.ino, 1);
            forget(index);
            ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
            return false;
        }
        return true;
    default:
        return false;
    }
}

void ss_wire_closed(int fd, const SsWireClosing *closing, int error)
{
    const SsWireIdentity *identity = &closing->identity;
    if (closing->socket) {
        ss_wire_conn_closed(&ss_wire_conns[closing->index], fd, error);
        ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
        if (closing->file) {
            SS_WIRE_TELL(fd_close, fd, error, identity->dev, identity->ino, 0);
        }
        return;
    }
    if (closing->again) {
        if (error == -EBADF) {
            SS_WIRE_TELL(fd_close, fd, error, identity->dev, identity->ino, 1);
        } else {
            /* Somebody opened something else by this number, and that is closed now. */
            forget(closing->index);
            ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
        }
        return;
    }
    if (error == -EBADF) {
        SS_WIRE_TELL(fd_lost, fd, identity->dev, identity->ino, 0);
    }
    ss_wire_set(fd, SS_WIRE_CLOSED, closing->index);
    SS_WIRE_TELL(fd_close, fd, error, identity->dev, identity->ino, error == -EBADF);
}

void ss_wire_duplicated(int fd, int newfd, int error)
{
    uint32_t entry = ss_wire_entry(fd), index = ss_wire_entry_index(entry);
    SsWireIdentity identity;
    SsWireOrigin origin;
    switch (ss_wire_entry_kind(entry)) {
    case SS_WIRE_SOCKET:
        if (newfd >= 0) {
            ss_wire_number_taken(newfd);
            ss_wire_conns[index].descriptors++;
            ss_wire_set(newfd, SS_WIRE_SOCKET, index);
        }
        break;
    case SS_WIRE_FILE:
        ss_wire_carried_now(fd);
        identity = ss_wire_files[index].identity;
        origin = ss_wire_files[index].origin;
        if (newfd >= 0) {
            ss_wire_number_taken(newfd);
            ss_wire_file_add(newfd, &identity, &origin);
        }
        SS_WIRE_TELL(fd_dup, fd, newfd, error, identity.dev, identity.ino);
        break;
    default:
        if (newfd >= 0) {
            ss_wire_number_taken(newfd);
        }
        break;
    }
}

void ss_wire_files_tell(void)
{
    for (uint32_t i = 0; i < ss_wire_files_end; i++) {
        const SsWireFile *file = &ss_wire_files[i];
        const SsWireIdentity *identity = &file->identity;
        if (file->used && ss_wire_entry_kind(ss_wire_entry(file->fd)) == SS_WIRE_FILE) {
            SS_WIRE_TELL(fd, file->origin.conn, file->origin.seq, 0, file->origin.index, file->fd,
                         identity->dev, identity->ino, identity->size, identity->access);
        }
    }
}

static uint32_t sent_place(uint64_t ino)
{
    return (uint32_t)((ino * 0x9e3779b97f4a7c15ull) >> 48) % SENT;
}

void ss_wire_sent_note(const SsWireIdentity *identity)
{
    uint32_t at = sent_place(identity->ino);
    sent[at].dev = identity->dev;
    sent[at].ino = identity->ino;
}

bool ss_wire_was_sent(const SsWireIdentity *identity)
{
    uint32_t at = sent_place(identity->ino);
    return sent[at].ino == identity->ino && sent[at].dev == identity->dev;
}
