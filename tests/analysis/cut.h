/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Cuts of a fixture: what a recording of the same run would hold that began later, ended
 * earlier, or lost events on the way; and what the tool says of it.
 */
#pragma once

#include "analysis/checks/check.h"
#include "tests/analysis/fixture.h"

/* A bit for each of ss_all_checks. */
typedef struct SsVerdict {
    guint64 alarms;    /* observed or suspected */
    guint64 observed;  /* of those, proven */
    guint64 found;     /* of any certainty */
    guint64 undecided; /* said not to be decided, and not only in part */
    guint64 doubted;   /* those, and what is said of a part */
    bool clear;        /* the text says "Nothing found." and means every check */
} SsVerdict;

/* What is taken out of a fixture: events [from, to), and what else is changed. */
typedef struct SsCut {
    guint from, to;
    bool told;           /* the loss is told, as an interval */
    bool wide;           /* that reaches from the event before to the one after */
    guint64 loss_events; /* 0: nobody counted */
    gint64 reach_ns;     /* the recording stopped there; 0: it went on as it did */
    bool run_known;      /* with that: what became of the processes afterwards is known, too */
} SsCut;

/* Which bit a check has. */
guint ss_check_index(const char *id);
const char *ss_check_name(guint index);
/* "a, b" of a set; the caller frees it. */
char *ss_verdict_text(guint64 set);

/* A fixture that shares its strings with `whole`, which must outlive it; free it with
 * ss_cut_free(). */
SsFixture *ss_cut_new(const SsFixture *whole, const SsCut *cut);
void ss_cut_free(SsFixture *fixture);
/* What the checks say, after ss_checks_finish(). */
SsVerdict ss_verdict_of(const SsModel *model, const SsChecks *checks, bool render);
/* What is found in it. With `render`, the text is made too, and `clear` is known. */
SsVerdict ss_cut_judge(const SsFixture *fixture, bool render);
