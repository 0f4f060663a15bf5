/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/window.h"

#include <string.h>

#include "analysis/model/parts.h"

#define MAP_WRITABLE 1

guint ss_wait_chain(const SsWait *wait, SsContext *chain)
{
    guint n = 0;
    for (guint i = 0; i < wait->n_contexts; i++) {
        const SsContext *context = &wait->contexts[i];
        bool told = false;
        for (guint j = i + 1; j < wait->n_contexts && context->kind == SS_CONTEXT_DISPATCH; j++) {
            const SsContext *inner = &wait->contexts[j];
            told |= inner->kind == SS_CONTEXT_COMMIT && inner->device == context->device &&
                    inner->seq == context->seq;
        }
        if (!told) {
            chain[n++] = *context;
        }
    }
    return n;
}

SsWindowClass ss_window_class(const SsWait *wait)
{
    static const SsWindowClass phases[] = {
        [SS_CONTEXT_START] = SS_WINDOW_START,       [SS_CONTEXT_STOP] = SS_WINDOW_STOP,
        [SS_CONTEXT_RESET] = SS_WINDOW_RESET,       [SS_CONTEXT_UNREALIZE] = SS_WINDOW_UNREALIZE,
        [SS_CONTEXT_DISPATCH] = SS_WINDOW_DISPATCH,
    };
    SsContext chain[SS_MAX_CONTEXTS];
    guint n = ss_wait_chain(wait, chain);
    bool commit = false;
    for (guint i = n; i > 0; i--) {
        const SsContext *context = &chain[i - 1];
        if (context->kind != SS_CONTEXT_COMMIT) {
            return phases[context->kind];
        }
        if (context->seq) {
            return context->deferred ? SS_WINDOW_DEFERRED_COMMIT : SS_WINDOW_EARLY_COMMIT;
        }
        commit = true;
    }
    return commit ? SS_WINDOW_OTHER_COMMIT : SS_WINDOW_ELSEWHERE;
}

static guint64 mixed(guint64 key, guint64 value)
{
    return (key ^ value) * G_GUINT64_CONSTANT(0x100000001b3); /* FNV-1a */
}

/* What is waited for, and what it stands in, without numbers. */
static guint64 key_of(const SsWait *wait)
{
    SsContext chain[SS_MAX_CONTEXTS];
    guint n = ss_wait_chain(wait, chain);
    guint64 key = mixed(G_GUINT64_CONSTANT(0xcbf29ce484222325), wait->request);
    for (guint i = 0; i < n; i++) {
        key = mixed(key, chain[i].kind);
        key = mixed(key, chain[i].request);
        key = mixed(key, (chain[i].deferred ? 2 : 0) + (chain[i].device == wait->device));
    }
    return key;
}

bool ss_backend_request_answered(const SsDevice *device, guint32 request, guint32 flags)
{
    if (request == SS_REQUEST_SHARED_OBJECT_LOOKUP) {
        return true; /* it asks for something, whatever its flags say */
    }
    return (flags & SS_HEADER_NEED_REPLY) &&
           (!device->features_known || (device->protocol_features & SS_PROTOCOL_REPLY_ACK));
}

void ss_windows_free(SsWindows *windows)
{
    if (windows) {
        g_ptr_array_unref(windows->kinds);
        g_free(windows);
    }
}

static void clear_tally(SsWindowTally *tally)
{
    tally->opened = 0;
    for (guint i = 0; i < SS_MAX_SYNC_KINDS; i++) {
        tally->margin_ns[i] = G_MAXINT64;
    }
}

static SsWindows *windows_of(SsDevice *device)
{
    if (!device->windows) {
        device->windows = g_new0(SsWindows, 1);
        device->windows->kinds = g_ptr_array_new_with_free_func(g_free);
    }
    return device->windows;
}

/* NULL when there are too many kinds. */
static SsWindow *window_of(SsWindows *windows, const SsWait *wait)
{
    for (guint i = 0; i < windows->kinds->len; i++) {
        SsWindow *window = g_ptr_array_index(windows->kinds, i);
        if (window->wait.window_key == wait->window_key) {
            return window;
        }
    }
    if (windows->kinds->len == SS_MAX_WINDOWS) {
        return NULL;
    }
    SsWindow *window = g_new0(SsWindow, 1);
    window->wait = *wait;
    window->first_ns = wait->begin_ns;
    clear_tally(&window->now);
    clear_tally(&window->before);
    for (guint i = wait->n_contexts; i > 0 && !window->cause.seq; i--) {
        const SsContext *context = &wait->contexts[i - 1];
        const SsExchange *cause = ss_exchange_find(context->device, context->seq);
        if (cause) {
            window->cause = *cause;
        }
    }
    g_ptr_array_add(windows->kinds, window);
    return window;
}

/* Not while it is being connected: what is asked and answered then comes before all else. */
static bool can_request(const SsDevice *device)
{
    return device->told && device->usable && device->backend_channel != SS_CHANNEL_CLOSED;
}

void ss_windows_settle(SsDevice *device)
{
    SsWindows *windows = device->windows;
    for (guint i = 0; windows && i < windows->kinds->len; i++) {
        SsWindow *window = g_ptr_array_index(windows->kinds, i);
        if (windows->disproved_now) {
            window->withdrawn += window->now.opened;
        } else {
            window->before.opened += window->now.opened;
            for (guint s = 0; s < windows->n_sync; s++) {
                window->before.margin_ns[s] =
                    MIN(window->before.margin_ns[s], window->now.margin_ns[s]);
            }
        }
        clear_tally(&window->now);
        window->ended_ns = 0;
    }
    if (windows) {
        windows->disproved_now = false;
        windows->candidate = (SsCandidate){ 0 };
    }
}

bool ss_windows_wait_begins(SsWait *wait)
{
    SsDevice *device = wait->device;
    if (!can_request(device)) {
        return false;
    }
    SsWindows *windows = windows_of(device);
    if (wait->unread_before && !windows->candidate.answered_ns) {
        windows->candidate = (SsCandidate){ .sent_ns = wait->begin_ns,
                                            .request = wait->request,
                                            .seq = wait->seq,
                                            .bytes = wait->unread_before };
    }
    wait->window_key = key_of(wait);
    SsWindow *window = window_of(windows, wait);
    if (!window) {
        return true;
    }
    window->last_ns = wait->begin_ns;
    window->ended_ns = 0;
    window->now.opened++;
    /* What the back-end caused itself follows its request: that one could not be later. */
    for (guint i = 0; i < windows->n_sync && window->cause.seq == 0; i++) {
        if (windows->sync[i].dispatched_ns) {
            gint64 since = wait->begin_ns - windows->sync[i].dispatched_ns;
            window->now.margin_ns[i] = CLAMP(since, 0, window->now.margin_ns[i]);
        }
    }
    return true;
}

static void prove(SsWindows *windows, const SsDisproof *disproof)
{
    windows->disproved_now = true;
    if (!windows->disproof.answered_ns) {
        windows->disproof = *disproof;
    }
}

/* A request that QEMU has read and owes the answer to, while the wait for the main channel's
 * reply stands in its dispatch. */
static const SsExchange *owed_in(const SsWait *wait)
{
    for (guint i = 0; i < wait->n_contexts; i++) {
        const SsContext *context = &wait->contexts[i];
        const SsExchange *exchange = context->device == wait->device
                                         ? ss_exchange_find(context->device, context->seq)
                                         : NULL;
        if (exchange && exchange->request_ns && !exchange->reply_tries &&
            !exchange->dispatched_ns && wait->device->features_known &&
            ss_backend_request_answered(wait->device, exchange->request, exchange->flags)) {
            return exchange;
        }
    }
    return NULL;
}

bool ss_windows_unknown(const SsDevice *device)
{
    return !device->told && device->main_channel == SS_CHANNEL_UNKNOWN;
}

void ss_windows_wait_ends(SsModel *model, const SsWait *wait)
{
    SsWindows *windows = wait->device->windows;
    if (!windows) {
        return;
    }
    SsCandidate *candidate = &windows->candidate;
    if (candidate->sent_ns && !candidate->answered_ns && candidate->seq == wait->seq) {
        candidate->answered_ns = wait->end_ns;
        candidate->next_seq = wait->device->last_seq + 1;
        if (wait->ret) {
            *candidate = (SsCandidate){ 0 };
        }
    }
    /* Far longer than the time from a reply's arrival until its reader wakes up. */
    if (!wait->ret && wait->peek_ns && wait->end_ns - wait->peek_ns >= SS_NS_PER_S) {
        prove(windows, &(SsDisproof){ .sent_ns = wait->begin_ns,
                                      .answered_ns = wait->end_ns,
                                      .frontend_request = wait->request,
                                      .frontend_seq = wait->seq,
                                      .backend_request = wait->peek_request,
                                      .backend_seq = wait->device->last_seq + 1 });
    }
    const SsExchange *owed = wait->begin_seen && !wait->ret ? owed_in(wait) : NULL;
    /* That nothing was answered proves something only where no event is missing. */
    if (owed && !ss_model_lost(model, wait->device->process, owed->request_ns, wait->end_ns)) {
        prove(windows, &(SsDisproof){ .sent_ns = wait->begin_ns,
                                      .answered_ns = wait->end_ns,
                                      .frontend_request = wait->request,
                                      .frontend_seq = wait->seq,
                                      .backend_request = owed->request,
                                      .backend_seq = owed->seq,
                                      .read = true });
    }
    for (guint i = 0; i < windows->kinds->len; i++) {
        SsWindow *window = g_ptr_array_index(windows->kinds, i);
        if (window->wait.window_key == wait->window_key) {
            window->ended_ns = wait->end_ns;
            window->unread = wait->unread_at_end > 0;
        }
    }
}

/* Index of the kind; G_MAXUINT when there are too many. */
static guint sync_kind(SsWindows *windows, const SsExchange *exchange)
{
    for (guint i = 0; i < windows->n_sync; i++) {
        if (windows->sync[i].request == exchange->request) {
            return i;
        }
    }
    if (windows->n_sync == SS_MAX_SYNC_KINDS) {
        return G_MAXUINT;
    }
    windows->sync[windows->n_sync] =
        (SsSyncKind){ .request = exchange->request, .first = *exchange };
    return windows->n_sync++;
}

static void judge_candidate(SsWindows *windows, const SsExchange *exchange, bool answered,
                            guint32 bytes)
{
    SsCandidate *candidate = &windows->candidate;
    if (!candidate->answered_ns) {
        return;
    }
    bool there = exchange->seq == candidate->next_seq && candidate->bytes >= bytes;
    if (there && answered) {
        prove(windows, &(SsDisproof){ .sent_ns = candidate->sent_ns,
                                      .answered_ns = candidate->answered_ns,
                                      .frontend_request = candidate->request,
                                      .frontend_seq = candidate->seq,
                                      .backend_request = exchange->request,
                                      .backend_seq = exchange->seq });
    }
    if (there && !answered && candidate->bytes > bytes) {
        candidate->next_seq++;
        candidate->bytes -= bytes;
    } else {
        *candidate = (SsCandidate){ 0 };
    }
}

void ss_windows_request(SsDevice *device, const SsExchange *exchange, guint32 bytes)
{
    /* Unknown features are no ground for a hazard. */
    bool answered = device->features_known &&
                    ss_backend_request_answered(device, exchange->request, exchange->flags);
    if (device->windows) {
        judge_candidate(device->windows, exchange, answered, bytes);
    }
    if (!answered) {
        for (guint i = 0; device->windows && i < device->windows->kinds->len; i++) {
            ((SsWindow *)g_ptr_array_index(device->windows->kinds, i))->unread = false;
        }
        return;
    }
    SsWindows *windows = windows_of(device);
    guint at = sync_kind(windows, exchange);
    if (at == G_MAXUINT) {
        return;
    }
    SsSyncKind *kind = &windows->sync[at];
    kind->count++;
    if (exchange->request == SS_REQUEST_SHMEM_MAP && (exchange->map_flags & MAP_WRITABLE) &&
        !(kind->first.map_flags & MAP_WRITABLE)) {
        kind->first = *exchange;
    }
    for (guint i = 0; i < windows->kinds->len; i++) {
        SsWindow *window = g_ptr_array_index(windows->kinds, i);
        if (window->ended_ns) {
            gint64 since = window->unread ? 0 : exchange->read_ns - window->ended_ns;
            window->now.margin_ns[at] = CLAMP(since, 0, window->now.margin_ns[at]);
            window->unread = false;
        }
    }
}

void ss_windows_dispatched(SsDevice *device, const SsExchange *exchange)
{
    SsWindows *windows = device->windows;
    for (guint i = 0; windows && i < windows->n_sync; i++) {
        if (windows->sync[i].request == exchange->request) {
            windows->sync[i].dispatched_ns = exchange->dispatched_ns;
        }
    }
}

void ss_windows_peer(const SsModel *model, SsDevice *device)
{
    const SsPeer *peer = device->peer;
    if (!peer || !device->windows) {
        return;
    }
    const SsPeerProof *proof = &peer->proof;
    switch (ss_peer_serves(model, peer)) {
    case SS_PEER_SERVES_MEANWHILE:
        prove(device->windows, &(SsDisproof){ .sent_ns = proof->sent_ns,
                                              .answered_ns = proof->answered_ns,
                                              .frontend_request = proof->frontend_request,
                                              .frontend_seq = proof->frontend_seq,
                                              .backend_request = proof->backend_request,
                                              .backend_seq = proof->backend_seq,
                                              .told = true });
        break;
    case SS_PEER_SERVES_APART:
        prove(device->windows,
              &(SsDisproof){ .answered_ns = peer->process->last_ns, .told = true, .apart = true });
        break;
    default:
        break;
    }
}
