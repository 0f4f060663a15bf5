/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of `shmemscope record`. */
#pragma once

#include <glib.h>

#include "session.h"
#include "ss-catalogue.h"

typedef struct SsRecordOptions {
    char *directory; /* owned */
    char *session;   /* owned */
    SsEventSet set;
    gboolean excluded[SS_N_CLASSES];
    GArray *pids;        /* pid_t to record; empty: every process, or the command; owned */
    gint64 duration_ns;  /* 0: until told to end */
    guint64 buffer_size; /* bytes; 0: what fits the machine */
    gboolean wire;       /* the wire library goes into the command */
    char **command;      /* argv; NULL: none was given; weak, the command line's */
} SsRecordOptions;

/* Reads argv, which has to outlive the options. An error is one of usage. */
gboolean ss_record_options_parse(SsRecordOptions *options, int argc, char **argv, GError **error);

void ss_record_options_clear(SsRecordOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SsRecordOptions, ss_record_options_clear)
