/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A back-end's end of a vhost-user connection as the back-end saw it itself: who of it serves the
 * main channel, who sends requests of its own and waits for their replies, and what it owes.
 */
#pragma once

#include "analysis/model/trail.h"
#include "analysis/model/types.h"

typedef struct SsModel SsModel;

#define SS_PEER_WAITS 8
#define SS_PEER_THREADS 16

/* A request of its own whose reply has not come. */
typedef struct SsPeerWait {
    guint64 seq; /* 0: this place is free */
    guint32 request;
    gint32 tid; /* that sent it */
    bool has_range;
    guint64 shm_offset, len;
    gint64 begin_ns;
    bool begin_seen;
    gint64 first_spoke_ns, spoke_ns; /* 0: it did not speak up */
    guint64 waited_ms;               /* as it said then */
    bool blocked;                    /* the thread stood in the read of the reply then */
    guint32 unread, peek_request, peek_flags, peek_size; /* what lay in the main channel then */
    bool looked; /* nothing was told: it has no number, and request may be 0, not known */
} SsPeerWait;

/* A thread of the back-end, and what it was seen to do. */
typedef struct SsPeerThread {
    gint32 tid;
    guint64 served; /* requests of the front-end that it received */
    guint64 asked;  /* requests of its own that are to be answered */
} SsPeerThread;

/* A request of the front-end was received and answered while one of its own waited. */
typedef struct SsPeerProof {
    gint64 sent_ns, answered_ns; /* of the front-end's; 0: there is none */
    guint32 frontend_request, backend_request;
    guint64 frontend_seq, backend_seq;
} SsPeerProof;

/* A request of its own that was passed over: a later one was answered. */
typedef struct SsPeerMissed {
    guint64 count; /* 0: none was */
    SsPeerWait first;
    guint32 later_request; /* that was answered, and when */
    guint64 later_seq;
    gint64 ns;
} SsPeerMissed;

/* Whether anybody of a back-end that was looked at could answer the front-end, now that a thread
 * of it waits for a reply itself. */
typedef enum SsAnswers {
    SS_ANSWERS_UNSEEN,   /* its threads could not be seen */
    SS_ANSWERS_LIVES,    /* one that may well */
    SS_ANSWERS_DOUBTFUL, /* none that is likely to; `doubt` says which might */
    SS_ANSWERS_NOBODY,   /* none of its threads */
} SsAnswers;

struct SsPeer {
    SsProcess *process;                 /* weak */
    guint64 conn, backend_conn;         /* main channel, back-end channel; 0: not known */
    guint64 sock, peer;                 /* inodes of the main channel's ends; 0: not known */
    guint64 backend_sock, backend_peer; /* of the back-end channel's */
    char *name;                         /* owned; path of the socket, "" when it has none */
    gint64 birth_ns, closed_ns;         /* closed: 0, it is open */
    bool blind;                         /* what passes is not told of any more */
    bool features_known;
    guint64 protocol_features;
    SsTrail main, backend;
    guint n_threads;
    bool more_threads; /* than are kept */
    SsPeerThread threads[SS_PEER_THREADS];
    SsPeerWait waits[SS_PEER_WAITS];
    SsPeerProof proof;
    SsPeerWait slow; /* the longest that spoke up and ended; seq 0: none did */
    gint64 slow_ended_ns;
    SsPeerMissed missed;
    SsDevice *device; /* weak; the same connection in the front-end, NULL: not known */
    bool looked;      /* it was looked at; what follows is of the looks */
    SsAnswers answers;
    char *doubt;   /* owned; who might answer, or who lives; NULL: nobody */
    guint n_seen;  /* threads of its process */
    SsInbox inbox; /* of its end of the main channel */
};

void ss_peer_free(SsPeer *peer);
/* Whether the process is a back-end, and no front-end that is known. */
bool ss_process_is_backend(const SsProcess *process);
/* "main thread", "thread vu (4313)"; the caller frees it. */
char *ss_peer_thread_text(const SsPeer *peer, gint32 tid);
/* The wait that spoke up, or the oldest; NULL when there is none. Weak. */
const SsPeerWait *ss_peer_wait(const SsPeer *peer);
/* The only thread that was seen to receive on the main channel; 0: none, or several. */
gint32 ss_peer_server(const SsPeer *peer);
/* Whether its messages were seen from the first on, or so many that another thread would have
 * been seen. */
bool ss_peer_well_known(SsPeer *peer);

/* Received, to be answered, and not answered. */
bool ss_pass_open(const SsPass *pass);

/* What of the back-end's threads is known to decide a hazard's condition. */
typedef enum SsPeerServes {
    SS_PEER_SERVES_UNKNOWN,  /* too little was seen */
    SS_PEER_SERVES_ONE,      /* one thread serves the main channel, and waits for replies */
    SS_PEER_SERVES_APART,    /* none that waits for replies serves the main channel */
    SS_PEER_SERVES_MEANWHILE /* the main channel was served while a reply was awaited */
} SsPeerServes;

SsPeerServes ss_peer_serves(const SsModel *model, const SsPeer *peer);
/* Which back-end's end is which device's: told by the sockets, or by what passed. What could be
 * two is none. Before ss_model_finish() judges. */
void ss_peers_join(SsModel *model);
