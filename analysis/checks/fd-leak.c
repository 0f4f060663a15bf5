/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fd-leak: a descriptor that was received or duplicated, and never closed, with the
 * place it was lost, which is the function of QEMU that held it last:
 * - it came with a SHMEM request, and the front-end was done with the request;
 * - it was duplicated for a mapping that was never made, or ended without a RAM block;
 *   of one that was finalized and never added, it is judged as one that waits for RCU is;
 * - its mapping is finalized and RCU passed it by: a RAM block given up later was
 *   reclaimed, or the process went on for SS_GRACE_NS and nothing held RCU up.
 * What merely waits at the end of the recording is no leak, and a number that was handed
 * out again was closed.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"
#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | SS_STEP_BIT(SS_STEP_REFUSED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED) | SS_STEP_BIT(SS_STEP_FD_RECEIVED) | \
     SS_STEP_BIT(SS_STEP_FD_DUPLICATED) | SS_STEP_BIT(SS_STEP_FD_CLOSED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | SS_STEP_BIT(SS_STEP_MAPPING_FINALIZED))

typedef struct Lost {
    SsCertainty certainty;
    gint64 from_ns, ns;
    const char *function; /* of QEMU */
    const char *reason;   /* of the refusal or removal, "" when there is none */
} Lost;

static void report(SsChecks *checks, const SsCheck *check, const SsDescriptor *descriptor,
                   const Lost *where, char *lost_taken)
{
    SsCertainty certainty = where->certainty;
    SsAbout about = ss_about_descriptor(descriptor);
    g_autofree char *place =
        g_strdup_printf("%s|%u|%s", where->function, descriptor->request, where->reason);
    g_autofree char *lost = lost_taken;
    SsFinding *finding = ss_checks_report(
        checks, check, certainty, descriptor->process, descriptor->device, where->from_ns,
        where->ns, place,
        g_strdup_printf("fd %d (inode %" G_GUINT64_FORMAT ") was %s and never closed: %s",
                        descriptor->number, descriptor->ino,
                        descriptor->role == SS_FD_RECEIVED ? "received" : "duplicated", lost));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, where->function, where->reason);
    if (certainty == SS_SUSPECTED && !finding->condition) {
        finding->condition = g_strdup("not visible: whether QEMU's RCU thread still runs");
    }
    if (descriptor->device) {
        ss_finding_take_journal(finding, descriptor->device, where->from_ns, where->ns, KINDS);
    }
}

static void received_kept(SsChecks *checks, const SsCheck *check, const SsNotice *notice,
                          const SsDescriptor *descriptor)
{
    const SsExchange *exchange = notice->exchange;
    g_autofree char *request = ss_backend_request_text(exchange->request);
    report(
        checks, check, descriptor,
        &(Lost){ .certainty = SS_OBSERVED,
                 .from_ns = descriptor->birth_ns,
                 .ns = notice->ns,
                 .function = SS_PLACE_READ,
                 .reason = exchange->reason },
        exchange->refused
            ? g_strdup_printf("QEMU was done with %s #%" G_GUINT64_FORMAT ", which it refused (%s)",
                              request, exchange->seq, exchange->reason)
            : g_strdup_printf("QEMU was done with %s #%" G_GUINT64_FORMAT, request, exchange->seq));
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
            report(checks, check, descriptor,
                   &(Lost){ .certainty = SS_OBSERVED,
                            .from_ns = descriptor->birth_ns,
                            .ns = notice->ns,
                            .function = SS_PLACE_NEW,
                            .reason = exchange->reason },
                   g_strdup_printf("no RAM block took it over, and no mapping holds it (SHMEM_MAP "
                                   "#%" G_GUINT64_FORMAT "%s%s)",
                                   exchange->seq, exchange->refused ? ", refused: " : "",
                                   exchange->reason));
        }
    }
}

static gint by_finalized(gconstpointer a, gconstpointer b)
{
    const SsMapping *ma = *(const SsMapping *const *)a;
    const SsMapping *mb = *(const SsMapping *const *)b;
    if (ma->finalized_ns != mb->finalized_ns) {
        return ma->finalized_ns < mb->finalized_ns ? -1 : 1;
    }
    return ma->pointer < mb->pointer ? -1 : ma->pointer > mb->pointer;
}

static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 end_ns)
{
    bool waits = ss_process_waits(process, NULL);
    /* The table's order is another one in each run; the first of them is the one that is told. */
    g_autoptr(GPtrArray) closing = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, process->closing);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        g_ptr_array_add(closing, key);
    }
    g_ptr_array_sort(closing, by_finalized);
    for (guint i = 0; i < closing->len; i++) {
        const SsMapping *mapping = g_ptr_array_index(closing, i);
        const SsDescriptor *descriptor = mapping->descriptor;
        bool passed_by = process->newest_closed_finalize_ns > mapping->finalized_ns;
        /* A front-end that waits holds the lock the RCU thread needs. */
        bool had_time = !waits && process->last_ns - mapping->finalized_ns >= SS_GRACE_NS;
        if (!descriptor || !mapping->ram_ns || (!passed_by && !had_time)) {
            continue;
        }
        /* Refused before it had a RAM block, or at least before that came into the region. */
        bool never_added = mapping->birth_seen && !mapping->added_ns;
        g_autofree char *removed =
            *mapping->reason
                ? g_strdup_printf(" (%s: %s)", never_added ? "refused" : "removed", mapping->reason)
                : g_strdup("");
        report(checks, check, descriptor,
               &(Lost){ .certainty = passed_by ? SS_OBSERVED : SS_SUSPECTED,
                        .from_ns = never_added ? mapping->birth_ns : mapping->finalized_ns,
                        .ns = end_ns,
                        .function = never_added ? SS_PLACE_NEW : SS_PLACE_RECLAIM,
                        .reason = mapping->reason },
               g_strdup_printf(never_added
                                   ? "its mapping%s is finalized, and never was in a region"
                                   : "its mapping%s is finalized, its RAM block was not reclaimed",
                               removed));
    }
}

/* Those of mappings that should have gone. */
static void left(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    bool reset = notice->kind == SS_NOTICE_RESET_ENDED;
    if (!notice->device || !notice->device->live_mappings) {
        return;
    }
    g_autoptr(GPtrArray) left = ss_mappings_of(notice->device);
    for (guint i = 0; i < left->len; i++) {
        const SsMapping *mapping = g_ptr_array_index(left, i);
        bool told = mapping->added_ns && mapping->added_ns < notice->device->left_ns;
        if (mapping->descriptor && !told) {
            report(checks, check, mapping->descriptor,
                   /* Without QEMU's count it is as good as what was told since. */
                   &(Lost){ .certainty = notice->mappings ? SS_OBSERVED : SS_SUSPECTED,
                            .from_ns = mapping->told_ns,
                            .ns = notice->ns,
                            .function = reset ? SS_PLACE_RESET : SS_PLACE_UNPLUG,
                            .reason = reset ? "reset" : "unrealize" },
                   g_strdup_printf("its mapping was left when the %s of the device ended",
                                   reset ? "reset" : "unplug"));
        }
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_SETTLED) {
        settled(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_RESET_ENDED || notice->kind == SS_NOTICE_UNREALIZED) {
        left(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_PROCESS_ENDS) {
        at_end(checks, check, notice->process, notice->ns);
    }
}

const SsCheck ss_check_fd_leak = {
    .id = "fd-leak",
    .title = "DESCRIPTOR LEAK",
    .needs = SS_NEEDS(FD) | SS_NEEDS(MAPPING) | SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) |
             SS_NEEDS(DISPATCH) | SS_NEEDS(DEVICE),
    .outside = true,
    .unseen = "a reset or an unplug of the device",
    .notices = SS_ON(RESET_ENDED) | SS_ON(SETTLED) | SS_ON(UNREALIZED) | SS_ON(PROCESS_ENDS),
    .rule = "a received descriptor is closed at the end of its dispatch, a mapping's own one "
            "by its RAM block",
    .remedy_for_good = "in QEMU: close it on the path that the witness shows",
    .notice = notice,
};
