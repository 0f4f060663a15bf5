/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/peer-text.h"

#include "analysis/report/names.h"

char *ss_peer_text(const SsPeer *peer)
{
    return g_strdup_printf("back-end %d", peer->process->pid);
}

char *ss_peer_request_text(const SsPeerWait *own)
{
    g_autofree char *request = ss_backend_request_text(own->request);
    if (own->looked && !own->request) {
        return g_strdup("a request of its own");
    }
    if (own->looked && !own->has_range) {
        return g_steal_pointer(&request);
    }
    if (own->looked) {
        return g_strdup_printf("%s 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x", request,
                               own->shm_offset, own->len);
    }
    return g_strdup_printf("%s #%" G_GUINT64_FORMAT, request, own->seq);
}

const char *ss_peer_label(const SsPeer *peer, const SsPeerWait *own)
{
    SsTrail *trail = (SsTrail *)&peer->backend; /* which changes nothing */
    const SsPass *pass = own->looked ? NULL : ss_trail_find(trail, own->seq);
    return pass ? ss_label_text(peer->process->model, pass->label) : NULL;
}

char *ss_peer_wait_text(const SsPeer *peer, const SsPeerWait *own)
{
    g_autofree char *request = ss_peer_request_text(own);
    g_autofree char *thread = ss_peer_thread_text(peer, own->tid);
    if (own->tid == peer->process->pid) {
        return g_strdup_printf("waits for the reply to %s", request);
    }
    return g_strdup_printf("its %s waits for the reply to %s", thread, request);
}

static char *asked_text(const SsPass *pass)
{
    g_autofree char *request = ss_backend_request_text(pass->request);
    if (!pass->has_range) {
        return g_strdup_printf("%s #%" G_GUINT64_FORMAT, request, pass->seq);
    }
    return g_strdup_printf("%s #%" G_GUINT64_FORMAT " 0x%" G_GINT64_MODIFIER
                           "x+0x%" G_GINT64_MODIFIER "x",
                           request, pass->seq, pass->shm_offset, pass->len);
}

static void add(SsFinding *finding, gint64 ns, const char *whose, char *text_taken)
{
    g_autofree char *text = text_taken;
    ss_finding_add_witness(finding, ns, true, 0, g_strdup_printf("%s%s", whose, text));
}

void ss_finding_take_peer(SsFinding *finding, SsPeer *peer, const char *whose, gint64 from_ns,
                          gint64 to_ns)
{
    const SsPass *pass;
    for (guint i = 0; (pass = ss_trail_at(&peer->backend, i)); i++) {
        if (pass->ns >= from_ns && pass->ns <= to_ns) {
            const char *label = ss_label_text(peer->process->model, pass->label);
            add(finding, pass->ns, whose, ss_labelled_text(asked_text(pass), label));
        }
    }
    for (guint i = 0; (pass = ss_trail_at(&peer->main, i)); i++) {
        g_autofree char *request = ss_frontend_request_text(pass->request);
        if (pass->ns >= from_ns && pass->ns <= to_ns) {
            add(finding, pass->ns, whose, g_strdup_printf("receives %s", request));
        }
        if (pass->answered_ns >= from_ns && pass->answered_ns <= to_ns) {
            add(finding, pass->answered_ns, whose, g_strdup_printf("answers %s", request));
        }
    }
}

static gint by_time(gconstpointer a, gconstpointer b)
{
    gint64 ta = (*(const SsWitness *const *)a)->ns;
    gint64 tb = (*(const SsWitness *const *)b)->ns;
    return ta < tb ? -1 : ta > tb;
}

void ss_finding_order_witness(SsFinding *finding)
{
    g_ptr_array_sort(finding->witness, by_time); /* stable */
}
