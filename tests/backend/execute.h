/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internal to the run of a scenario: run.c (life of the run), execute.c (statements). */
#pragma once

#include "control.h"
#include "device.h"
#include "exchange.h"
#include "log.h"
#include "scenario.h"

typedef struct {
    int fd; /* owned: a memfd */
    uint64_t ino;
} SsRunFile;

typedef struct {
    const SsScenario *scenario; /* weak */
    SsLog *log;                 /* weak */
    SsDevice *device;           /* owned */
    SsExchanges *exchanges;     /* owned */
    SsControl *control;         /* owned, NULL without signals */
    GArray *files;              /* owned, of SsRunFile, in the scenario's order */
    int wake;                   /* owned: an eventfd that ends a wait of the main thread */
    gboolean threads_begun;     /* only the main thread */
    GPtrArray *threads;         /* owned, of SsRunThread; only the main thread */
    GMutex mutex;               /* guards what follows */
    GError *failure;            /* owned: the first one of a thread */
    gboolean stopping;          /* failures of threads no longer count */
} SsRun;

typedef struct {
    SsRun *run;       /* weak */
    const char *name; /* weak */
    uint64_t loops[SS_SCENARIO_MAX_LOOPS];
    unsigned depth; /* of loops */
    gboolean is_main;
    gboolean exited; /* an `exit` was reached */
} SsExecutor;

typedef struct {
    SsExecutor executor;
    const SsScenarioThread *thread; /* weak */
    GThread *handle;                /* owned */
    gboolean finished;              /* guarded by the run's mutex */
} SsRunThread;

/* Executes statements (of SsStatement) in order. FALSE with `error` set, naming the line. */
gboolean ss_execute(SsExecutor *executor, const GPtrArray *body, GError **error);

/* Serves the main channel until the front-end closes it. */
gboolean ss_execute_until_close(SsExecutor *executor, GError **error);

/* TRUE once the thread of that name has ended. */
gboolean ss_run_thread_finished(SsRun *run, const char *name);

/* Sets `error` to the failure of a thread, if there is one, and returns FALSE then. */
gboolean ss_run_check(SsRun *run, GError **error);

/* The name of a thread that has begun and not ended, NULL when there is none. */
const char *ss_run_unfinished_thread(SsRun *run);
