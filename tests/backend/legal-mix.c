/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "legal-mix.h"

#include "channel.h"
#include "hostile-mix.h"
#include "request.h"

#define PAGE SS_HOSTILE_PAGE
/* Messages that follow one inclination, and more the more mappings there may be. */
#define MOOD_MOST 32
/* So often a mapping is drawn that must fit; then something is taken out instead. */
#define DRAWS 24
/* One in so many messages does not ask for a reply, and one comes in pieces. */
#define NO_REPLY_ODDS 5
#define PIECES_ODDS 64

/* What a back-end is about for a while. */
typedef enum {
    MOOD_FILL,
    MOOD_DRAIN,
    MOOD_BOTH,  /* as many come as go */
    MOOD_PAIRS, /* what comes goes at once */
    MOOD_WHOLE, /* regions as a whole */
    MOODS,
} Mood;

struct SsLegalMix {
    SsHostileMix *random; /* owned: the numbers */
    SsLegalLimits limits;
    const SsHostileModel *model; /* weak */
    const GArray *files;         /* weak */
    uint8_t shmids[SS_HOSTILE_REGIONS];
    unsigned shmid_count;
    Mood mood;
    uint64_t mood_left; /* messages */
};

SsLegalMix *ss_legal_mix_new(uint64_t seed, const SsLegalLimits *limits,
                             const SsHostileModel *model, const GArray *files)
{
    SsLegalMix *mix = g_new0(SsLegalMix, 1);

    mix->random = ss_hostile_mix_new(seed, 0, model, files);
    mix->limits = *limits;
    mix->model = model;
    mix->files = files;
    for (unsigned id = 0; id < SS_HOSTILE_REGIONS; id++) {
        if (model->regions[id] != 0) {
            mix->shmids[mix->shmid_count++] = (uint8_t)id;
        }
    }
    return mix;
}

void ss_legal_mix_free(SsLegalMix *mix)
{
    if (mix == NULL) {
        return;
    }
    ss_hostile_mix_free(mix->random);
    g_free(mix);
}

uint64_t ss_legal_mix_below(SsLegalMix *mix, uint64_t limit)
{
    return ss_hostile_mix_below(mix->random, limit);
}

static gboolean one_in(SsLegalMix *mix, uint64_t odds)
{
    return ss_legal_mix_below(mix, odds) == 0;
}

/* A number of pages, mostly a small one. */
static uint64_t some_pages(SsLegalMix *mix, uint64_t most)
{
    uint64_t pages = 1 + ss_legal_mix_below(mix, most);

    return one_in(mix, 3) ? pages : 1 + (pages - 1) % 4;
}

static uint64_t place_in_file(SsLegalMix *mix, const SsHostileFile *file, uint64_t len)
{
    uint64_t last = file->end >= len ? (file->end - len) / PAGE : 0;

    return one_in(mix, 4) ? last * PAGE : ss_legal_mix_below(mix, last + 1) * PAGE;
}

/* Mostly one of those that a back-end would have. */
static const SsHostileFile *some_file(SsLegalMix *mix)
{
    const SsHostileFile *file;

    do {
        file = &g_array_index(mix->files, SsHostileFile, ss_legal_mix_below(mix, mix->files->len));
    } while (!file->is_plain && (mix->limits.plain || !one_in(mix, 3)));
    return file;
}

static SsHostileMessage draw_map(SsLegalMix *mix)
{
    gboolean whole = mix->mood == MOOD_WHOLE;
    uint8_t shmid = mix->shmids[one_in(mix, 2) ? 0 : ss_legal_mix_below(mix, mix->shmid_count)];
    const SsHostileFile *file = some_file(mix);
    uint64_t pages = mix->model->regions[shmid] / PAGE;
    SsHostileMessage message = ss_hostile_good_map(file, shmid, 0);
    uint64_t len = whole ? pages : some_pages(mix, MIN(pages, mix->mood == MOOD_FILL ? 4 : 64));

    message.len = len * PAGE;
    message.shm_offset = ss_legal_mix_below(mix, pages - len + 1) * PAGE;
    if (!whole && one_in(mix, 8)) {
        message.shm_offset = (pages - len) * PAGE;
    }
    message.fd_offset = place_in_file(mix, file, message.len);
    message.map_flags = ss_legal_mix_below(mix, 2);
    return message;
}

static gboolean is_allowed(const SsLegalMix *mix, const SsHostileMessage *message)
{
    if (message->map_flags != 0 && mix->model->writable >= mix->limits.writable) {
        return FALSE;
    }
    return ss_hostile_model_judge(mix->model, message).outcome == SS_HOSTILE_DONE;
}

/* FALSE: none that fits was found. */
static gboolean next_map(SsLegalMix *mix, SsHostileMessage *message)
{
    if (mix->model->live->len >= mix->limits.live) {
        return FALSE;
    }
    for (unsigned i = 0; i < DRAWS; i++) {
        *message = draw_map(mix);
        if (is_allowed(mix, message)) {
            return TRUE;
        }
    }
    return FALSE;
}

static void next_unmap(SsLegalMix *mix, SsHostileMessage *message)
{
    const GArray *live = mix->model->live;
    uint64_t index = mix->mood == MOOD_PAIRS ? live->len - 1 : ss_legal_mix_below(mix, live->len);

    *message = ss_hostile_good_unmap(&g_array_index(live, SsHostileMapping, index));
}

/* One that fits wherever nothing is mapped. */
static SsHostileMessage plain_map(const SsLegalMix *mix)
{
    SsHostileMessage message =
        ss_hostile_good_map(&g_array_index(mix->files, SsHostileFile, 0), mix->shmids[0], 0);

    message.map_flags = 0;
    return message;
}

static gboolean wants_map(SsLegalMix *mix)
{
    switch (mix->mood) {
    case MOOD_FILL:
        return !one_in(mix, 6);
    case MOOD_DRAIN:
        return one_in(mix, 6);
    case MOOD_PAIRS:
        return mix->mood_left % 2 == 0;
    default:
        return one_in(mix, 2);
    }
}

void ss_legal_mix_next(SsLegalMix *mix, SsHostileMessage *message)
{
    if (mix->mood_left == 0) {
        mix->mood = (Mood)ss_legal_mix_below(mix, MOODS);
        mix->mood_left = 2 + ss_legal_mix_below(mix, MOOD_MOST + mix->limits.live);
    }
    mix->mood_left--;
    if (!(wants_map(mix) || mix->model->live->len == 0) || !next_map(mix, message)) {
        if (mix->model->live->len > 0) {
            next_unmap(mix, message);
        } else {
            *message = plain_map(mix);
        }
    }
    if (!mix->limits.always_reply && one_in(mix, NO_REPLY_ODDS)) {
        message->flags &= ~SS_CHANNEL_NEED_REPLY;
    }
    if (!mix->limits.whole_at_once && one_in(mix, PIECES_ODDS)) {
        message->pieces = 2 + (unsigned)ss_legal_mix_below(mix, 3);
    }
    g_assert(ss_hostile_model_judge(mix->model, message).outcome == SS_HOSTILE_DONE);
}
