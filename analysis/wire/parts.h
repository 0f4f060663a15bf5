/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the stage share: processes that have the library in them, and their channels.
 */
#pragma once

#include "analysis/model/parts.h"
#include "analysis/wire/wire.h"

#define SS_WIRE_REPLY (1u << 2) /* header flag */

typedef struct SsWireProcess SsWireProcess;
typedef struct SsCorroboration SsCorroboration;
typedef struct SsFrontend SsFrontend;
typedef struct SsFrontendChannel SsFrontendChannel;
typedef struct SsBackend SsBackend;
typedef struct SsBackendChannel SsBackendChannel;

typedef enum SsWireRole {
    SS_WIRE_FRONT_END,
    SS_WIRE_BACK_END,
    SS_WIRE_ROLE_UNKNOWN, /* no event told: the recording began late, or lost it */
} SsWireRole;

/* A channel of a process. Identity: process, conn. */
typedef struct SsWireConn {
    SsWireProcess *process; /* weak */
    guint64 conn;
    guint64 main; /* 0: not known */
    gint32 fd;
    guint64 sock, peer; /* inodes; 0: not known */
    gint32 peer_pid;    /* 0: not known */
    SsWireRole role;
    bool backend;                     /* the back-end channel */
    bool closed;                      /* kept: the other end's events may come later */
    bool gap;                         /* nothing more is told of it */
    char *name;                       /* owned, harmless; "" when it has none */
    gint64 birth_ns;                  /* first told */
    bool late;                        /* messages passed before it was told of */
    SsFrontendChannel *frontend_side; /* owned by frontend.c; NULL until needed */
    SsBackendChannel *backend_side;   /* owned by backend.c; NULL until needed */
} SsWireConn;

/* Identity: host and pid. */
struct SsWireProcess {
    SsWire *wire; /* weak */
    guint trace;
    gint32 pid;
    GHashTable *conns;  /* guint64 * -> owned SsWireConn */
    bool traced;        /* QEMU's own tracepoints tell of it too, and lead */
    bool decided;       /* `traced` is final, unless a tracepoint comes after all */
    gint64 first_ns;    /* of its wire events */
    GArray *held;       /* of SsEvent, until it is decided; strings owned by `strings` */
    GPtrArray *strings; /* owned char * */
    GHashTable *names;  /* int tid -> owned char *: told once, before the model knows the thread */
    SsProcess *known;   /* weak; the model's, once something was made of it; NULL before */
    SsCorroboration *corroboration; /* owned by corroborate.c; NULL until needed */
    SsFrontend *frontend;           /* owned by frontend.c; NULL until needed */
    SsBackend *backend;             /* owned by backend.c; NULL until needed */
};

struct SsWire {
    SsModel *model;        /* weak */
    GHashTable *processes; /* gint64 * -> owned SsWireProcess */
    SsWireProcess *last;   /* weak; of the event before */
};

/* NULL when it was never told of. */
SsWireConn *ss_wire_conn_find(const SsWireProcess *process, guint64 conn);

/* corroborate.c: of a process that is told of by both sources. What the wire shows, and a
 * tracepoint's event to compare with it. */
void ss_wire_seen_conn(SsWireConn *conn, const SsEvent *event);
void ss_wire_seen_call(SsWireProcess *process, const SsEvent *event);
void ss_wire_corroborate(SsWireProcess *process, const SsEvent *event);
/* The sockets of a device of QEMU's tracepoints; what is not known stays as it is. */
void ss_wire_corroborated_sockets(const SsWireProcess *process, guint64 dev, SsSockets *sockets);
void ss_wire_corroboration_free(SsWireProcess *process);

/* frontend.c: an event of a channel whose role is front-end, or is not known. */
void ss_wire_frontend_event(SsWire *wire, SsWireConn *conn, const SsEvent *event);
/* frontend.c: an event of the process's descriptors and memory, whatever its roles. */
void ss_wire_frontend_descriptor(SsWire *wire, SsWireProcess *process, const SsEvent *event);
void ss_wire_frontend_finish(SsWire *wire, SsWireProcess *process);
void ss_wire_frontend_free(SsWireProcess *process);
void ss_wire_frontend_channel_free(SsWireConn *conn);

/* backend.c: an event of a channel whose role is back-end: channel, channel_closed, message,
 * shmem, region, memory_region, fd, wait_lasts, read_lasts, gap. Its time goes on with the
 * trace's; an event of one process never comes before an earlier one of it. */
void ss_wire_backend_event(SsWire *wire, SsWireConn *conn, const SsEvent *event);
void ss_wire_backend_finish(SsWire *wire, SsWireProcess *process);
void ss_wire_backend_free(SsWireProcess *process);
void ss_wire_backend_channel_free(SsWireConn *conn);
