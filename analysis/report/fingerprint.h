/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * By what two reports of the same trouble know each other.
 */
#pragma once

#include "analysis/checks/finding.h"

/* The same for the same trouble in another run, or of another build. The caller frees it. */
char *ss_fingerprint(const SsFinding *finding);
/* That, with a number behind it where the report has had it already. `seen` is a table of strings
 * that it owns, to be empty at first. Takes the sum; the caller frees what is returned. */
char *ss_fingerprint_number(GHashTable *seen, char *sum_taken);
