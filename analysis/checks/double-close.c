/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * double-close: a descriptor is closed again after its last legitimate close. The number was
 * free, which close() says, or somebody else's by then, which it does not. What follows from
 * a close that was too early belongs to fd-closed-early.
 */
#include "analysis/checks/check.h"
#include "analysis/checks/closer-text.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_FD_RECEIVED) | \
     SS_STEP_BIT(SS_STEP_FD_DUPLICATED) | SS_STEP_BIT(SS_STEP_FD_CLOSED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_REMOVED) | SS_STEP_BIT(SS_STEP_MAPPING_FINALIZED))

/* Whose number it was the second time: " when it was fd 31 (inode 7001) of SHMEM_MAP #3". */
static char *victim_text(const SsClose *close)
{
    const SsDescriptor *victim = close->victim;
    if (!victim) {
        return close->ret ? g_strdup_printf(": %s", g_strerror(ABS(MAX(close->ret, -4096))))
                          : g_strdup(", and the number was open: somebody else's");
    }
    GString *text = g_string_new(", when the number was another's:");
    if (victim->ino) {
        g_string_append_printf(text, " inode %" G_GUINT64_FORMAT, victim->ino);
    }
    if (victim->seq) {
        g_string_append_printf(text, " of #%" G_GUINT64_FORMAT, victim->seq);
    }
    return g_string_free(text, FALSE);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_CLOSED_AGAIN) {
        return;
    }
    const SsClose *close = notice->close;
    const SsClosed *first = &close->first;
    bool proven = close->ret || first->closer != SS_CLOSER_UNSEEN;
    SsAbout about = ss_closed_about(checks->model, first);
    g_autofree char *what = ss_closed_text(first);
    g_autofree char *victim = victim_text(close);
    g_autofree char *place = g_strdup_printf("%d|%d|%d", first->closer, close->closer, close->ret);
    SsFinding *finding = ss_checks_report(
        checks, check, proven ? SS_OBSERVED : SS_SUSPECTED, notice->process, notice->device,
        first->birth_ns, notice->ns, place,
        g_strdup_printf("%s was closed by %s, and again by %s%s", what,
                        ss_closer_text(first->closer), ss_closer_text(close->closer), victim));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    bool by_mapping = first->closer == SS_CLOSER_MAPPING || close->closer == SS_CLOSER_MAPPING;
    ss_finding_set_place(finding, ss_closer_place(by_mapping ? SS_CLOSER_MAPPING : close->closer),
                         NULL);
    if (!proven && !finding->condition) {
        finding->condition = g_strdup("not visible: who closed it first");
    }
    if (close->victim) {
        ss_finding_state(finding, "the other",
                         g_strdup("is closed now: who uses the number gets an error, or the file "
                                  "that has it next"));
    }
    if (notice->device) {
        ss_finding_take_journal(finding, notice->device, first->closed_ns - SS_NS_PER_MS,
                                notice->ns, KINDS);
    }
    ss_finding_add_witness(
        finding, notice->ns, false, 0,
        g_strdup_printf(close->ret ? "close of fd %d fails" : "closes fd %d again", close->number));
}

const SsCheck ss_check_double_close = {
    .id = "double-close",
    .title = "DOUBLE CLOSE",
    .needs = SS_NEEDS(FD) | SS_NEEDS(MAPPING),
    .outside = true,
    .notices = SS_ON(CLOSED_AGAIN),
    .rule = "a received descriptor is closed at the end of its dispatch, a mapping's own one "
            "by its RAM block, each once",
    .remedy_for_good = "in QEMU: leave the close to the RAM block once it has the descriptor",
    .notice = notice,
};
