/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptors that came over a channel, by number: duplicates, ends, and what is mapped of them.
 * All of it between ss_wire_enter() and ss_wire_leave().
 */
#pragma once

#include "state.h"

/* What the descriptor is; false when it is not open. */
bool ss_wire_identify(int fd, SsWireIdentity *ret_identity);

/* The number came over a channel, or is a duplicate of one that did. */
void ss_wire_file_add(int fd, const SsWireIdentity *identity, const SsWireOrigin *origin);

/* The program sent the file, so that it had it before: its other descriptors are its own. */
void ss_wire_sent_note(const SsWireIdentity *identity);
bool ss_wire_was_sent(const SsWireIdentity *identity);

/* All of them told again. */
void ss_wire_files_tell(void);
void ss_wire_maps_tell(void);

/* The number turns out to be something else, that is watched otherwise. */
void ss_wire_file_forget(int fd);

/*
 * The number is handed out anew by a call that is watched. What was there, if anything of ours,
 * was closed unseen.
 */
void ss_wire_number_taken(int fd);

/*
 * The number is about to be closed: true when it is ours, and @ret_identity what it is. What is
 * no longer what came is told as lost.
 */
typedef struct SsWireClosing {
    bool file;  /* a descriptor that came over a channel */
    bool again; /* it was closed before */
    bool socket;
    uint32_t index;
    SsWireIdentity identity;
} SsWireClosing;

bool ss_wire_closing(int fd, SsWireClosing *ret_closing);

/* The close ended with @error, 0 or a negative errno. */
void ss_wire_closed(int fd, const SsWireClosing *closing, int error);

/* A duplicate was made (or not: @newfd is negative, @error says why). */
void ss_wire_duplicated(int fd, int newfd, int error);

/* Maps. @flags and @prot as mmap() had them; an @error is told too. */
void ss_wire_mapped(int fd, uint64_t addr, uint64_t len, uint64_t offset, int prot, int flags,
                    int error);
/* True when the range holds something of ours. Needs no lock, and may err to true. */
bool ss_wire_may_be_mapped(uint64_t addr, uint64_t len);
bool ss_wire_is_mapped(uint64_t addr, uint64_t len);
void ss_wire_unmapped(uint64_t addr, uint64_t len, int error);
void ss_wire_remapped(uint64_t old_addr, uint64_t old_len, uint64_t addr, uint64_t len, int error);
