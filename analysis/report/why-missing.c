/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The step that is missing. That one did not come is said by a finding only; else it was not seen,
 * and why it may have come all the same is said.
 */
#include "analysis/checks/check.h"
#include "analysis/report/layout.h"
#include "analysis/report/why.h"

#define MAX_EXPLAIN 5

typedef enum Place {
    LACKS_REPLY,
    LACKS_ADDED,
    LACKS_VISIBLE,
    LACKS_DISPATCHED,
    LACKS_RECEIVED_CLOSE,
    LACKS_REMOVED,
    LACKS_FINALIZED,
    LACKS_OWN_CLOSE,
    N_PLACES,
} Place;

typedef struct Lack {
    const char *step;
    SsEventId event;                  /* that would have told it */
    const char *explain[MAX_EXPLAIN]; /* ids of checks that find it */
} Lack;

static const Lack lacks[N_PLACES] = {
    [LACKS_REPLY] = { "reply",
                      SS_EVENT_VHOST_USER_BACKEND_REPLY,
                      { "missing-reply", "died-in-request", "reply-commit-deadlock",
                        "stuck-wait" } },
    [LACKS_ADDED] = { "added", SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED, { "accepted-not-mapped" } },
    [LACKS_VISIBLE] = { "commit-end",
                        SS_EVENT_MEMORY_COMMIT_END,
                        { "reply-commit-deadlock", "stuck-wait", "died-in-request",
                          "transaction-left-open" } },
    [LACKS_DISPATCHED] = { "dispatched",
                           SS_EVENT_VHOST_USER_BACKEND_DISPATCHED,
                           { "reply-commit-deadlock", "stuck-wait", "died-in-request" } },
    [LACKS_RECEIVED_CLOSE] = { "fd-closed", SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE, { "fd-leak" } },
    [LACKS_REMOVED] = { "removed",
                        SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED,
                        { "stale-mapping", "mapping-leak", "fd-leak" } },
    [LACKS_FINALIZED] = { "finalized",
                          SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED,
                          { "mapping-leak" } },
    [LACKS_OWN_CLOSE] = { "fd-closed",
                          SS_EVENT_RAM_BLOCK_RECLAIMED,
                          { "fd-leak", "memory-region-leak", "fd-backlog" } },
};

static void missing_free(gpointer data)
{
    SsMissing *missing = data;
    g_free(missing->text);
    g_free(missing->why);
    g_free(missing);
}

static bool has_step(const SsChain *chain, SsChainStepKind kind)
{
    for (guint i = 0; i < chain->steps->len; i++) {
        if (g_array_index(chain->steps, SsChainStep, i).kind == kind) {
            return true;
        }
    }
    return false;
}

/* Something befell the device after which it should be gone. */
static bool should_be_gone(const SsChain *chain)
{
    return has_step(chain, SS_CHAIN_MAIN_CLOSED) || has_step(chain, SS_CHAIN_BACKEND_CLOSED) ||
           has_step(chain, SS_CHAIN_RESET_END) || has_step(chain, SS_CHAIN_UNREALIZE_END);
}

static bool lacks_it(const SsChain *chain, Place place)
{
    bool map = chain->request == SS_REQUEST_SHMEM_MAP;
    if (chain->ended) {
        return place == LACKS_ADDED && map && chain->accepted && !chain->refused && !chain->added;
    }
    switch (place) {
    case LACKS_REPLY:
        return chain->request && chain->reply_wanted && !chain->replied;
    case LACKS_ADDED:
        return map && !chain->refused && !chain->added && (chain->accepted || chain->dispatched) &&
               (!chain->replied || chain->accepted);
    case LACKS_VISIBLE:
        return chain->added && !chain->visible && !chain->removed && !chain->finalized;
    case LACKS_DISPATCHED:
        return chain->request && !chain->dispatched;
    case LACKS_RECEIVED_CLOSE:
        return chain->n_received > 0;
    case LACKS_REMOVED:
        return chain->added && !chain->removed && !chain->finalized && should_be_gone(chain);
    case LACKS_FINALIZED:
        return chain->removed && !chain->finalized;
    case LACKS_OWN_CLOSE:
        return chain->own_open && (chain->finalized || !chain->added);
    default:
        return false;
    }
}

static char *lack_text(const SsChain *chain, Place place)
{
    switch (place) {
    case LACKS_REPLY:
        return g_strdup_printf("the reply to #%" G_GUINT64_FORMAT, chain->seq);
    case LACKS_ADDED:
        return g_strdup("the mapping that was asked for");
    case LACKS_VISIBLE:
        return g_strdup("the end of the commit that makes it visible to the guest");
    case LACKS_DISPATCHED:
        return g_strdup_printf("the end of the dispatch of #%" G_GUINT64_FORMAT, chain->seq);
    case LACKS_RECEIVED_CLOSE:
        return g_strdup_printf("the close of fd %d, which came with the request",
                               chain->received[0]);
    case LACKS_REMOVED:
        return g_strdup("its removal from the region");
    case LACKS_FINALIZED:
        return g_strdup("its finalize, after RCU");
    default:
        return g_strdup_printf("the close of fd %d, its own, %s", chain->own_fd,
                               chain->host || chain->added ? "by its RAM block"
                                                           : "which no RAM block took over");
    }
}

static bool same_device(const SsFinding *finding, const SsDevice *device)
{
    return device && ((finding->dev && finding->dev == device->dev) ||
                      (finding->vdev && finding->vdev == device->vdev));
}

/* Of the chain's process, device and time. */
static bool is_near(const SsReport *report, const SsChain *chain, const SsFinding *finding)
{
    return finding->certainty != SS_HAZARD && finding->has_process &&
           ss_finding_process(report->model, finding) == chain->process &&
           (!finding->has_device || same_device(finding, chain->device) ||
            same_device(finding, chain->wait_device)) &&
           finding->last_ns >= chain->first_ns &&
           (!chain->ended || finding->first_ns <= chain->last_ns);
}

static bool has_fd(const SsChain *chain, gint32 fd)
{
    for (guint i = 0; i < chain->steps->len; i++) {
        const SsChainStep *step = &g_array_index(chain->steps, SsChainStep, i);
        bool names_it = step->kind == SS_CHAIN_FD_RECEIVED || step->kind == SS_CHAIN_FD_DUPLICATED;
        if (names_it && (gint32)step->a == fd) {
            return true;
        }
    }
    return chain->own_fd == fd;
}

static bool is_about(const SsChain *chain, const SsFinding *finding)
{
    for (guint i = 0; i < finding->about->len; i++) {
        const SsAbout *about = &g_array_index(finding->about, SsAbout, i);
        bool range = about->has_range && chain->has_range && about->shmid == chain->shmid &&
                     about->shm_offset == chain->shm_offset && about->len == chain->len;
        bool fd = about->fd >= 0 && has_fd(chain, about->fd) &&
                  (!about->ino || !chain->ino || about->ino == chain->ino);
        if (about->has_range ? range && (about->fd < 0 || chain->own_fd < 0 || fd) : fd) {
            return true;
        }
    }
    return false;
}

/* It is told of no thing, or of more than it lists. */
static bool is_of_all(const SsFinding *finding)
{
    return !finding->about->len ||
           (finding->about->len == SS_MAX_ABOUT && finding->count > SS_MAX_ABOUT);
}

static const SsFinding *explained(const SsReport *report, const SsChain *chain, Place place)
{
    const GPtrArray *findings = report->checks->findings;
    for (guint e = 0; e < MAX_EXPLAIN && lacks[place].explain[e]; e++) {
        for (guint i = 0; i < findings->len; i++) {
            const SsFinding *finding = g_ptr_array_index(findings, i);
            if (g_str_equal(finding->id, lacks[place].explain[e]) &&
                is_near(report, chain, finding) &&
                (is_about(chain, finding) || is_of_all(finding))) {
                return finding;
            }
        }
    }
    return NULL;
}

/* Why it may have come, and not be seen. */
static char *why_not_seen(const SsReport *report, const SsChain *chain, Place place)
{
    const SsModel *model = report->model;
    const SsProcess *process = chain->process;
    gint64 reach_ns = ss_model_reach(model, process);
    if (!ss_event_recorded(model, process, lacks[place].event)) {
        return g_strdup_printf("whether it came is not known: %s was not recorded",
                               ss_catalogue_events[lacks[place].event].name);
    }
    if (ss_model_lost(model, process, chain->last_ns, reach_ns)) {
        return g_strdup("whether it came is not known: events were lost since");
    }
    if (process->end == SS_END_EXITED || process->end == SS_END_SIGNAL) {
        g_autofree char *end = ss_process_end_text(process);
        return g_strdup_printf("the process has %s", end);
    }
    g_autofree char *later = ss_duration_text(MAX(reach_ns - chain->last_ns, 0));
    return g_strdup_printf("the recording ends %s later", later);
}

static SsMissing *missing_new(const SsReport *report, const SsChain *chain, Place place,
                              const SsFinding *finding)
{
    SsMissing *missing = g_new0(SsMissing, 1);
    missing->step = lacks[place].step;
    missing->text = lack_text(chain, place);
    missing->finding = finding;
    missing->why = finding ? NULL : why_not_seen(report, chain, place);
    return missing;
}

GPtrArray *ss_why_missing(const SsReport *report, const SsChain *chain)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(missing_free);
    g_autoptr(GHashTable) named = g_hash_table_new(NULL, NULL);
    Place first = N_PLACES;
    for (Place place = 0; place < N_PLACES; place++) {
        if (!lacks_it(chain, place)) {
            continue;
        }
        const SsFinding *finding = explained(report, chain, place);
        first = MIN(first, place);
        if (finding && g_hash_table_add(named, (gpointer)finding)) {
            g_ptr_array_add(all, missing_new(report, chain, place, finding));
        }
    }
    if (!all->len && first != N_PLACES) {
        g_ptr_array_add(all, missing_new(report, chain, first, NULL));
    }
    return all;
}

GPtrArray *ss_why_findings(const SsReport *report, const SsChain *chain, const GPtrArray *missing)
{
    GPtrArray *found = g_ptr_array_new();
    for (guint i = 0; i < report->checks->findings->len; i++) {
        SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        bool named = false;
        for (guint m = 0; m < missing->len; m++) {
            named |= ((const SsMissing *)g_ptr_array_index(missing, m))->finding == finding;
        }
        if (!named && is_near(report, chain, finding) && is_about(chain, finding)) {
            g_ptr_array_add(found, finding);
        }
    }
    return found;
}

bool ss_why_ended_unseen(const SsChain *chain)
{
    return has_step(chain, SS_CHAIN_ENDED_UNSEEN);
}

const char *ss_why_state(const SsChain *chain)
{
    return ss_why_ended_unseen(chain)       ? "ended unseen"
           : chain->refused                 ? "refused"
           : chain->ended && chain->pointer ? "closed"
           : chain->ended                   ? "done"
           : chain->finalized               ? "finalized"
           : chain->removed                 ? "removed"
           : chain->visible                 ? "live"
           : chain->added                   ? "not visible"
                                            : "under way";
}
