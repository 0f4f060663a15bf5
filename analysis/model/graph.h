/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The wait-for graph of a process and its back-ends: who waits, for whom, for what.
 * Built when something is to be judged; nothing of it is kept.
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

/* A node is an SsThread or the back-end of an SsDevice. All pointers are weak. */
typedef struct SsEdge {
    SsEdgeKind kind;
    gconstpointer from, to;
    SsThread *thread; /* the front-end's end of it */
    SsDevice *device;
    const SsWait *wait;         /* of MAIN_REPLY, UNREAD */
    const SsExchange *exchange; /* of UNANSWERED */
} SsEdge;

/* Array of SsEdge; the caller unrefs it. */
GArray *ss_wait_graph(SsProcess *process);
/* The edges of a cycle that `wait` is part of, beginning with its own; NULL when there is
 * none. One of what was seen goes before one that assumes something. The caller unrefs it. */
GArray *ss_wait_graph_cycle(const GArray *edges, const SsWait *wait);
