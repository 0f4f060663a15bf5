/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * accepted-not-mapped: the front-end told success, or was about to, and did not do it:
 * - a SHMEM_MAP that put nothing into the region, or was refused;
 * - a SHMEM_UNMAP that was refused;
 * - a SHMEM_UNMAP whose mapping is still there when the front-end is done with it. Its reply
 *   need not have got through: the back-end has let go of the range either way.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

/* One that the request meant, and that was there before. */
static const SsMapping *still_mapped(const SsDevice *device, const SsExchange *exchange)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, device->process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsMapping *mapping = value;
        if (mapping->device == device && mapping->in_region && mapping->shmid == exchange->shmid &&
            mapping->shm_offset == exchange->shm_offset && mapping->len == exchange->len &&
            mapping->added_ns <= exchange->request_ns) {
            return mapping;
        }
    }
    return NULL;
}

/* Something was made for it: that it entered its region need only have been lost. */
static bool made(const SsProcess *process, const SsExchange *exchange)
{
    if (ss_process_outside(process) && !exchange->has_file) {
        return true; /* its descriptor was not told: nor is what was made of it */
    }
    return exchange->added || exchange->duplicated > exchange->finalized;
}

static void report(SsChecks *checks, const SsCheck *check, const SsNotice *notice, const char *what,
                   const SsMapping *mapping)
{
    const SsExchange *exchange = notice->exchange;
    SsAbout about =
        mapping ? ss_about_mapping(mapping) : ss_about_exchange(checks->model, exchange);
    bool map = exchange->request == SS_REQUEST_SHMEM_MAP;
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *range = ss_about_text(&about);
    g_autofree char *place = g_strdup_printf("%u|%s|%s", exchange->request, what, exchange->reason);
    /* Its removal may be among what was lost since it was last told of. */
    gint64 from_ns = mapping ? MIN(mapping->told_ns, exchange->request_ns) : exchange->request_ns;
    SsFinding *finding = ss_checks_report(
        checks, check, SS_OBSERVED, notice->process, notice->device, from_ns,
        exchange->dispatched_ns, place,
        g_strdup_printf("%s #%" G_GUINT64_FORMAT " (%s) %s", request, exchange->seq, range, what));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    finding->first_ns = exchange->request_ns;
    ss_finding_set_place(finding, map ? SS_PLACE_MAP : SS_PLACE_UNMAP, exchange->reason);
    ss_finding_state(finding, "back-end",
                     map ? g_strdup("takes the range for mapped, and the guest finds nothing there")
                         : g_strdup("takes the range for free, and the guest may still use it"));
    ss_finding_take_journal(finding, notice->device, exchange->request_ns, exchange->dispatched_ns,
                            KINDS);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    /* Whether it is still mapped is decided at once: a reset may follow. */
    if (notice->kind != SS_NOTICE_DISPATCHED) {
        return;
    }
    const SsExchange *exchange = notice->exchange;
    bool map = exchange->request == SS_REQUEST_SHMEM_MAP;
    bool told = exchange->replies && exchange->value == 0;
    if ((!map && exchange->request != SS_REQUEST_SHMEM_UNMAP) || !exchange->has_range) {
        return;
    }
    if (told && exchange->refused) {
        g_autofree char *what =
            g_strdup_printf("was refused (%s) and answered with success", exchange->reason);
        report(checks, check, notice, what, NULL);
    } else if (told && map && !made(notice->process, exchange)) {
        report(checks, check, notice, "was answered with success, and nothing was mapped", NULL);
    } else if (!map && !exchange->refused && !exchange->removed &&
               /* Whether it did what it could not tell, nobody outside sees. */
               (exchange->replies || !ss_process_outside(notice->process)) &&
               (exchange->reply_tries == 0 || exchange->value == 0)) {
        const SsMapping *mapping = still_mapped(notice->device, exchange);
        if (mapping) {
            report(checks, check, notice,
                   exchange->replies       ? "was answered with success, and is still mapped"
                   : exchange->reply_tries ? "was accepted, its reply could not be sent, and is "
                                             "still mapped"
                                           : "was accepted, and is still mapped",
                   mapping);
        }
    }
}

const SsCheck ss_check_accepted_not_mapped = {
    .id = "accepted-not-mapped",
    .title = "ACCEPTED BUT NOT DONE",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) | SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) |
             SS_NEEDS(MAPPING) | SS_NEEDS(FD),
    .outside = true,
    .unseen = "what was done of a request that could not be answered",
    .notices = SS_ON(DISPATCHED),
    .rule = "success is told of what was done, and of nothing else",
    .remedy_now = "reset the device",
    .remedy_for_good = "in QEMU: give the error of every path to the reply, and do what was "
                       "accepted even when the reply cannot be sent",
    .notice = notice,
};
