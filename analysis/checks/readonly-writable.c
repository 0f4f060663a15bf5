/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * readonly-writable: a SHMEM_MAP asked for a read-only mapping, and the guest may write to
 * what it got. Setting the flag for the descriptor alone does that.
 */
#include "analysis/checks/about.h"
#include "analysis/checks/check.h"

#define KINDS \
    (SS_STEP_BIT(SS_STEP_REQUEST) | SS_STEP_BIT(SS_STEP_FD_DUPLICATED) | \
     SS_STEP_BIT(SS_STEP_MAPPING_ADDED))

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_MAPPED) {
        return;
    }
    const SsExchange *exchange = notice->exchange;
    const SsMapping *mapping = notice->mapping;
    if (exchange->request != SS_REQUEST_SHMEM_MAP || !exchange->has_range ||
        (exchange->map_flags & SS_MAP_WRITABLE) || !mapping->details || !mapping->writable) {
        return;
    }
    SsAbout about = ss_about_mapping(mapping);
    g_autofree char *what = ss_about_text(&about);
    SsFinding *finding = ss_checks_report(checks, check, SS_OBSERVED, notice->process,
                                          notice->device, exchange->request_ns, notice->ns, "map",
                                          g_strdup_printf("SHMEM_MAP #%" G_GUINT64_FORMAT
                                                          " asked for a read-only mapping, and the "
                                                          "guest may write to it: %s",
                                                          exchange->seq, what));
    ss_finding_add_about(checks->last, &about);
    if (!finding) {
        return;
    }
    ss_finding_set_place(finding, SS_PLACE_NEW, NULL);
    if (notice->device) {
        ss_finding_take_journal(finding, notice->device, exchange->request_ns, notice->ns, KINDS);
    }
}

const SsCheck ss_check_readonly_writable = {
    .id = "readonly-writable",
    .title = "WRITABLE READ-ONLY MAPPING",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(MAPPING) | SS_NEEDS(DISPATCH),
    .outside = true,
    .notices = SS_ON(MAPPED),
    .rule = "without the flag for writing, the guest must not be able to write",
    .remedy_now = "unmap it; what the guest wrote is in the back-end's file",
    .remedy_for_good = "in QEMU: make the memory read-only, not only its descriptor",
    .notice = notice,
};
