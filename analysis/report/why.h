/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The chain of one mapping or descriptor in words: its steps, and the one that is missing.
 */
#pragma once

#include "analysis/model/chain.h"
#include "analysis/report/report.h"

/* A step that did not come, or was not seen to. */
typedef struct SsMissing {
    const char *step;         /* "reply", "finalize"; static */
    char *text;               /* owned; "the close of fd 31 by its RAM block" */
    const SsFinding *finding; /* weak; that says so; NULL: none does */
    char *why;                /* owned; without a finding: why it may have come all the same */
} SsMissing;

/* why-missing.c: owned SsMissing, those that a finding names, or the first; empty: none is. The
 * caller unrefs the array. */
GPtrArray *ss_why_missing(const SsReport *report, const SsChain *chain);
/* Findings that are about it and name no missing step; weak SsFinding, as above. */
GPtrArray *ss_why_findings(const SsReport *report, const SsChain *chain, const GPtrArray *missing);
/* Another was made at its address: how it ended, nobody told. */
bool ss_why_ended_unseen(const SsChain *chain);
/* "live", "closed", "refused"; static. */
const char *ss_why_state(const SsChain *chain);

/* why-steps.c; the caller frees what is not const. */
const char *ss_why_step_name(SsChainStepKind kind);
char *ss_why_step_text(const SsChain *chain, const SsChainStep *step);
char *ss_why_who_text(const SsChain *chain, gint32 tid);
/* "mapping 0x0+0x1000 of region 0", "fd 31", "request SHMEM_UNMAP #3 ...". */
char *ss_why_what_text(const SsChain *chain);
/* What the back-end calls its file; NULL: nothing. */
const char *ss_why_label(const SsChain *chain);
/* "0x0+0x1000", "fd 31", "inode 7000". */
char *ss_why_wanted_text(const SsWanted *wanted);

/* A line of the chain; also of what the back-end tells itself. */
typedef struct SsWhyRow {
    gint64 ns;
    gint32 tid;
    const char *step; /* static */
    char *who, *text; /* owned */
} SsWhyRow;

/* why-rows.c: owned SsWhyRow in order of time; the caller unrefs the array. */
GPtrArray *ss_why_rows(const SsChain *chain);
/* What is told of a request that nobody was seen to read: owned sentences, as above. */
GPtrArray *ss_why_unread(const SsReport *report, const SsWanted *wanted);

/* why.c, why-json.c: of a report with chains. */
char *ss_why_text(const SsReport *report);
char *ss_why_json(const SsReport *report);
