/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the run of a hostile and that of a legal back-end begin and end with, and stand on: a
 * device with guest memory that is in use, the files it maps, the model of what the front-end has
 * to do, the tally; and a round, whose messages another thread sends while this one serves the
 * front-end.
 */
#pragma once

#include "control.h"
#include "device.h"
#include "hostile-file.h"
#include "hostile-model.h"
#include "hostile-tally.h"

typedef struct {
    const char *name; /* static */
    gboolean reply_ack;
    gboolean mem_slots;
    gboolean one_region; /* of three: what a device behind a root port has room for */
    uint64_t region;     /* bytes of the first one */
} SsStageOptions;

typedef struct {
    SsLog *log;            /* weak */
    SsScenario *announced; /* owned: what the device has */
    SsDevice *device;      /* owned */
    SsControl *control;    /* owned */
    GArray *files;         /* owned, of SsHostileFile */
    SsHostileModel *model; /* owned */
    int wake;              /* owned: an eventfd */
    /* The thread of the messages, and the main thread while that does not run. */
    uint64_t seq;          /* on this connection */
    SsHostileTally *tally; /* owned */
    GMutex mutex;          /* guards the next two */
    gboolean round_over;
    GError *failure; /* owned */
} SsStage;

/* FALSE with `error` set, and closed by ss_stage_close() all the same. */
gboolean ss_stage_open(SsStage *stage, const SsStageOptions *options, SsLog *log, int listener,
                       GError **error);
void ss_stage_close(SsStage *stage);

/* Serves the front-end, which has no reason to leave; `ret_result` may be NULL. */
gboolean ss_stage_serve(SsStage *stage, int timeout_ms, gboolean watch_backend,
                        SsServeResult *ret_result, GError **error);
gboolean ss_stage_serve_until_close(SsStage *stage, GError **error);

/* Until the front-end has started the device. */
gboolean ss_stage_await_start(SsStage *stage, GError **error);

/* The front-end comes, for the first time or again, and starts the device. */
gboolean ss_stage_connect(SsStage *stage, GError **error);

/* Serves the front-end while a thread of that name runs `send`, which returns FALSE with the error
 * set when a message was not taken. */
typedef gboolean (*SsStageSend)(void *data, GError **error);
gboolean ss_stage_round(SsStage *stage, const char *name, SsStageSend send, void *data,
                        GError **error);
/* The same until the front-end leaves: by then both channels are at their end, and what the
 * thread has against that does not count. */
gboolean ss_stage_endless(SsStage *stage, const char *name, SsStageSend send, void *data,
                          GError **error);
