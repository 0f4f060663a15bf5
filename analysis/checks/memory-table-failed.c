/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * memory-table-failed: a commit could not tell the back-end the new memory table, and its own
 * is stale from then on, for real RAM too. An update that fails because the back-end goes is
 * not meant: only one after which the back-end still answers, or which failed for lack of
 * room, before anything was sent.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_REPLY) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED) | SS_STEP_BIT(SS_STEP_COMMIT_BEGIN) | \
     SS_STEP_BIT(SS_STEP_COMMIT_END) | SS_STEP_BIT(SS_STEP_FRONTEND_REQUEST) | \
     SS_STEP_BIT(SS_STEP_WAIT_END))

static char *place_of(const SsTable *table)
{
    return g_strdup_printf("%d", table->ret);
}

/* The request that led to the commit that failed, when it was one. */
static gint64 witness_from(const SsDevice *device)
{
    gint64 from = device->table.failed_ns - SS_NS_PER_MS;
    for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
        gint64 begin = device->exchanges[i].request_ns;
        if (begin <= device->table.failed_ns) {
            from = MAX(from, begin);
        }
    }
    return from;
}

/* What had no room was not sent, and nobody outside sees what was not. */
static SsCertainty certainty_of(const SsNotice *notice)
{
    return ss_process_outside(notice->process) && notice->device->table.slots ? SS_SUSPECTED
                                                                              : SS_OBSERVED;
}

static void failed(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsTable *table = &notice->device->table;
    g_autofree char *place = place_of(table);
    g_autofree char *room = table->entries > table->slots
                                ? g_strdup_printf(", and the back-end takes %u", table->slots)
                                : g_strdup("");
    SsFinding *finding = ss_checks_report(
        checks, check, certainty_of(notice), notice->process, notice->device, table->stale_ns,
        notice->ns, place,
        g_strdup_printf("the memory table could not be told to the back-end (%s): it has %u "
                        "entries%s",
                        g_strerror(ABS(MAX(table->ret, -4096))), table->entries, room));
    if (!finding) {
        return;
    }
    if (finding->certainty == SS_SUSPECTED) {
        finding->condition =
            g_strdup("not visible from outside: that an update was tried. The last "
                     "table was full, and none followed the mapping");
    }
    ss_finding_set_place(finding, SS_PLACE_TABLE, g_strerror(ABS(MAX(table->ret, -4096))));
    ss_finding_state(finding, "back-end",
                     g_strdup("works with a stale table from now on: it neither finds what is new "
                              "nor forgets what has gone"));
    ss_finding_take_journal(finding, notice->device, witness_from(notice->device), notice->ns,
                            KINDS);
}

/* The table works again, its channel ends, or the recording does. */
static void ended(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    g_autofree char *place = place_of(&notice->device->table);
    SsFinding *finding =
        ss_checks_find(checks, check, certainty_of(notice), notice->process, notice->device, place);
    if (finding && !ss_model_lost(checks->model, notice->process, notice->since_ns, notice->ns)) {
        finding->duration_ns = MAX(finding->duration_ns, notice->ns - notice->since_ns);
        finding->last_ns = MAX(finding->last_ns, notice->ns);
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind == SS_NOTICE_TABLE_FAILED) {
        failed(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_TABLE_TOLD) {
        ended(checks, check, notice);
    }
}

const SsCheck ss_check_memory_table_failed = {
    .id = "memory-table-failed",
    .title = "MEMORY TABLE FAILED",
    .needs = SS_NEEDS(TRANSACTION) | SS_NEEDS(WAIT) | SS_NEEDS(CHANNEL) | SS_NEEDS(DEVICE),
    .outside = true,
    .unseen = "a memory table that could not be sent, unless it was full",
    .notices = SS_ON(TABLE_FAILED) | SS_ON(TABLE_TOLD),
    .rule = "after a commit the back-end knows the memory that the guest has",
    .remedy_now = "unmap until the table has room, and let a commit follow",
    .remedy_for_good = "in the back-end: negotiate CONFIGURE_MEM_SLOTS, and keep fewer mappings "
                       "than slots; in QEMU: refuse the MAP that does not fit",
    .notice = notice,
};
