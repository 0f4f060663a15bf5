/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the library keeps of its process, all of it in static memory: it must not allocate in the
 * middle of somebody else's call. Everything but the table of descriptors is read and written
 * between ss_wire_enter() and ss_wire_leave() only.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "include/shmemscope.h"
#include "stream.h"

#define SS_WIRE_LIKELY(x) __builtin_expect(!!(x), 1)
#define SS_WIRE_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- descriptors by number: one word each, read without a lock ---- */

/* Numbers from here on are not watched. */
#define SS_WIRE_NUMBERS (1u << 20)

typedef enum SsWireKind {
    SS_WIRE_UNKNOWN, /* not looked at since it was opened */
    SS_WIRE_SOCKET,  /* of a SsWireConn: a channel, or what may become one */
    SS_WIRE_CLOSED,  /* of a SsWireFile that was closed; open again if anybody uses it */
    SS_WIRE_PASS,    /* nothing of ours */
    SS_WIRE_FILE,    /* of a SsWireFile */
} SsWireKind;

extern _Atomic uint32_t ss_wire_numbers[SS_WIRE_NUMBERS];

static inline uint32_t ss_wire_entry(int fd)
{
    return (uint32_t)fd < SS_WIRE_NUMBERS
               ? atomic_load_explicit(&ss_wire_numbers[fd], memory_order_relaxed)
               : SS_WIRE_PASS;
}

static inline SsWireKind ss_wire_entry_kind(uint32_t entry)
{
    return (SsWireKind)(entry & 0xff);
}

static inline uint32_t ss_wire_entry_index(uint32_t entry)
{
    return entry >> 8;
}

/* Sets what number @fd is; @index of its SsWireConn or SsWireFile. */
void ss_wire_set(int fd, SsWireKind kind, uint32_t index);

/* One more than the highest number that is not SS_WIRE_UNKNOWN. */
extern _Atomic uint32_t ss_wire_numbers_end;

/* ---- the lock ---- */

typedef struct SsWireGuard {
    uint64_t signals;
    int cancel;
    int error; /* errno as it has to be left */
} SsWireGuard;

/*
 * Begins to use the state: all signals of this thread are held off, so that no handler finds it
 * half done, and it cannot be cancelled. False when that cannot be: in the middle of our own
 * doings, in a child that shares its parent's memory or was made without the C library, or when
 * others kept the lock for too long. The caller then does what it would do without us. From a
 * thread that is in fork() it is taken away after a moment.
 */
bool ss_wire_enter(SsWireGuard *ret_guard);
void ss_wire_leave(const SsWireGuard *guard);

/* True in the process that the state is about, and not in a child made by vfork() or clone(). */
bool ss_wire_own_process(void);

#ifdef __x86_64__
#define SS_WIRE_NOTES_VFORK 1
#endif

/* Once, by the constructor: from then on that can be told without a system call. */
void ss_wire_state_begin(void);

/* This thread has lent its memory to a child by vfork(), which runs in its place. */
extern __thread int ss_wire_lent;

/* A child shares the memory, and runs beside its parent: only the kernel knows who is who. */
void ss_wire_state_lent_for_long(void);

/* This thread, in that process: a child made by vfork() would be told the parent's. */
int ss_wire_own_tid(void);

/*
 * For fork(): before it, and after it in each of both. In between others may use the state; a
 * child that comes to be then has missed all that passes over the channels.
 */
void ss_wire_lock_for_fork(void);
void ss_wire_unlock_after_fork(bool child);

extern pid_t ss_wire_forked_from; /* 0 when it was loaded into this process */

/* False in a child of fork() until its tracer was set up. */
extern _Atomic bool ss_wire_telling;

/* ---- descriptors that came over a channel ---- */

typedef struct SsWireIdentity {
    uint64_t dev;
    uint64_t ino;
    uint64_t size;
    uint64_t born_ns; /* of the file; 0 where its file system does not tell */
    uint32_t mode;
    uint8_t access; /* 0 read, 1 write, 2 both */
} SsWireIdentity;

/* A descriptor that goes with the message under way, until the message is told. */
typedef struct SsWireCarried {
    int fd;
    bool told;
    SsWireIdentity identity;
} SsWireCarried;

/* The message that something came with. */
typedef struct SsWireOrigin {
    uint64_t conn;
    uint64_t seq;
    uint32_t index;
} SsWireOrigin;

typedef struct SsWireFile {
    bool used;
    int fd;
    SsWireIdentity identity;
    SsWireOrigin origin; /* a duplicate has that of the first */
} SsWireFile;

#define SS_WIRE_FILES 65536u
extern SsWireFile ss_wire_files[SS_WIRE_FILES];
extern uint32_t ss_wire_files_end; /* those behind were never used */

typedef struct SsWireMap {
    uint64_t addr;
    uint64_t len;
    uint64_t offset;
    uint64_t ino;
    int fd;
    int prot;
    int flags;
} SsWireMap;

#define SS_WIRE_MAPS 16384u
extern SsWireMap ss_wire_maps[SS_WIRE_MAPS]; /* by address, none over another */
extern _Atomic uint32_t ss_wire_n_maps;

/* ---- labels of files ---- */

typedef struct SsWireLabel {
    uint64_t dev, ino, born_ns;
    uint64_t number;  /* of the note; 0: the place is free */
    uint32_t process; /* ss_wire_generation when it was noted */
    bool cut;
    char text[SHMEMSCOPE_LABEL_BYTES + 1];
} SsWireLabel;

/* By a hash of the inode, in sets: of one that is full the label that was noted first goes. */
#define SS_WIRE_LABEL_SETS 2048u
#define SS_WIRE_LABEL_WAYS 8u
extern SsWireLabel ss_wire_labels[SS_WIRE_LABEL_SETS][SS_WIRE_LABEL_WAYS];
extern uint64_t ss_wire_notes; /* how many there were */

/* How many forks lie between this process and the one that the library was loaded into, and which
 * of these was the last that may have found a label half done. */
extern uint32_t ss_wire_generation, ss_wire_labels_since;

/* ---- channels ---- */

typedef enum SsWireConnState {
    SS_WIRE_FREE,
    SS_WIRE_CANDIDATE, /* its first bytes have not come */
    SS_WIRE_OPEN,
    SS_WIRE_BLIND, /* told as a gap, or not vhost-user at all */
    SS_WIRE_ENDED, /* told as closed, its descriptor is still open */
} SsWireConnState;

/* A request that was sent and asks for a reply. */
typedef struct SsWireAsk {
    uint64_t seq;
    uint32_t request;
    int tid;
    uint64_t since_ns;
    uint32_t told; /* how often it was told that it lasts */
} SsWireAsk;

#define SS_WIRE_ASKS 32u
#define SS_WIRE_CARRIED 64u

typedef struct SsWireSide {
    SsWireStream stream;
    uint32_t told;                          /* how often read_lasts was told of the message */
    int tid;                                /* thread that read or wrote last */
    uint32_t unread;                        /* in the other channel, before the last send */
    SsWireCarried carried[SS_WIRE_CARRIED]; /* stream.n_fds of them, as far as they fit */
} SsWireSide;

typedef struct SsWireConn {
    _Atomic uint32_t state; /* SsWireConnState */
    _Atomic uint32_t birth; /* changes when the place is used again */
    _Atomic bool missed;    /* bytes passed that could not be looked at */
    _Atomic int claimant;   /* thread that uses in, out and asks, 0 if none */
    _Atomic int reader;     /* thread that stands in a call that reads it, 0 if none */
    _Atomic int other_fd;   /* of the device's other channel, -1 if there is none */
    uint32_t descriptors;   /* numbers that are this socket */
    bool inherited;         /* from the process that forked */
    int fd;
    uint64_t id;
    uint64_t sock;
    uint64_t peer;
    int peer_pid;
    uint8_t role;
    uint8_t backend;
    bool came;                       /* its descriptor came over a channel */
    SsWireIdentity identity;         /* of it, when it came */
    struct SsWireConn *_Atomic main; /* weak; NULL for a main channel */
    struct SsWireConn *other;        /* weak; the device's other channel */
    uint64_t main_id;
    _Atomic uint64_t protocol_features;
    char name[109];
    SsWireSide in;
    SsWireSide out;
    SsWireAsk asks[SS_WIRE_ASKS];
    uint32_t n_asks;
} SsWireConn;

#define SS_WIRE_CONNS 512u
extern SsWireConn ss_wire_conns[SS_WIRE_CONNS];
extern uint32_t ss_wire_conns_end; /* those behind were never used */

/*
 * Both sides of a connection, and its asks, are used by who has claimed it. With the lock: waits
 * for another thread for a moment only, which may itself wait for the lock in a signal handler.
 * False when it is not to be had, or when what this very thread does with it was interrupted by
 * the signal handler that calls.
 */
bool ss_wire_claim(SsWireConn *conn);
void ss_wire_unclaim(SsWireConn *conn);

/*
 * The lock, and the connection with it: gives the lock to others while it waits for that. False
 * when one of both is not to be had: the connection has missed something then.
 */
bool ss_wire_enter_claim(SsWireConn *conn, SsWireGuard *ret_guard);

/* Without the lock, which nobody may have then; waits for nobody. */
bool ss_wire_claim_alone(SsWireConn *conn);

/* Nanoseconds of the monotonic clock. */
uint64_t ss_wire_now(void);
