/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Closes in words, for the checks that name them.
 */
#pragma once

#include "analysis/checks/about.h"

/* "the mapping itself"; static. */
const char *ss_closer_text(SsCloser closer);
/* QEMU's function; NULL when it is not known. */
const char *ss_closer_place(SsCloser closer);
SsAbout ss_closed_about(const SsModel *model, const SsClosed *closed);
/* "fd 31 (inode 7000) of region 0 0x0+0x1000"; the caller frees it. */
char *ss_closed_text(const SsClosed *closed);
