/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the text renderer share among themselves. All append to `out`.
 */
#pragma once

#include "analysis/report/report.h"

/* Columns of the labels in the summary of a report. */
#define SS_LABEL 12

/* heading.c: `how_many` stands in the place of the count, unless it is NULL. */
void ss_text_heading(const SsReport *report, GString *out, const SsFinding *finding,
                     const char *how_many);
/* finding-text.c: all of it, after an empty line; a deadlock in at most 24 lines. */
void ss_text_finding(const SsReport *report, GString *out, const SsFinding *finding);
/* Parts of that: what it is labelled, if it is; who does what, and what is not visible; what ends
 * it, and where more is. */
void ss_text_labels(GString *out, const SsFinding *finding);
void ss_text_states(GString *out, const SsFinding *finding);
void ss_text_remedies(GString *out, const SsFinding *finding);
/* hazards.c: the finding at the index, which is a hazard, and those of its device that follow;
 * `first` is the index of the first hazard of all. Returns how many it has shown. */
guint ss_hazards_text(const SsReport *report, GString *out, guint index, guint first);
/* worth.c: what "nothing found" is worth. */
void ss_worth_text(const SsReport *report, GString *out, bool found);
