/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * died-in-request: the process ended inside a request. That events end there proves
 * nothing: a recording may stop at any instant. What is known of the process's end from
 * outside the trace (shmemscope-run.json) does; a process that lives would at least have
 * gone on within SS_GRACE_NS of recording.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REFUSED) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_COMMIT_END) | \
     SS_STEP_BIT(SS_STEP_FD_RECEIVED) | SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | \
     SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST))

static void judge(SsChecks *checks, const SsCheck *check, SsProcess *process,
                  const SsThread *thread, gint64 end_ns)
{
    SsDevice *device = NULL;
    const SsExchange *exchange = ss_thread_open_request(thread, &device);
    /* Who waits, or still lives, is another check's. */
    if (!exchange || thread->waiting || process->end == SS_END_ALIVE) {
        return;
    }
    bool known = process->end == SS_END_EXITED || process->end == SS_END_SIGNAL;
    bool silent = end_ns - process->last_ns >= SS_GRACE_NS && thread->last_ns == process->last_ns;
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *how =
        known ? ss_process_end_text(process) : g_strdup("shows no event after it");
    g_autofree char *place = g_strdup_printf("%u", exchange->request);
    SsFinding *finding =
        ss_checks_report(checks, check,
                         known    ? SS_OBSERVED
                         : silent ? SS_SUSPECTED
                                  : SS_UNKNOWN,
                         process, device, exchange->request_ns, end_ns, place,
                         g_strdup_printf("inside %s #%" G_GUINT64_FORMAT " the process %s", request,
                                         exchange->seq, how));
    if (!finding) {
        return;
    }
    if (!known && !finding->condition) {
        finding->condition =
            silent ? g_strdup_printf("not visible: that it ended; it told nothing in the last "
                                     "%.1f s of the recording",
                                     (double)(end_ns - process->last_ns) / SS_NS_PER_S)
                   : g_strdup("the recording ends there, and does not tell what became of it");
    }
    ss_finding_take_journal(finding, device, exchange->request_ns, process->last_ns, KINDS);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_PROCESS_ENDS) {
        return;
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, notice->process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        judge(checks, check, notice->process, value, notice->ns);
    }
}

const SsCheck ss_check_died_in_request = {
    .id = "died-in-request",
    .title = "DIED IN REQUEST",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(DISPATCH) | SS_NEEDS(WAIT) |
             SS_NEEDS(FRONTEND_REQUEST),
    .rule = "no number from a back-end ends QEMU",
    .remedy_for_good = "in QEMU: refuse the request instead of asserting",
    .notice = notice,
};
