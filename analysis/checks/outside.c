/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/outside.h"

#include "analysis/report/names.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REFUSED) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | \
     SS_STEP_BIT(SS_STEP_DISPATCHED))

char *ss_range_text(guint32 shmid, guint64 offset, guint64 len)
{
    return g_strdup_printf("region %u 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x", shmid,
                           offset, len);
}

bool ss_outside_beyond(guint64 offset, guint64 len, guint64 size)
{
    return len > size || offset > size - len;
}

const SsRegion *ss_outside_region(const SsNotice *notice)
{
    const GArray *regions = notice->device->regions;
    for (guint i = 0; i < regions->len; i++) {
        const SsRegion *region = &g_array_index(regions, SsRegion, i);
        if (region->shmid == notice->exchange->shmid) {
            return region;
        }
    }
    return NULL;
}

const char *ss_outside_reason(const SsChecks *checks, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    const SsRegion *region = ss_outside_region(notice);
    bool map = exchange->request == SS_REQUEST_SHMEM_MAP;
    /* The reply that tells of one region tells of all. */
    if (!region && notice->device->regions->len &&
        !ss_model_lost(checks->model, notice->process, notice->process->birth_ns, notice->ns)) {
        return "bad-shmid";
    }
    if (!exchange->len) {
        return "zero-length";
    }
    if (region && ss_outside_beyond(exchange->shm_offset, exchange->len, region->size)) {
        return "out-of-range";
    }
    /* What is no file at all has no size either. */
    if (map && exchange->has_file && exchange->file_size &&
        ss_outside_beyond(exchange->fd_offset, exchange->len, exchange->file_size)) {
        return "beyond-file";
    }
    return (exchange->shm_offset | exchange->len | exchange->fd_offset) % SS_OUTSIDE_PAGE
               ? "unaligned"
               : "";
}

bool ss_exchange_went_well(const SsDevice *device, const SsExchange *exchange)
{
    bool may = !device->features_known || device->protocol_features & SS_PROTOCOL_REPLY_ACK;
    bool asked = may && exchange->flags & SS_HEADER_NEED_REPLY;
    return exchange->dispatched_ns && !exchange->dispatch_ret && !exchange->refused &&
           (exchange->replies || !asked) && !exchange->value;
}

SsFinding *ss_outside_report(SsChecks *checks, const SsCheck *check, const SsNotice *notice,
                             const SsOutside *outside)
{
    const SsExchange *exchange = notice->exchange;
    bool refused = exchange->refused;
    g_autofree char *request = ss_backend_request_text(exchange->request);
    g_autofree char *range = ss_range_text(exchange->shmid, exchange->shm_offset, exchange->len);
    g_autofree char *place =
        g_strdup_printf("%u|%s|%s", exchange->request, outside->word, refused ? "" : outside->did);
    SsFinding *finding = ss_checks_report(
        checks, check, outside->certainty, notice->process, notice->device,
        MIN(outside->from_ns, exchange->request_ns), notice->ns, place,
        g_strdup_printf("%s #%" G_GUINT64_FORMAT " for %s, %s: QEMU %s", request, exchange->seq,
                        range, outside->why, refused ? "refused it" : outside->did));
    ss_finding_add_label(checks->last, ss_label_text(checks->model, exchange->label));
    if (!finding) {
        return NULL;
    }
    finding->first_ns = exchange->request_ns;
    if (refused) {
        ss_finding_state(finding, "back-end",
                         g_strdup("asked for what the protocol does not allow: its fault"));
        ss_finding_state(
            finding, "QEMU",
            g_str_equal(exchange->reason, SS_REASON_NOT_TOLD)
                ? g_strdup("refused it; why, nobody outside sees")
                : g_strdup_printf("refused it (%s), and changed nothing", exchange->reason));
    } else {
        ss_finding_state(finding, "back-end",
                         g_strdup("asked for what the protocol does not allow"));
        ss_finding_state(finding, "QEMU", g_strdup_printf("%s: its fault as well", outside->did));
        finding->remedy_for_good = outside->in_qemu;
    }
    if (outside->condition && !finding->condition) {
        finding->condition = g_strdup(outside->condition);
    }
    ss_finding_take_journal(finding, notice->device, exchange->request_ns, notice->ns, KINDS);
    return finding;
}
