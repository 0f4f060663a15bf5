/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cuts SEED WINDOWS FIXTURE...: cuts of fixtures, and what must hold for each:
 *
 * - begun late, or ended early, at any event, with nobody telling of a loss: no alarm that
 *   the whole does not raise, and of a healthy fixture none at all;
 * - any window of events lost, and the loss told: the same, and no check says that it could
 *   decide;
 * - packets of one CPU's stream missing, at its begin, its end or in the middle, and the rest
 * there: the same as for a recording cut there, or a loss;
 * - one event lost and nobody told: an alarm that the whole does not raise only where the
 *   model cannot know better, which is the list `beyond_reach`;
 * - of all of these, none is surer of a deadlock than the whole.
 *
 * An alarm is a finding that is observed or suspected. Of windows of a fixture that has more than
 * MANY, WINDOWS are taken at random. As many processes as there are processors share the fixtures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/analysis/cut-streams.h"
#include "tests/analysis/cut.h"

#define MANY 20000
#define STREAM_CUTS 60
#define MAX_SHOWN 40
#define MAX_WORKERS 16

typedef struct Tally {
    GRand *rand;
    guint most; /* windows of a fixture that has many */
    guint64 begins, ends, windows, streams, silent, wrong;
    guint64 observed; /* in the whole fixture */
    guint64 healthy, sick;
} Tally;

/* What one lost event that nobody told of can do: nothing else in the trace contradicts it. No
 * recording is known to lose a single event in silence; whole packets are, and of those decode
 * knows. */
typedef struct BeyondReach {
    SsEventId event;
    const char *check;
} BeyondReach;

static const BeyondReach beyond_reach[] = {
    { SS_EVENT_VHOST_USER_BACKEND_REPLY, "missing-reply" },
    { SS_EVENT_VHOST_USER_BACKEND_REPLY, "commit-before-reply" },
    { SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE, "fd-leak" },
    { SS_EVENT_RAM_BLOCK_RECLAIMED, "fd-leak" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED, "mapping-leak" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, "mapping-leak" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, "fd-leak" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, "accepted-not-mapped" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, "refused-but-mapped" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, "fd-closed-early" },
    { SS_EVENT_MEMORY_REGION_FINALIZED, "memory-region-leak" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED, "fd-leak" },
    { SS_EVENT_VHOST_USER_BACKEND_DISPATCHED, "died-in-request" },
    { SS_EVENT_MEMORY_TRANSACTION_BEGIN, "commit-without-begin" },
    { SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED, "unmap-unknown" },
    { SS_EVENT_VHOST_USER_REQUEST, "died-in-request" },
    { SS_EVENT_VIRTIO_SHMEM_REGION, "died-in-request" },
    { SS_EVENT_VIRTIO_SHMEM_FD_CLOSE, "fd-leak" },
    { SS_EVENT_SHMEMSCOPE_WIRE_FD_CLOSE, "fd-leak" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE, "missing-reply" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE, "commit-before-reply" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE, "died-in-request" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE, "fd-leak" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE, "sources-disagree" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MESSAGE, "fd-closed-early" },
    { SS_EVENT_SHMEMSCOPE_WIRE_SHMEM, "unsolicited-reply" },
    { SS_EVENT_SHMEMSCOPE_WIRE_SHMEM, "double-reply" },
    { SS_EVENT_SHMEMSCOPE_WIRE_SHMEM, "fd-closed-early" },
    { SS_EVENT_SHMEMSCOPE_WIRE_FD_DUP, "accepted-not-mapped" },
    { SS_EVENT_SHMEMSCOPE_WIRE_FD_DUP, "fd-leak" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MAP, "fd-leak" },
    { SS_EVENT_SHMEMSCOPE_WIRE_MAP, "accepted-not-mapped" },
    { SS_EVENT_SHMEMSCOPE_WIRE_UNMAP, "stale-mapping" },
    { SS_EVENT_SHMEMSCOPE_WIRE_UNMAP, "mapping-leak" },
    { SS_EVENT_SHMEMSCOPE_WIRE_UNMAP, "fd-closed-early" },
};

/* What the processes share. */
typedef struct Shared {
    gint next; /* the fixture that is next */
    Tally tallies[MAX_WORKERS];
    bool seen[G_N_ELEMENTS(beyond_reach)];
} Shared;

static Shared *shared;

static guint64 bit(const char *id)
{
    return G_GUINT64_CONSTANT(1) << ss_check_index(id);
}

/* What is seen of the same trouble when a part of its evidence is missing: of a deadlock the
 * wait without the cycle, and what led to it; and the close that follows from one that was too
 * early; of a reply that is missing the wait. */
static guint64 kin(guint64 alarms)
{
    guint64 all = alarms;
    if (alarms & bit("reply-commit-deadlock")) {
        all |= bit("stuck-wait") | bit("commit-before-reply");
    }
    if (alarms & bit("missing-reply")) {
        all |= bit("stuck-wait"); /* that the other side went on */
    }
    return alarms & bit("fd-closed-early") ? all | bit("double-close") : all;
}

/* What one side alone makes of it, when the other tells nothing. */
static guint64 side_alone(const SsFixture *whole, bool wire)
{
    SsFixture *side = ss_cut_new(whole, &(SsCut){ 0 });
    g_array_unref(side->events);
    side->events = g_array_new(FALSE, FALSE, sizeof(SsEvent));
    for (guint i = 0; i < whole->events->len; i++) {
        const SsEvent *event = &g_array_index(whole->events, SsEvent, i);
        if (ss_event_of_library(event->id) == wire) {
            g_array_append_val(side->events, *event);
        }
    }
    guint64 alarms = side->events->len ? ss_cut_judge(side, false).alarms : 0;
    ss_cut_free(side);
    return alarms;
}

/* A wait that spoke up is a hang as long as its end is not seen, and nobody told of a loss. */
static guint64 spoken(const SsFixture *whole)
{
    for (guint i = 0; i < whole->events->len; i++) {
        SsEventId id = g_array_index(whole->events, SsEvent, i).id;
        if (id == SS_EVENT_VHOST_USER_REPLY_WAIT_LASTS ||
            id == SS_EVENT_SHMEMSCOPE_WIRE_WAIT_LASTS) {
            return bit("reply-commit-deadlock") | bit("stuck-wait");
        }
    }
    return 0;
}

static void wrong(Tally *tally, const SsFixture *whole, const char *what, const SsCut *cut,
                  const char *why, guint64 set)
{
    g_autofree char *names = ss_verdict_text(set);
    if (tally->wrong++ < MAX_SHOWN) {
        (void)printf("%s: %s, without events %u to %u of %u%s%s: %s: %s\n", whole->path, what,
                     cut->from, cut->to, whole->events->len, cut->told ? ", told" : "",
                     cut->wide ? " widely" : "", why, names);
    }
}

static SsVerdict judge(const SsFixture *whole, const SsCut *cut, bool render)
{
    SsFixture *fixture = ss_cut_new(whole, cut);
    SsVerdict verdict = ss_cut_judge(fixture, render);
    ss_cut_free(fixture);
    return verdict;
}

/* A deadlock that is suspected is not observed when less is known. */
static void must_not_be_surer(Tally *tally, const SsFixture *whole, const char *what,
                              const SsCut *cut, const SsVerdict *verdict)
{
    guint64 surer = verdict->observed & ~tally->observed & bit("reply-commit-deadlock");
    if (surer) {
        wrong(tally, whole, what, cut, "observed", surer);
    }
}

static void must_not_alarm(Tally *tally, const SsFixture *whole, guint64 allowed, const char *what,
                           const SsCut *cut)
{
    SsVerdict verdict = judge(whole, cut, false);
    if (verdict.alarms & ~allowed) {
        wrong(tally, whole, what, cut, "alarms", verdict.alarms & ~allowed);
    }
    must_not_be_surer(tally, whole, what, cut, &verdict);
}

static gint64 time_of(const SsFixture *whole, guint index)
{
    return g_array_index(whole->events, SsEvent, index).ns;
}

static void begun_late(Tally *tally, const SsFixture *whole, guint64 allowed)
{
    for (guint k = 1; k <= whole->events->len; k++) {
        must_not_alarm(tally, whole, allowed, "begun late", &(SsCut){ .from = 0, .to = k });
        tally->begins++;
    }
}

/* The recording stopped after event k - 1: at once, or just before the next; and of the
 * process's end nothing is known, or it is known that it ended after that. */
static void ended_early(Tally *tally, const SsFixture *whole, guint64 allowed)
{
    guint n = whole->events->len;
    for (guint k = 0; k < n; k++) {
        gint64 at_once = k ? time_of(whole, k - 1) : time_of(whole, 0) - 1;
        gint64 reaches[] = { at_once, MAX(at_once, time_of(whole, k) - 1) };
        for (guint i = 0; i < G_N_ELEMENTS(reaches) * 2; i++) {
            must_not_alarm(
                tally, whole, allowed, i % 2 ? "ended early, end known" : "ended early",
                &(SsCut){ .from = k, .to = n, .reach_ns = reaches[i / 2], .run_known = i % 2 });
            tally->ends++;
        }
    }
}

static void lost_and_told(Tally *tally, const SsFixture *whole, guint64 allowed, guint64 all,
                          guint from, guint to)
{
    SsCut cut = { .from = from, .to = to, .told = true };
    cut.wide = g_rand_int_range(tally->rand, 0, 2);
    cut.loss_events = g_rand_int_range(tally->rand, 0, 2) ? to - from : 0;
    bool render = tally->windows % 16 == 0;
    SsVerdict verdict = judge(whole, &cut, render);
    tally->windows++;
    if (verdict.alarms & ~allowed) {
        wrong(tally, whole, "lost", &cut, "alarms", verdict.alarms & ~allowed);
    }
    must_not_be_surer(tally, whole, "lost", &cut, &verdict);
    if (verdict.undecided != all) {
        wrong(tally, whole, "lost", &cut, "decided", all & ~verdict.undecided);
    }
    if (verdict.clear) {
        wrong(tally, whole, "lost", &cut, "all clear", all);
    }
}

static void windows(Tally *tally, const SsFixture *whole, guint64 allowed, guint64 all)
{
    guint n = whole->events->len;
    if (n * (n + 1) / 2 <= MANY) {
        for (guint from = 0; from < n; from++) {
            for (guint to = from + 1; to <= n; to++) {
                lost_and_told(tally, whole, allowed, all, from, to);
            }
        }
        return;
    }
    for (guint i = 0; i < n; i++) {
        lost_and_told(tally, whole, allowed, all, i, i + 1);
    }
    for (guint i = 0; i < tally->most; i++) {
        guint from = g_rand_int_range(tally->rand, 0, n);
        /* Short ones leave more of the rest to misunderstand. */
        guint most = i % 2 ? MIN(n - from, 24) : n - from;
        lost_and_told(tally, whole, allowed, all, from,
                      from + g_rand_int_range(tally->rand, 1, most + 1));
    }
}

/* Of each kind so many. */
static void of_streams(Tally *tally, const SsFixture *whole, guint64 allowed)
{
    static const char *const names[] = { "a stream begun late", "a stream ended early",
                                         "a hole in a stream" };
    for (guint i = 0; i < STREAM_CUTS * SS_N_STREAM_CUTS; i++) {
        SsFixture *fixture = ss_cut_streams_new(whole, i % SS_N_STREAM_CUTS, tally->rand);
        SsVerdict verdict = ss_cut_judge(fixture, false);
        guint64 surer = verdict.observed & ~tally->observed & bit("reply-commit-deadlock");
        tally->streams++;
        if ((verdict.alarms & ~allowed) | surer) {
            g_autofree char *what =
                g_strdup_printf("%s, number %u", names[i % SS_N_STREAM_CUTS], i);
            wrong(tally, whole, what, &(SsCut){ 0 }, surer ? "observed" : "alarms",
                  (verdict.alarms & ~allowed) | surer);
        }
        ss_cut_streams_free(fixture);
    }
}

static void silent(Tally *tally, const SsFixture *whole, guint64 allowed)
{
    for (guint i = 0; i < whole->events->len; i++) {
        SsCut cut = { .from = i, .to = i + 1 };
        SsVerdict verdict = judge(whole, &cut, false);
        tally->silent++;
        const SsEvent *event = &g_array_index(whole->events, SsEvent, i);
        guint64 alarms = verdict.alarms & ~allowed;
        for (guint b = 0; b < G_N_ELEMENTS(beyond_reach); b++) {
            const BeyondReach *one = &beyond_reach[b];
            if (one->event == event->id && alarms & bit(one->check)) {
                shared->seen[b] = true;
                alarms &= ~bit(one->check);
            }
        }
        if (alarms) {
            g_autofree char *what =
                g_strdup_printf("%s lost, and nobody told", ss_catalogue_events[event->id].name);
            wrong(tally, whole, what, &cut, "alarms", alarms);
        }
    }
}

/* What the wire library says of its own sight takes back what was found before: a cut that has not
 * that word does not know. */
static guint64 taken_back(const SsFixture *whole)
{
    guint64 alarms = 0;
    for (guint i = 0; i < whole->events->len; i++) {
        SsEventId id = g_array_index(whole->events, SsEvent, i).id;
        if (id == SS_EVENT_SHMEMSCOPE_WIRE_FD_LOST || id == SS_EVENT_SHMEMSCOPE_WIRE_GAP) {
            alarms |= judge(whole, &(SsCut){ .from = i, .to = i + 1 }, false).alarms;
        }
    }
    return alarms;
}

static void check(Tally *tally, const SsFixture *whole)
{
    SsVerdict verdict = ss_cut_judge(whole, false);
    guint64 allowed = kin(verdict.alarms | side_alone(whole, false) | side_alone(whole, true)) |
                      taken_back(whole);
    tally->observed = verdict.observed;
    guint64 unseen = allowed | spoken(whole);
    guint64 all = 0;
    for (guint i = 0; ss_all_checks[i]; i++) {
        all |= G_GUINT64_CONSTANT(1) << i;
    }
    if (verdict.alarms) {
        tally->sick++;
    } else {
        tally->healthy++;
    }
    begun_late(tally, whole, unseen);
    ended_early(tally, whole, unseen);
    windows(tally, whole, allowed, all);
    of_streams(tally, whole, unseen);
    silent(tally, whole, unseen);
}

static int work(Tally *tally, guint32 seed, char **fixtures, gint n)
{
    for (gint i; (i = g_atomic_int_add(&shared->next, 1)) < n;) {
        /* What it chooses is the same whoever does it. */
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed + (guint32)i * 2654435761u);
        g_autoptr(GError) error = NULL;
        g_autoptr(SsFixture) whole = ss_fixture_load(fixtures[i], &error);
        if (!whole) {
            (void)fprintf(stderr, "%s\n", error->message);
            return 2;
        }
        tally->rand = rand;
        check(tally, whole);
    }
    return 0;
}

/* FALSE: one of them did not come to its end as it should. */
static bool work_all(guint workers, guint32 seed, guint most, char **fixtures, gint n)
{
    bool ended = true;
    for (guint i = 0; i < workers; i++) {
        pid_t child = fork();
        if (child == 0) {
            shared->tallies[i].most = most;
            exit(work(&shared->tallies[i], seed, fixtures, n));
        }
        ended = ended && child > 0;
    }
    for (int status; wait(&status) > 0;) {
        ended = ended && status == 0;
    }
    return ended;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fprintf(stderr, "Usage: cuts SEED WINDOWS FIXTURE...\n");
        return 2;
    }
    guint workers = CLAMP(g_get_num_processors(), 1, MAX_WORKERS);
    guint32 seed = (guint32)strtoul(argv[1], NULL, 10);
    guint most = (guint)strtoul(argv[2], NULL, 10);
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !work_all(workers, seed, most, argv + 3, argc - 3)) {
        (void)fprintf(stderr, "Cannot cut fixtures: seed %s: a process of it failed\n", argv[1]);
        return 2;
    }
    Tally all = { 0 };
    for (guint i = 0; i < workers; i++) {
        const Tally *one = &shared->tallies[i];
        all.healthy += one->healthy;
        all.sick += one->sick;
        all.begins += one->begins;
        all.ends += one->ends;
        all.windows += one->windows;
        all.streams += one->streams;
        all.silent += one->silent;
        all.wrong += one->wrong;
    }
    for (guint b = 0; b < G_N_ELEMENTS(beyond_reach); b++) {
        if (!shared->seen[b]) {
            all.wrong++;
            (void)printf("%s lost, and nobody told: no fixture raises %s any more\n",
                         ss_catalogue_events[beyond_reach[b].event].name, beyond_reach[b].check);
        }
    }
    (void)printf("seed %s: %" G_GUINT64_FORMAT " healthy fixtures, %" G_GUINT64_FORMAT
                 " sick ones; begun late %" G_GUINT64_FORMAT ", ended early %" G_GUINT64_FORMAT
                 ", lost and told %" G_GUINT64_FORMAT ", of one stream %" G_GUINT64_FORMAT
                 ", lost and not told %" G_GUINT64_FORMAT "; %" G_GUINT64_FORMAT " wrong\n",
                 argv[1], all.healthy, all.sick, all.begins, all.ends, all.windows, all.streams,
                 all.silent, all.wrong);
    return all.wrong ? 1 : 0;
}
