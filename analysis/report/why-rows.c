/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The lines of a chain. A back-end that was traced too tells when it sent the request, and when it
 * had the reply; and of a request that QEMU never read it is the only one that tells.
 */
#include "analysis/report/names.h"
#include "analysis/report/why.h"

static void row_free(gpointer data)
{
    SsWhyRow *row = data;
    g_free(row->who);
    g_free(row->text);
    g_free(row);
}

static void add_row(GPtrArray *rows, gint64 ns, gint32 tid, const char *step, char *who_taken,
                    char *text_taken)
{
    SsWhyRow *row = g_new0(SsWhyRow, 1);
    *row = (SsWhyRow){ .ns = ns, .tid = tid, .step = step, .who = who_taken, .text = text_taken };
    g_ptr_array_add(rows, row);
}

static gint by_time(gconstpointer a, gconstpointer b)
{
    gint64 na = (*(const SsWhyRow *const *)a)->ns, nb = (*(const SsWhyRow *const *)b)->ns;
    return na < nb ? -1 : na > nb;
}

/* What the back-end tells of one of the chain's requests. */
static void add_pass(GPtrArray *rows, const SsChain *chain, guint64 seq)
{
    SsPeer *peer = chain->device ? chain->device->peer : NULL;
    const SsPass *pass = peer ? ss_trail_find(&peer->backend, seq) : NULL;
    if (!pass) {
        return;
    }
    g_autofree char *request = ss_backend_request_text(pass->request);
    add_row(rows, pass->ns, pass->tid, "sent", g_strdup_printf("back-end %d", pass->tid),
            g_strdup_printf("sends %s #%" G_GUINT64_FORMAT, request, seq));
    if (pass->answered_ns) {
        add_row(rows, pass->answered_ns, pass->tid, "reply-received",
                g_strdup_printf("back-end %d", pass->tid),
                g_strdup_printf("has the reply to #%" G_GUINT64_FORMAT, seq));
    }
}

GPtrArray *ss_why_rows(const SsChain *chain)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
    for (guint i = 0; i < chain->steps->len; i++) {
        const SsChainStep *step = &g_array_index(chain->steps, SsChainStep, i);
        if (step->kind == SS_CHAIN_REQUEST) {
            add_pass(rows, chain, step->seq);
        }
        add_row(rows, step->ns, step->tid, ss_why_step_name(step->kind),
                ss_why_who_text(chain, step->tid), ss_why_step_text(chain, step));
    }
    g_ptr_array_sort(rows, by_time); /* it is stable */
    return rows;
}

static double since_begin(const SsReport *report, gint64 ns)
{
    return (double)(ns - report->model->begin_ns) / SS_NS_PER_S;
}

static bool fits(const SsWanted *wanted, const SsPeerWait *wait)
{
    return wait->seq && wait->has_range &&
           ((wanted->kind == SS_WANTED_RANGE && wait->shm_offset == wanted->offset &&
             wait->len == wanted->len) ||
            (wanted->kind == SS_WANTED_OFFSET && wait->shm_offset <= wanted->offset &&
             wanted->offset - wait->shm_offset < wait->len));
}

/* A back-end waits for the reply to it. */
static void add_sent(const SsReport *report, const SsWanted *wanted, const SsPeer *peer,
                     GPtrArray *told)
{
    for (guint i = 0; i < SS_PEER_WAITS; i++) {
        const SsPeerWait *wait = &peer->waits[i];
        if (fits(wanted, wait)) {
            g_autofree char *request = ss_backend_request_text(wait->request);
            g_ptr_array_add(told, g_strdup_printf("back-end %d sent %s #%" G_GUINT64_FORMAT
                                                  " at %.6f s and waits for the reply: nobody was "
                                                  "seen to read it",
                                                  peer->process->pid, request, wait->seq,
                                                  since_begin(report, wait->begin_ns)));
        }
    }
}

/* A request lay unread that may be it. */
static void add_unread(const SsReport *report, const SsProcess *process, GPtrArray *told)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsThread *thread = value;
        const SsWait *wait = &thread->wait;
        if (!thread->waiting || !wait->spoke_ns || !wait->peek_request) {
            continue;
        }
        g_autofree char *request = ss_backend_request_text(wait->peek_request);
        g_autofree char *awaited = ss_frontend_request_text(wait->request);
        g_autofree char *device = ss_device_label(wait->device, 48);
        g_ptr_array_add(
            told, g_strdup_printf("a %s lies unread in the back-end channel of device %s "
                                  "while QEMU waits for the reply to %s, since %.6f s: that "
                                  "may be it",
                                  request, device, awaited, since_begin(report, wait->begin_ns)));
    }
}

GPtrArray *ss_why_unread(const SsReport *report, const SsWanted *wanted)
{
    GPtrArray *told = g_ptr_array_new_with_free_func(g_free);
    for (guint p = 0; p < report->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(report->model->processes, p);
        for (guint i = 0; process->peers && i < process->peers->len; i++) {
            add_sent(report, wanted, g_ptr_array_index(process->peers, i), told);
        }
        if (!wanted->pid || wanted->pid == process->pid) {
            add_unread(report, process, told);
        }
    }
    return told;
}
