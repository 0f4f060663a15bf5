/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fd-closed-early: a mapping's own descriptor is closed while the mapping is in its region, or
 * a flat view still holds it. QEMU has the file mapped all the same, but gives the number to
 * every back-end with the memory table, and its RAM block closes it once more.
 */
#include "analysis/checks/check.h"
#include "analysis/checks/closer-text.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_FD_RECEIVED) | SS_STEP_BIT(SS_STEP_FD_DUPLICATED) | \
     SS_STEP_BIT(SS_STEP_FD_CLOSED) | SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | SS_STEP_BIT(SS_STEP_MAPPING_FINALIZED))

/* NULL when it is not known. */
static const char *place_of(const SsClose *close)
{
    if (close->closer != SS_CLOSER_MAPPING) {
        return ss_closer_place(close->closer);
    }
    return close->first.in_region ? NULL : SS_PLACE_REMOVE;
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_CLOSED_EARLY) {
        return;
    }
    const SsClose *close = notice->close;
    const SsClosed *closed = &close->first;
    bool seen = close->closer != SS_CLOSER_UNSEEN;
    SsAbout about = ss_closed_about(checks->model, closed);
    g_autofree char *what = ss_closed_text(closed);
    g_autofree char *place = g_strdup_printf("%d|%d", close->closer, closed->in_region);
    SsFinding *finding = ss_checks_report(
        checks, check, seen ? SS_OBSERVED : SS_SUSPECTED, notice->process, notice->device,
        closed->birth_ns, notice->ns, place,
        g_strdup_printf("%s was closed by %s while %s", what, ss_closer_text(close->closer),
                        closed->in_region ? "its mapping was in its region"
                                          : "a flat view still held its mapping"));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, place_of(close), NULL);
    if (!seen && !finding->condition) {
        finding->condition =
            g_strdup("not visible: who closed it; the number was handed out again");
    }
    ss_finding_state(finding, "RAM block",
                     g_strdup("closes the number again when it is given up, whosever it is then"));
    if (notice->device) {
        ss_finding_take_journal(finding, notice->device, closed->closed_ns - SS_NS_PER_MS,
                                notice->ns, KINDS);
    }
    if (closed->closed_ns == notice->ns) {
        ss_finding_add_witness(
            finding, notice->ns, false, 0,
            g_strdup_printf(seen ? "closes fd %d" : "fd %d was closed", closed->number));
    }
}

const SsCheck ss_check_fd_closed_early = {
    .id = "fd-closed-early",
    .title = "DESCRIPTOR CLOSED EARLY",
    .needs = SS_NEEDS(FD) | SS_NEEDS(MAPPING),
    .outside = true,
    .notices = SS_ON(CLOSED_EARLY),
    .rule = "a mapping's descriptor stays open until its RAM block is given up",
    .remedy_now = "unmap the range, and map it again",
    .remedy_for_good = "in QEMU: leave the close to the RAM block once it has the descriptor",
    .notice = notice,
};
