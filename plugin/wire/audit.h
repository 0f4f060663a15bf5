/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Descriptors are closed and made by calls that are not watched, too: direct system calls, and
 * calls inside of the C library. What the kernel has is compared with what is thought.
 */
#pragma once

#include <stdbool.h>

/* Is there anything to compare? With the lock. */
bool ss_wire_audit_needed(void);

/* Tells of what was lost and, when it was there the time before as well, of what was found. Takes
 * the lock itself, for a part of the work at a time. */
void ss_wire_audit(void);

/* Tells of what was lost; with the lock. */
void ss_wire_audit_lost(void);
