/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Windows of a deadlock: while the front-end waits for a reply on the main channel, a
 * synchronous request of the back-end stays unread, and a back-end that waits for its answer
 * meanwhile never gives its own. Kinds of windows are counted, with the time by which each
 * kind of request missed them; and what proves that the back-end serves both channels at once.
 */
#pragma once

#include "analysis/model/types.h"

typedef struct SsModel SsModel;

/* Of one device; what is beyond is not told apart any more. */
#define SS_MAX_WINDOWS 64
#define SS_MAX_SYNC_KINDS 16

/* What a wait stands in, outermost first, without what says nothing more: a dispatch whose own
 * commit is in it. `chain` takes SS_MAX_CONTEXTS. Returns how many there are. */
guint ss_wait_chain(const SsWait *wait, SsContext *chain);

/* The innermost thing that names the window. */
typedef enum SsWindowClass {
    SS_WINDOW_DEFERRED_COMMIT, /* of a request that was answered */
    SS_WINDOW_EARLY_COMMIT,    /* of a request that was not */
    SS_WINDOW_OTHER_COMMIT,    /* of no request */
    SS_WINDOW_DISPATCH,        /* a request's dispatch, outside of its commit */
    SS_WINDOW_START,
    SS_WINDOW_STOP,
    SS_WINDOW_RESET,
    SS_WINDOW_UNREALIZE,
    SS_WINDOW_ELSEWHERE,
    SS_WINDOW_N_CLASSES
} SsWindowClass;

SsWindowClass ss_window_class(const SsWait *wait);

/* Synchronous requests of one kind that the back-end really sent. */
typedef struct SsSyncKind {
    guint32 request;
    guint64 count;
    gint64 dispatched_ns; /* end of the last one's dispatch */
    SsExchange first;     /* its copy; of SHMEM_MAP rather a writable one */
} SsSyncKind;

/* What one kind of window came to, in one connection or in all of them. */
typedef struct SsWindowTally {
    guint64 opened;
    gint64 margin_ns[SS_MAX_SYNC_KINDS]; /* by sync kind; G_MAXINT64: none was near */
} SsWindowTally;

typedef struct SsWindow {
    SsWait wait;      /* the first that opened it; its `device` and contexts are weak */
    SsExchange cause; /* whose commit or dispatch it is in, as it was then; seq 0: none */
    gint64 first_ns, last_ns;
    gint64 ended_ns;      /* of the last one; 0 while it is open */
    bool unread;          /* at the last one's end something lay in the back-end channel */
    SsWindowTally now;    /* of the connection under way */
    SsWindowTally before; /* of connections that nothing was proven of */
    guint64 withdrawn;    /* opened in connections that were proven to serve both channels */
} SsWindow;

/* A front-end wait was answered while a synchronous request of the back-end was under way since
 * before it. */
typedef struct SsDisproof {
    gint64 sent_ns, answered_ns; /* of the front-end request; 0: there is no proof */
    guint32 frontend_request, backend_request;
    guint64 frontend_seq, backend_seq;
    bool read;  /* QEMU had read the back-end's request; else it lay in the socket */
    bool told;  /* by the back-end itself */
    bool apart; /* so: none of its threads that wait for replies serves the main channel; then
                 * nothing else is set but `answered_ns` */
} SsDisproof;

/* A wait whose request was sent while something lay unread in the back-end channel. */
typedef struct SsCandidate {
    gint64 sent_ns, answered_ns; /* 0: there is none; it is not answered yet */
    guint32 request;
    guint64 seq;
    guint64 next_seq; /* of the message that lay there first */
    guint32 bytes;    /* that lay there, and were not read since */
} SsCandidate;

struct SsWindows {
    GPtrArray *kinds; /* owned SsWindow */
    guint n_sync;
    SsSyncKind sync[SS_MAX_SYNC_KINDS];
    SsCandidate candidate;
    SsDisproof disproof; /* the first of the device */
    bool disproved_now;  /* there is one of the connection under way */
};

/* Whether its connection was not seen, and what was negotiated is not known since. */
bool ss_windows_unknown(const SsDevice *device);
/* Whether the front-end answers such a request of the back-end. */
bool ss_backend_request_answered(const SsDevice *device, guint32 request, guint32 flags);

void ss_windows_free(SsWindows *windows);
/* A connection begins or the trace ends: what was open is counted. */
void ss_windows_settle(SsDevice *device);
/* The front-end's wait begins and ends. Returns whether it is a window: the back-end could have
 * sent a request. */
bool ss_windows_wait_begins(SsWait *wait);
void ss_windows_wait_ends(SsModel *model, const SsWait *wait);
/* A request of the back-end was read, of so many bytes with its header; all fields that it has
 * are known. */
void ss_windows_request(SsDevice *device, const SsExchange *exchange, guint32 bytes);
/* What a back-end that was traced too tells of its threads; NULL: it was not. */
void ss_windows_peer(const SsModel *model, SsDevice *device);
void ss_windows_dispatched(SsDevice *device, const SsExchange *exchange);
