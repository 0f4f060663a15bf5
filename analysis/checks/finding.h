/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a check found. A finding holds copies only: the model's records may be gone
 * when it is shown.
 */
#pragma once

#include "analysis/checks/order.h"
#include "analysis/model/model.h"

/* In rising order of weight. */
typedef enum SsCertainty {
    SS_UNKNOWN,   /* events were lost or not recorded, or the recording began too late */
    SS_HAZARD,    /* it did not happen here; the witness shows how it would */
    SS_SUSPECTED, /* all that is visible fits; what is not is named */
    SS_OBSERVED,  /* the trace proves it */
    SS_NEVER,     /* more than any finding has */
} SsCertainty;

/* The words of ss_certainty_parse(), for a message. */
#define SS_CERTAINTY_CHOICES "observed, suspected, hazard, unknown or never"

const char *ss_certainty_name(SsCertainty certainty);
/* false when there is no such word. */
bool ss_certainty_parse(const char *word, SsCertainty *ret_certainty);

typedef struct SsWitness {
    gint64 ns;
    bool backend; /* the back-end did it; else QEMU */
    guint indent;
    char *text; /* owned */
} SsWitness;

/* Somebody, and what is to be said about him. */
typedef struct SsStatement {
    char *who;  /* owned */
    char *text; /* owned */
} SsStatement;

/* What was lost, closed or mapped, in terms that another witness has too: /proc/PID/fd,
 * /proc/PID/maps, QEMU's "info mtree", the back-end's log. */
typedef struct SsAbout {
    gint32 fd;   /* -1: none */
    guint64 ino; /* 0: not known */
    bool has_range;
    guint32 shmid;
    guint64 shm_offset, len;
    const char *label; /* weak, of the model; a finding's own copy owns it. NULL: none */
} SsAbout;

/* As many are kept; the count goes on. */
#define SS_MAX_ABOUT 256

/* A window that was open, and what would have closed a cycle in it. */
typedef struct SsHazard {
    guint32 frontend_request, backend_request;
    char *inside;     /* owned; "deferred commit of SHMEM_MAP"; "" in nothing known */
    guint64 opened;   /* how often */
    gint64 margin_ns; /* the shortest time by which it was missed; G_MAXINT64: not known */
} SsHazard;

typedef struct SsFinding {
    const char *id;    /* static */
    const char *title; /* static */
    SsCertainty certainty;
    char *summary;   /* owned; one sentence */
    char *condition; /* owned; what is not visible, or why it is unknown; may be NULL */
    bool has_process;
    gint32 pid;
    char *process_name, *vm, *host; /* owned */
    gint64 process_birth_ns;
    bool has_device;
    guint64 dev, vdev;
    char *device_id, *chardev; /* owned */
    guint32 virtio_id;
    GPtrArray *statements; /* owned SsStatement */
    GPtrArray *witness;    /* owned SsWitness, in order of time */
    SsOrder *order;        /* owned; of a deadlock or a hazard of one, else NULL */
    GArray *about;         /* of SsAbout, owned; each time it happened, in order of time */
    GPtrArray *labels;     /* owned char *; what the back-end calls it; none twice */
    const char *place;     /* static, may be NULL; QEMU's function where it went wrong */
    char *place_reason;    /* owned, may be NULL; of the refusal or removal there */
    SsHazard *hazard;      /* owned; of a hazard, else NULL */
    const char *rule;      /* static, or front_rule */
    const char *remedy_now, *remedy_for_good; /* static, or a word of its own; may be NULL */
    char *front_rule, *front_remedy; /* owned; of a front-end with another name, else NULL */
    char *remedy_own;                /* owned, may be NULL; that names who it is */
    char *costs;                     /* owned, may be NULL; what remedy_now takes away */
    guint64 count;                   /* how often, at the same place */
    gint64 first_ns, last_ns;
    gint64 duration_ns; /* 0: has none */
    bool at_least;      /* it lasts for longer; nobody saw it begin */
    char *key;          /* owned; same key, same finding */
} SsFinding;

SsFinding *ss_finding_new(void);
void ss_finding_free(SsFinding *finding);
/* `function` of QEMU held it last, or did it; `reason` of the refusal or the removal is
 * copied, "" and NULL are none. */
void ss_finding_set_place(SsFinding *finding, const char *function, const char *reason);
/* One more of them; does nothing to NULL. */
void ss_finding_add_about(SsFinding *finding, const SsAbout *about);
/* What it is about has this label; NULL is none. Does nothing to NULL. */
void ss_finding_add_label(SsFinding *finding, const char *label);
/* Characters of a label in running text. */
#define SS_LABEL_SHOWN 64
/* The text with the label behind it, if there is one; the caller frees it. */
char *ss_labelled_text(char *text_taken, const char *label);
/* "labelled "a", "b" and 3 more", or NULL; the caller frees it. */
char *ss_finding_labels_text(const SsFinding *finding);
void ss_finding_state(SsFinding *finding, const char *who, char *text_taken);
/* Takes `inside_taken`. */
void ss_finding_set_hazard(SsFinding *finding, guint32 frontend_request, guint32 backend_request,
                           char *inside_taken, guint64 opened, gint64 margin_ns);
void ss_finding_add_witness(SsFinding *finding, gint64 ns, bool backend, guint indent,
                            char *text_taken);
/* Takes the steps of the device's journal in the interval whose kinds are in the mask
 * (bit SsStepKind) as the witness. Of a long one the middle is left out. */
void ss_finding_take_journal(SsFinding *finding, const SsDevice *device, gint64 from_ns,
                             gint64 to_ns, guint64 kinds);
/* The same of two devices: what the one waits for is inside of what the other caused. Each
 * step says whose it is. */
void ss_finding_take_journals(SsFinding *finding, const SsDevice *device, const SsDevice *other,
                              gint64 from_ns, gint64 to_ns, guint64 kinds, guint64 other_kinds);
/* Columns of a device's name before a step of its own. */
#define SS_WITNESS_DEVICE_COLUMNS 12
#define SS_STEP_BIT(kind) (G_GUINT64_CONSTANT(1) << (kind))
