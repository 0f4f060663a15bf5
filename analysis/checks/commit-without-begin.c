/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * commit-without-begin: a memory transaction ends that nobody began. QEMU tells so itself
 * before its assertion ends it; where each begin was recorded, a commit that has none is one,
 * too: it ends somebody else's transaction, whose own commit is the one QEMU stumbles over.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_COMMIT_END) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | SS_STEP_BIT(SS_STEP_MAPPING_REMOVED))

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_UNBEGUN) {
        return;
    }
    const SsExchange *exchange = notice->exchange;
    g_autofree char *who = ss_thread_text(notice->thread);
    g_autofree char *request = exchange ? ss_backend_request_text(exchange->request) : NULL;
    g_autofree char *inside =
        exchange ? g_strdup_printf("inside %s #%" G_GUINT64_FORMAT "%s%s%s ", request,
                                   exchange->seq, exchange->refused ? ", which was refused (" : "",
                                   exchange->refused ? exchange->reason : "",
                                   exchange->refused ? ")," : "")
                 : g_strdup("");
    g_autofree char *place = g_strdup_printf("%u", exchange ? exchange->request : 0);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_OBSERVED, notice->process, notice->device, notice->since_ns, notice->ns,
        place,
        g_strdup_printf("%sa memory transaction was committed that nobody had begun", inside));
    if (!finding) {
        return;
    }
    ss_finding_state(finding, who,
                     g_strdup(notice->fatal ? "commits at depth 0, and QEMU's assertion ends it"
                                            : "commits without a begin since the last commit"));
    if (notice->device) {
        ss_finding_take_journal(finding, notice->device, notice->since_ns, notice->ns, KINDS);
    }
}

const SsCheck ss_check_commit_without_begin = {
    .id = "commit-without-begin",
    .title = "COMMIT WITHOUT BEGIN",
    .needs = SS_NEEDS(TRANSACTION),
    .notices = SS_ON(UNBEGUN),
    .rule = "each commit of a memory transaction ends one that was begun",
    .remedy_for_good = "in QEMU: begin before the first path that leads to the commit, refusals "
                       "included",
    .notice = notice,
};
