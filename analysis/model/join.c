/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which back-end's end of a connection belongs to which device of a front-end. Sockets tell it
 * where both sides know their inodes; what passed has to agree in any case, and where it is all
 * there is, it has to fit one pair only.
 */
#include "analysis/model/parts.h"
#include "analysis/model/peer.h"

/* Requests that both tell, when no file was in them. */
#define ENOUGH_SAME 3
/* More pairs than that are none of a real host: nothing is joined then. */
#define MAX_PAIRS 65536

typedef struct Pair {
    SsDevice *device;
    SsPeer *peer;
    bool sockets; /* they are ends of the same */
} Pair;

static bool same_sockets(guint64 sock, guint64 peer, guint64 other_sock, guint64 other_peer)
{
    return (sock && sock == other_peer) || (peer && peer == other_sock);
}

/* Both know both ends of the channel, and they are others. */
static bool other_sockets(guint64 sock, guint64 peer, guint64 other_sock, guint64 other_peer)
{
    return sock && peer && other_sock && other_peer &&
           !same_sockets(sock, peer, other_sock, other_peer);
}

/* Whether the two may be ends of one connection. */
static bool fits(const SsModel *model, const SsDevice *device, SsPeer *peer, bool *ret_sockets)
{
    const SsSockets *sockets = &device->sockets;
    SsTrailMatch match = { 0 };
    *ret_sockets = same_sockets(sockets->main_sock, sockets->main_peer, peer->sock, peer->peer) ||
                   same_sockets(sockets->backend_sock, sockets->backend_peer, peer->backend_sock,
                                peer->backend_peer);
    if (ss_model_trace(model, device->process->trace)->host !=
            ss_model_trace(model, peer->process->trace)->host ||
        other_sockets(sockets->main_sock, sockets->main_peer, peer->sock, peer->peer) ||
        other_sockets(sockets->backend_sock, sockets->backend_peer, peer->backend_sock,
                      peer->backend_peer)) {
        return false;
    }
    if (device->sent) {
        ss_trail_compare(device->sent, &peer->main, &match);
    }
    if (device->asked && !match.differs) {
        ss_trail_compare(&peer->backend, device->asked, &match);
    }
    return !match.differs && (*ret_sockets || match.files || match.same >= ENOUGH_SAME);
}

static GPtrArray *devices_of(const SsModel *model)
{
    GPtrArray *devices = g_ptr_array_new();
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint d = 0; d < process->devices->len; d++) {
            SsDevice *device = g_ptr_array_index(process->devices, d);
            if (!device->absorbed && (device->sent || device->asked)) {
                g_ptr_array_add(devices, device);
            }
        }
    }
    return devices;
}

static GPtrArray *peers_of(const SsModel *model)
{
    GPtrArray *peers = g_ptr_array_new();
    for (guint p = 0; p < model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(model->processes, p);
        for (guint i = 0; process->peers && i < process->peers->len; i++) {
            g_ptr_array_add(peers, g_ptr_array_index(process->peers, i));
        }
    }
    return peers;
}

/* The pairs are joined where neither end fits another; of several, those whose sockets say so. */
static void join(const GArray *pairs, bool by_sockets)
{
    g_autoptr(GHashTable) fit = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (guint i = 0; i < pairs->len; i++) {
        const Pair *pair = &g_array_index(pairs, Pair, i);
        bool free = !pair->device->peer && !pair->peer->device;
        if (free && (pair->sockets || !by_sockets)) {
            gpointer ends[] = { pair->device, pair->peer };
            for (guint e = 0; e < G_N_ELEMENTS(ends); e++) {
                guint n = GPOINTER_TO_UINT(g_hash_table_lookup(fit, ends[e]));
                g_hash_table_insert(fit, ends[e], GUINT_TO_POINTER(n + 1));
            }
        }
    }
    for (guint i = 0; i < pairs->len; i++) {
        const Pair *pair = &g_array_index(pairs, Pair, i);
        bool one = g_hash_table_lookup(fit, pair->device) == GUINT_TO_POINTER(1) &&
                   g_hash_table_lookup(fit, pair->peer) == GUINT_TO_POINTER(1);
        bool free = !pair->device->peer && !pair->peer->device;
        if (one && free && (pair->sockets || !by_sockets)) {
            pair->device->peer = pair->peer;
            pair->peer->device = pair->device;
        }
    }
}

void ss_peers_join(SsModel *model)
{
    g_autoptr(GPtrArray) peers = peers_of(model);
    if (!peers->len) {
        return;
    }
    g_autoptr(GPtrArray) devices = devices_of(model);
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    guint64 all = (guint64)devices->len * peers->len;
    for (guint d = 0; d < devices->len && all <= MAX_PAIRS; d++) {
        for (guint i = 0; i < peers->len; i++) {
            Pair pair = { g_ptr_array_index(devices, d), g_ptr_array_index(peers, i), false };
            if (fits(model, pair.device, pair.peer, &pair.sockets)) {
                g_array_append_val(pairs, pair);
            }
        }
    }
    join(pairs, true);
    join(pairs, false);
}
