/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/autopsy/fields.h"

#include <stddef.h>

#define SS_FIELD(type, member, what) \
    { \
        .name = #member, .kind = SS_FIELD_##what, .offset = offsetof(type, member) \
    }
#define SS_WORDS(type, member, list) \
    { \
        .name = #member, .kind = SS_FIELD_WORD, .offset = offsetof(type, member), .words = list \
    }

static const char *const call_words[] = { "unknown", "running", "outside", "in", NULL };
static const char *const fd_words[] = { "other", "socket", "file", "epoll", NULL };
static const char *const peek_words[] = { "not-asked", "done",      "denied", "offset",
                                          "ended",     "no-holder", NULL };
static const char *const channel_words[] = { "main", "back-end", NULL };
static const char *const how_words[] = { "argv", "memory", "pair", NULL };

const SsField ss_fields_denied[] = {
    SS_FIELD(SsDenied, what, STRING),
    SS_FIELD(SsDenied, needs, STRING),
    SS_FIELD(SsDenied, error, I32),
    { 0 },
};

const SsField ss_fields_thread[] = {
    SS_FIELD(SsSeenThread, tid, I32),         SS_FIELD(SsSeenThread, own_tid, I32),
    SS_FIELD(SsSeenThread, comm, STRING),     SS_FIELD(SsSeenThread, state, LETTER),
    SS_WORDS(SsSeenThread, call, call_words), SS_FIELD(SsSeenThread, nr, I32),
    SS_FIELD(SsSeenThread, sp, HEX),          SS_FIELD(SsSeenThread, pc, HEX),
    SS_FIELD(SsSeenThread, fd, I32),          SS_FIELD(SsSeenThread, polls_known, BOOL),
    SS_FIELD(SsSeenThread, timeout_ns, I64),  SS_FIELD(SsSeenThread, timeout_known, BOOL),
    SS_FIELD(SsSeenThread, futex_owner, I32), SS_FIELD(SsSeenThread, switches, U64),
    SS_FIELD(SsSeenThread, cpu_ns, U64),      SS_FIELD(SsSeenThread, counts_known, BOOL),
    SS_FIELD(SsSeenThread, last_ran_ns, I64), { 0 },
};

const SsField ss_fields_fd[] = {
    SS_FIELD(SsSeenFd, fd, I32),    SS_WORDS(SsSeenFd, kind, fd_words),
    SS_FIELD(SsSeenFd, inode, U64), SS_FIELD(SsSeenFd, dev, U64),
    SS_FIELD(SsSeenFd, size, U64),  SS_FIELD(SsSeenFd, name, STRING),
    SS_FIELD(SsSeenFd, flags, I32), { 0 },
};

const SsField ss_fields_map[] = {
    SS_FIELD(SsSeenMap, begin, HEX),     SS_FIELD(SsSeenMap, end, HEX),
    SS_FIELD(SsSeenMap, offset, HEX),    SS_FIELD(SsSeenMap, readable, BOOL),
    SS_FIELD(SsSeenMap, writable, BOOL), SS_FIELD(SsSeenMap, guarded, BOOL),
    SS_FIELD(SsSeenMap, dev, U64),       SS_FIELD(SsSeenMap, inode, U64),
    SS_FIELD(SsSeenMap, path, STRING),   { 0 },
};

const SsField ss_fields_process[] = {
    SS_FIELD(SsSeenProcess, pid, I32),       SS_FIELD(SsSeenProcess, start_ticks, U64),
    SS_FIELD(SsSeenProcess, start_ns, I64),  SS_FIELD(SsSeenProcess, ended, BOOL),
    SS_FIELD(SsSeenProcess, roles, U32),     SS_FIELD(SsSeenProcess, is_qemu, BOOL),
    SS_FIELD(SsSeenProcess, own_pid, I32),   SS_FIELD(SsSeenProcess, uid, I32),
    SS_FIELD(SsSeenProcess, comm, STRING),   SS_FIELD(SsSeenProcess, exe, STRING),
    SS_FIELD(SsSeenProcess, vm, STRING),     SS_FIELD(SsSeenProcess, netns, U64),
    SS_FIELD(SsSeenProcess, pidns, U64),     SS_FIELD(SsSeenProcess, mntns, U64),
    SS_FIELD(SsSeenProcess, detailed, BOOL), SS_FIELD(SsSeenProcess, n_fds, U64),
    SS_FIELD(SsSeenProcess, fd_limit, U64),  { 0 },
};

const SsField ss_fields_socket[] = {
    SS_FIELD(SsSeenSocket, inode, U64),
    SS_FIELD(SsSeenSocket, netns, U64),
    SS_FIELD(SsSeenSocket, known, BOOL),
    SS_FIELD(SsSeenSocket, listens, BOOL),
    SS_FIELD(SsSeenSocket, peer, U64),
    SS_FIELD(SsSeenSocket, path, STRING),
    SS_FIELD(SsSeenSocket, unread, U64),
    SS_FIELD(SsSeenSocket, pending_at, U64),
    SS_FIELD(SsSeenSocket, receive_timeout_ns, I64),
    SS_FIELD(SsSeenSocket, peer_pid, I32),
    SS_FIELD(SsSeenSocket, unread_fds, I32),
    SS_FIELD(SsSeenSocket, recalled, U32),
    SS_FIELD(SsSeenSocket, recalled_tid, I32),
    SS_WORDS(SsSeenSocket, peek, peek_words),
    { 0 },
};

const SsField ss_fields_channel[] = {
    SS_WORDS(SsSeenChannel, kind, channel_words), SS_WORDS(SsSeenChannel, how, how_words),
    SS_FIELD(SsSeenChannel, device, STRING),      SS_FIELD(SsSeenChannel, driver, STRING),
    SS_FIELD(SsSeenChannel, chardev, STRING),     SS_FIELD(SsSeenChannel, path, STRING),
    SS_FIELD(SsSeenChannel, front_pid, I32),      SS_FIELD(SsSeenChannel, front_fd, I32),
    SS_FIELD(SsSeenChannel, front_inode, U64),    SS_FIELD(SsSeenChannel, back_pid, I32),
    SS_FIELD(SsSeenChannel, back_fd, I32),        SS_FIELD(SsSeenChannel, back_inode, U64),
    SS_FIELD(SsSeenChannel, main, I32),           { 0 },
};

const SsField ss_fields_look[] = {
    SS_FIELD(SsLook, ns, I64),
    SS_FIELD(SsLook, monotonic_ns, I64),
    SS_FIELD(SsLook, took_ns, I64),
    { 0 },
};

const SsField ss_fields_evidence[] = {
    SS_FIELD(SsEvidence, tool, STRING),
    SS_FIELD(SsEvidence, host, STRING),
    SS_FIELD(SsEvidence, boot_id, STRING),
    SS_FIELD(SsEvidence, kernel, STRING),
    { 0 },
};
