/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Renderers of what was looked at: the findings and the model as everywhere, and the evidence,
 * report->evidence, which says what was seen. Each returns text that the caller frees, ending in a
 * newline.
 */
#pragma once

#include "analysis/autopsy/evidence.h"
#include "analysis/report/format.h"

/* One VM as a page of at most 24 lines where it is stuck, several as a table, the stuck first. */
char *ss_now_text(const SsReport *report);
/* The document of ss_report_json(), with a member "look". */
char *ss_now_json(const SsReport *report);
/* The page of ss_report_html(), of that document. */
char *ss_now_html(const SsReport *report);

extern const SsFormat ss_now_formats[];
/* now-tables.c: what the verbs that list tell of a look: what QEMU has mapped and open of the
 * back-ends' files, and who waits. */
extern const SsFormat ss_now_mappings_formats[], ss_now_fds_formats[], ss_now_waits_formats[];

/* For the two. */
typedef enum SsVmState {
    SS_VM_DEADLOCK,
    SS_VM_STUCK,   /* a wait that lasts, or another finding that is no deadlock */
    SS_VM_STALE,   /* something is left of a back-end that is gone */
    SS_VM_UNKNOWN, /* too little could be seen */
    SS_VM_ENDED,
    SS_VM_HEALTHY,
    SS_N_VM_STATES,
} SsVmState;

/* A front-end. */
typedef struct SsVm {
    const SsSeenProcess *seen; /* weak */
    const SsProcess *process;  /* weak; NULL: it has no vhost-user device, or ended */
    SsVmState state;
    const SsFinding *finding; /* weak; the one that makes the state; NULL: there is none */
} SsVm;

/* Array of SsVm: those that are worst first, then by name; the caller unrefs it. */
GArray *ss_now_vms(const SsReport *report);
/* "deadlock"; static. */
const char *ss_vm_state_name(SsVmState state);
/* "web-17", or the program's name where it has none; harmless, the caller frees it. */
char *ss_vm_name(const SsVm *vm);
/* now-stacks.c: both sides' stacks, when they were asked for. */
void ss_now_stacks_text(GString *out, const GPtrArray *stacks);
/* now-vm.c: the page. */
void ss_now_vm_text(const SsReport *report, GString *out, const SsVm *vm);
