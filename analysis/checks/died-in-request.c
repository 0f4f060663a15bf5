/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * died-in-request: the process ended inside a request. That events end there proves
 * nothing: a recording may stop at any instant. What is known of the process's end from
 * outside the trace (shmemscope-run.json) does; a process that lives would at least have
 * gone on within SS_GRACE_NS of recording.
 *
 * What a back-end announces of its regions can end QEMU, too. It comes as a reply, and QEMU is
 * quick to tell what it makes of it: a process that ended just then is suspected to have
 * ended over it.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REFUSED) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | SS_STEP_BIT(SS_STEP_COMMIT_END) | \
     SS_STEP_BIT(SS_STEP_FD_RECEIVED) | SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | \
     SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST) | SS_STEP_BIT(SS_STEP_WAIT_END))

/* From a failed assertion to the end of the process, as who records it sees it. */
#define END_NS (100 * SS_NS_PER_MS)
#define REQUEST_GET_SHMEM_CONFIG 44

static bool ended_over_reply(const SsProcess *process, const SsThread *thread)
{
    const SsWait *wait = &thread->wait;
    /* From outside each region that the reply announces is told after it. */
    gint64 told = ss_process_outside(process) ? SS_NS_PER_MS : 0;
    return wait->request == REQUEST_GET_SHMEM_CONFIG && !thread->waiting && wait->ret == 0 &&
           wait->end_ns && thread->last_ns - wait->end_ns <= told &&
           process->last_ns - wait->end_ns <= told && process->ended_ns &&
           process->ended_ns - wait->end_ns < END_NS;
}

static void judge_reply(SsChecks *checks, const SsCheck *check, SsProcess *process,
                        const SsThread *thread)
{
    const SsWait *wait = &thread->wait;
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, process, wait->device, wait->begin_ns, process->ended_ns,
        "reply",
        g_strdup_printf(
            "%.1f ms after it had read the reply to GET_SHMEM_CONFIG #%" G_GUINT64_FORMAT
            " the process ended",
            (double)(process->ended_ns - wait->end_ns) / SS_NS_PER_MS, wait->seq));
    if (!finding) {
        return;
    }
    if (!finding->condition) {
        finding->condition =
            g_strdup("not visible: that it ended over the regions that the reply announced");
    }
    ss_finding_take_journal(finding, wait->device, wait->begin_ns, process->last_ns, KINDS);
}

static void judge(SsChecks *checks, const SsCheck *check, SsProcess *process,
                  const SsThread *thread, gint64 end_ns)
{
    SsDevice *device = NULL;
    const SsExchange *exchange = ss_thread_open_request(thread, &device);
    if (!exchange && ended_over_reply(process, thread)) {
        judge_reply(checks, check, process, thread);
    }
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
    ss_finding_add_label(checks->last, ss_label_text(checks->model, exchange->label));
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
    .outside = true,
    .notices = SS_ON(PROCESS_ENDS),
    .rule = "no number from a back-end ends QEMU",
    .remedy_for_good = "in QEMU: refuse the request instead of asserting",
    .notice = notice,
};
