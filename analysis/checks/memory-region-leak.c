/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory-region-leak: a mapping's object is gone, and its MemoryRegion is not:
 * - it was never finalized; judged as fd-leak judges a RAM block, when another's that was to go
 *   later has gone, or the process went on for SS_GRACE_NS and nothing held RCU up;
 * - it was finalized, and the memory of the structure was not given back: mappings' objects come
 *   to lie where others lay before, and no structure ever does.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | SS_STEP_BIT(SS_STEP_MAPPING_FINALIZED))

/* So often objects must lie where others lay before it says something that structures do not. */
#define ENOUGH_AGAIN 8

static void never_ended(SsChecks *checks, const SsCheck *check, SsProcess *process,
                        const SsStructure *structure, gint64 end_ns)
{
    const SsStructures *all = &process->structures;
    gint64 since = process->last_ns - structure->mapping_ended_ns;
    bool passed_by = all->newest_whole_ns > structure->mapping_ended_ns;
    bool had_time = since >= SS_GRACE_NS && !ss_process_waits(process, NULL);
    if (!structure->mapping_ended_ns || (!passed_by && !had_time)) {
        return;
    }
    SsAbout about = { .fd = structure->fd,
                      .ino = structure->ino,
                      .label = ss_label_text(checks->model, structure->label),
                      .has_range = structure->len != 0,
                      .shmid = structure->shmid,
                      .shm_offset = structure->shm_offset,
                      .len = structure->len };
    g_autofree char *what = ss_about_text(&about);
    SsFinding *finding = ss_checks_report(
        checks, check, passed_by ? SS_OBSERVED : SS_SUSPECTED, process, structure->device,
        structure->birth_ns, end_ns, "object",
        g_strdup_printf("the mapping of %s is finalized, its MemoryRegion 0x%" G_GINT64_MODIFIER
                        "x is not",
                        what, structure->mr));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, SS_PLACE_NEW, NULL);
    if (!passed_by && !finding->condition) {
        finding->condition =
            g_strdup("not visible: who holds it, and whether QEMU's RCU thread still runs");
    }
    if (structure->device) {
        ss_finding_take_journal(finding, structure->device, structure->birth_ns - SS_NS_PER_MS,
                                end_ns, KINDS);
    }
}

/* Oldest first, so that the finding tells of that one. */
static gint by_birth(gconstpointer a, gconstpointer b)
{
    const SsStructure *sa = *(const SsStructure *const *)a;
    const SsStructure *sb = *(const SsStructure *const *)b;
    return sa->birth_ns < sb->birth_ns ? -1 : sa->birth_ns > sb->birth_ns;
}

static void never_freed(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 end_ns)
{
    const SsStructures *all = &process->structures;
    if (all->again || all->mappings_again < ENOUGH_AGAIN || all->ended < ENOUGH_AGAIN) {
        return;
    }
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, process, all->several ? NULL : all->device, all->first_ns,
        end_ns, "structure",
        g_strdup_printf("%" G_GUINT64_FORMAT " MemoryRegion structures of mappings have ended, and "
                        "the memory of none was used again; that of mappings' objects was, "
                        "%" G_GUINT64_FORMAT " times",
                        all->ended, all->mappings_again));
    if (!finding) {
        return;
    }
    finding->count = all->ended;
    ss_finding_set_place(finding, SS_PLACE_FINALIZE, NULL);
    if (!finding->condition) {
        finding->condition = g_strdup("not visible: the memory itself; it may have been freed and "
                                      "serve something else each time");
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_PROCESS_ENDS) {
        return;
    }
    SsProcess *process = notice->process;
    g_autoptr(GPtrArray) live = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->structures.live);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(live, value);
    }
    g_ptr_array_sort(live, by_birth);
    for (guint i = 0; i < live->len; i++) {
        never_ended(checks, check, process, g_ptr_array_index(live, i), notice->ns);
    }
    never_freed(checks, check, process, notice->ns);
}

const SsCheck ss_check_memory_region_leak = {
    .id = "memory-region-leak",
    .title = "MEMORY REGION LEAK",
    .needs = SS_NEEDS(MAPPING) | SS_NEEDS(DETAIL),
    .notices = SS_ON(PROCESS_ENDS),
    .rule = "a mapping's MemoryRegion goes with the mapping, its structure too",
    .remedy_for_good = "in QEMU: embed the MemoryRegion in the mapping's object, or free it when "
                       "the object is finalized",
    .notice = notice,
};
