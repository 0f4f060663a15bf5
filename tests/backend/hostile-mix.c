/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-mix.h"

#include "channel.h"
#include "request.h"

#define PAGE SS_HOSTILE_PAGE
/* Where the mapping stands that the edges of UNMAP are about. */
#define STANDING (16 * PAGE)
#define STANDING_LEN (4 * PAGE)
/* The random mix takes something out when so much is mapped: QEMU becomes slow with more. */
#define LIVE_MOST 24
/* One in so many messages of the random mix ends the channel. */
#define END_ODDS 1000

typedef enum {
    FIELD_SHMID,
    FIELD_FD_OFFSET,
    FIELD_SHM_OFFSET,
    FIELD_LEN,
    FIELD_MAP_FLAGS,
    FIELD_SIZE,
    FIELD_FLAGS,
    FIELD_FDS,
    FIELD_FILE,
    FIELD_PADDING,
    FIELDS,
} Field;

struct SsHostileMix {
    uint64_t state;              /* of the random numbers */
    const SsHostileModel *model; /* weak */
    const GArray *files;         /* weak */
    gboolean in_pairs;
    gboolean swept;   /* all edges were taken */
    gboolean goes_on; /* no message ends the channel */
    /* The next edge: of which request, the fields and the indices of their values. */
    uint32_t request;
    unsigned field[2];
    unsigned value[2];
};

static const uint64_t shmids[] = { 0, 1, 6, 7, 8, 200, 254, 255 };
static const uint64_t map_flags[] = {
    0, 1, 2, 3, 4, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX,
};
static const uint64_t sizes[] = { 0, 1, 8, 39, 40, 41, 48, 2055, SS_HOSTILE_MAX_PAYLOAD };
static const uint64_t header_flags[] = {
    9, 1, 8, 0, 13, 5, 11, UINT32_MAX, UINT32_MAX - SS_CHANNEL_NEED_REPLY,
};
static const uint64_t fd_counts[] = { 1, 0, 2, 8, 16, 17, SS_CHANNEL_MAX_FDS };
static const uint64_t paddings[] = { 0, 0xff };
/* Those of offsets and lengths that do not depend on the region, of `shared` values. */
static const uint64_t numbers[] = {
    0,
    1,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    2 * PAGE,
    UINT64_C(1) << 31,
    UINT64_C(1) << 32,
    (UINT64_C(1) << 63) - 1,
    UINT64_C(1) << 63,
    0 - 2 * PAGE,
    0 - PAGE,
    UINT64_MAX,
};
/* And those that do: added to the region's size. */
static const int64_t around_end[] = { -4096, -1, 0, 1, 4096 };
static const uint32_t unknown_requests[] = {
    0, 4, 5, 11, 12, 44, 255, 256, 0x7fffffff, 0x80000009, UINT32_MAX,
};
static const uint32_t large_sizes[] = {
    SS_HOSTILE_MAX_PAYLOAD + 1, 4096, 0x7fffffff, 0x80000000, UINT32_MAX,
};

/* splitmix64: small, well mixed, and any seed will do. */
static uint64_t next_random(SsHostileMix *mix)
{
    uint64_t z = (mix->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t ss_hostile_mix_below(SsHostileMix *mix, uint64_t limit)
{
    return next_random(mix) % limit;
}

static gboolean one_in(SsHostileMix *mix, uint64_t odds)
{
    return ss_hostile_mix_below(mix, odds) == 0;
}

SsHostileMix *ss_hostile_mix_new(uint64_t seed, uint64_t count, const SsHostileModel *model,
                                 const GArray *files)
{
    SsHostileMix *mix = g_new0(SsHostileMix, 1);

    mix->state = seed;
    mix->model = model;
    mix->files = files;
    mix->in_pairs = count >= 50000;
    mix->request = SS_BACKEND_SHMEM_MAP;
    return mix;
}

void ss_hostile_mix_free(SsHostileMix *mix)
{
    g_free(mix);
}

void ss_hostile_mix_go_on(SsHostileMix *mix)
{
    mix->goes_on = TRUE;
}

SsHostileMessage ss_hostile_good_map(const SsHostileFile *file, uint8_t shmid, uint64_t shm_offset)
{
    return (SsHostileMessage){
        .request = SS_BACKEND_SHMEM_MAP,
        .flags = SS_CHANNEL_VERSION | SS_CHANNEL_NEED_REPLY,
        .size = SS_CHANNEL_SHMEM_SIZE,
        .shmid = shmid,
        .shm_offset = shm_offset,
        .len = PAGE,
        .map_flags = 1,
        .file = file,
        .fds = 1,
        .pieces = 1,
    };
}

SsHostileMessage ss_hostile_good_unmap(const SsHostileMapping *mapping)
{
    return (SsHostileMessage){
        .request = SS_BACKEND_SHMEM_UNMAP,
        .flags = SS_CHANNEL_VERSION | SS_CHANNEL_NEED_REPLY,
        .size = SS_CHANNEL_SHMEM_SIZE,
        .shmid = mapping->shmid,
        .shm_offset = mapping->offset,
        .len = mapping->len,
        .pieces = 1,
    };
}

static const SsHostileFile *file_at(const SsHostileMix *mix, unsigned index)
{
    return &g_array_index(mix->files, SsHostileFile, index);
}

static unsigned value_count(const SsHostileMix *mix, unsigned field)
{
    switch (field) {
    case FIELD_SHMID:
        return G_N_ELEMENTS(shmids);
    case FIELD_MAP_FLAGS:
        return G_N_ELEMENTS(map_flags);
    case FIELD_SIZE:
        return G_N_ELEMENTS(sizes);
    case FIELD_FLAGS:
        return G_N_ELEMENTS(header_flags);
    case FIELD_FDS:
        return G_N_ELEMENTS(fd_counts);
    case FIELD_FILE:
        return mix->files->len;
    case FIELD_PADDING:
        return G_N_ELEMENTS(paddings);
    default:
        return G_N_ELEMENTS(numbers) + G_N_ELEMENTS(around_end);
    }
}

static uint64_t number_at(const SsHostileMix *mix, unsigned index, uint8_t shmid)
{
    if (index < G_N_ELEMENTS(numbers)) {
        return numbers[index];
    }
    return mix->model->regions[shmid] + (uint64_t)around_end[index - G_N_ELEMENTS(numbers)];
}

static void set_field(const SsHostileMix *mix, SsHostileMessage *message, unsigned field,
                      unsigned index)
{
    switch (field) {
    case FIELD_SHMID:
        message->shmid = (uint8_t)shmids[index];
        break;
    case FIELD_FD_OFFSET:
        message->fd_offset = number_at(mix, index, message->shmid);
        break;
    case FIELD_SHM_OFFSET:
        message->shm_offset = number_at(mix, index, message->shmid);
        break;
    case FIELD_LEN:
        message->len = number_at(mix, index, message->shmid);
        break;
    case FIELD_MAP_FLAGS:
        message->map_flags = map_flags[index];
        break;
    case FIELD_SIZE:
        message->size = (uint32_t)sizes[index];
        break;
    case FIELD_FLAGS:
        message->flags = (uint32_t)header_flags[index];
        break;
    case FIELD_FDS:
        message->fds = (unsigned)fd_counts[index];
        if (message->file == NULL) {
            message->file = file_at(mix, 0);
        }
        break;
    case FIELD_FILE:
        message->file = file_at(mix, index);
        message->fds = MAX(message->fds, 1);
        break;
    case FIELD_PADDING:
        message->padding = (uint8_t)paddings[index];
        break;
    default:
        g_assert_not_reached();
    }
}

/* Goes on to the next edge. */
static void advance(SsHostileMix *mix)
{
    if (mix->in_pairs) {
        if (++mix->value[1] < value_count(mix, mix->field[1])) {
            return;
        }
        mix->value[1] = 0;
        if (++mix->field[1] < FIELDS) {
            return;
        }
    }
    if (++mix->value[0] >= value_count(mix, mix->field[0])) {
        mix->value[0] = 0;
        mix->field[0]++;
    }
    mix->field[1] = mix->field[0] + 1;
    if (mix->in_pairs && mix->field[0] == FIELDS - 1) {
        mix->field[0] = FIELDS;
    }
    if (mix->field[0] < FIELDS) {
        return;
    }
    mix->field[0] = 0;
    mix->field[1] = 1;
    mix->swept = mix->request == SS_BACKEND_SHMEM_UNMAP;
    mix->request = SS_BACKEND_SHMEM_UNMAP;
}

/* The next edge; before one of UNMAP its mapping is put there, and before one of MAP all are
 * taken out. */
static void next_edge(SsHostileMix *mix, SsHostileMessage *message)
{
    const GArray *live = mix->model->live;
    const SsHostileMapping standing = { .offset = STANDING, .len = STANDING_LEN };
    const SsHostileMapping *first =
        live->len > 0 ? &g_array_index(live, SsHostileMapping, 0) : NULL;

    if (mix->request == SS_BACKEND_SHMEM_MAP) {
        if (first != NULL) {
            *message = ss_hostile_good_unmap(first);
            return;
        }
        *message = ss_hostile_good_map(file_at(mix, 0), 0, STANDING);
    } else {
        if (first == NULL) {
            *message = ss_hostile_good_map(file_at(mix, 0), 0, STANDING);
            message->len = STANDING_LEN;
            return;
        }
        *message = ss_hostile_good_unmap(&standing);
    }
    set_field(mix, message, mix->field[0], mix->value[0]);
    if (mix->in_pairs) {
        set_field(mix, message, mix->field[1], mix->value[1]);
    }
    advance(mix);
}

/* A message that ends the channel: too large, or broken off by the channel's end. */
static void make_last(SsHostileMix *mix, SsHostileMessage *message)
{
    static const unsigned cuts[] = { 0, 1, 4, 11, 12, 13, 51 };

    message->pieces = 1;
    message->late_fds = FALSE;
    if (one_in(mix, 3)) {
        message->size = large_sizes[ss_hostile_mix_below(mix, G_N_ELEMENTS(large_sizes))];
        message->cut = SS_CHANNEL_HEADER_SIZE + (one_in(mix, 2) ? SS_CHANNEL_SHMEM_SIZE : 0);
        return;
    }
    message->size = SS_CHANNEL_SHMEM_SIZE;
    message->end = one_in(mix, 2) ? SS_HOSTILE_CLOSES : SS_HOSTILE_SHUTS_DOWN;
    message->cut = cuts[ss_hostile_mix_below(mix, G_N_ELEMENTS(cuts))];
}

static const SsHostileMapping *random_mapping(SsHostileMix *mix)
{
    const GArray *live = mix->model->live;

    return &g_array_index(live, SsHostileMapping, (unsigned)ss_hostile_mix_below(mix, live->len));
}

/* One that may well be accepted, or collide with what is mapped. */
static void make_likely(SsHostileMix *mix, SsHostileMessage *message)
{
    static const uint8_t announced[] = { 0, 0, 0, 7, 200 };
    unsigned plain = 0;
    uint8_t shmid;

    if (mix->model->live->len > 0 && (mix->model->live->len >= LIVE_MOST || one_in(mix, 2))) {
        *message = ss_hostile_good_unmap(random_mapping(mix));
        return;
    }
    while (plain < mix->files->len && file_at(mix, plain)->is_plain) {
        plain++;
    }
    shmid = announced[ss_hostile_mix_below(mix, G_N_ELEMENTS(announced))];
    *message = ss_hostile_good_map(file_at(mix, (unsigned)ss_hostile_mix_below(mix, plain)), shmid,
                                   ss_hostile_mix_below(mix, 64) * PAGE);
    message->len = (1 + ss_hostile_mix_below(mix, 8)) * PAGE;
    message->fd_offset = ss_hostile_mix_below(mix, 32) * PAGE;
    message->map_flags = ss_hostile_mix_below(mix, 2);
}

/* Moves or stretches by a few pages, or by any number at all. */
static uint64_t shifted(SsHostileMix *mix, uint64_t number)
{
    if (one_in(mix, 8)) {
        return next_random(mix);
    }
    return number + (ss_hostile_mix_below(mix, 7) - 3) * PAGE;
}

static void spoil(SsHostileMix *mix, SsHostileMessage *message)
{
    unsigned field = (unsigned)ss_hostile_mix_below(mix, FIELDS);

    if (one_in(mix, 3)) {
        message->shm_offset = shifted(mix, message->shm_offset);
        message->len = one_in(mix, 2) ? shifted(mix, message->len) : message->len;
    } else if (one_in(mix, 10)) {
        message->request =
            unknown_requests[ss_hostile_mix_below(mix, G_N_ELEMENTS(unknown_requests))];
    } else {
        set_field(mix, message, field,
                  (unsigned)ss_hostile_mix_below(mix, value_count(mix, field)));
    }
}

void ss_hostile_mix_next(SsHostileMix *mix, SsHostileMessage *message)
{
    if (!mix->swept) {
        next_edge(mix, message);
        return;
    }
    make_likely(mix, message);
    for (uint64_t times = ss_hostile_mix_below(mix, 4); times > 0; times--) {
        spoil(mix, message);
    }
    if (one_in(mix, 16)) {
        message->pieces = 2 + (unsigned)ss_hostile_mix_below(mix, 6);
    }
    if (one_in(mix, 50) && message->size > 0 && message->fds > 0) {
        message->late_fds = TRUE;
    }
    if (one_in(mix, END_ODDS) && !mix->goes_on) {
        make_last(mix, message);
    }
}
