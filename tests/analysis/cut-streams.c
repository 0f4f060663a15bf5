/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/analysis/cut-streams.h"

/* So often, in events, a thread goes to the other CPU. */
#define STAY 4

static gint64 time_of(const SsFixture *fixture, guint index)
{
    return g_array_index(fixture->events, SsEvent, index).ns;
}

/* The events of the one CPU, as indices; at least one. */
static GArray *one_stream(const SsFixture *whole, GRand *rand)
{
    GArray *stream = g_array_new(FALSE, FALSE, sizeof(guint));
    bool here = g_rand_boolean(rand);
    for (guint i = 0; i < whole->events->len; i++) {
        here ^= g_rand_int_range(rand, 0, STAY) == 0;
        if (here) {
            g_array_append_val(stream, i);
        }
    }
    guint first = 0;
    if (!stream->len) {
        g_array_append_val(stream, first);
    }
    return stream;
}

/* Between two events: the time of the first, that of the second, or between. */
static gint64 between(GRand *rand, gint64 first_ns, gint64 second_ns)
{
    gint64 later = MAX(first_ns, second_ns);
    switch (g_rand_int_range(rand, 0, 3)) {
    case 0:
        return first_ns;
    case 1:
        return later;
    default:
        return first_ns + (later - first_ns) / 2;
    }
}

static void add_loss(SsFixture *fixture, gint64 begin_ns, gint64 end_ns, guint64 events)
{
    SsLoss loss = { .begin_ns = begin_ns, .end_ns = end_ns, .events = events };
    guint at = 0;
    while (at < fixture->losses->len &&
           g_array_index(fixture->losses, SsLoss, at).begin_ns <= begin_ns) {
        at++;
    }
    g_array_insert_val(fixture->losses, at, loss);
}

/* A process of which the fixture says only that it ended did so at the end of it. */
static GArray *timed_ends(const SsFixture *whole)
{
    GArray *ends = g_array_copy(whole->process_ends);
    gint64 end_ns = MAX(whole->end_ns, time_of(whole, whole->events->len - 1));
    for (guint i = 0; i < ends->len; i++) {
        SsFixtureEnd *end = &g_array_index(ends, SsFixtureEnd, i);
        if (end->end == SS_END_EXITED || end->end == SS_END_SIGNAL) {
            end->ns = end->ns ? end->ns : end_ns;
        }
    }
    return ends;
}

SsFixture *ss_cut_streams_new(const SsFixture *whole, SsStreamCut kind, GRand *rand)
{
    SsFixture *fixture = g_memdup2(whole, sizeof(*whole));
    g_autoptr(GArray) stream = one_stream(whole, rand);
    guint from = kind == SS_STREAM_BEGINS ? 0 : (guint)g_rand_int_range(rand, 0, stream->len);
    guint to =
        kind == SS_STREAM_ENDS ? stream->len : (guint)g_rand_int_range(rand, from, stream->len) + 1;
    guint first = g_array_index(stream, guint, from);
    guint last = g_array_index(stream, guint, to - 1);
    /* The packets beside those that are missing end and begin somewhere between the events. */
    gint64 begin_ns = from ? between(rand, time_of(whole, g_array_index(stream, guint, from - 1)),
                                     time_of(whole, first))
                           : time_of(whole, first);
    gint64 end_ns = to < stream->len ? between(rand, time_of(whole, last),
                                               time_of(whole, g_array_index(stream, guint, to)))
                                     : time_of(whole, last);
    (void)g_array_ref(fixture->events);
    fixture->losses = g_array_copy(whole->losses);
    fixture->process_ends =
        kind == SS_STREAM_ENDS ? timed_ends(whole) : g_array_copy(whole->process_ends);
    fixture->dropped = g_new0(bool, whole->events->len);
    for (guint i = from; i < to; i++) {
        fixture->dropped[g_array_index(stream, guint, i)] = true;
    }
    if (kind == SS_STREAM_BEGINS) {
        /* Where it begins it is whole. */
        fixture->complete_ns = MAX(end_ns, time_of(whole, last) + 1);
    } else if (kind == SS_STREAM_ENDS) {
        fixture->ragged_ns = MIN(begin_ns, time_of(whole, first) - 1);
    } else {
        add_loss(fixture, begin_ns, end_ns, g_rand_boolean(rand) ? to - from : 0);
    }
    return fixture;
}

void ss_cut_streams_free(SsFixture *fixture)
{
    g_array_unref(fixture->events);
    g_array_unref(fixture->losses);
    g_array_unref(fixture->process_ends);
    g_free(fixture->dropped);
    g_free(fixture);
}
