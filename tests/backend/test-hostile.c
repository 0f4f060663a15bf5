/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hostile back-end's model, on paper, and its messages. */
#include "channel.h"
#include "hostile-mix.h"
#include "request.h"

#include <string.h>

#define P SS_HOSTILE_PAGE
#define REGION (UINT64_C(64) * P)
#define FILE_SIZE (UINT64_C(32) * P)

typedef struct {
    uint64_t regions[SS_HOSTILE_REGIONS];
    SsHostileModel *model;
    SsHostileFile file;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
    fixture->regions[3] = REGION;
    fixture->model = ss_hostile_model_new(fixture->regions, TRUE);
    fixture->file = ss_hostile_file_on_paper(FILE_SIZE);
}

static void tear_down(Fixture *fixture, const void *data)
{
    ss_hostile_model_free(fixture->model);
}

static SsHostileMessage map_at(Fixture *fixture, uint64_t offset)
{
    return ss_hostile_good_map(&fixture->file, 3, offset);
}

static SsHostileMessage unmap_at(uint64_t offset, uint64_t len)
{
    const SsHostileMapping mapping = { .shmid = 3, .offset = offset, .len = len };

    return ss_hostile_good_unmap(&mapping);
}

static SsHostileVerdict send(Fixture *fixture, SsHostileMessage message)
{
    SsHostileVerdict verdict = ss_hostile_model_judge(fixture->model, &message);

    ss_hostile_model_apply(fixture->model, &message, &verdict);
    return verdict;
}

static void assert_refused(Fixture *fixture, SsHostileMessage message, const char *reason)
{
    SsHostileVerdict verdict = send(fixture, message);

    g_assert_cmpint(verdict.outcome, ==, SS_HOSTILE_REFUSED);
    g_assert_cmpstr(verdict.reason, ==, reason);
}

static void assert_done(Fixture *fixture, SsHostileMessage message)
{
    g_assert_cmpint(send(fixture, message).outcome, ==, SS_HOSTILE_DONE);
}

/* Everything is wrong; what is told first is made right, one after another. */
static void test_order_of_map(Fixture *fixture, const void *data)
{
    SsHostileMessage message = map_at(fixture, P);

    assert_done(fixture, message);
    message.fds = 2;
    message.size = 39;
    message.shmid = 4;
    message.len = 0;
    message.fd_offset = 1;
    message.shm_offset = REGION + P;
    message.map_flags = 2;
    fixture->file.has_end = FALSE;
    assert_refused(fixture, message, "bad-fd-count");
    message.fds = 1;
    message.late_fds = TRUE;
    assert_refused(fixture, message, "bad-fd-count");
    message.late_fds = FALSE;
    assert_refused(fixture, message, "short-payload");
    message.size = 2056;
    assert_refused(fixture, message, "bad-shmid");
    message.shmid = 3;
    assert_refused(fixture, message, "zero-length");
    message.len = 0 - P;
    assert_refused(fixture, message, "unaligned");
    message.fd_offset = FILE_SIZE + P;
    assert_refused(fixture, message, "out-of-range");
    message.shm_offset = 2 * P;
    assert_refused(fixture, message, "out-of-range");
    message.shm_offset = 0;
    message.len = REGION;
    assert_refused(fixture, message, "bad-flags");
    message.map_flags = 1;
    assert_refused(fixture, message, "overlap");
    message.shm_offset = 2 * P;
    message.len = 2 * P;
    assert_refused(fixture, message, "bad-file");
    fixture->file.has_end = TRUE;
    assert_refused(fixture, message, "beyond-file");
    message.fd_offset = FILE_SIZE - P;
    assert_refused(fixture, message, "beyond-file");
    message.fd_offset = P;
    fixture->file.page_size = 4 * P;
    assert_refused(fixture, message, "unaligned");
    fixture->file.page_size = P;
    fixture->file.writable = FALSE;
    assert_refused(fixture, message, "bad-file");
    message.map_flags = 0;
    assert_done(fixture, message);
}

static void test_order_of_unmap(Fixture *fixture, const void *data)
{
    SsHostileMessage message = unmap_at(REGION, 0);

    assert_done(fixture, map_at(fixture, P));
    message.file = &fixture->file;
    message.fds = 1;
    message.fd_offset = 2 * P;
    message.size = 0;
    assert_refused(fixture, message, "bad-fd-count");
    message.file = NULL;
    assert_refused(fixture, message, "short-payload");
    message.size = SS_CHANNEL_SHMEM_SIZE;
    assert_refused(fixture, message, "zero-length");
    message.len = P;
    assert_refused(fixture, message, "out-of-range");
    message.shm_offset = 0;
    assert_refused(fixture, message, "bad-flags");
    message.fd_offset = 0;
    assert_refused(fixture, message, "no-mapping");
    message.len = 2 * P;
    assert_refused(fixture, message, "not-whole");
    message.shm_offset = P;
    assert_refused(fixture, message, "not-whole");
    message.len = P;
    assert_done(fixture, message);
    assert_refused(fixture, message, "no-mapping");
}

static void test_no_region(Fixture *fixture, const void *data)
{
    fixture->regions[3] = 0;
    assert_refused(fixture, map_at(fixture, 0), "no-region");
    assert_refused(fixture, unmap_at(0, P), "no-region");
}

static void test_limits(Fixture *fixture, const void *data)
{
    uint64_t offset = 0;
    SsHostileMessage message;

    fixture->regions[3] = 4096 * P;
    for (; offset < 480 * P; offset += P) {
        assert_done(fixture, map_at(fixture, offset));
    }
    assert_refused(fixture, map_at(fixture, offset), "too-many");
    for (; offset < 1536 * P; offset += P) {
        message = map_at(fixture, offset);
        message.map_flags = 0;
        assert_done(fixture, message);
    }
    message.shm_offset = offset;
    assert_refused(fixture, message, "too-many");
    assert_done(fixture, unmap_at(0, P));
    assert_done(fixture, map_at(fixture, 0));
    assert_refused(fixture, map_at(fixture, offset), "too-many");
}

static void test_replies(Fixture *fixture, const void *data)
{
    SsHostileMessage message = map_at(fixture, 0);

    g_assert_true(send(fixture, message).replied);
    message.flags = SS_CHANNEL_VERSION;
    g_assert_false(send(fixture, message).replied);
    fixture->model->reply_ack = FALSE;
    message.flags |= SS_CHANNEL_NEED_REPLY;
    g_assert_false(send(fixture, message).replied);
    message.request = 11;
    g_assert_cmpint(send(fixture, message).outcome, ==, SS_HOSTILE_UNKNOWN);
    g_assert_true(send(fixture, message).replied);
}

static void test_closing(Fixture *fixture, const void *data)
{
    SsHostileMessage message = map_at(fixture, 0);

    assert_done(fixture, message);
    message.size = SS_HOSTILE_MAX_PAYLOAD + 1;
    g_assert_cmpint(send(fixture, message).outcome, ==, SS_HOSTILE_CLOSED);
    g_assert_cmpuint(fixture->model->live->len, ==, 0);
    assert_done(fixture, map_at(fixture, 0));
    message.size = SS_CHANNEL_SHMEM_SIZE;
    message.end = SS_HOSTILE_CLOSES;
    g_assert_cmpint(send(fixture, message).outcome, ==, SS_HOSTILE_CLOSED);
    g_assert_cmpuint(fixture->model->writable, ==, 0);
}

static void test_received(Fixture *fixture, const void *data)
{
    SsHostileMessage message = map_at(fixture, 0);

    message.fds = 64;
    g_assert_cmpuint(send(fixture, message).received, ==, 16);
    message.late_fds = TRUE;
    g_assert_cmpuint(send(fixture, message).received, ==, 0);
}

#define COUNT 60000

/* Sums of what a seed makes: by outcome and request, and a number for all fields. */
static uint64_t digest(Fixture *fixture, uint64_t seed, unsigned *ret_outcomes)
{
    g_autoptr(GArray) files = g_array_new(FALSE, TRUE, sizeof(SsHostileFile));
    g_autoptr(SsHostileMix) mix = ss_hostile_mix_new(seed, COUNT, fixture->model, files);
    uint64_t sum = 0;

    g_array_append_val(files, fixture->file);
    for (unsigned i = 0; i < COUNT; i++) {
        SsHostileMessage message;

        ss_hostile_mix_next(mix, &message);
        sum = sum * 31 + message.request + message.len + message.shm_offset + message.fd_offset +
              message.map_flags + message.size + message.fds + message.pieces;
        ret_outcomes[send(fixture, message).outcome]++;
    }
    return sum;
}

static void test_seed(Fixture *fixture, const void *data)
{
    unsigned first[4] = { 0 };
    unsigned second[4] = { 0 };
    unsigned other[4] = { 0 };
    uint64_t sum;

    fixture->regions[0] = fixture->regions[7] = fixture->regions[200] = REGION;
    sum = digest(fixture, 7, first);
    g_array_set_size(fixture->model->live, 0);
    fixture->model->writable = 0;
    g_assert_cmpuint(digest(fixture, 7, second), ==, sum);
    g_assert_cmpmem(first, sizeof(first), second, sizeof(second));
    g_array_set_size(fixture->model->live, 0);
    fixture->model->writable = 0;
    g_assert_cmpuint(digest(fixture, 8, other), !=, sum);
    /* Every kind of outcome is frequent enough to count. */
    g_assert_cmpuint(first[SS_HOSTILE_DONE], >, COUNT / 20);
    g_assert_cmpuint(first[SS_HOSTILE_REFUSED], >, COUNT / 4);
    g_assert_cmpuint(first[SS_HOSTILE_UNKNOWN], >, COUNT / 50);
    g_assert_cmpuint(first[SS_HOSTILE_CLOSED], >, 10);
    g_assert_cmpuint(first[SS_HOSTILE_CLOSED], <, COUNT / 100);
}

static void test_kinds_of_files(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) files = ss_hostile_files_open(&error);
    const SsHostileFile *file;

    g_assert_no_error(error);
    g_assert_cmpuint(files->len, >=, 20);
    for (unsigned i = 0; i < files->len; i++) {
        file = &g_array_index(files, SsHostileFile, i);
        if (strcmp(file->name, "memfd") == 0) {
            g_assert_true(file->is_plain && file->readable && file->writable && i == 0);
        } else if (strcmp(file->name, "read-only") == 0) {
            g_assert_true(file->readable && !file->writable);
        } else if (strcmp(file->name, "pipe") == 0 || strcmp(file->name, "socket") == 0 ||
                   strcmp(file->name, "path") == 0) {
            g_assert_false(file->has_end);
        } else if (strcmp(file->name, "directory") == 0) {
            g_assert_true(file->is_directory);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, const void *data);
    } tests[] = {
        { "/hostile/order-of-map", test_order_of_map },
        { "/hostile/order-of-unmap", test_order_of_unmap },
        { "/hostile/no-region", test_no_region },
        { "/hostile/limits", test_limits },
        { "/hostile/replies", test_replies },
        { "/hostile/closing", test_closing },
        { "/hostile/received", test_received },
        { "/hostile/seed", test_seed },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
    g_test_add_func("/hostile/kinds-of-files", test_kinds_of_files);
    return g_test_run();
}
