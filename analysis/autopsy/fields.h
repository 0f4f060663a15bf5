/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Evidence as JSON: the members of each object, of which saving and loading both make use, so that
 * they cannot drift apart.
 */
#pragma once

#include "analysis/autopsy/evidence.h"

#define SS_EVIDENCE_FORMAT "shmemscope-evidence"

typedef enum SsFieldKind {
    SS_FIELD_STRING, /* owned char *, never NULL */
    SS_FIELD_BOOL,
    SS_FIELD_LETTER, /* char; a string of one letter, or of none */
    SS_FIELD_I32,
    SS_FIELD_U32,
    SS_FIELD_I64,
    SS_FIELD_U64,  /* up to G_MAXINT64 */
    SS_FIELD_HEX,  /* guint64 as a string, say "0x7f00" */
    SS_FIELD_WORD, /* an enum, by name */
} SsFieldKind;

typedef struct SsField {
    const char *name; /* NULL: the table ends */
    SsFieldKind kind;
    gsize offset;
    const char *const *words; /* of SS_FIELD_WORD, ended by NULL */
} SsField;

extern const SsField ss_fields_denied[];
extern const SsField ss_fields_thread[];
extern const SsField ss_fields_fd[];
extern const SsField ss_fields_map[];
extern const SsField ss_fields_process[];
extern const SsField ss_fields_socket[];
extern const SsField ss_fields_channel[];
extern const SsField ss_fields_look[];
extern const SsField ss_fields_evidence[];
