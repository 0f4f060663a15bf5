/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fd-backlog: descriptors of finalized mappings, which an RCU callback has yet to close, pile up
 * towards the process's limit. The greatest number of them is a figure of every report; it is a
 * hazard from half of the limit on, and observed when a duplicate could not be had for the lack
 * of a number while so many waited.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"

/* What a process may have open that nobody told more: the soft limit of most systems. */
#define USUAL_LIMIT 1024

/* Whether it is so; then it is no hazard any more. */
static bool exhausted(SsChecks *checks, const SsCheck *check, SsProcess *process)
{
    const SsBacklog *backlog = &process->backlog;
    if (!backlog->refused_waiting ||
        backlog->refused_waiting * G_GUINT64_CONSTANT(2) < backlog->limit) {
        return false;
    }
    SsFinding *finding = ss_checks_report(
        checks, check, backlog->limit ? SS_OBSERVED : SS_UNKNOWN, process, backlog->refused_device,
        backlog->refused_ns, backlog->refused_ns, "exhausted",
        g_strdup_printf("no descriptor was left for a mapping, while %u waited for RCU to close "
                        "them",
                        backlog->refused_waiting));
    if (!finding) {
        return true;
    }
    finding->count = backlog->refused;
    if (!backlog->limit && !finding->condition) {
        finding->condition = g_strdup("the process's limit is not known, and so what else it had "
                                      "open");
    }
    ss_finding_set_place(finding, SS_PLACE_NEW, NULL);
    return true;
}

static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process)
{
    const SsBacklog *backlog = &process->backlog;
    guint64 limit = backlog->limit ? backlog->limit : USUAL_LIMIT;
    if (backlog->most * G_GUINT64_CONSTANT(2) < limit) {
        return;
    }
    SsFinding *finding = ss_checks_report(
        checks, check, SS_HAZARD, process, NULL, backlog->most_ns, backlog->most_ns, "most",
        g_strdup_printf("%u descriptors waited at once for RCU to close them, of %u that are known "
                        "to have been open; the limit is %" G_GUINT64_FORMAT,
                        backlog->most, backlog->most_open, limit));
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, SS_PLACE_RECLAIM, NULL);
    if (!backlog->limit && !finding->condition) {
        finding->condition = g_strdup_printf(
            "the process's limit is not known: %d, the usual soft limit, is assumed", USUAL_LIMIT);
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_PROCESS_ENDS) {
        if (!exhausted(checks, check, notice->process)) {
            at_end(checks, check, notice->process);
        }
    }
}

const SsCheck ss_check_fd_backlog = {
    .id = "fd-backlog",
    .title = "DESCRIPTOR BACKLOG",
    .needs = SS_NEEDS(FD) | SS_NEEDS(MAPPING),
    .notices = SS_ON(PROCESS_ENDS),
    .rule = "an UNMAP's descriptor is closed an RCU grace period after its reply: at a high rate "
            "of requests many wait",
    .remedy_now = "prlimit --nofile: raise the process's limit of open files",
    .remedy_for_good = "in the back-end: unmap and map less often, and keep mappings; in QEMU: "
                       "wait for RCU when many descriptors are to be closed",
    .notice = notice,
};
