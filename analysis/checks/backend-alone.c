/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/backend-alone.h"

#include "analysis/model/parts.h"

#define MESSAGE_HEADER_BYTES 12
/* So long is more than usual. */
#define LASTS_MS 1000

/* The front-end's own side tells of what it waits for, and that it lasts. */
static bool told_by_frontend(const SsPeer *peer)
{
    if (!peer->device) {
        return false;
    }
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, peer->device->process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsThread *thread = value;
        if (thread->waiting && thread->wait.spoke_ns) {
            return true;
        }
    }
    return false;
}

/* The last request of the front-end that the thread received and did not answer. */
static const SsPass *owed_by(SsPeer *peer, gint32 tid)
{
    const SsPass *pass, *owed = NULL;
    for (guint i = 0; (pass = ss_trail_at(&peer->main, i)); i++) {
        if (pass->tid == tid && ss_pass_open(pass)) {
            owed = pass;
        }
    }
    return owed;
}

/* It sent something after the wait had lasted: its loop does not stand in a wait. */
static bool went_on(SsPeer *peer, const SsPeerWait *own)
{
    const SsPass *pass;
    for (guint i = 0; (pass = ss_trail_at(&peer->main, i)); i++) {
        if (pass->ns > own->first_spoke_ns) {
            return true;
        }
    }
    return false;
}

/* Of one that was looked at it is known what lies in its socket, and in the front-end's: a thread
 * at the back-end channel, where nothing of its own is, may wait for nothing in particular. And a
 * front-end that was seen stands in no wait, or would have told. */
static SsAlone looked_alone(const SsPeer *peer, const SsPeerWait *own)
{
    SsAlone alone = { .own = own };
    bool lasts = own->waited_ms >= LASTS_MS && peer->device && peer->device->inbox.bytes;
    bool blind = peer->device && peer->device->process->unseen;
    bool owes = blind && peer->inbox.request && peer->answers >= SS_ANSWERS_DOUBTFUL;
    alone.kind = !lasts ? SS_ALONE_NOTHING : owes ? SS_ALONE_CYCLE : SS_ALONE_NO_REASON;
    return alone;
}

SsAlone ss_alone_judge(const SsModel *model, SsPeer *peer)
{
    SsAlone alone = { .own = ss_peer_wait(peer) };
    const SsPeerWait *own = alone.own;
    if (!own || !own->spoke_ns || peer->blind || told_by_frontend(peer)) {
        return (SsAlone){ .kind = SS_ALONE_NOTHING };
    }
    if (peer->looked) {
        return looked_alone(peer, own);
    }
    /* That it did not answer, and that no other thread serves the main channel, is known only
     * where no event is missing. */
    if (ss_model_lost(model, peer->process, peer->birth_ns, own->spoke_ns)) {
        alone.kind = went_on(peer, own) ? SS_ALONE_PASSED : SS_ALONE_NO_REASON;
        return alone;
    }
    alone.owed = owed_by(peer, own->tid);
    alone.behind = own->unread > MESSAGE_HEADER_BYTES + own->peek_size;
    bool unread = own->unread && ss_peer_server(peer) == own->tid;
    bool answered = ss_request_answered(own->peek_request, own->peek_flags);
    alone.behind &= !answered;
    alone.kind = alone.owed || (unread && (answered || alone.behind)) ? SS_ALONE_CYCLE
                 : went_on(peer, own)                                 ? SS_ALONE_PASSED
                                                                      : SS_ALONE_NO_REASON;
    return alone;
}
