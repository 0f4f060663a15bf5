/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Checks: each looks at the model when told of a step, and reports findings. The
 * engine keeps them from saying more than the recording can bear.
 */
#pragma once

#include "analysis/checks/finding.h"
#include "analysis/checks/undecided.h"

#define SS_MAX_CHECKS 48

typedef struct SsChecks SsChecks;
typedef struct SsCheck SsCheck;

struct SsCheck {
    const char *id;
    const char *title; /* headline */
    /* Event classes (bit SsEventClass) without which it cannot decide. */
    guint32 needs;
    guint32 notices; /* steps that it is told of (bit SsNoticeKind) */
    bool outside;    /* the wire library tells enough of a front-end to decide it */
    bool look;       /* two looks at the processes show enough */
    /* What of it nobody outside sees all the same; NULL when there is nothing. */
    const char *unseen;
    bool of_standing; /* what it looks for makes a process tell nothing more */
    bool of_backends; /* it decides of a back-end that tells by the wire, too */
    bool compares;    /* it compares sources: with one alone there is nothing to decide */
    const char *rule;
    const char *remedy_now, *remedy_for_good; /* may be NULL */
    void (*notice)(SsChecks *checks, const SsCheck *check, const SsNotice *notice);
};

#define SS_ON(NOTICE) (1u << SS_NOTICE_##NOTICE)

/* All checks, NULL-terminated. */
extern const SsCheck *const ss_all_checks[];
extern const SsCheck ss_check_reply_commit_deadlock;
extern const SsCheck ss_check_stuck_wait;
extern const SsCheck ss_check_commit_before_reply;
extern const SsCheck ss_check_nested_wait;
extern const SsCheck ss_check_fd_leak;
extern const SsCheck ss_check_mapping_leak;
extern const SsCheck ss_check_memory_region_leak;
extern const SsCheck ss_check_stale_mapping;
extern const SsCheck ss_check_missing_reply;
extern const SsCheck ss_check_double_reply;
extern const SsCheck ss_check_died_in_request;
extern const SsCheck ss_check_accepted_not_mapped;
extern const SsCheck ss_check_memory_table_failed;
extern const SsCheck ss_check_readonly_writable;
extern const SsCheck ss_check_refused_but_mapped;
extern const SsCheck ss_check_unsolicited_reply;
extern const SsCheck ss_check_overlap;
extern const SsCheck ss_check_out_of_range;
extern const SsCheck ss_check_unmap_unknown;
extern const SsCheck ss_check_commit_without_begin;
extern const SsCheck ss_check_transaction_left_open;
extern const SsCheck ss_check_double_close;
extern const SsCheck ss_check_fd_closed_early;
extern const SsCheck ss_check_fd_backlog;
extern const SsCheck ss_check_sources_disagree;

struct SsChecks {
    SsModel *model;       /* weak */
    GPtrArray *findings;  /* owned SsFinding */
    GPtrArray *undecided; /* owned SsUndecided */
    GPtrArray *left_out;  /* static ids: what they need was not to be recorded */
    GPtrArray *not_here;  /* static ids: they look into front-ends, of which there is none */
    GPtrArray *not_asked; /* static ids: see selection.h */
    GPtrArray *alone;     /* static ids: they compare sources, and no process has two */
    GHashTable *by_key;   /* key -> SsFinding, weak */
    /* By SsNoticeKind, weak, NULL-terminated: a step comes several times an exchange, and most
     * checks wait for another one. */
    const SsCheck *told[SS_N_NOTICES][SS_MAX_CHECKS];
    SsFinding *last; /* weak; what the last report made or counted, NULL when neither */
};

/* Connects itself to the model, which must outlive it. */
SsChecks *ss_checks_new(SsModel *model);
void ss_checks_free(SsChecks *checks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsChecks, ss_checks_free)
/* After ss_model_finish(): says what could not be decided, and orders the findings. */
void ss_checks_finish(SsChecks *checks);
/* The process of a finding that has one; weak. NULL: the finding has none. */
const SsProcess *ss_finding_process(const SsModel *model, const SsFinding *finding);
/* The highest certainty found; `ret_any` tells whether there is any finding. */
SsCertainty ss_checks_worst(const SsChecks *checks, bool *ret_any);

/* For checks. `place` says where in the front-end's life it happened, in stable words:
 * what happens twice at one place is one finding. Events lost between the times make it
 * unknown. Returns the new finding for the check to fill in; NULL when it was known before
 * or when the recording cannot bear it. Takes `summary_taken`. */
SsFinding *ss_checks_report(SsChecks *checks, const SsCheck *check, SsCertainty certainty,
                            SsProcess *process, SsDevice *device, gint64 from_ns, gint64 to_ns,
                            const char *place, char *summary_taken);
/* The finding that was reported at that place, or NULL. */
SsFinding *ss_checks_find(const SsChecks *checks, const SsCheck *check, SsCertainty certainty,
                          const SsProcess *process, const SsDevice *device, const char *place);
/* Whether all that it needs was recorded of the process. */
bool ss_check_decidable(const SsModel *model, const SsCheck *check, const SsProcess *process);
/* "QEMU", or the name of another program that was seen to be the front-end. Weak. */
const char *ss_front_text(const SsProcess *process);
/* "QEMU main loop" or "QEMU thread NAME", and for another program its name alone or before
 * "thread"; the caller frees it. */
char *ss_thread_text(const SsThread *thread);
