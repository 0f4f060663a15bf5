/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the tell stage share among themselves.
 */
#pragma once

#include "analysis/autopsy/tell.h"
#include "analysis/model/parts.h"

typedef struct SsTell {
    SsModel *model;       /* weak */
    const SsLook *before; /* weak; NULL: there was one look only */
    const SsLook *now;    /* weak */
    guint trace;
    gint64 begin_ns, end_ns; /* of the looks */
    GPtrArray *devices;      /* weak SsDevice by index of the channel; NULL: none */
} SsTell;

/* The same thread in the look before, when it is of the same process; NULL when there is none. */
const SsSeenThread *ss_tell_before(const SsTell *tell, const SsSeenProcess *process,
                                   const SsSeenThread *thread);
/* tell-threads.c */
/* Whether it stood in the same call all the time between the looks. */
bool ss_tell_stood(const SsTell *tell, const SsSeenProcess *process, const SsSeenThread *thread);
/* Whether the call ends only when something comes over the socket; 0 is no socket. */
bool ss_tell_blocks_on(const SsSeenProcess *process, const SsSeenThread *thread, guint64 inode);
/* Whether it would read what comes over the socket: it reads there, or asks to be told. */
bool ss_tell_attends(const SsSeenProcess *process, const SsSeenThread *thread, guint64 inode);
SsSeen ss_tell_seen(const SsTell *tell, const SsSeenProcess *process, const SsSeenThread *thread);
/* Since when it stands there, as far as is known. */
gint64 ss_tell_since(const SsTell *tell, const SsSeenThread *thread, bool *ret_at_least);
/* Whether anybody of the back-end could answer what came over the main channel, `inode` at its
 * end; `read`: it was read. Sets the peer's `answers` and `doubt`. */
void ss_tell_answers(const SsTell *tell, const SsSeenProcess *process, SsPeer *peer, guint64 inode,
                     bool read);

/* What a thread of whom `who` stands in, or that it moved. The caller frees it. */
char *ss_tell_stands(const SsTell *tell, const SsSeenProcess *process, const SsSeenThread *thread,
                     const char *who);

/* tell-listener.c: a connection that lies in its listener's backlog */
bool ss_tell_is_pending(const SsLook *look, const SsSeenChannel *channel);
/* Who listens, and what its threads do. Owned by the caller, then by the device. */
SsListener *ss_tell_listener(const SsTell *tell, const SsSeenChannel *channel);

/* tell-messages.c: what lies unread in that end of a main channel, of a back-end channel. */
SsInbox ss_tell_main_inbox(const SsSeenSocket *socket);
SsInbox ss_tell_backend_inbox(const SsSeenSocket *socket);

/* tell-held.c: what the front-end has of the back-end's files. */
void ss_tell_held(const SsTell *tell, const SsSeenProcess *front, const SsSeenProcess *back,
                  SsDevice *device);
