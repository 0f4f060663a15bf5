/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope-run.json: what `shmemscope record` saw of the recorded processes' ends.
 */
#pragma once

#include "analysis/model/model.h"

#define SS_RUN_INFO_NAME "shmemscope-run.json"

/* Looks for the file in `directory` and up to five directories above it. A process that ended
 * after `until_ns`, in ns since the Unix epoch, was alive then; 0: all ends count. A file that
 * cannot be understood is told in `diagnostics`; none is no error. */
void ss_run_info_read(SsModel *model, const char *directory, gint64 until_ns,
                      GPtrArray *diagnostics);
