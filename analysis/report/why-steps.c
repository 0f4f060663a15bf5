/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each step of a chain in words.
 */
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/why.h"

#define HEX "0x%" G_GINT64_MODIFIER "x"
#define U64 "%" G_GUINT64_FORMAT

static const char *const names[SS_N_CHAIN_STEPS] = {
    [SS_CHAIN_REQUEST] = "request",
    [SS_CHAIN_FD_RECEIVED] = "fd-received",
    [SS_CHAIN_FD_DUPLICATED] = "fd-duplicated",
    [SS_CHAIN_MADE] = "made",
    [SS_CHAIN_RAM] = "ram-block",
    [SS_CHAIN_ADDED] = "added",
    [SS_CHAIN_REFUSED] = "refused",
    [SS_CHAIN_REPLY] = "reply",
    [SS_CHAIN_COMMIT_BEGIN] = "commit-begin",
    [SS_CHAIN_COMMIT_END] = "commit-end",
    [SS_CHAIN_WAIT_BEGIN] = "wait-begin",
    [SS_CHAIN_WAIT_LASTS] = "wait-lasts",
    [SS_CHAIN_WAIT_END] = "wait-end",
    [SS_CHAIN_FD_CLOSED] = "fd-closed",
    [SS_CHAIN_FD_CLOSED_UNSEEN] = "fd-closed-unseen",
    [SS_CHAIN_DISPATCHED] = "dispatched",
    [SS_CHAIN_REMOVED] = "removed",
    [SS_CHAIN_FINALIZED] = "finalized",
    [SS_CHAIN_ENDED_UNSEEN] = "ended-unseen",
    [SS_CHAIN_TOLD] = "told",
    [SS_CHAIN_MAIN_CLOSED] = "main-channel-closed",
    [SS_CHAIN_BACKEND_CLOSED] = "backend-channel-closed",
    [SS_CHAIN_RESET_BEGIN] = "reset-begin",
    [SS_CHAIN_RESET_END] = "reset-end",
    [SS_CHAIN_UNREALIZE_BEGIN] = "unrealize-begin",
    [SS_CHAIN_UNREALIZE_END] = "unrealize-end",
};

const char *ss_why_step_name(SsChainStepKind kind)
{
    return names[kind];
}

static char *request_text(const SsChain *chain, const SsChainStep *step)
{
    g_autofree char *request = ss_backend_request_text(step->request);
    if (!chain->has_range) {
        return g_strdup_printf("%s #" U64 " is read", request, step->seq);
    }
    const char *access = step->request != SS_REQUEST_SHMEM_MAP ? ""
                         : step->a & SS_MAP_WRITABLE           ? ", read-write"
                                                               : ", read-only";
    return g_strdup_printf("%s #" U64 " is read: region %u " HEX "+" HEX "%s", request, step->seq,
                           chain->shmid, chain->shm_offset, chain->len, access);
}

static char *closed_text(const SsChainStep *step)
{
    static const char *const closers[] = {
        [SS_CLOSER_UNSEEN] = "",
        [SS_CLOSER_DISPATCH] = ", which came with the request",
        [SS_CLOSER_MAPPING] = " by its mapping",
        [SS_CLOSER_RAM_BLOCK] = " by its RAM block, after RCU",
    };
    const char *closer = closers[step->b];
    return step->ret ? g_strdup_printf("close of fd %d%s fails: %s", (gint32)step->a, closer,
                                       g_strerror(ABS(step->ret)))
                     : g_strdup_printf("fd %d is closed%s", (gint32)step->a, closer);
}

static char *reply_text(const SsChainStep *step)
{
    if (step->ret) {
        return g_strdup_printf("the reply to #" U64 " cannot be sent: %s", step->seq,
                               g_strerror(ABS(step->ret)));
    }
    return step->a ? g_strdup_printf("reply to #" U64 ": failed (" U64 ")", step->seq, step->a)
                   : g_strdup_printf("reply to #" U64 ": ok", step->seq);
}

static char *wait_text(const SsChainStep *step)
{
    g_autofree char *request = ss_frontend_request_text(step->request);
    switch (step->kind) {
    case SS_CHAIN_WAIT_BEGIN:
        return g_strdup_printf("%s is sent to the back-end, and its reply awaited", request);
    case SS_CHAIN_WAIT_LASTS:
        return g_strdup_printf("still waits for the reply to %s, for %.1f s", request,
                               (double)step->a / 1000);
    default:
        return step->ret ? g_strdup_printf("no reply to %s comes: %s", request,
                                           g_strerror(ABS(step->ret)))
                         : g_strdup_printf("the reply to %s is there", request);
    }
}

static char *fixed_text(const SsChainStep *step)
{
    switch (step->kind) {
    case SS_CHAIN_MADE:
        return g_strdup("the mapping is made");
    case SS_CHAIN_RAM:
        return g_strdup("its RAM block is made, and owns the descriptor");
    case SS_CHAIN_COMMIT_BEGIN:
        return g_strdup("a commit begins");
    case SS_CHAIN_COMMIT_END:
        return g_strdup(step->a == 1   ? "the commit has ended: visible to the guest"
                        : step->a == 2 ? "the commit has ended: visible no more"
                                       : "the commit has ended");
    case SS_CHAIN_FINALIZED:
        return g_strdup("it is finalized: no flat view holds it");
    case SS_CHAIN_ENDED_UNSEEN:
        return g_strdup("another is made at its address: its end was not seen");
    case SS_CHAIN_TOLD:
        return g_strdup("it is there: told as the tracer asked for the state");
    case SS_CHAIN_MAIN_CLOSED:
        return g_strdup("the main channel of the device is closed");
    case SS_CHAIN_BACKEND_CLOSED:
        return g_strdup("the back-end channel of the device is closed");
    case SS_CHAIN_RESET_BEGIN:
        return g_strdup("a reset of the device begins");
    case SS_CHAIN_RESET_END:
        return g_strdup("the reset has ended, and it is still mapped");
    case SS_CHAIN_UNREALIZE_BEGIN:
        return g_strdup("the device begins to be unplugged");
    case SS_CHAIN_UNREALIZE_END:
        return g_strdup("the device is unplugged, and it is still mapped");
    default:
        return g_strdup(""); /* who calls tells the others */
    }
}

char *ss_why_step_text(const SsChain *chain, const SsChainStep *step)
{
    switch (step->kind) {
    case SS_CHAIN_REQUEST:
        return request_text(chain, step);
    case SS_CHAIN_FD_RECEIVED:
        return g_strdup_printf("fd %d came with it (inode " U64 ")", (gint32)step->a, step->b);
    case SS_CHAIN_FD_DUPLICATED:
        return step->ret ? g_strdup_printf("fd %d cannot be duplicated: %s", (gint32)step->b,
                                           g_strerror(ABS(step->ret)))
                         : g_strdup_printf("fd %d is duplicated: fd %d is the mapping's own",
                                           (gint32)step->b, (gint32)step->a);
    case SS_CHAIN_ADDED:
        return step->a == G_MAXUINT64
                   ? g_strdup("it enters its region, which the guest has not placed")
                   : g_strdup_printf("it enters its region, at " HEX " of the guest", step->a);
    case SS_CHAIN_REFUSED:
        return g_strdup_printf("#" U64 " is refused: %s", step->seq, step->word);
    case SS_CHAIN_REPLY:
        return reply_text(step);
    case SS_CHAIN_WAIT_BEGIN:
    case SS_CHAIN_WAIT_LASTS:
    case SS_CHAIN_WAIT_END:
        return wait_text(step);
    case SS_CHAIN_FD_CLOSED:
        return closed_text(step);
    case SS_CHAIN_FD_CLOSED_UNSEEN:
        return g_strdup_printf("fd %d is handed out again: its close was not seen",
                               (gint32)step->a);
    case SS_CHAIN_DISPATCHED:
        return step->ret ? g_strdup_printf("QEMU is done with #" U64 ", and closes the channel: %s",
                                           step->seq, g_strerror(ABS(step->ret)))
                         : g_strdup_printf("QEMU is done with #" U64, step->seq);
    case SS_CHAIN_REMOVED:
        return g_strdup_printf("it is taken out of its region: %s", step->word);
    default:
        return fixed_text(step);
    }
}

char *ss_why_who_text(const SsChain *chain, gint32 tid)
{
    if (tid == chain->process->pid) {
        return g_strdup("main loop");
    }
    const SsThread *thread = g_hash_table_lookup(chain->process->threads, GINT_TO_POINTER(tid));
    return thread && *thread->name ? g_strdup_printf("thread %s", thread->name)
                                   : g_strdup_printf("thread %d", tid);
}

char *ss_why_what_text(const SsChain *chain)
{
    bool mapping = chain->pointer != 0 || chain->added;
    if (chain->has_range && mapping) {
        return g_strdup_printf("mapping " HEX "+" HEX " of region %u", chain->shm_offset,
                               chain->len, chain->shmid);
    }
    g_autofree char *request = ss_backend_request_text(chain->request);
    if (chain->has_range) {
        return g_strdup_printf("%s #" U64 " of " HEX "+" HEX " of region %u", request, chain->seq,
                               chain->shm_offset, chain->len, chain->shmid);
    }
    gint32 fd = chain->own_fd >= 0 ? chain->own_fd : chain->a_received;
    return chain->request ? g_strdup_printf("fd %d of %s #" U64, fd, request, chain->seq)
                          : g_strdup_printf("fd %d", fd);
}

const char *ss_why_label(const SsChain *chain)
{
    return ss_file_label(chain->process, chain->label, chain->fdev, chain->ino);
}

char *ss_why_wanted_text(const SsWanted *wanted)
{
    GString *text = g_string_new(NULL);
    switch (wanted->kind) {
    case SS_WANTED_RANGE:
        g_string_append_printf(text, HEX "+" HEX, wanted->offset, wanted->len);
        break;
    case SS_WANTED_OFFSET:
        g_string_append_printf(text, HEX, wanted->offset);
        break;
    case SS_WANTED_FD:
        g_string_append_printf(text, "fd %d", wanted->fd);
        break;
    case SS_WANTED_INODE:
        g_string_append_printf(text, "inode " U64, wanted->ino);
        break;
    }
    if (wanted->of_region) {
        g_string_append_printf(text, " of region %u", wanted->shmid);
    }
    return g_string_free(text, FALSE);
}
