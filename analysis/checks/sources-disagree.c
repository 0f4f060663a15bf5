/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sources-disagree: QEMU's tracepoints and the wire library tell of the same call, and not the
 * same: what a request asked for, what was replied, how a close went, which number a duplicate has,
 * what was mapped. Which of both is right is not known; a recording in which they contradict each
 * other proves less than it seems to.
 */
#include "analysis/checks/outside.h"
#include "analysis/report/names.h"

/* "SHMEM_MAP for 0x0+0x1000", and what else one of both tells otherwise. */
static char *asked_text(const SsDisagreement *found, guint32 number, const SsPlace *place,
                        guint64 offset, guint64 flags)
{
    g_autofree char *request = ss_backend_request_text(number);
    g_autofree char *range = ss_range_text(place->shmid, place->offset, place->len);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "%s for %s", request, range);
    if (found->told_offset != found->seen_offset) {
        g_string_append_printf(text, " from 0x%" G_GINT64_MODIFIER "x of the file", offset);
    }
    if (found->told_flags != found->seen_flags) {
        g_string_append_printf(text, " with flags 0x%" G_GINT64_MODIFIER "x", flags);
    }
    return g_string_free(text, FALSE);
}

static char *request_text(const SsDisagreement *found)
{
    g_autofree char *told =
        asked_text(found, found->request, &found->told, found->told_offset, found->told_flags);
    g_autofree char *seen =
        asked_text(found, found->seen_request, &found->seen, found->seen_offset, found->seen_flags);
    return g_strdup_printf("#%" G_GUINT64_FORMAT " is %s, QEMU tells; on the wire it is %s",
                           found->seq, told, seen);
}

static char *reply_text(const SsDisagreement *found)
{
    g_autofree char *request = ss_backend_request_text(found->request);
    if (found->none) {
        return g_strdup_printf("%s #%" G_GUINT64_FORMAT
                               " was answered, QEMU tells; on the wire no answer went out",
                               request, found->seq);
    }
    return g_strdup_printf("%s #%" G_GUINT64_FORMAT " was answered with %" G_GUINT64_FORMAT
                           ", QEMU tells; on the wire with %" G_GUINT64_FORMAT,
                           request, found->seq, found->told_value, found->seen_value);
}

static char *number_text(gint32 number)
{
    return number < 0 ? g_strdup_printf("failed with %d", number)
                      : g_strdup_printf("is fd %d", number);
}

static char *dup_text(const SsDisagreement *found)
{
    g_autofree char *told = number_text((gint32)found->told_value);
    g_autofree char *seen = number_text((gint32)found->seen_value);
    return g_strdup_printf("the duplicate of fd %d %s, QEMU tells; seen from outside it %s",
                           found->fd, told, seen);
}

static char *map_text(const SsDisagreement *found)
{
    GString *told = g_string_new(NULL), *seen = g_string_new(NULL);
    if (found->told_offset != found->seen_offset) {
        g_string_append_printf(told, " from 0x%" G_GINT64_MODIFIER "x of its file",
                               found->told_offset);
        g_string_append_printf(seen, " from 0x%" G_GINT64_MODIFIER "x", found->seen_offset);
    }
    if (found->told_writable != found->seen_writable) {
        g_string_append(told, found->told_writable ? " writable" : " read-only");
        g_string_append(seen, found->seen_writable ? " writable" : " read-only");
    }
    if (found->told_addr != found->seen_addr) {
        g_string_append_printf(told, " at 0x%" G_GINT64_MODIFIER "x", found->told_addr);
        g_string_append_printf(seen, " at 0x%" G_GINT64_MODIFIER "x", found->seen_addr);
    }
    char *text = g_strdup_printf("fd %d is mapped%s, QEMU tells; seen from outside it is%s",
                                 found->fd, told->str, seen->str);
    g_string_free(told, TRUE);
    g_string_free(seen, TRUE);
    return text;
}

static char *summary_text(const SsDisagreement *found)
{
    switch (found->kind) {
    case SS_DISAGREE_REQUEST:
        return request_text(found);
    case SS_DISAGREE_REPLY:
        return reply_text(found);
    case SS_DISAGREE_DUP:
        return dup_text(found);
    case SS_DISAGREE_MAP:
        return map_text(found);
    case SS_DISAGREE_CLOSE:
    default:
        return g_strdup_printf("the close of fd %d ended with %d, QEMU tells; seen from outside it "
                               "ended with %d",
                               found->fd, (gint32)found->told_value, (gint32)found->seen_value);
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    static const char *const words[] = { "request", "reply", "close", "duplicate", "map" };
    const SsDisagreement *found = notice->disagreement;
    SsFinding *finding =
        ss_checks_report(checks, check, SS_OBSERVED, notice->process, notice->device,
                         notice->since_ns, notice->ns, words[found->kind], summary_text(found));
    if (finding) {
        ss_finding_state(
            finding, "report",
            g_strdup("follows QEMU's tracepoints in all that it says of this process"));
    }
}

const SsCheck ss_check_sources_disagree = {
    .id = "sources-disagree",
    .title = "SOURCES DISAGREE",
    .needs = SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(REPLY) | SS_NEEDS(FD) | SS_NEEDS(MAPPING),
    .outside = true,
    .compares = true,
    .notices = SS_ON(DISAGREE),
    .rule = "two sources that tell of the same call tell the same",
    .remedy_for_good =
        "find out which of both is wrong: the tracepoint's arguments, or a call that "
        "the library takes for another",
    .notice = notice,
};
