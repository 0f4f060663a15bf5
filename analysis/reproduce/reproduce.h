/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From a finding's order of messages to a C program that brings it about: it plays the
 * back-ends and the guest's driver against a QEMU, and tells whether that QEMU hangs.
 */
#pragma once

#include "analysis/checks/check.h"

#define SS_REPRODUCE_ERROR (ss_reproduce_error_quark())
GQuark ss_reproduce_error_quark(void);

/* The finding of that name, which is the id of its check, or "ID:N" for the Nth of that check
 * as the report has them, from 1; weak. NULL with `error` set when there is none, when there
 * are several and no number says which, or when it has no order of messages. */
const SsFinding *ss_reproduce_find(const SsChecks *checks, const char *name, GError **error);
/* The program; NULL with `error` set when the order is one it cannot play. The caller frees
 * it. */
char *ss_reproduce_program(const SsFinding *finding, GError **error);
