/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fd-leak: a descriptor that was received or duplicated, and never closed, with the
 * place it was lost:
 * - it came with a SHMEM request, and the front-end was done with the request;
 * - it was duplicated for a mapping that was never made, or ended without a RAM block;
 * - its mapping is finalized and RCU passed it by: a RAM block given up later was
 *   reclaimed, or the process went on for SS_GRACE_NS and nothing held RCU up.
 * What merely waits at the end of the recording is no leak, and a number that was handed
 * out again was closed.
 */
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED) | SS_STEP_BIT(SS_STEP_FD_RECEIVED) | \
     SS_STEP_BIT(SS_STEP_FD_DUPLICATED) | SS_STEP_BIT(SS_STEP_FD_CLOSED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | SS_STEP_BIT(SS_STEP_MAPPING_FINALIZED))

static void report(SsChecks *checks, const SsCheck *check, const SsDescriptor *descriptor,
                   SsCertainty certainty, gint64 from_ns, gint64 ns, const char *place,
                   char *lost_taken)
{
    g_autofree char *lost = lost_taken;
    SsFinding *finding = ss_checks_report(
        checks, check, certainty, descriptor->process, descriptor->device, from_ns, ns, place,
        g_strdup_printf("fd %d (inode %" G_GUINT64_FORMAT ") was %s and never closed: %s",
                        descriptor->number, descriptor->ino,
                        descriptor->role == SS_FD_RECEIVED ? "received" : "duplicated", lost));
    if (!finding) {
        return;
    }
    if (certainty == SS_SUSPECTED && !finding->condition) {
        finding->condition = g_strdup("not visible: whether QEMU's RCU thread still runs");
    }
    if (descriptor->device) {
        ss_finding_take_journal(finding, descriptor->device, from_ns, ns, KINDS);
    }
}

static void received_kept(SsChecks *checks, const SsCheck *check, const SsNotice *notice,
                          const SsDescriptor *descriptor)
{
    const SsExchange *exchange = notice->exchange;
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *place = g_strdup_printf("received|%u|%s", exchange->request, exchange->reason);
    report(checks, check, descriptor, SS_OBSERVED, descriptor->birth_ns, notice->ns, place,
           exchange->refused ? g_strdup_printf("QEMU was done with %s, which it refused (%s)",
                                               request, exchange->reason)
                             : g_strdup_printf("QEMU was done with %s", request));
}

/* A duplicate whose mapping has, or will have, a RAM block that closes it. */
static bool owned(const SsDescriptor *descriptor)
{
    const SsMapping *mapping = descriptor->mapping;
    return mapping && (mapping->ram_ns || !mapping->birth_seen || mapping->in_region);
}

static void settled(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    if (exchange->request != SS_REQUEST_SHMEM_MAP && exchange->request != SS_REQUEST_SHMEM_UNMAP) {
        return; /* other requests' handlers may keep what they are given */
    }
    for (guint i = 0; i < SS_EXCHANGE_FDS; i++) {
        const SsDescriptor *descriptor = exchange->fds[i];
        if (!descriptor) {
            continue;
        }
        if (descriptor->role == SS_FD_RECEIVED) {
            received_kept(checks, check, notice, descriptor);
        } else if (!owned(descriptor) &&
                   (exchange->refused || (exchange->replies && exchange->value != 0))) {
            /* Of a request that QEMU accepted there is a mapping, whoever tells of it. */
            g_autofree char *place = g_strdup_printf("duplicate|%s", exchange->reason);
            report(checks, check, descriptor, SS_OBSERVED, descriptor->birth_ns, notice->ns, place,
                   g_strdup("no RAM block took it over, and no mapping holds it"));
        }
    }
}

static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 end_ns)
{
    bool waits = ss_process_waits(process, NULL);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->closing);
    while (g_hash_table_iter_next(&iter, &value, NULL)) {
        const SsMapping *mapping = value;
        const SsDescriptor *descriptor = mapping->descriptor;
        bool passed_by = process->newest_closed_finalize_ns > mapping->finalized_ns;
        /* A front-end that waits holds the lock the RCU thread needs. */
        bool had_time = !waits && process->last_ns - mapping->finalized_ns >= SS_GRACE_NS;
        if (!descriptor || !mapping->ram_ns || (!passed_by && !had_time)) {
            continue;
        }
        report(checks, check, descriptor, passed_by ? SS_OBSERVED : SS_SUSPECTED,
               mapping->finalized_ns, end_ns, "reclaim",
               g_strdup("its mapping is finalized, its RAM block was not reclaimed"));
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_SETTLED) {
        settled(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_PROCESS_ENDS) {
        at_end(checks, check, notice->process, notice->ns);
    }
}

const SsCheck ss_check_fd_leak = {
    .id = "fd-leak",
    .title = "DESCRIPTOR LEAK",
    .needs = SS_NEEDS(FD) | SS_NEEDS(MAPPING) | SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) |
             SS_NEEDS(DISPATCH),
    .rule = "a received descriptor is closed at the end of its dispatch, a mapping's own one "
            "by its RAM block",
    .remedy_for_good = "in QEMU: close it on the path that the witness shows",
    .notice = notice,
};
