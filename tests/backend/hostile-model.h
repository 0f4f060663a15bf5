/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the front-end must make of each message of a hostile back-end: docs/protocol.md as a
 * program. It knows what is mapped because it knows what was accepted.
 */
#pragma once

#include "hostile-file.h"

#include <glib.h>
#include <stdint.h>

#define SS_HOSTILE_PAGE UINT64_C(4096)
#define SS_HOSTILE_REGIONS 256
/* The largest payload of any message, that of GET_SHMEM_CONFIG's reply. */
#define SS_HOSTILE_MAX_PAYLOAD 2056
/* Of what comes with one message, the front-end receives no more. */
#define SS_HOSTILE_MAX_RECEIVED 16

/* How the back-end ends its channel with, or within, a message. */
typedef enum {
    SS_HOSTILE_STAYS,
    SS_HOSTILE_SHUTS_DOWN, /* nothing more comes; the front-end may still write */
    SS_HOSTILE_CLOSES,
} SsHostileEnd;

typedef struct {
    uint32_t request;
    uint32_t flags; /* of the header */
    uint32_t size;  /* of the payload, as the header tells it */
    uint8_t shmid;
    uint8_t padding; /* all seven bytes */
    uint64_t fd_offset;
    uint64_t shm_offset;
    uint64_t len;
    uint64_t map_flags;
    const SsHostileFile *file; /* weak, NULL: no descriptors */
    unsigned fds;              /* so many of it */
    gboolean late_fds;         /* they come with the payload, where nobody expects them */
    unsigned pieces;           /* the message comes in so many writes, 1 at least */
    SsHostileEnd end;
    unsigned cut; /* bytes that are sent; with an end, or a size beyond the payload's maximum */
} SsHostileMessage;

typedef enum {
    SS_HOSTILE_DONE,
    SS_HOSTILE_REFUSED, /* `reason` tells why */
    SS_HOSTILE_UNKNOWN, /* a request number that does not exist */
    SS_HOSTILE_CLOSED,  /* no message at all: the channel is closed */
} SsHostileOutcome;

typedef struct {
    SsHostileOutcome outcome;
    const char *reason; /* static; the word of the event vhost_user_backend_refused */
    gboolean replied;
    unsigned received; /* descriptors that the front-end gets with it */
} SsHostileVerdict;

typedef struct {
    uint8_t shmid;
    uint64_t offset; /* bytes */
    uint64_t len;    /* bytes */
    gboolean writable;
    const SsHostileFile *file; /* weak */
    uint64_t fd_offset;        /* bytes */
} SsHostileMapping;

typedef struct {
    const uint64_t *regions; /* weak: SS_HOSTILE_REGIONS sizes in bytes, 0: none */
    gboolean reply_ack;      /* negotiated */
    GArray *live;            /* owned, of SsHostileMapping */
    unsigned writable;       /* of them */
} SsHostileModel;

SsHostileModel *ss_hostile_model_new(const uint64_t *regions, gboolean reply_ack);
/* NULL is accepted. */
void ss_hostile_model_free(SsHostileModel *model);

/* What has to become of the message now; changes nothing. */
SsHostileVerdict ss_hostile_model_judge(const SsHostileModel *model,
                                        const SsHostileMessage *message);

/* The message was sent, and that becomes of it. */
void ss_hostile_model_apply(SsHostileModel *model, const SsHostileMessage *message,
                            const SsHostileVerdict *verdict);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsHostileModel, ss_hostile_model_free)
