/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a back-end's own events say of a wait of its own when nothing of QEMU's side explains it.
 */
#pragma once

#include "analysis/checks/check.h"

typedef enum SsAloneKind {
    SS_ALONE_NOTHING,  /* no wait that spoke up, or QEMU's side tells of it */
    SS_ALONE_CYCLE,    /* the thread that waits owes the front-end an answer, or has to read */
    SS_ALONE_PASSED,   /* the front-end went on meanwhile: it sent requests */
    SS_ALONE_NO_REASON /* nothing explains it */
} SsAloneKind;

typedef struct SsAlone {
    SsAloneKind kind;
    const SsPeerWait *own;
    const SsPass *owed; /* of CYCLE: received and not answered; NULL: it lies unread */
    bool behind;        /* so, behind one that is not answered: which it is, is not known */
} SsAlone;

SsAlone ss_alone_judge(const SsModel *model, SsPeer *peer);
