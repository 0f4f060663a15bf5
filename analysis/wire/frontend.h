/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the front-end's side share: devices, their channels, what the back-end asked
 * for, descriptors and memory that came of it, and what each thread is in.
 */
#pragma once

#include "analysis/wire/parts.h"

/* The reply to a request comes as long as nobody says otherwise; of what is never answered no
 * more is kept than this. */
#define SS_WIRE_PENDING 32
/* A message of the protocol brings eight descriptors at most. */
#define SS_WIRE_FDS 8
/* Steps of one dispatch that no call on a channel tells of lie between its calls; what comes
 * later than this is taken for something else. */
#define SS_WIRE_STEP_NS SS_NS_PER_S

/* Sent on the main channel, and not answered yet. */
typedef struct SsPending {
    guint64 seq;
    guint32 request;
    gint32 tid;
} SsPending;

/* The request of the back-end that was read last. */
typedef struct SsAsked {
    guint64 seq; /* 0: none */
    guint32 request, flags;
    gint32 tid; /* thread that read it, and dispatches it */
    gint64 ns;
    bool has_range;
    guint32 shmid;
    guint64 fd_offset, shm_offset, len, map_flags;
    guint received;       /* descriptors that came with it and are still open */
    guint tries, replies; /* tries: those that could not be sent, too */
    guint64 value;
    gint64 last_ns;  /* of the last thing that was surely done in its dispatch */
    bool done;       /* its dispatch has ended */
    guint64 mapping; /* made of its descriptor; 0: none */
} SsAsked;

/* The main channel's side is the device, and the back-end channel's has what was asked. */
struct SsFrontendChannel {
    bool opened;     /* told to the model */
    bool first;      /* its first message was seen */
    guint64 seen[2]; /* number of the last message: received, sent; 0: none was seen */
    gint64 last_ns;  /* its last message */
    /* of a main channel */
    guint64 features, protocol_features;
    bool started;
    bool table_failed; /* the last one that it answered, or that could not be sent */
    bool table_known;  /* the entries of the last SET_MEM_TABLE */
    guint32 entries;
    GQueue pending;     /* owned SsPending, oldest first */
    GHashTable *placed; /* SsWireMapping by its place, weak; NULL until needed */
    /* of a back-end channel */
    SsAsked asked;
    SsEvent held_fds[SS_WIRE_FDS]; /* told before the message they came with */
    guint n_held_fds;
};

/* What a mapping's own descriptor is mapped for: identity is a number of ours. */
typedef struct SsWireMapping {
    guint64 id;
    SsWireConn *main; /* weak; NULL when not known */
    guint64 seq;      /* exchange */
    guint32 shmid;
    guint64 fd_offset, shm_offset, len;
    gint32 fd;            /* its own descriptor, -1 once closed */
    guint64 addr, mapped; /* its memory and what of it is left; 0: none yet, or no more */
    bool writable;
    bool told_memory; /* it was mapped */
    bool added, removed, finalized;
} SsWireMapping;

/* An open descriptor that came over the back-end channel, or a duplicate. */
typedef struct SsWireFd {
    gint32 number;
    SsWireConn *conn; /* weak; back-end channel */
    guint64 seq;
    guint64 ino;
    SsWireMapping *mapping; /* weak; whose own it is; NULL: it is the received one */
    bool open;
    guint64 host, host_len; /* of the memory that its mapping had when it was closed */
    guint64 mapping_id;     /* once closed */
    bool by_mapping;        /* it was closed before the memory was given up */
} SsWireFd;

/* What a thread is in, as far as its calls on channels tell. */
typedef struct SsWireThread {
    gint32 tid;
    gint64 last_ns;       /* its last event */
    SsWireConn *asked;    /* weak; back-end channel whose request it dispatches; NULL: none */
    SsWireConn *phase_of; /* weak; main channel of the device that it starts or stops; NULL: none */
    SsEventId phase;      /* VHOST_USER_START or _STOP */
    bool in_commit;
    bool waits;     /* for the reply to what it asked for last */
    gint64 step_ns; /* of the last thing that was surely inside */
} SsWireThread;

struct SsFrontend {
    GHashTable *fds;      /* int -> owned SsWireFd, open or closed last */
    GHashTable *mappings; /* guint64 * -> owned SsWireMapping */
    GTree *memory;        /* guint64 *: address -> SsWireMapping, weak */
    GHashTable *threads;  /* int -> owned SsWireThread */
    guint64 next_mapping;
};

/* frontend.c */
SsFrontend *ss_wire_frontend_of(SsWireProcess *process);
SsFrontendChannel *ss_wire_side(SsWireConn *conn);
/* The main channel of a back-end channel's device, which stands for the device; NULL when not
 * known. */
SsWireConn *ss_wire_main_of(SsWireConn *backend);

/* emit.c: to the model, in the process, at the time and by the thread of `at`, unless it is said
 * otherwise. */
SsEvent ss_wire_make(const SsEvent *at, SsEventId id);
/* Returns the model's process, weak. */
SsProcess *ss_wire_emit(SsWireProcess *process, const SsEvent *event);
void ss_wire_emit_device(SsWireConn *main, const SsEvent *at);
void ss_wire_emit_phase(SsWireConn *main, const SsEvent *at, SsEventId id, bool begins);
void ss_wire_emit_commit(SsWireProcess *process, const SsEvent *at, bool begins);
void ss_wire_emit_mapping(SsWireProcess *process, const SsWireMapping *mapping, const SsEvent *at,
                          SsEventId id, const char *reason);

/* main-channel.c */
/* SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG */
bool ss_wire_is_table(guint32 request);
/* A mapping that the guest may write was made, and no table was sent: there was no room in it. */
void ss_wire_table_is_full(SsWireConn *main, const SsEvent *at);
void ss_wire_main_event(SsWireConn *conn, const SsEvent *event);
void ss_wire_main_closed(SsWireConn *conn, const SsEvent *event);

/* requests.c: the back-end channel */
void ss_wire_asked_event(SsWireConn *conn, const SsEvent *event);
void ss_wire_asked_closed(SsWireConn *conn, const SsEvent *event);
/* Its dispatch has ended, at the latest now: tells so, with the time of its last step. */
void ss_wire_asked_ends(SsWireConn *conn, const SsEvent *at, gint32 ret);
/* A mapping that the front-end keeps, whatever it said of it. */
void ss_wire_asked_adds(SsWireConn *conn, const SsEvent *at);

/* inside.c */
SsWireThread *ss_wire_thread_of(SsWireProcess *process, gint32 tid);
/* Before anything else is done with an event of the thread: what it was in and is not any more. */
void ss_wire_inside(SsWireProcess *process, const SsEvent *event);
/* A request goes out on a main channel, and what it tells of what the thread is in. */
void ss_wire_inside_request(SsWireConn *main, const SsEvent *event);
/* A reply that the thread asked for was read. */
void ss_wire_inside_reply(SsWireProcess *process, gint32 tid, gint64 ns);
/* Whether what was asked last over the back-end channel is still to be answered. */
bool ss_wire_owes(SsWireConn *conn);
void ss_wire_inside_finish(SsWireProcess *process, gint64 ns);

/* memory.c: descriptors and what is mapped of them */
void ss_wire_memory_event(SsWireProcess *process, const SsEvent *event);
void ss_wire_received(SsWireConn *conn, const SsEvent *event);
void ss_wire_mapping_add(SsWireProcess *process, SsWireMapping *mapping, const SsEvent *at);
/* The mapping of just this range; NULL when none is known. */
SsWireMapping *ss_wire_mapping_at(SsWireConn *main, const SsAsked *asked);
SsWireMapping *ss_wire_mapping_find(const SsWireProcess *process, guint64 id);
void ss_wire_mapping_remove(SsWireProcess *process, SsWireMapping *mapping, const SsEvent *at,
                            const char *reason);
void ss_wire_mapping_free(gpointer mapping);
