/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run of a back-end that keeps to the protocol and never stands still: rounds of random
 * messages, and between them whatever can happen to a device.
 *
 * It is stepped on stdin, one line each, and answers with one on stdout. "started" comes first,
 * unasked.
 *
 *   round      a random number N of messages: "done N"
 *   reset      the device was reset and is started again: "ready"
 *   reconnect  closes its channels, is connected to and started again: "ready"
 *   unplugged  the device is gone: "ready", and the run ends with the main channel
 *   end        logs what is mapped now: "ready", and the run ends with the main channel
 *
 * Three orders keep to the protocol and still hang or break a front-end. They are not in here,
 * each has a row of its own in tests/zoo:
 *
 *   map-pipelined    a next request, while nobody serves the main channel, before the commit of
 *                    the one before is through
 *   request-at-stop  a request against a reset, or a stop, while nobody serves the main channel
 *   self-echo        more writable mappings than the memory table has entries; too-many is the
 *                    same without a table
 */
#pragma once

#include "log.h"

#include <stdint.h>

/* Who serves the main channel while a request waits for its reply. */
typedef enum {
    SS_LEGAL_THREADS,  /* another thread; requests may be pipelined */
    SS_LEGAL_SERVING,  /* the same one, between looks at the back-end channel; pipelined too */
    SS_LEGAL_BLOCKING, /* nobody: the commit that follows is awaited before the next request */
} SsLegalManner;

typedef struct {
    uint64_t seed;
    SsLegalManner manner;
    gboolean reply_ack;
    gboolean mem_slots;
    gboolean one_region; /* of three: what a device behind a root port has room for */
    uint64_t region;     /* bytes of the first one */
    gboolean plain;      /* files of the usual kind only */
    unsigned live;       /* mappings at once, at most */
    unsigned writable;   /* of them that the guest may write */
    unsigned round;      /* messages of a round, on average */
} SsLegalOptions;

/* FALSE for a word that is none of "threads", "serving", "blocking". */
gboolean ss_legal_manner_parse(const char *word, SsLegalManner *ret_manner);

/* Runs with the front-end that connects to `listener`. FALSE with `error` set when a request was
 * not taken, or the front-end did otherwise what it should not. */
gboolean ss_legal_run(const SsLegalOptions *options, SsLog *log, int listener, GError **error);
