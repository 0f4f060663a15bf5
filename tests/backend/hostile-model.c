/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-model.h"

#include "channel.h"
#include "request.h"

/* Mappings that the front-end takes, and writable ones among them: docs/protocol.md, Limits. */
#define MAX_MAPPINGS 1536
#define MAX_WRITABLE 480

#define FLAG_WRITABLE UINT64_C(1)

SsHostileModel *ss_hostile_model_new(const uint64_t *regions, gboolean reply_ack)
{
    SsHostileModel *model = g_new0(SsHostileModel, 1);

    model->regions = regions;
    model->reply_ack = reply_ack;
    model->live = g_array_new(FALSE, FALSE, sizeof(SsHostileMapping));
    return model;
}

void ss_hostile_model_free(SsHostileModel *model)
{
    if (model == NULL) {
        return;
    }
    g_array_unref(model->live);
    g_free(model);
}

static gboolean has_regions(const SsHostileModel *model)
{
    for (unsigned i = 0; i < SS_HOSTILE_REGIONS; i++) {
        if (model->regions[i] != 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* The mapping that has a byte of the range, -1: none. The range lies within its region. */
static int find(const SsHostileModel *model, const SsHostileMessage *message)
{
    for (unsigned i = 0; i < model->live->len; i++) {
        const SsHostileMapping *mapping = &g_array_index(model->live, SsHostileMapping, i);

        if (mapping->shmid == message->shmid &&
            mapping->offset < message->shm_offset + message->len &&
            message->shm_offset < mapping->offset + mapping->len) {
            return (int)i;
        }
    }
    return -1;
}

static gboolean is_exactly(const SsHostileModel *model, int index, const SsHostileMessage *message)
{
    const SsHostileMapping *mapping = &g_array_index(model->live, SsHostileMapping, index);

    return mapping->offset == message->shm_offset && mapping->len == message->len;
}

/* What MAP and UNMAP have in common; NULL: nothing is wrong. */
static const char *judge_range(const SsHostileModel *model, const SsHostileMessage *message)
{
    uint64_t size = model->regions[message->shmid];

    if (message->size < SS_CHANNEL_SHMEM_SIZE) {
        return "short-payload";
    }
    if (!has_regions(model)) {
        return "no-region";
    }
    if (size == 0) {
        return "bad-shmid";
    }
    if (message->len == 0) {
        return "zero-length";
    }
    if (message->fd_offset % SS_HOSTILE_PAGE != 0 || message->shm_offset % SS_HOSTILE_PAGE != 0 ||
        message->len % SS_HOSTILE_PAGE != 0) {
        return "unaligned";
    }
    if (message->shm_offset > size || message->len > size - message->shm_offset) {
        return "out-of-range";
    }
    return NULL;
}

static const char *judge_file(const SsHostileMessage *message)
{
    const SsHostileFile *file = message->file;

    if (file->is_directory || !file->has_end) {
        return "bad-file";
    }
    if (message->fd_offset > file->end || message->len > file->end - message->fd_offset) {
        return "beyond-file";
    }
    if (message->fd_offset % file->page_size != 0 || message->len % file->page_size != 0) {
        return "unaligned";
    }
    if (message->map_flags == FLAG_WRITABLE ? !file->writable : !file->readable) {
        return "bad-file";
    }
    return NULL;
}

static const char *judge_map(const SsHostileModel *model, const SsHostileMessage *message,
                             unsigned received)
{
    const char *reason;

    if (received != 1) {
        return "bad-fd-count";
    }
    reason = judge_range(model, message);
    if (reason != NULL) {
        return reason;
    }
    if (message->map_flags > FLAG_WRITABLE) {
        return "bad-flags";
    }
    if (find(model, message) >= 0) {
        return "overlap";
    }
    if (model->live->len >= MAX_MAPPINGS ||
        (message->map_flags == FLAG_WRITABLE && model->writable >= MAX_WRITABLE)) {
        return "too-many";
    }
    return judge_file(message);
}

static const char *judge_unmap(const SsHostileModel *model, const SsHostileMessage *message,
                               unsigned received)
{
    const char *reason;
    int index;

    if (received != 0) {
        return "bad-fd-count";
    }
    reason = judge_range(model, message);
    if (reason != NULL) {
        return reason;
    }
    if (message->map_flags != 0 || message->fd_offset != 0) {
        return "bad-flags";
    }
    index = find(model, message);
    if (index < 0) {
        return "no-mapping";
    }
    return is_exactly(model, index, message) ? NULL : "not-whole";
}

SsHostileVerdict ss_hostile_model_judge(const SsHostileModel *model,
                                        const SsHostileMessage *message)
{
    SsHostileVerdict verdict = { .outcome = SS_HOSTILE_DONE };
    gboolean asks = (message->flags & SS_CHANNEL_NEED_REPLY) != 0;

    if (message->end != SS_HOSTILE_STAYS || message->size > SS_HOSTILE_MAX_PAYLOAD) {
        verdict.outcome = SS_HOSTILE_CLOSED;
        return verdict;
    }
    /* A descriptor that comes while a payload is read is the kernel's to close. */
    if (message->file != NULL && !message->late_fds) {
        verdict.received = MIN(message->fds, SS_HOSTILE_MAX_RECEIVED);
    }
    if (message->request == SS_BACKEND_SHMEM_MAP) {
        verdict.reason = judge_map(model, message, verdict.received);
    } else if (message->request == SS_BACKEND_SHMEM_UNMAP) {
        verdict.reason = judge_unmap(model, message, verdict.received);
    } else {
        /* To these, QEMU replies whenever it is asked to. */
        verdict.outcome = SS_HOSTILE_UNKNOWN;
        verdict.replied = asks;
        return verdict;
    }
    if (verdict.reason != NULL) {
        verdict.outcome = SS_HOSTILE_REFUSED;
    }
    verdict.replied = asks && model->reply_ack;
    return verdict;
}

void ss_hostile_model_apply(SsHostileModel *model, const SsHostileMessage *message,
                            const SsHostileVerdict *verdict)
{
    if (verdict->outcome == SS_HOSTILE_CLOSED) {
        /* With the channel go the mappings. */
        g_array_set_size(model->live, 0);
        model->writable = 0;
    } else if (verdict->outcome == SS_HOSTILE_DONE && message->request == SS_BACKEND_SHMEM_MAP) {
        const SsHostileMapping mapping = {
            .shmid = message->shmid,
            .offset = message->shm_offset,
            .len = message->len,
            .writable = message->map_flags == FLAG_WRITABLE,
            .file = message->file,
            .fd_offset = message->fd_offset,
        };

        model->writable += mapping.writable ? 1 : 0;
        g_array_append_val(model->live, mapping);
    } else if (verdict->outcome == SS_HOSTILE_DONE) {
        int index = find(model, message);

        if (g_array_index(model->live, SsHostileMapping, index).writable) {
            model->writable--;
        }
        g_array_remove_index(model->live, (unsigned)index);
    }
}
