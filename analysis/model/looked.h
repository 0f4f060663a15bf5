/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What of the model's nouns only a look at a live host tells.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

/* What lay unread in one end of a channel when somebody looked. */
typedef struct SsInbox {
    bool known;
    guint64 bytes;
    guint32 request; /* that is to be answered; 0: none is there, or it could not be seen */
    guint32 flags, size;
    bool has_range; /* of SHMEM_MAP, SHMEM_UNMAP */
    guint32 shmid;
    guint64 shm_offset, len;
    guint32 entries; /* of SET_MEM_TABLE */
    bool by_size;    /* what it is was not seen, but fits what is left of the bytes */
} SsInbox;

/* Who listens for a connection that was made and that nobody has accepted. */
typedef struct SsListener {
    gint32 pid; /* 0: who it is was not visible */
    char *name; /* owned, harmless; "" */
    char *does; /* owned; what its threads stand in, "" when it was not visible */
} SsListener;

/* What two looks showed of a thread. */
typedef enum SsSeen {
    SS_SEEN_NOT,    /* nobody looked, or it could not be seen */
    SS_SEEN_MOVES,  /* it ran in between, or its call ends by itself */
    SS_SEEN_STANDS, /* it did not run, in a call without a time-out */
    SS_SEEN_LOCKED, /* the same, waiting for another thread */
} SsSeen;

/* A file that came from the back-end, as the front-end has it mapped, or open at least. */
typedef struct SsHeld {
    guint64 ino;
    guint64 host, len, fd_offset; /* len 0: it is not mapped */
    gint32 fd;                    /* one that is open; -1: none is */
    guint fds;                    /* how many are */
    bool writable;
    bool sure; /* the back-end has it open or mapped, too */
} SsHeld;
