/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * refused-but-mapped: a request was refused, or an error told, and it took effect all the
 * same: the mapping of a SHMEM_MAP is in its region when the front-end is done with it, or a
 * SHMEM_UNMAP took one out.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_SETTLED || !notice->exchange->dispatched_ns) {
        return;
    }
    const SsExchange *exchange = notice->exchange;
    bool map = exchange->request == SS_REQUEST_SHMEM_MAP;
    bool told = exchange->replies && exchange->value != 0;
    bool done = map ? exchange->added > exchange->removed
                    : exchange->request == SS_REQUEST_SHMEM_UNMAP && exchange->unmapped;
    if (!done || (!exchange->refused && !told)) {
        return;
    }
    SsAbout about = ss_about_exchange(checks->model, exchange);
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *range = ss_about_text(&about);
    g_autofree char *place = g_strdup_printf("%u|%s", exchange->request, exchange->reason);
    g_autofree char *why = exchange->refused ? g_strdup_printf("was refused (%s)", exchange->reason)
                                             : g_strdup("was answered with an error");
    SsFinding *finding = ss_checks_report(
        checks, check, SS_OBSERVED, notice->process, notice->device, exchange->request_ns,
        exchange->dispatched_ns, place,
        g_strdup_printf("%s #%" G_GUINT64_FORMAT " (%s) %s, and %s", request, exchange->seq, range,
                        why, map ? "its mapping stays" : "the mapping was taken out"));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, map ? SS_PLACE_MAP : SS_PLACE_UNMAP, exchange->reason);
    ss_finding_state(
        finding, "back-end",
        !told ? g_strdup("was told nothing of it")
        : map ? g_strdup("takes the range for free, and the guest sees its file there")
              : g_strdup("takes the range for mapped, and the guest finds nothing there"));
    ss_finding_take_journal(finding, notice->device, exchange->request_ns, exchange->dispatched_ns,
                            KINDS);
}

const SsCheck ss_check_refused_but_mapped = {
    .id = "refused-but-mapped",
    .title = "REFUSED BUT DONE",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) | SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) |
             SS_NEEDS(MAPPING),
    .notices = SS_ON(SETTLED),
    .rule = "what is refused leaves nothing behind",
    .remedy_now = "reset the device",
    .remedy_for_good = "in QEMU: undo what was done before the error, on every path",
    .notice = notice,
};
