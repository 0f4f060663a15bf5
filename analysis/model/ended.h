/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What ended from some time on: mappings, descriptors, and waits. The model keeps what is alive
 * only; memory grows with what ended after that time.
 */
#pragma once

#include "analysis/model/model.h"

/* A descriptor that was closed, and its mapping as it was then. */
typedef struct SsEndedFd {
    SsDescriptor descriptor; /* `mapping` is that below, or NULL */
    SsMapping mapping;
} SsEndedFd;

typedef struct SsEnded {
    SsModel *model; /* weak */
    bool absolute;
    gint64 from_ns;      /* since the Unix epoch if absolute, else since the first event */
    GPtrArray *mappings; /* owned SsMapping: copies without a descriptor */
    GPtrArray *fds;      /* owned SsEndedFd */
    GHashTable *waits;   /* SsDevice, weak -> owned array of SsWaitKind, SS_MAX_REQUEST of them */
} SsEnded;

/* Connects itself to the model, before it is fed. */
SsEnded *ss_ended_new(SsModel *model, bool absolute, gint64 from_ns);
void ss_ended_free(SsEnded *ended);
/* After ss_model_finish(): what ended is of the device that its own turned out to be. */
void ss_ended_finish(SsEnded *ended);
/* Waits for the device's back-end that ended since; NULL: none did. */
const SsWaitKind *ss_ended_waits(const SsEnded *ended, const SsDevice *device);
