/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mapping-leak: a mapping was removed, or its device was reset or unplugged, and it was
 * never finalized. A flat view may hold it until a commit and an RCU grace period later:
 * it is judged when a commit ended after the removal and the process went on for
 * SS_GRACE_NS after that, with nobody standing in a wait (who would hold RCU up). It is
 * observed when a mapping removed later was finalized meanwhile; else suspected.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | SS_STEP_BIT(SS_STEP_MAPPING_FINALIZED) | \
     SS_STEP_BIT(SS_STEP_RESET_BEGIN) | SS_STEP_BIT(SS_STEP_RESET_END) | \
     SS_STEP_BIT(SS_STEP_UNREALIZE_BEGIN) | SS_STEP_BIT(SS_STEP_UNREALIZE_END) | \
     SS_STEP_BIT(SS_STEP_COMMIT_END))

static void removed_kept(SsChecks *checks, const SsCheck *check, SsProcess *process,
                         SsMapping *mapping, gint64 end_ns)
{
    bool commit_after = process->last_commit_end_ns > mapping->removed_ns;
    gint64 since = process->last_ns - mapping->removed_ns;
    if (!commit_after || since < SS_GRACE_NS || ss_process_waits(process, NULL)) {
        return;
    }
    bool passed_by = process->newest_finalized_removal_ns > mapping->removed_ns;
    SsAbout about = ss_about_mapping(mapping);
    g_autofree char *what = ss_about_text(&about);
    g_autofree char *place = g_strdup_printf("removed|%s", mapping->reason);
    SsFinding *finding = ss_checks_report(
        checks, check, passed_by ? SS_OBSERVED : SS_SUSPECTED, process, mapping->device,
        mapping->removed_ns, end_ns, place,
        g_strdup_printf("the mapping of %s was removed (%s) and in %.1f s not finalized", what,
                        mapping->reason, (double)since / SS_NS_PER_S));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, SS_PLACE_REMOVE, mapping->reason);
    finding->duration_ns = since;
    if (ss_process_outside(process) && !finding->condition) {
        finding->condition = g_strdup(
            "not visible from outside: what is held, the mapping, its memory region "
            "(memory-region-leak) or its RAM block (fd-leak), and whether QEMU's RCU thread runs");
    } else if (!passed_by && !finding->condition) {
        finding->condition =
            g_strdup("not visible: who holds it, and whether QEMU's RCU thread still runs");
    }
    if (mapping->device) {
        ss_finding_take_journal(finding, mapping->device, mapping->removed_ns - SS_NS_PER_MS,
                                process->last_ns, KINDS);
    }
}

static void at_end(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 end_ns)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        SsMapping *mapping = value;
        if (mapping->removed_ns) {
            removed_kept(checks, check, process, mapping, end_ns);
        }
    }
}

/* Since when nothing has been told that is in the device's regions. */
static gint64 untold_since(const SsProcess *process, const SsDevice *device, gint64 ns)
{
    gint64 since = ns;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->mappings);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsMapping *mapping = value;
        if (mapping->device == device && mapping->in_region) {
            since = MIN(since, mapping->told_ns);
        }
    }
    return since;
}

static void left(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsDevice *device = notice->device;
    /* Two counts: ours, and QEMU's own, which also knows what began before us. */
    guint64 mappings = MAX(device ? device->live_mappings : 0, notice->mappings);
    if (!mappings) {
        return;
    }
    bool reset = notice->kind == SS_NOTICE_RESET_ENDED;
    /* Without QEMU's count ours alone says so: it is as good as what was told since. */
    bool counted = notice->mappings > 0;
    SsFinding *finding = ss_checks_report(
        checks, check, counted ? SS_OBSERVED : SS_SUSPECTED, notice->process, notice->device,
        counted ? notice->since_ns : untold_since(notice->process, device, notice->since_ns),
        notice->ns, reset ? "reset" : "unplug",
        g_strdup_printf("%" G_GUINT64_FORMAT " mapping%s left when the %s of the device ended",
                        mappings, mappings == 1 ? " was" : "s were", reset ? "reset" : "unplug"));
    if (!finding) {
        if (checks->last) {
            /* What an earlier one left is left again: it does not count twice. */
            checks->last->count = MAX(checks->last->count - 1, mappings);
        }
        return;
    }
    finding->count = mappings;
    finding->first_ns = notice->since_ns;
    if (!counted && !finding->condition) {
        finding->condition = g_strdup("not visible: where they are; QEMU counts none");
    }
    if (device) {
        ss_finding_take_journal(finding, device, 0, notice->ns, KINDS);
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    switch (notice->kind) {
    case SS_NOTICE_RESET_ENDED:
    case SS_NOTICE_UNREALIZED:
        left(checks, check, notice);
        break;
    case SS_NOTICE_PROCESS_ENDS:
        at_end(checks, check, notice->process, notice->ns);
        break;
    default:
        break;
    }
}

const SsCheck ss_check_mapping_leak = {
    .id = "mapping-leak",
    .title = "MAPPING LEAK",
    .needs = SS_NEEDS(MAPPING) | SS_NEEDS(TRANSACTION) | SS_NEEDS(DEVICE),
    .outside = true,
    .unseen = "a reset or an unplug of the device",
    .notices = SS_ON(RESET_ENDED) | SS_ON(UNREALIZED) | SS_ON(PROCESS_ENDS),
    .rule = "a mapping that left its region is finalized; reset and unplug leave none behind",
    .remedy_for_good = "in QEMU: remove the mappings at reset and unplug, and drop every "
                       "reference that was taken",
    .notice = notice,
};
