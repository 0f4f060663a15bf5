/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Chains: all steps of one mapping or descriptor, from the request that it came with to the last
 * close. The model keeps what is alive and no steps; a chain is kept of what is asked for only, so
 * that memory grows with that, and not with the recording.
 */
#pragma once

#include "analysis/model/model.h"

typedef enum SsWantedKind {
    SS_WANTED_RANGE,  /* exactly offset and len, in a region */
    SS_WANTED_OFFSET, /* what contains it */
    SS_WANTED_FD,     /* the number of a descriptor that came or was duplicated */
    SS_WANTED_INODE,
} SsWantedKind;

/* What is asked for. */
typedef struct SsWanted {
    SsWantedKind kind;
    guint64 offset, len;
    gint32 fd;
    guint64 ino;
    bool of_region;
    guint32 shmid;
    gint32 pid;            /* 0: of any process */
    char **devices, **vms; /* weak; NULL: of any */
    bool at_given, at_absolute;
    gint64 at_ns; /* it was there then; since the first event, unless absolute */
} SsWanted;

typedef enum SsChainStepKind {
    SS_CHAIN_REQUEST,
    SS_CHAIN_FD_RECEIVED,   /* a: number, b: inode */
    SS_CHAIN_FD_DUPLICATED, /* a: number, b: of which; ret */
    SS_CHAIN_MADE,
    SS_CHAIN_RAM,
    SS_CHAIN_ADDED, /* a: guest physical address */
    SS_CHAIN_REFUSED,
    SS_CHAIN_REPLY, /* a: value; ret of the send */
    SS_CHAIN_COMMIT_BEGIN,
    SS_CHAIN_COMMIT_END, /* a: 1: it is visible from here on; 2: it is not any more */
    SS_CHAIN_WAIT_BEGIN,
    SS_CHAIN_WAIT_LASTS, /* a: ms */
    SS_CHAIN_WAIT_END,
    SS_CHAIN_FD_CLOSED,        /* a: number, b: SsCloser */
    SS_CHAIN_FD_CLOSED_UNSEEN, /* a: number, which is handed out again */
    SS_CHAIN_DISPATCHED,       /* ret */
    SS_CHAIN_REMOVED,          /* word: why */
    SS_CHAIN_FINALIZED,
    SS_CHAIN_ENDED_UNSEEN, /* another is made where it was */
    SS_CHAIN_TOLD,         /* it was there before the recording was */
    SS_CHAIN_MAIN_CLOSED,
    SS_CHAIN_BACKEND_CLOSED,
    SS_CHAIN_RESET_BEGIN,
    SS_CHAIN_RESET_END, /* and it is still there */
    SS_CHAIN_UNREALIZE_BEGIN,
    SS_CHAIN_UNREALIZE_END,
    SS_N_CHAIN_STEPS,
} SsChainStepKind;

typedef struct SsChainStep {
    gint64 ns;
    gint32 tid; /* who did it */
    SsChainStepKind kind;
    guint32 request;
    guint64 seq;
    guint64 a, b;
    gint32 ret;
    char word[24];
} SsChainStep;

/* More of one chain are counted only. */
#define SS_CHAIN_STEPS 256

typedef struct SsChain {
    SsProcess *process; /* weak */
    SsDevice *device;   /* weak; NULL: not known */
    guint32 request;    /* it came with, 0: its beginning was not seen */
    guint64 seq;
    bool has_range;
    guint32 shmid;
    guint64 shm_offset, len;
    guint64 pointer, host; /* of the mapping, and of its RAM block; 0: not known */
    guint64 fdev, ino;
    SsLabel label;
    gint32 own_fd; /* of the mapping; -1: none is known */
    gint32 received[SS_EXCHANGE_FDS];
    guint n_received;  /* that are open */
    gint32 a_received; /* the first that came; -1: none did */
    bool reply_wanted, replied, accepted, refused, dispatched;
    bool added, visible, removed, finalized, own_open, reclaimed;
    bool pending; /* a commit is to end */
    gint32 commit_tid;
    SsDevice *wait_device; /* weak; waited for in its commit or dispatch; NULL: none is */
    guint64 wait_seq;
    gint32 wait_tid;
    bool ended;
    gint64 first_ns, last_ns;
    GArray *keys;  /* of what finds it, owned */
    GArray *steps; /* of SsChainStep, owned */
    guint64 more;  /* steps that were not kept */
} SsChain;

/* As many that have ended are kept. */
#define SS_CHAINS_ENDED 64

typedef struct SsChains {
    SsModel *model; /* weak */
    SsWanted wanted;
    GHashTable *index;  /* key -> SsChain, weak */
    GPtrArray *live;    /* owned SsChain */
    GPtrArray *ended;   /* owned SsChain */
    GPtrArray *pending; /* weak SsChain */
    guint64 more;       /* ended, and not kept */
} SsChains;

/* Connects itself to the model, before it is fed; both outlive what they are given. */
SsChains *ss_chains_new(SsModel *model, const SsWanted *wanted);
void ss_chains_free(SsChains *chains);
/* After ss_model_finish(): the chains that fit, in order of their beginning; weak SsChain, the
 * caller unrefs the array. */
GPtrArray *ss_chains_found(const SsChains *chains);

/* chain.c, for chain-event.c */
typedef enum SsChainKey {
    SS_CHAIN_KEY_EXCHANGE, /* device; number */
    SS_CHAIN_KEY_LAST,     /* device: the one read last */
    SS_CHAIN_KEY_PLACE,    /* device; region, offset */
    SS_CHAIN_KEY_MAPPING,  /* process; pointer */
    SS_CHAIN_KEY_FD,       /* process; number */
    SS_CHAIN_KEY_RAM,      /* process; address */
} SsChainKey;

SsChain *ss_chain_lookup(const SsChains *chains, SsChainKey kind, gconstpointer owner, guint64 a,
                         guint64 b);
void ss_chain_index(SsChains *chains, SsChain *chain, SsChainKey kind, gconstpointer owner,
                    guint64 a, guint64 b);
/* Only if it is that chain's. */
void ss_chain_unindex(SsChains *chains, const SsChain *chain, SsChainKey kind, gconstpointer owner,
                      guint64 a, guint64 b);
/* Whether that may begin a chain now: what is asked for has not passed. */
bool ss_chains_open(const SsChains *chains, const SsProcess *process, gint64 ns);
bool ss_chains_want_range(const SsChains *chains, guint32 shmid, guint64 offset, guint64 len);
bool ss_chains_want_file(const SsChains *chains, gint32 fd, guint64 ino);
SsChain *ss_chain_begin(SsChains *chains, SsProcess *process, SsDevice *device, gint64 ns);
/* Returns the step, valid until the next; NULL when it is not kept. */
SsChainStep *ss_chain_add(SsChain *chain, SsChainStepKind kind, gint64 ns, gint32 tid);
/* When nothing more comes of it. */
void ss_chain_try_end(SsChains *chains, SsChain *chain);
void ss_chain_end(SsChains *chains, SsChain *chain);

/* chain-event.c: after the model has taken the event. */
void ss_chains_event(SsModel *model, SsProcess *process, SsThread *thread, const SsEvent *event,
                     gpointer chains);
