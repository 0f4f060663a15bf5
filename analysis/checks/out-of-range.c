/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * out-of-range: a SHMEM request whose range is none, or is not in its region or not in its
 * file. A file's size is what QEMU saw as the descriptor came; of what is no regular file,
 * such as a block device, it reads 0.
 */
#include "analysis/checks/outside.h"

typedef struct Reason {
    const char *word;
    const char *why; /* unless the trace tells more */
} Reason;

static const Reason reasons[] = {
    { "out-of-range", "which leaves the region" },
    { "beyond-file", "which the file does not have" },
    { "zero-length", "which is nothing" },
    { "unaligned", "which does not consist of whole pages" },
    { "bad-shmid", "a region that the device does not have" },
    { "no-region", "of a device without regions" },
};

static char *region_text(const SsRegion *region)
{
    return g_strdup_printf("which leaves the region of 0x%" G_GINT64_MODIFIER "x bytes",
                           region->size);
}

static char *file_text(const SsExchange *exchange)
{
    if (!exchange->file_size) {
        return g_strdup("for which its file is empty");
    }
    return g_strdup_printf("from 0x%" G_GINT64_MODIFIER "x in a file of 0x%" G_GINT64_MODIFIER
                           "x bytes",
                           exchange->fd_offset, exchange->file_size);
}

static void refused(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    const SsRegion *region = ss_outside_region(notice);
    const char *reason = g_str_equal(exchange->reason, SS_REASON_NOT_TOLD)
                             ? ss_outside_reason(checks, notice)
                             : exchange->reason;
    for (guint i = 0; i < G_N_ELEMENTS(reasons); i++) {
        if (!g_str_equal(reason, reasons[i].word)) {
            continue;
        }
        bool leaves = i == 0 && region &&
                      ss_outside_beyond(exchange->shm_offset, exchange->len, region->size);
        bool no_file = i == 1 && exchange->has_file;
        g_autofree char *why = leaves    ? region_text(region)
                               : no_file ? file_text(exchange)
                                         : g_strdup(reasons[i].why);
        SsOutside outside = { .word = reasons[i].word,
                              .why = why,
                              .certainty = SS_OBSERVED,
                              .from_ns = exchange->request_ns };
        (void)ss_outside_report(checks, check, notice, &outside);
    }
}

/* QEMU has mapped it. */
static void mapped(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    const SsRegion *region = ss_outside_region(notice);
    SsOutside outside = { .certainty = SS_OBSERVED,
                          .from_ns = exchange->request_ns,
                          .did = "mapped it" };
    g_autofree char *why = NULL;
    if (region && ss_outside_beyond(exchange->shm_offset, exchange->len, region->size)) {
        outside.word = "out-of-range";
        why = region_text(region);
        outside.in_qemu = "in QEMU: refuse a range that leaves the region; in the back-end: "
                          "keep within it";
    } else if ((exchange->shm_offset | exchange->len | exchange->fd_offset) % SS_OUTSIDE_PAGE) {
        outside.word = "unaligned";
        why = g_strdup("which does not consist of whole pages");
        outside.in_qemu = "in QEMU: refuse what is not aligned; in the back-end: align it";
    } else if (exchange->has_file && exchange->file_size &&
               ss_outside_beyond(exchange->fd_offset, exchange->len, exchange->file_size)) {
        outside.word = "beyond-file";
        why = file_text(exchange);
        outside.did = "mapped it, and the guest faults beyond the end";
        outside.in_qemu = "in QEMU: refuse a range that the file does not have; in the "
                          "back-end: extend the file first";
    } else if (exchange->has_file && !exchange->file_size) {
        outside.word = "empty-file";
        why = file_text(exchange);
        outside.certainty = SS_SUSPECTED;
        outside.did = "extended the back-end's file, and mapped it";
        outside.condition = "not visible: that it is a regular file; the size of a device reads 0";
        outside.in_qemu = "in QEMU: refuse a MAP of an empty file; in the back-end: extend the "
                          "file first";
    } else {
        return;
    }
    outside.why = why;
    (void)ss_outside_report(checks, check, notice, &outside);
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    const SsExchange *exchange = notice->exchange;
    if (notice->kind == SS_NOTICE_REFUSED) {
        refused(checks, check, notice);
    } else if (notice->kind == SS_NOTICE_SETTLED && exchange->request == SS_REQUEST_SHMEM_MAP &&
               exchange->has_range && exchange->added && !exchange->refused) {
        mapped(checks, check, notice);
    }
}

const SsCheck ss_check_out_of_range = {
    .id = "out-of-range",
    .title = "OUT OF RANGE",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REFUSAL) | SS_NEEDS(DISPATCH) |
             SS_NEEDS(MAPPING) | SS_NEEDS(FD) | SS_NEEDS(DEVICE),
    .outside = true,
    .notices = SS_ON(REFUSED) | SS_ON(SETTLED),
    .rule = "a range lies in its region and in its file, in whole pages",
    .remedy_for_good = "in the back-end: ask for what region and file have",
    .notice = notice,
};
