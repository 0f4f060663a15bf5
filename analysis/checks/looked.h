/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Of what was looked at the processes are known by pid: whom to end, and what that takes away.
 */
#pragma once

#include "analysis/checks/finding.h"

/* The remedy for a front-end that stands because of the device's back-end: to end that, or where
 * it may well answer, to look at it. What that takes away depends on the `request` that it waits
 * for (0: not known). Leaves the check's own when the back-end was not found. */
void ss_looked_remedy(SsFinding *finding, const SsDevice *device, guint32 request);
