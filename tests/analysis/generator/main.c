/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay FIXTURE [REPEAT [wait]]: tells a fixture's events through LTTng-UST, by a provider
 * generated from the catalogue, as a QEMU would. Its pid stands for the fixture's, or for all
 * of them; each thread of each of the fixture's processes is a thread. Times are those of the
 * replay. With REPEAT the whole fixture is told again and again, for traces of any size. With
 * "wait" it first prints its pid and reads a line, so that a session can be set up for it alone.
 * With SS_REPLAY_HOP=EVENTS each thread moves on to another CPU after so many events, for traces
 * whose streams need each other. With SS_REPLAY_NAMES the threads are named as the fixture's are.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "replay.h"
#include "tests/analysis/fixture.h"

typedef struct Replay {
    const SsFixture *fixture;
    guint64 repeat;
    GMutex lock;
    GCond turn;
    guint64 next; /* number of the event to be told, over all repeats */
    guint64 hop;  /* 0: no thread moves */
    guint n_cpus; /* before a thread has moved: newer GLib counts those it may run on */
} Replay;

typedef struct Worker {
    Replay *replay;
    gint32 pid, tid; /* of the fixture */
    const char *name;
} Worker;

static void hop(const Replay *replay)
{
    if (replay->hop && replay->next % replay->hop == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(replay->next / replay->hop % replay->n_cpus, &set);
        (void)sched_setaffinity(0, sizeof(set), &set); /* not all may be ours: it stays then */
    }
}

static const char *name_of(const Worker *worker)
{
    const GPtrArray *threads = worker->replay->fixture->threads;
    guint n = g_getenv("SS_REPLAY_NAMES") ? threads->len : 0;
    for (guint i = 0; i < n; i++) {
        const SsFixtureThread *thread = g_ptr_array_index(threads, i);
        if (thread->pid == worker->pid && thread->tid == worker->tid) {
            return thread->name;
        }
    }
    return worker->name;
}

static void run(Worker *worker)
{
    Replay *replay = worker->replay;
    guint n_events = replay->fixture->events->len;
    guint64 total = n_events * replay->repeat;
    (void)prctl(PR_SET_NAME, name_of(worker)); /* as much as the kernel takes of it */
    g_mutex_lock(&replay->lock);
    while (replay->next < total) {
        const SsEvent *event =
            &g_array_index(replay->fixture->events, SsEvent, (guint)(replay->next % n_events));
        if (event->pid != worker->pid || event->tid != worker->tid) {
            g_cond_wait(&replay->turn, &replay->lock);
            continue;
        }
        hop(replay);
        ss_replay_event(event->id, &event->u);
        replay->next++;
        g_cond_broadcast(&replay->turn);
    }
    g_mutex_unlock(&replay->lock);
}

/* Whether a worker before `end` tells what this thread of the fixture told. */
static bool is_known(const Worker *workers, guint end, const SsEvent *event)
{
    for (guint w = 0; w < end; w++) {
        if (workers[w].pid == event->pid && workers[w].tid == event->tid) {
            return true;
        }
    }
    return false;
}

static gpointer thread_main(gpointer data)
{
    run(data);
    return NULL;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SsFixture) fixture = argc > 1 ? ss_fixture_load(argv[1], &error) : NULL;
    if (!fixture) {
        (void)fprintf(stderr, "%s\n", error ? error->message : "Usage: replay FIXTURE [REPEAT]");
        return 2;
    }
    Replay replay = { .fixture = fixture, .repeat = argc > 2 ? strtoull(argv[2], NULL, 10) : 1 };
    replay.n_cpus = g_get_num_processors();
    replay.hop = g_ascii_strtoull(g_getenv("SS_REPLAY_HOP") ?: "0", NULL, 10);
    g_mutex_init(&replay.lock);
    g_cond_init(&replay.turn);

    /* One worker for each thread; the first process's own is this one. */
    g_autoptr(GArray) workers = g_array_new(FALSE, FALSE, sizeof(Worker));
    for (guint i = 0; i < fixture->events->len; i++) {
        const SsEvent *event = &g_array_index(fixture->events, SsEvent, i);
        if (!i) {
            Worker own = { &replay, event->pid, event->pid, "replay" };
            g_array_append_val(workers, own);
        }
        if (!is_known((const Worker *)workers->data, workers->len, event)) {
            Worker other = { &replay, event->pid, event->tid, "replay-thread" };
            g_array_append_val(workers, other);
        }
    }
    (void)printf("%d\n", getpid());
    if (argc > 3 && (fflush(stdout) != 0 || getchar() == EOF)) {
        return 2;
    }
    g_autofree GThread **threads = g_new0(GThread *, workers->len + 1);
    for (guint w = 1; w < workers->len; w++) {
        threads[w] = g_thread_new("replay", thread_main, &g_array_index(workers, Worker, w));
    }
    if (workers->len) {
        run(&g_array_index(workers, Worker, 0));
    }
    for (guint w = 1; w < workers->len; w++) {
        (void)g_thread_join(threads[w]);
    }
    return 0;
}
