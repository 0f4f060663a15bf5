/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exchanges of the back-end channel: requests as the scenario wants them, numbered in the
 * order they are sent, their replies compared with what the scenario expects, and the log of
 * both. Any thread may use them; one exchange at a time holds the channel.
 */
#pragma once

#include "channel.h"
#include "device.h"

typedef struct SsExchanges SsExchanges;

typedef enum {
    SS_WAIT_NOW,
    SS_WAIT_LATER,   /* ss_exchanges_collect() reads the reply */
    SS_WAIT_SERVING, /* now, and serve the main channel meanwhile: its thread only */
} SsWait;

typedef struct {
    SsChannelMessage message; /* flags and NEED_REPLY are filled in */
    gboolean is_map;
    gboolean ask_reply; /* has an effect only where REPLY_ACK is negotiated */
    gboolean raw;       /* own framing, even where libvhost-user could send it */
    SsWait wait;
    SsExpect expect;
    unsigned line;
    uint64_t ino; /* of the file, 0: none */
    char *tag;    /* owned, may be NULL */
    char *thread; /* owned */
    uint64_t seq; /* filled in */
} SsExchange;

SsExchange *ss_exchange_new(const char *thread, unsigned line, const char *tag);
void ss_exchange_free(SsExchange *exchange);

SsExchanges *ss_exchanges_new(SsDevice *device, SsLog *log);
/* NULL is accepted. */
void ss_exchanges_free(SsExchanges *exchanges);

/* A new connection: the numbers begin anew, replies that did not come never will. */
void ss_exchanges_restart(SsExchanges *exchanges);

/* Sends the exchange (taken) and waits as it says. FALSE with `error` set when the channel
 * fails or the reply is not what was expected. */
gboolean ss_exchanges_perform(SsExchanges *exchanges, SsExchange *exchange, GError **error);

/* Waits for all replies that are still to come. */
gboolean ss_exchanges_collect(SsExchanges *exchanges, GError **error);

/* Adds the counts to the log's last line; FALSE with `error` set when something lies unread
 * in the back-end channel that nobody asked for. */
gboolean ss_exchanges_finish(SsExchanges *exchanges, SsLogLine *line, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsExchange, ss_exchange_free)
