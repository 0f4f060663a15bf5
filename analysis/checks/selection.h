/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which findings are asked for: of some checks, devices, VMs, of some time. All else is read and
 * judged all the same, so that what is not there is never an effect of what was not asked for.
 */
#pragma once

#include "analysis/checks/check.h"

/* A time as somebody gave it. */
typedef struct SsMoment {
    bool given;
    bool absolute; /* since the Unix epoch; else since the first event */
    gint64 ns;
} SsMoment;

typedef struct SsSelection {
    char **checks, **devices, **vms; /* owned; NULL: all */
    SsMoment begin, end;
    guint left_out; /* findings, after ss_selection_apply() */
} SsSelection;

/* Words that name checks with commas between become one each; takes the array, which may be NULL.
 * FALSE with an error for one that is none. */
gboolean ss_selection_checks(SsSelection *selection, char **taken, GError **error);
/* "1.5": seconds after the first event; "@1700000000.5": since the epoch; or a date and time as
 * ISO 8601 has it. NULL leaves the moment as it is. `name` is for the error's text. */
gboolean ss_moment_parse(SsMoment *moment, const char *name, const char *text, GError **error);
/* FALSE with an error when the recording had not begun at that time, or had ended. After it was
 * read up to then. `name` is for the error's text. */
gboolean ss_moment_inside(const SsMoment *moment, const char *name, const SsModel *model,
                          GError **error);
/* In ns since the Unix epoch, when the first event was at `first_ns`. */
gint64 ss_moment_ns(const SsMoment *moment, gint64 first_ns);
bool ss_selection_any(const SsSelection *selection);
/* FALSE with an error when its begin is after its end; not before the first event is known
 * (`first_ns`, 0: it is not) when only one of them is since that. */
gboolean ss_selection_order(const SsSelection *selection, gint64 first_ns, GError **error);
/* Takes what was not asked for out of the findings. After ss_checks_finish(); FALSE with an error
 * when a device or VM is not in the recording, or nothing is in the time. */
gboolean ss_selection_apply(SsSelection *selection, SsChecks *checks, GError **error);
/* Whether the device, NULL: none that is known, of the process is among those asked for. */
bool ss_selection_wants(const SsSelection *selection, const SsProcess *process,
                        const SsDevice *device);
/* "of device dev0, by check fd-leak, from 1.5 s on"; the caller frees it. */
char *ss_selection_text(const SsSelection *selection, const SsModel *model);
void ss_selection_clear(SsSelection *selection);
