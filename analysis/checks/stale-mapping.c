/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * stale-mapping: a mapping is still in its region after a channel of its device closed.
 * The cleanup that follows within the same disconnect has SS_GRACE_NS, or until a new
 * connection begins. From outside of QEMU only its memory is seen, not who else holds that.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_MAIN_CLOSED) | SS_STEP_BIT(SS_STEP_BACKEND_CLOSED) | \
     SS_STEP_BIT(SS_STEP_DEVICE_GONE) | SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | \
     SS_STEP_BIT(SS_STEP_STOP_BEGIN) | SS_STEP_BIT(SS_STEP_STOP_END) | SS_STEP_BIT(SS_STEP_REPLY))

/* One of them, to name. `ret_told_ns`: since when nothing is told that is still there. */
static const SsMapping *example(const SsDevice *device, gint64 before_ns, guint64 *ret_count,
                                gint64 *ret_told_ns)
{
    const SsMapping *first = NULL;
    guint64 count = 0;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, device->process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsMapping *mapping = value;
        if (mapping->device == device && mapping->in_region && mapping->added_ns <= before_ns) {
            count++;
            *ret_told_ns = MIN(*ret_told_ns, mapping->told_ns);
            if (!first || mapping->shm_offset < first->shm_offset) {
                first = mapping;
            }
        }
    }
    *ret_count = count;
    return first;
}

static void judge(SsChecks *checks, const SsCheck *check, SsDevice *device, SsCertainty certainty,
                  gint64 since_ns, gint64 ns)
{
    guint64 count;
    gint64 told_ns = since_ns;
    const SsMapping *mapping = example(device, since_ns, &count, &told_ns);
    if (!mapping) {
        return;
    }
    bool outside = ss_process_outside(device->process);
    if (outside) {
        certainty = MIN(certainty, SS_SUSPECTED);
    }
    SsFinding *finding = ss_checks_report(
        checks, check, certainty, device->process, device, told_ns, ns, "disconnect",
        g_strdup_printf("%" G_GUINT64_FORMAT " mapping%s still %s after the %s channel closed, "
                        "such as region %u 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x",
                        count, count == 1 ? " is" : "s are",
                        outside ? "in QEMU's memory" : "visible to the guest",
                        device->disconnect_main ? "main" : "back-end", mapping->shmid,
                        mapping->shm_offset, mapping->len));
    if (!finding) {
        return;
    }
    finding->count = count;
    g_autoptr(GPtrArray) left = ss_mappings_of(device);
    for (guint i = 0; i < left->len; i++) {
        const SsMapping *one = g_ptr_array_index(left, i);
        if (one->added_ns <= since_ns) {
            SsAbout about = ss_about_mapping(one);
            ss_finding_add_about(finding, &about);
        }
    }
    finding->first_ns = since_ns;
    finding->duration_ns = ns - since_ns;
    if (outside && certainty == SS_SUSPECTED && !finding->condition) {
        finding->condition =
            g_strdup("not visible from outside: whether the guest still sees them, "
                     "or they were taken out and are held (mapping-leak)");
    } else if (certainty != SS_OBSERVED && !finding->condition) {
        finding->condition =
            g_strdup(outside ? "not seen: whether QEMU went on, or ended, and the mappings with it"
                             : "the recording ended before the cleanup had its time");
    }
    ss_finding_take_journal(finding, device, since_ns - SS_NS_PER_MS, ns, KINDS);
}

/* Of a device without a back-end, when somebody looked. Whose a file was that nobody has any more
 * is not seen. */
static void judge_looked(SsChecks *checks, const SsCheck *check, SsDevice *device, gint64 ns)
{
    bool gone = device->main_channel == SS_CHANNEL_CLOSED ||
                device->main_channel == SS_CHANNEL_PENDING; /* by another connection than theirs */
    if (!gone || !device->held) {
        return;
    }
    const GArray *held = device->held;
    guint64 bytes = 0;
    for (guint i = 0; i < held->len; i++) {
        bytes += g_array_index(held, SsHeld, i).len;
    }
    const SsHeld *first = &g_array_index(held, SsHeld, 0);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, device->process, device, device->birth_ns, ns, "looked",
        g_strdup_printf(
            "%s still has %u mapping%s (%" G_GUINT64_FORMAT
            " bytes) of files of a back-end that is gone, such as at 0x%" G_GINT64_MODIFIER "x",
            ss_front_text(device->process), held->len, held->len == 1 ? "" : "s", bytes,
            first->host));
    if (!finding) {
        return;
    }
    finding->count = held->len;
    for (guint i = 0; i < held->len; i++) {
        const SsHeld *one = &g_array_index(held, SsHeld, i);
        ss_finding_add_about(finding, &(SsAbout){ .fd = one->fd, .ino = one->ino });
    }
    finding->condition = g_strdup("not visible: whether the guest still sees them, and that the "
                                  "files are the back-end's");
}

/* What closed too late to be judged in the time that was left. */
static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 ns)
{
    for (guint i = 0; i < process->devices->len; i++) {
        SsDevice *device = g_ptr_array_index(process->devices, i);
        if (ss_process_looked(process)) {
            judge_looked(checks, check, device, ns);
        }
        /* Seen from outside: the process closed its channel as it ended. */
        bool went = ss_process_outside(process) && process->ended_ns;
        if (device->disconnect_ns && !device->absorbed && !went) {
            /* Cleaned up, they say, and the process went on to something else. */
            bool done = device->gone_ns && process->last_ns > device->gone_ns + SS_STEP_NS;
            judge(checks, check, device, done ? SS_SUSPECTED : SS_UNKNOWN, device->disconnect_ns,
                  ns);
        }
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_DISCONNECTED) {
        judge(checks, check, notice->device, SS_OBSERVED, notice->since_ns, notice->ns);
    } else if (notice->kind == SS_NOTICE_PROCESS_ENDS) {
        at_end(checks, check, notice->process, notice->ns);
    }
}

const SsCheck ss_check_stale_mapping = {
    .id = "stale-mapping",
    .title = "STALE MAPPING",
    .needs = SS_NEEDS(MAPPING) | SS_NEEDS(CHANNEL) | SS_NEEDS(DEVICE),
    .outside = true,
    .look = true,
    .notices = SS_ON(DISCONNECTED) | SS_ON(PROCESS_ENDS),
    .rule = "when a back-end goes, its mappings go",
    .remedy_now = "reset the device",
    .remedy_for_good = "in QEMU: remove the device's mappings at disconnect",
    .notice = notice,
};
