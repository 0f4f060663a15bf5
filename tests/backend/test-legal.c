/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a back-end that keeps to the protocol: all are legal, and all kinds occur. */
#include "channel.h"
#include "legal-mix.h"
#include "request.h"

#define P SS_HOSTILE_PAGE
#define REGION (UINT64_C(64) * P)
#define COUNT 20000
#define SEEDS 20
#define LIVE 24
#define WRITABLE 5

typedef struct {
    uint64_t regions[SS_HOSTILE_REGIONS];
    SsHostileModel *model;
    GArray *files;
} Fixture;

/* What occurred, how often. */
typedef struct {
    unsigned maps, unmaps, whole, writable, read_only, no_reply, pieces, region_ends;
    unsigned odd_files;
    unsigned live_most, writable_most;
    uint64_t sum; /* of all fields */
} Seen;

static void set_up(Fixture *fixture, const void *data)
{
    SsHostileFile files[] = {
        ss_hostile_file_on_paper(REGION),
        ss_hostile_file_on_paper(P + P / 2),
        ss_hostile_file_on_paper(4 * REGION),
        ss_hostile_file_on_paper(0),
    };

    files[2].writable = FALSE;
    files[2].is_plain = FALSE;
    fixture->regions[0] = REGION;
    fixture->regions[7] = 8 * P;
    fixture->regions[200] = P;
    fixture->model = ss_hostile_model_new(fixture->regions, TRUE);
    fixture->files = g_array_new(FALSE, TRUE, sizeof(SsHostileFile));
    g_array_append_vals(fixture->files, files, G_N_ELEMENTS(files));
}

static void tear_down(Fixture *fixture, const void *data)
{
    ss_hostile_model_free(fixture->model);
    g_array_unref(fixture->files);
}

static void see(Fixture *fixture, Seen *seen, const SsHostileMessage *message)
{
    uint64_t size = fixture->regions[message->shmid];
    SsHostileVerdict verdict = ss_hostile_model_judge(fixture->model, message);

    g_assert_cmpint(verdict.outcome, ==, SS_HOSTILE_DONE);
    ss_hostile_model_apply(fixture->model, message, &verdict);
    seen->sum = seen->sum * 31 + message->request + message->len + message->shm_offset +
                message->fd_offset + message->map_flags + message->flags + message->pieces;
    seen->no_reply += (message->flags & SS_CHANNEL_NEED_REPLY) == 0;
    seen->pieces += message->pieces > 1;
    seen->live_most = MAX(seen->live_most, fixture->model->live->len);
    seen->writable_most = MAX(seen->writable_most, fixture->model->writable);
    if (message->request == SS_BACKEND_SHMEM_UNMAP) {
        seen->unmaps++;
        return;
    }
    seen->maps++;
    seen->whole += message->len == size;
    seen->region_ends += message->len < size && message->shm_offset + message->len == size;
    seen->writable += message->map_flags == 1;
    seen->read_only += message->map_flags == 0;
    seen->odd_files += !message->file->is_plain;
}

static Seen play(Fixture *fixture, uint64_t seed, const SsLegalLimits *limits)
{
    g_autoptr(SsLegalMix) mix = ss_legal_mix_new(seed, limits, fixture->model, fixture->files);
    Seen seen = { 0 };

    g_array_set_size(fixture->model->live, 0);
    fixture->model->writable = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        SsHostileMessage message;

        ss_legal_mix_next(mix, &message);
        see(fixture, &seen, &message);
    }
    g_assert_cmpuint(seen.maps - seen.unmaps, ==, fixture->model->live->len);
    g_assert_cmpuint(seen.live_most, <=, limits->live);
    g_assert_cmpuint(seen.writable_most, <=, limits->writable);
    return seen;
}

static void test_all_kinds(Fixture *fixture, const void *data)
{
    const SsLegalLimits limits = { .live = LIVE, .writable = WRITABLE };

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        Seen seen = play(fixture, seed, &limits);

        g_assert_cmpuint(seen.live_most, ==, LIVE);
        g_assert_cmpuint(seen.writable_most, ==, WRITABLE);
        g_assert_cmpuint(seen.unmaps, >, COUNT / 3);
        g_assert_cmpuint(seen.whole, >, COUNT / 200);
        g_assert_cmpuint(seen.region_ends, >, COUNT / 200);
        g_assert_cmpuint(seen.writable, >, COUNT / 20);
        g_assert_cmpuint(seen.read_only, >, COUNT / 20);
        g_assert_cmpuint(seen.no_reply, >, COUNT / 10);
        g_assert_cmpuint(seen.pieces, >, COUNT / 200);
        g_assert_cmpuint(seen.odd_files, >, COUNT / 200);
    }
}

static void test_limits(Fixture *fixture, const void *data)
{
    const SsLegalLimits limits = { .live = 2, .always_reply = TRUE, .whole_at_once = TRUE };
    Seen seen = play(fixture, 1, &limits);

    g_assert_cmpuint(seen.no_reply, ==, 0);
    g_assert_cmpuint(seen.pieces, ==, 0);
    g_assert_cmpuint(seen.writable, ==, 0);
    g_assert_cmpuint(seen.live_most, ==, 2);
}

static void test_plain(Fixture *fixture, const void *data)
{
    const SsLegalLimits limits = { .live = LIVE, .writable = WRITABLE, .plain = TRUE };
    Seen seen = play(fixture, 1, &limits);

    g_assert_cmpuint(seen.odd_files, ==, 0);
    g_assert_cmpuint(seen.maps, >, COUNT / 3);
}

static void test_seed(Fixture *fixture, const void *data)
{
    const SsLegalLimits limits = { .live = LIVE, .writable = WRITABLE };
    uint64_t sum = play(fixture, 7, &limits).sum;

    g_assert_cmpuint(play(fixture, 7, &limits).sum, ==, sum);
    g_assert_cmpuint(play(fixture, 8, &limits).sum, !=, sum);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/legal/all-kinds", Fixture, NULL, set_up, test_all_kinds, tear_down);
    g_test_add("/legal/limits", Fixture, NULL, set_up, test_limits, tear_down);
    g_test_add("/legal/plain", Fixture, NULL, set_up, test_plain, tear_down);
    g_test_add("/legal/seed", Fixture, NULL, set_up, test_seed, tear_down);
    return g_test_run();
}
