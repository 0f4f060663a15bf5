/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sources-disagree: QEMU's tracepoints and the wire library tell of the same call, and not the
 * same: what a request asked for, what was replied, how a close went. Which of both is right is
 * not known; a recording in which they contradict each other proves less than it seems to.
 */
#include "analysis/checks/outside.h"
#include "analysis/report/names.h"

static char *request_text(const SsDisagreement *found)
{
    g_autofree char *told = ss_backend_request_text(found->request);
    g_autofree char *seen = ss_backend_request_text(found->seen_request);
    g_autofree char *for_told =
        ss_range_text(found->told.shmid, found->told.offset, found->told.len);
    g_autofree char *for_seen =
        ss_range_text(found->seen.shmid, found->seen.offset, found->seen.len);
    return g_strdup_printf("#%" G_GUINT64_FORMAT " is %s for %s, QEMU tells; on the wire it is %s "
                           "for %s",
                           found->seq, told, for_told, seen, for_seen);
}

static char *reply_text(const SsDisagreement *found)
{
    g_autofree char *request = ss_backend_request_text(found->request);
    if (found->none) {
        return g_strdup_printf("%s #%" G_GUINT64_FORMAT
                               " was answered, QEMU tells; on the wire no answer went out",
                               request, found->seq);
    }
    return g_strdup_printf("%s #%" G_GUINT64_FORMAT " was answered with %" G_GUINT64_FORMAT
                           ", QEMU tells; on the wire with %" G_GUINT64_FORMAT,
                           request, found->seq, found->told_value, found->seen_value);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    static const char *const words[] = { "request", "reply", "close" };
    const SsDisagreement *found = notice->disagreement;
    char *summary =
        found->kind == SS_DISAGREE_REQUEST ? request_text(found)
        : found->kind == SS_DISAGREE_REPLY
            ? reply_text(found)
            : g_strdup_printf("the close of fd %d ended with %d, QEMU tells; seen from "
                              "outside it ended with %d",
                              found->fd, (gint32)found->told_value, (gint32)found->seen_value);
    SsFinding *finding =
        ss_checks_report(checks, check, SS_OBSERVED, notice->process, notice->device,
                         notice->since_ns, notice->ns, words[found->kind], summary);
    if (finding) {
        ss_finding_state(
            finding, "report",
            g_strdup("follows QEMU's tracepoints in all that it says of this process"));
    }
}

const SsCheck ss_check_sources_disagree = {
    .id = "sources-disagree",
    .title = "SOURCES DISAGREE",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REPLY) | SS_NEEDS(FD),
    .outside = true,
    .notices = SS_ON(DISAGREE),
    .rule = "two sources that tell of the same call tell the same",
    .remedy_for_good =
        "find out which of both is wrong: the tracepoint's arguments, or a call that "
        "the library takes for another",
    .notice = notice,
};
