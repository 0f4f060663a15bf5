/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The wait-for graph of a process and its back-ends: who waits, for whom, for what.
 * Built when something is to be judged; nothing of it is kept. A back-end that was traced too
 * is there with its threads; of another one nobody knows who waits in it, and for what.
 */
#pragma once

#include "analysis/model/model.h"

typedef enum SsEdgeKind {
    SS_EDGE_MAIN_REPLY, /* thread -> back-end: a reply on the main channel */
    SS_EDGE_UNREAD,     /* back-end -> thread: its request lies unread in the socket */
    SS_EDGE_UNANSWERED, /* back-end -> thread: its request was read and not answered */
    SS_EDGE_LOCK,       /* thread -> thread: the big QEMU lock */
    SS_EDGE_SAME,       /* back-end -> back-end: both may be one process; nothing shows it */
} SsEdgeKind;

/* A node is an SsThread, of the process or of a back-end, or the back-end of an SsDevice. All
 * pointers are weak. */
typedef struct SsEdge {
    SsEdgeKind kind;
    gconstpointer from, to;
    SsThread *thread; /* the front-end's end of it */
    SsDevice *device;
    const SsWait *wait;         /* of MAIN_REPLY, UNREAD (of that NULL when `own` tells it) */
    const SsExchange *exchange; /* of UNANSWERED */
    const SsPeer *peer;         /* the back-end told it itself; NULL: QEMU's side alone */
    const SsPass *taken;        /* of MAIN_REPLY: it has received the request; NULL: it has not */
    const SsPeerWait *own;      /* of UNREAD, UNANSWERED: what it waits for */
} SsEdge;

/* Array of SsEdge; the caller unrefs it. */
GArray *ss_wait_graph(const SsModel *model, SsProcess *process);
/* The edges of a cycle that `wait` is part of, beginning with its own; NULL when there is
 * none. One of what was seen goes before one that assumes something. The caller unrefs it. */
GArray *ss_wait_graph_cycle(const GArray *edges, const SsWait *wait);
/* Whether both sides told of everything in the cycle, each of its own wait, and that it lasts. */
bool ss_wait_graph_proven(const GArray *cycle);
/* What the device's back-end tells, when it can be relied on; NULL else. Weak. */
SsPeer *ss_device_peer(const SsModel *model, const SsDevice *device);
