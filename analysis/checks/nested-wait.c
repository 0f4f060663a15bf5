/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * nested-wait: what did not happen here. The front-end waited for a reply on the main channel
 * while the back-end could have sent one of the requests whose answer it waits for: had it, and
 * did one thread of it serve both channels, neither would have gone on. One hazard for each
 * kind of window and each kind of request that this back-end really sends.
 */
#include "analysis/checks/check.h"
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/report/names.h"

/* The wait stands in a request whose answer is owed: what the back-end waits for is that one,
 * and other checks tell of it. */
static bool owes(const SsWindow *window)
{
    SsContext chain[SS_MAX_CONTEXTS];
    guint n = ss_wait_chain(&window->wait, chain);
    for (guint i = 0; i < n; i++) {
        const SsContext *context = &chain[i];
        bool exchange = context->kind == SS_CONTEXT_COMMIT || context->kind == SS_CONTEXT_DISPATCH;
        if (exchange && context->seq && !context->deferred &&
            context->device == window->wait.device && context->seq == window->cause.seq &&
            ss_backend_request_answered(context->device, window->cause.request,
                                        window->cause.flags)) {
            return true;
        }
    }
    return false;
}

static char *order_key(const SsDevice *device, const SsOrder *order)
{
    g_autofree char *shape = ss_order_shape(order);
    return g_strdup_printf("%p|%s", (const void *)device, shape);
}

/* What did happen is told as what it is: the process's deadlocks. */
static GHashTable *orders_of_deadlocks(const SsChecks *checks)
{
    GHashTable *orders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(checks->findings, i);
        if (finding->id == ss_check_reply_commit_deadlock.id && finding->order) {
            const SsDevice *device = ss_order_device_at(finding->order, 0)->told_by;
            (void)g_hash_table_add(orders, order_key(device, finding->order));
        }
    }
    return orders;
}

static bool happened(const SsDevice *device, const SsOrder *order, GHashTable *deadlocks)
{
    if (!order || !g_hash_table_size(deadlocks)) {
        return false;
    }
    g_autofree char *key = order_key(device, order);
    return g_hash_table_contains(deadlocks, key);
}

static gint64 stands_since(const SsWait *wait)
{
    return wait->n_contexts ? MIN(wait->contexts[0].begin_ns, wait->begin_ns) : wait->begin_ns;
}

/* What the back-end's own events say of the hazard's condition. */
static char *condition_of(const SsModel *model, const SsDevice *device)
{
    const SsPeer *peer = device->peer;
    if (!peer || ss_peer_serves(model, peer) != SS_PEER_SERVES_ONE) {
        return g_strdup("if one thread of the back-end serves both channels");
    }
    for (guint i = 0; i < peer->n_threads; i++) {
        const SsPeerThread *thread = &peer->threads[i];
        if (thread->served && thread->asked) {
            g_autofree char *backend = ss_peer_text(peer);
            g_autofree char *name = ss_peer_thread_text(peer, thread->tid);
            return g_strdup_printf("for one thread serves both channels, as was seen: the %s of %s",
                                   name, backend);
        }
    }
    return NULL;
}

static void judge(SsChecks *checks, const SsCheck *check, SsDevice *device, const SsWindow *window,
                  guint kind, GHashTable *deadlocks)
{
    const SsSyncKind *sync = &device->windows->sync[kind];
    g_autofree char *frontend = ss_frontend_request_text(window->wait.request);
    g_autofree char *backend = ss_backend_request_text(sync->request);
    g_autofree char *inside = ss_wait_window_text(&window->wait);
    g_autofree char *place = g_strdup_printf("%s|%s|%s", frontend, inside, backend);
    g_autoptr(SsOrder) order =
        ss_order_of_wait(&window->wait, window->cause.seq ? &window->cause : NULL,
                         &(SsExchange){ .request = sync->request });
    /* What a wait seems to stand in may have ended unseen where events were lost. The engine
     * says that this check could not decide. */
    if (happened(device, order, deadlocks) ||
        ss_model_lost(checks->model, device->process, stands_since(&window->wait),
                      window->first_ns)) {
        return;
    }
    SsFinding *finding = ss_checks_report(
        checks, check, SS_HAZARD, device->process, device, window->first_ns, window->first_ns,
        place,
        g_strdup_printf(
            "a synchronous %s of the back-end, while QEMU waits for the reply to %s%s%s", backend,
            frontend, *inside ? " inside the " : "", inside));
    if (!finding) {
        return;
    }
    finding->last_ns = window->last_ns;
    finding->count = window->before.opened;
    finding->order = g_steal_pointer(&order);
    ss_finding_set_hazard(finding, window->wait.request, sync->request, g_steal_pointer(&inside),
                          window->before.opened, window->before.margin_ns[kind]);
    if (!finding->condition) {
        finding->condition = condition_of(checks->model, device);
    }
}

static void judge_device(SsChecks *checks, const SsCheck *check, SsDevice *device,
                         GHashTable *deadlocks)
{
    for (guint w = 0; w < device->windows->kinds->len; w++) {
        const SsWindow *window = g_ptr_array_index(device->windows->kinds, w);
        for (guint s = 0; window->before.opened && s < device->windows->n_sync; s++) {
            if (!owes(window)) {
                judge(checks, check, device, window, s, deadlocks);
            }
        }
    }
}

static void notice(SsChecks *checks, const SsCheck *check, const SsNotice *notice)
{
    if (notice->kind != SS_NOTICE_PROCESS_ENDS) {
        return;
    }
    g_autoptr(GHashTable) deadlocks = orders_of_deadlocks(checks);
    for (guint d = 0; d < notice->process->devices->len; d++) {
        SsDevice *device = g_ptr_array_index(notice->process->devices, d);
        if (device->windows && device->windows->n_sync) {
            judge_device(checks, check, device, deadlocks);
        }
    }
}

const SsCheck ss_check_nested_wait = {
    .id = "nested-wait",
    .title = "NESTED WAIT",
    .needs = SS_NEEDS(WAIT) | SS_NEEDS(FRONTEND_REQUEST) | SS_NEEDS(BACKEND_REQUEST) |
             SS_NEEDS(REPLY) | SS_NEEDS(DISPATCH) | SS_NEEDS(TRANSACTION) | SS_NEEDS(CHANNEL) |
             SS_NEEDS(DEVICE),
    .outside = true,
    .notices = SS_ON(PROCESS_ENDS),
    .rule = "no side may wait on one channel while it owes an answer on the other",
    .remedy_for_good = "in the back-end: serve the front-end channel while a reply is awaited",
    .notice = notice,
};
