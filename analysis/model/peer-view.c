/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is asked of a back-end's end of a connection.
 */
#include "analysis/model/parts.h"
#include "analysis/model/peer.h"

/* As many of each are enough to tell that two threads share the work. */
#define ENOUGH_SERVED 8
#define ENOUGH_ASKED 3

bool ss_process_is_backend(const SsProcess *process)
{
    return process->peers && process->peers->len && !process->devices->len;
}

char *ss_peer_thread_text(const SsPeer *peer, gint32 tid)
{
    const SsThread *thread = g_hash_table_lookup(peer->process->threads, GINT_TO_POINTER(tid));
    if (tid == peer->process->pid) {
        return g_strdup("main thread");
    }
    return thread && *thread->name ? g_strdup_printf("thread %s (%d)", thread->name, tid)
                                   : g_strdup_printf("thread %d", tid);
}

bool ss_pass_open(const SsPass *pass)
{
    return !pass->answered_ns && ss_request_answered(pass->request, pass->flags);
}

const SsPeerWait *ss_peer_wait(const SsPeer *peer)
{
    const SsPeerWait *best = NULL;
    for (guint i = 0; i < SS_PEER_WAITS; i++) {
        const SsPeerWait *wait = &peer->waits[i];
        bool spoke = wait->spoke_ns && (!best || !best->spoke_ns);
        bool older = best && (wait->spoke_ns != 0) == (best->spoke_ns != 0) &&
                     wait->begin_ns < best->begin_ns;
        if (wait->seq && (!best || spoke || older)) {
            best = wait;
        }
    }
    return best;
}

gint32 ss_peer_server(const SsPeer *peer)
{
    gint32 tid = 0;
    for (guint i = 0; i < peer->n_threads; i++) {
        if (peer->threads[i].served && tid) {
            return 0;
        }
        tid = peer->threads[i].served ? peer->threads[i].tid : tid;
    }
    return peer->more_threads ? 0 : tid;
}

bool ss_peer_well_known(SsPeer *peer)
{
    const SsPass *first = ss_trail_at(&peer->main, 0);
    return first && (first->seq == 1 || peer->main.n >= ENOUGH_SERVED);
}

SsPeerServes ss_peer_serves(const SsModel *model, const SsPeer *peer)
{
    guint64 served = 0, asked = 0;
    bool shared = false;
    if (peer->proof.answered_ns &&
        !ss_model_lost(model, peer->process, peer->birth_ns, peer->proof.answered_ns)) {
        return SS_PEER_SERVES_MEANWHILE;
    }
    for (guint i = 0; i < peer->n_threads; i++) {
        const SsPeerThread *thread = &peer->threads[i];
        served += thread->served;
        asked += thread->asked;
        shared |= thread->served && thread->asked;
    }
    if (shared) {
        return peer->proof.answered_ns ? SS_PEER_SERVES_UNKNOWN : SS_PEER_SERVES_ONE;
    }
    bool known = !peer->blind && !peer->more_threads &&
                 !ss_model_lost(model, peer->process, peer->birth_ns, peer->process->last_ns);
    return known && served >= ENOUGH_SERVED && asked >= ENOUGH_ASKED ? SS_PEER_SERVES_APART
                                                                     : SS_PEER_SERVES_UNKNOWN;
}
