/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Renderers: they read findings and the model's records, and change neither. Each
 * returns text that the caller frees, ending in a newline.
 */
#pragma once

#include "analysis/checks/selection.h"

#define SS_SCHEMA_VERSION "1.6"

typedef struct SsReport SsReport;
typedef struct _JsonBuilder JsonBuilder;
struct SsEvidence;
struct SsChains;
struct SsListed;

struct SsReport {
    const SsModel *model;              /* weak; finished */
    const SsChecks *checks;            /* weak; finished */
    const SsSelection *selection;      /* weak; applied; NULL: all is asked for */
    const GPtrArray *lives;            /* weak; of SsLife; NULL: not asked for */
    const struct SsChains *chains;     /* weak; NULL: not asked for */
    const struct SsListed *listed;     /* weak; of a listing; NULL: all, in its own order */
    guint columns;                     /* of the terminal; 0: as many as all have */
    const char *version;               /* of the tool; static */
    const struct SsEvidence *evidence; /* weak; what was looked at; NULL: it is a recording */
    const GPtrArray *stacks;           /* weak; of SsStacks; NULL: not asked for */
    bool colour;
    void (*add_json)(JsonBuilder *json, const SsReport *report); /* more members, or NULL */
};

char *ss_report_text(const SsReport *report);
char *ss_report_json(const SsReport *report);
/* Mappings that are alive at the end of what was read. */
char *ss_mappings_text(const SsReport *report);
char *ss_mappings_json(const SsReport *report);
/* Descriptors that are open. */
char *ss_fds_text(const SsReport *report);
char *ss_fds_json(const SsReport *report);
/* What is waited for, and how long waits took. */
char *ss_waits_text(const SsReport *report);
char *ss_waits_json(const SsReport *report);

/* For the renderers. */

/* The events a figure is made of; SS_N_EVENTS ends the list. */
typedef struct SsFigure {
    const char *name; /* as in JSON */
    gsize offset;     /* in SsCounts, of a guint64 */
    SsEventId events[4];
} SsFigure;

/* Ends with a NULL name. */
extern const SsFigure ss_figures[];
/* What tells which mappings are live, and which descriptors are open; SS_N_EVENTS ends each. */
extern const SsEventId ss_live_events[], ss_open_events[];
/* Whether all these events, up to SS_N_EVENTS, were recorded. */
bool ss_events_recorded(const SsModel *model, const SsEventId *events);
/* Whether all events the figure is made of were recorded. */
bool ss_figure_recorded(const SsModel *model, const SsFigure *figure);
guint64 ss_figure_value(const SsCounts *counts, const SsFigure *figure);
/* NULL when there is none. */
const SsFigure *ss_figure_find(const char *name);

/* worth.c */
/* "deferred commit", by class. */
extern const char *const ss_window_names[SS_WINDOW_N_CLASSES];
/* How many checks there are, and how many of them could decide. */
guint ss_checks_count(const SsChecks *checks);
guint ss_checks_decided(const SsChecks *checks);
/* Whether what opens windows was recorded. */
bool ss_windows_recorded(const SsModel *model);
/* Hazards of the device that are none: its back-end was proven to serve both channels. */
guint ss_hazards_withdrawn(const SsDevice *device);

typedef enum SsListing {
    SS_LISTING_MAPPINGS,
    SS_LISTING_FDS,
    SS_LISTING_WAITS
} SsListing;

/* Why the listing may lack something, or show what has gone: SsUndecided, none when it is
 * complete; the caller unrefs it. */
GPtrArray *ss_listing_undecided(const SsReport *report, SsListing listing);
/* A line for each reason, with all it concerns. */
void ss_undecided_text(GString *out, const GPtrArray *undecided);

/* Records in a stable order; arrays of weak pointers that the caller unrefs. */
GPtrArray *ss_live_mappings(const SsProcess *process);
GPtrArray *ss_open_fds(const SsProcess *process);
GPtrArray *ss_waiting_threads(const SsProcess *process);
GPtrArray *ss_reasons(const SsCounts *counts); /* const char * */

/* "visible", "removed (unmap)", ...; static or the caller's, who frees it. */
char *ss_mapping_state_text(const SsMapping *mapping);
/* "web-17 (qemu-system-x86 4242)"; the caller frees it. */
char *ss_process_text(const char *vm, const char *name, gint32 pid);
/* "MAP #3"-like: what the descriptor is for. */
char *ss_fd_purpose_text(const SsDescriptor *descriptor);
