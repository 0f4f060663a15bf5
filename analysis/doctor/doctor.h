/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of this tool works on this host, and what mends the rest. Each area looks at one thing
 * and adds items; the verdict is made of what the items take away.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>

/* What somebody may want to do here; bits of SsDoctorItem.takes. */
typedef enum SsAbility {
    SS_ABILITY_TRACEPOINTS, /* record a QEMU from inside */
    SS_ABILITY_WIRE,        /* record it through the wire library */
    SS_ABILITY_BACKEND,     /* record a back-end so */
    SS_ABILITY_NOW,         /* look at a VM that hangs */
    SS_ABILITY_REPORT,      /* read recordings */
    SS_N_ABILITIES,
} SsAbility;

#define SS_BIT(ability) (1U << (ability))
#define SS_OF_QEMU (SS_BIT(SS_ABILITY_TRACEPOINTS) | SS_BIT(SS_ABILITY_WIRE))
#define SS_ALL_RECORDINGS (SS_OF_QEMU | SS_BIT(SS_ABILITY_BACKEND))

typedef enum SsItemState {
    SS_ITEM_GOOD,
    SS_ITEM_LIMIT, /* works, with a limit that is to be known */
    SS_ITEM_FAILS,
    SS_N_ITEM_STATES,
} SsItemState;

typedef struct SsDoctorItem {
    const char *area; /* static: a word for each file of this folder */
    const char *id;   /* static: stable */
    SsItemState state;
    guint takes;      /* abilities that it takes away, or with SS_ITEM_LIMIT narrows */
    const char *only; /* static: in the verdict of what it narrows; NULL: it does not show there */
    char *text;       /* owned; harmless on a terminal */
    char *mend;       /* the command that mends it, or NULL; owned; harmless */
} SsDoctorItem;

typedef struct SsDoctor {
    const char *qemu;      /* weak; NULL: the one that is in PATH, if any */
    const char *backend;   /* weak; NULL: none */
    const char *directory; /* where recordings go; weak */
    guint asked;           /* bits of the abilities that the exit status is about */
    GPtrArray *items;      /* SsDoctorItem, in the order of the data's way; owned */
} SsDoctor;

typedef enum SsVerdict {
    SS_VERDICT_YES,
    SS_VERDICT_LIMITED,
    SS_VERDICT_NO
} SsVerdict;

/* Looks at everything; `doctor` is told what is asked. */
void ss_doctor_look(SsDoctor *doctor);
void ss_doctor_clear(SsDoctor *doctor);

/* ret_why: the words of what narrows it, or NULL; static. */
SsVerdict ss_doctor_verdict(const SsDoctor *doctor, SsAbility ability, const char **ret_why);
/* All that was asked for can be done, if with limits. */
bool ss_doctor_well(const SsDoctor *doctor);
/* "tracepoints", "wire", ...; NULL beyond the last. */
const char *ss_ability_name(SsAbility ability);

/* The caller frees them. */
char *ss_doctor_text(const SsDoctor *doctor);
char *ss_doctor_json(const SsDoctor *doctor);
