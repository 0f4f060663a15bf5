/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who told something in the last second of its recording lived then: by an event of its own, or
 * by telling its state, which a process that hangs does as well. Of others shmemscope-run.json
 * may know. A wait speaks up after 1 s, 2 s, 4 s, ...: one that does not when it should is no
 * proof of a hang.
 */
#include "analysis/report/state.h"

#include "analysis/checks/check.h"
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/report/names.h"

/* A busy machine may be late with what is due. */
#define LATE_NS SS_NS_PER_S

#define NEEDS \
    (SS_NEEDS(WAIT) | SS_NEEDS(FRONTEND_REQUEST) | SS_NEEDS(BACKEND_REQUEST) | SS_NEEDS(DISPATCH))

/* What a process stands in. */
typedef struct SsStand {
    const SsThread *thread;
    SsStateKind ended; /* what it is when it ended there */
    char *text;        /* owned; "waits for ...", NULL: in nothing */
    char *inside;      /* owned; "while it waited for ...", "inside ..." */
    gint64 since_ns;
    gint64 told_ns; /* when it was last told that it still stands there, 0: never */
    gint64 due_ns;  /* when that would be told again */
} SsStand;

static const char *const names[] = {
    [SS_STATE_UNKNOWN] = "unknown",
    [SS_STATE_IDLE] = "idle",
    [SS_STATE_BUSY] = "busy",
    [SS_STATE_HUNG] = "hung",
    [SS_STATE_ENDED] = "ended",
    [SS_STATE_ENDED_IN_REQUEST] = "ended-in-request",
    [SS_STATE_ENDED_IN_WAIT] = "ended-in-wait",
};

const char *ss_state_name(SsStateKind kind)
{
    return names[kind];
}

void ss_state_free(SsState *state)
{
    if (state) {
        g_free(state->text);
        g_free(state);
    }
}

static SsState *state_new(SsStateKind kind, gint64 since_ns, char *text_taken)
{
    SsState *state = g_new0(SsState, 1);
    state->kind = kind;
    state->since_ns = since_ns;
    state->text = text_taken;
    return state;
}

static char *seconds(gint64 ns)
{
    return g_strdup_printf("%.1f s", (double)MAX(ns, 0) / SS_NS_PER_S);
}

static void stand_in_wait(SsStand *stand, const SsThread *thread)
{
    const SsWait *wait = &thread->wait;
    g_autofree char *who = ss_thread_text(thread);
    g_autofree char *waits = ss_wait_text(wait);
    g_autofree char *request = ss_frontend_request_text(wait->request);
    gint64 spoke = (gint64)wait->waited_ms * SS_NS_PER_MS;
    *stand = (SsStand){ .thread = thread,
                        .ended = SS_STATE_ENDED_IN_WAIT,
                        .text = g_strdup_printf("%s %s", who, waits),
                        .inside = g_strdup_printf("while it waited for the reply to %s", request),
                        .since_ns = wait->begin_ns,
                        .told_ns = wait->spoke_ns,
                        .due_ns = wait->begin_ns + MAX(2 * spoke, SS_NS_PER_S) };
}

static void stand_in_read(SsStand *stand, const SsThread *thread)
{
    g_autofree char *who = ss_thread_text(thread);
    gint64 told = thread->reading_told_ns;
    *stand = (SsStand){
        .thread = thread,
        .ended = SS_STATE_ENDED_IN_WAIT,
        .text = g_strdup_printf("%s waits for the rest of a message of the back-end", who),
        .inside = g_strdup("while it waited for the rest of a message of the back-end"),
        .since_ns = thread->reading_ns,
        .told_ns = told,
        .due_ns = thread->reading_ns + (told ? 2 * (told - thread->reading_ns) : SS_NS_PER_S),
    };
}

static void stand_in_request(SsStand *stand, const SsThread *thread, const SsExchange *exchange)
{
    g_autofree char *who = ss_thread_text(thread);
    g_autofree char *request = ss_backend_request_text(exchange->request);
    *stand = (SsStand){
        .thread = thread,
        .ended = SS_STATE_ENDED_IN_REQUEST,
        .text = g_strdup_printf("%s is inside %s #%" G_GUINT64_FORMAT, who, request, exchange->seq),
        .inside = g_strdup_printf("inside %s #%" G_GUINT64_FORMAT, request, exchange->seq),
        .since_ns = exchange->request_ns,
    };
}

static void stand_clear(SsStand *stand)
{
    g_free(stand->text);
    g_free(stand->inside);
}

/* Of several threads the one that says most: a wait that spoke up, then any wait, then a read,
 * then a request. */
static void find_stand(const SsProcess *process, SsStand *ret_stand)
{
    guint best = 0;
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsThread *thread = value;
        const SsExchange *exchange = ss_thread_open_request(thread, NULL);
        guint weight = thread->waiting && thread->wait.spoke_ns ? 4
                       : thread->waiting                        ? 3
                       : thread->reading                        ? 2
                       : exchange                               ? 1
                                                                : 0;
        if (weight <= best) {
            continue;
        }
        best = weight;
        stand_clear(ret_stand);
        if (weight >= 3) {
            stand_in_wait(ret_stand, thread);
        } else if (weight == 2) {
            stand_in_read(ret_stand, thread);
        } else {
            stand_in_request(ret_stand, thread, exchange);
        }
    }
}

static SsState *ended(const SsProcess *process, const SsStand *stand)
{
    g_autofree char *how = ss_process_end_text(process);
    if (!stand->text) {
        return state_new(SS_STATE_ENDED, process->ended_ns, g_strdup(how));
    }
    return state_new(stand->ended, stand->since_ns, g_strdup_printf("%s %s", how, stand->inside));
}

static SsState *standing(const SsProcess *process, const SsStand *stand, gint64 reach_ns)
{
    bool alive = process->end == SS_END_ALIVE;
    bool overdue = stand->due_ns && reach_ns > stand->due_ns + LATE_NS;
    gint64 lasted = (alive ? reach_ns : MAX(stand->told_ns, stand->since_ns)) - stand->since_ns;
    g_autofree char *time = seconds(reach_ns - stand->since_ns);
    if (alive && lasted >= SS_GRACE_NS) {
        return state_new(SS_STATE_HUNG, stand->since_ns,
                         g_strdup_printf("alive, and hung: %s, for %s now", stand->text, time));
    }
    if (!alive && stand->told_ns && !overdue) {
        g_autofree char *told = seconds(stand->told_ns - stand->since_ns);
        return state_new(
            SS_STATE_HUNG, stand->since_ns,
            g_strdup_printf("hung: %s; it said so when that had lasted %s", stand->text, told));
    }
    if (alive || reach_ns - stand->since_ns < SS_GRACE_NS) {
        return state_new(SS_STATE_BUSY, stand->since_ns,
                         g_strdup_printf("busy when the recording ended: %s", stand->text));
    }
    g_autofree char *silent = seconds(reach_ns - process->last_ns);
    return state_new(SS_STATE_UNKNOWN, stand->since_ns,
                     g_strdup_printf("dead or hung: %s, and told nothing in the last %s; "
                                     "whether it lived is not recorded",
                                     stand->text, silent));
}

static SsState *idle(const SsProcess *process, gint64 reach_ns)
{
    gint64 silent = reach_ns - process->last_ns;
    g_autofree char *time = seconds(silent);
    if (ss_process_looked(process)) {
        return process->unseen
                   ? state_new(SS_STATE_UNKNOWN, 0,
                               g_strdup_printf("alive; not visible: %s", process->unseen))
                   : state_new(SS_STATE_IDLE, 0,
                               g_strdup("alive, and in no wait that two looks show"));
    }
    if (!process->acted) {
        return state_new(SS_STATE_UNKNOWN, 0,
                         g_strdup("it told nothing but its state: idle, or stuck since before the "
                                  "recording began in something that it does not tell"));
    }
    if (process->end == SS_END_ALIVE) {
        return state_new(
            SS_STATE_IDLE, process->last_ns,
            g_strdup_printf("alive and idle: in no request and no wait, silent for %s", time));
    }
    if (silent < SS_GRACE_NS) {
        return state_new(SS_STATE_IDLE, process->last_ns,
                         g_strdup_printf("idle: in no request and no wait; %s %s before the end "
                                         "of the recording",
                                         process->dumped_ns == process->last_ns
                                             ? "it told its state"
                                             : "its last event came",
                                         time));
    }
    return state_new(SS_STATE_UNKNOWN, process->last_ns,
                     g_strdup_printf("idle or dead: in no request and no wait, and told nothing "
                                     "in the last %s; whether it lived is not recorded",
                                     time));
}

/* Of a back-end: it stands in a wait of its own, or not. */
static void find_own_wait(const SsProcess *process, SsStand *ret_stand)
{
    const SsPeerWait *best = NULL;
    for (guint i = 0; i < process->peers->len; i++) {
        const SsPeer *peer = g_ptr_array_index(process->peers, i);
        const SsPeerWait *own = ss_peer_wait(peer);
        if (!own || (best && (best->spoke_ns || !own->spoke_ns))) {
            continue;
        }
        best = own;
        stand_clear(ret_stand);
        g_autofree char *waits = ss_peer_wait_text(peer, own);
        g_autofree char *request = ss_peer_request_text(own);
        gint64 spoke = (gint64)own->waited_ms * SS_NS_PER_MS;
        *ret_stand =
            (SsStand){ .ended = SS_STATE_ENDED_IN_WAIT,
                       .text = g_strdup(waits),
                       .inside = g_strdup_printf("while it waited for the reply to %s", request),
                       .since_ns = own->begin_ns,
                       .told_ns = own->spoke_ns,
                       .due_ns = own->begin_ns + MAX(2 * spoke, SS_NS_PER_S) };
    }
}

SsState *ss_state_of(const SsModel *model, const SsProcess *process)
{
    gint64 reach = ss_model_reach(model, process);
    bool over = process->end == SS_END_EXITED || process->end == SS_END_SIGNAL;
    bool backend = ss_process_is_backend(process);
    bool recorded =
        backend || ss_process_looked(process) || ss_needs_recorded(model, NEEDS, process);
    bool lost = ss_model_lost(model, process, process->last_ns, reach);
    SsStand stand = { 0 };
    SsState *state;
    if (backend && !lost) {
        find_own_wait(process, &stand);
    } else if (recorded && !lost) {
        find_stand(process, &stand);
    }
    if (over) {
        state = ended(process, &stand);
    } else if (!recorded || lost) {
        state = state_new(SS_STATE_UNKNOWN, 0,
                          g_strdup_printf("%swhat it did last was %s",
                                          process->end == SS_END_ALIVE ? "alive; " : "",
                                          recorded ? "lost" : "not recorded"));
    } else if (stand.text) {
        state = standing(process, &stand, reach);
    } else {
        state = idle(process, reach);
    }
    stand_clear(&stand);
    return state;
}
