/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What mappings, fds and waits list of what there is, and in which order.
 */
#pragma once

#include "analysis/model/ended.h"
#include "analysis/report/report.h"

typedef struct SsListed {
    const SsSelection *selection; /* weak; devices and VMs; NULL: all */
    const SsEnded *ended;         /* weak; what ended since --begin, too; NULL: nothing */
    bool live;                    /* only what is in use */
    const char *sort;             /* static; a column, NULL: as the tables have it */
    bool descending;
} SsListed;

/* Columns that the listing can be sorted by, NULL-terminated. */
extern const char *const ss_listing_columns[][8];
/* "device, inode or since"; the caller frees it. */
char *ss_listing_columns_text(SsListing listing);
/* "-since" is descending. False when the listing has no such column. */
bool ss_listed_sort(SsListed *listed, SsListing listing, const char *word);

/* For the renderers: what is to be listed of a process, in order; weak pointers, the caller unrefs
 * the array. As the report has it when nothing was asked for. */
GPtrArray *ss_listed_mappings(const SsReport *report, const SsProcess *process);
GPtrArray *ss_listed_fds(const SsReport *report, const SsProcess *process);
GPtrArray *ss_listed_waits(const SsReport *report, const SsProcess *process);
/* Whether other things are asked for than all there is at the end of what was read. */
bool ss_listed_chosen(const SsReport *report, SsListing listing);
bool ss_listed_device(const SsReport *report, const SsProcess *process, const SsDevice *device);
/* Whether waits that ended are listed; those for the device, NULL: there are none; and the requests
 * of it in order, SS_MAX_REQUEST of them. */
bool ss_listed_ended(const SsReport *report);
const SsWaitKind *ss_listed_kinds(const SsReport *report, const SsDevice *device);
/* The same of all that are listed together. */
void ss_listed_total(const SsReport *report, SsWaitKind *ret_kinds);
void ss_listed_order(const SsReport *report, const SsWaitKind *kinds, guint *ret_requests);
