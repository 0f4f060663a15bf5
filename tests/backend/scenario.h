/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: what the test back-end announces, and what it then does. Line based text, `#`
 * begins a comment. scenarios/README describes the statements.
 */
#pragma once

#include "expr.h"
#include "request.h"

#include <glib.h>
#include <stdint.h>

#define SS_SCENARIO_MAX_REGIONS 256
#define SS_SCENARIO_MAX_LOOPS 8

/* The `feature shmem-bit off` of a back-end that does not know shared memory. */
#define SS_SHMEM_BIT_OFF UINT32_MAX

typedef enum {
    SS_STATEMENT_AWAIT_START,
    SS_STATEMENT_AWAIT_REQUEST, /* name: until it lies unread in the main channel */
    SS_STATEMENT_AWAIT_SIGNAL,
    SS_STATEMENT_AWAIT_THREAD,
    SS_STATEMENT_SIGNAL,
    SS_STATEMENT_MAP,
    SS_STATEMENT_UNMAP,
    SS_STATEMENT_REPLIES,
    SS_STATEMENT_SERVE_IDLE,
    SS_STATEMENT_SERVE_UNTIL_STOP,
    SS_STATEMENT_SERVE_UNTIL_CLOSE,
    SS_STATEMENT_SERVE_UNTIL_REQUEST,
    SS_STATEMENT_REPEAT,
    SS_STATEMENT_DELAY,
    SS_STATEMENT_WRITE,
    SS_STATEMENT_CHECK,
    SS_STATEMENT_NOTE,
    SS_STATEMENT_KILL,
    SS_STATEMENT_CLOSE_BACKEND,
    SS_STATEMENT_CLOSE_MAIN,
    SS_STATEMENT_RECONNECT,
    SS_STATEMENT_EXIT,
} SsStatementKind;

typedef enum {
    SS_EXPECT_OK,
    SS_EXPECT_REFUSED,
    SS_EXPECT_ANY,
} SsExpect;

/* Numbers of a map or unmap statement; a NULL expression means the value was not given. */
typedef enum {
    SS_SHMEM_SHMID,
    SS_SHMEM_SHM_OFFSET,
    SS_SHMEM_LEN,
    SS_SHMEM_FD_OFFSET,
    SS_SHMEM_FLAGS,
    SS_SHMEM_FDS,
    SS_SHMEM_SIZE,
    SS_SHMEM_CUT,
    SS_SHMEM_REQUEST,
    SS_SHMEM_NUMBERS,
} SsShmemNumber;

typedef struct {
    SsExpr *numbers[SS_SHMEM_NUMBERS]; /* owned */
    char *tag;                         /* owned, NULL when not given */
    int file;                          /* index in the scenario's files, -1: none */
    gboolean read_only;
    gboolean no_reply; /* do not ask for a reply */
    gboolean no_wait;  /* do not wait for it now */
    gboolean serving;  /* serve the main channel while waiting */
    gboolean raw;      /* own framing even where libvhost-user could send it */
    SsExpect expect;
} SsShmemStatement;

typedef struct {
    SsStatementKind kind;
    unsigned line;
    gboolean timed;          /* a repeat that is not logged but timed */
    char *name;              /* owned: signal or thread; of a repeat the signal that ends it; of
                              * a note the label, NULL: none */
    uint32_t request;        /* front-end request */
    int file;                /* index in the scenario's files */
    SsExpr *first;           /* owned: iterations, milliseconds, offset */
    SsExpr *second;          /* owned: value */
    SsShmemStatement *shmem; /* owned: of a map and unmap */
    GPtrArray *body;         /* owned, of SsStatement: of a repeat */
} SsStatement;

typedef struct {
    char *name;       /* owned */
    uint64_t size;    /* bytes */
    gboolean is_pipe; /* no file at all: the end of a pipe, which cannot be mapped */
} SsScenarioFile;

typedef struct {
    char *name; /* owned */
    unsigned line;
    GPtrArray *body; /* owned, of SsStatement */
} SsScenarioThread;

typedef struct {
    char *path;                                /* owned: for messages */
    uint64_t regions[SS_SCENARIO_MAX_REGIONS]; /* sizes in bytes, 0: none */
    gboolean reply_ack;
    gboolean mem_slots;
    uint32_t shmem_bit; /* or SS_SHMEM_BIT_OFF */
    gboolean awaits_signals;
    GPtrArray *files;   /* owned, of SsScenarioFile */
    GPtrArray *threads; /* owned, of SsScenarioThread */
    GPtrArray *body;    /* owned, of SsStatement */
} SsScenario;

#define SS_SCENARIO_ERROR (ss_scenario_error_quark())
GQuark ss_scenario_error_quark(void);

/*
 * Reads a scenario from `text`; `path` is what messages call it.
 * Returns a new scenario, or NULL with an error that names the line.
 */
SsScenario *ss_scenario_parse(const char *path, const char *text, GError **error);

/* As ss_scenario_parse(), from a file. */
SsScenario *ss_scenario_load(const char *path, GError **error);

/* NULL is accepted. */
void ss_scenario_free(SsScenario *scenario);

/* For the parser: an empty one, and an empty statement of a kind. */
SsScenario *ss_scenario_new(const char *path);
SsStatement *ss_statement_new(SsStatementKind kind, unsigned line);
void ss_statement_free(SsStatement *statement);

/* The statement's first word, e.g. "map". The string is static. */
const char *ss_statement_word(const SsStatement *statement);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsScenario, ss_scenario_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsStatement, ss_statement_free)
