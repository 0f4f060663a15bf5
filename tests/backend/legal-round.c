/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel.h"
#include "hostile-send.h"
#include "legal-parts.h"

#define BURST_ODDS 6
/* How often to look whether the front-end has read what it does not answer. */
#define NOTICE_POLL_MS 1

static int channel_of(const SsLegalRun *run)
{
    return ss_device_backend_fd(run->stage.device);
}

static gboolean send_message(SsLegalRun *run, GError **error)
{
    SsLegalExchange *exchange = &run->burst[run->burst_length];
    unsigned live = run->stage.model->live->len;

    ss_legal_mix_next(run->mix, &exchange->message);
    exchange->verdict = ss_hostile_model_judge(run->stage.model, &exchange->message);
    exchange->seq = ++run->stage.seq;
    ss_hostile_tally_add(run->stage.tally, run->stage.log, &exchange->message, &exchange->verdict,
                         exchange->seq);
    ss_hostile_model_apply(run->stage.model, &exchange->message, &exchange->verdict);
    ss_legal_count_removed(run, "unmap", run->stage.model->live->len < live ? 1 : 0);
    run->live_most = MAX(run->live_most, run->stage.model->live->len);
    run->burst_length++;
    run->round_left--;
    return ss_hostile_send(channel_of(run), &exchange->message,
                           ss_legal_mix_below(run->mix, UINT32_MAX), error);
}

/* One message, or now and then several at once. */
static gboolean send_burst(SsLegalRun *run, GError **error)
{
    uint64_t length = 1;

    if (run->options->manner != SS_LEGAL_BLOCKING &&
        ss_legal_mix_below(run->mix, BURST_ODDS) == 0) {
        length += ss_legal_mix_below(run->mix, SS_LEGAL_BURST);
    }
    run->burst_length = 0;
    for (length = MIN(length, run->round_left); length > 0; length--) {
        if (!send_message(run, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean read_reply(SsLegalRun *run, const SsLegalExchange *exchange, GError **error)
{
    if (!ss_hostile_read_reply(channel_of(run), &exchange->message, &exchange->verdict, error)) {
        g_prefix_error(error, "message %" G_GUINT64_FORMAT " of the connection: ", exchange->seq);
        return FALSE;
    }
    run->stage.tally->replies++;
    return TRUE;
}

static gboolean await_reply_serving(SsLegalRun *run, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    while (result != SS_SERVE_BACKEND) {
        if (!ss_stage_serve(&run->stage, -1, TRUE, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean collect_replies(SsLegalRun *run, GError **error)
{
    for (unsigned i = 0; i < run->burst_length; i++) {
        const SsLegalExchange *exchange = &run->burst[i];

        if (!exchange->verdict.replied) {
            continue;
        }
        if (run->options->manner == SS_LEGAL_SERVING && !await_reply_serving(run, error)) {
            return FALSE;
        }
        if (!read_reply(run, exchange, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static uint64_t tables_served(const SsLegalRun *run)
{
    static const uint32_t requests[] = { 5, 37, 38 }; /* SET_MEM_TABLE, ADD_, REM_MEM_REG */
    uint64_t served = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        served += ss_device_served(run->stage.device, requests[i]);
    }
    return served;
}

/* The commit of a writable mapping changes the memory table, that of another one does not. */
static gboolean exchange_blocking(SsLegalRun *run, GError **error)
{
    uint64_t tables = tables_served(run);
    unsigned writable = run->stage.model->writable;

    if (!send_burst(run, error) || !collect_replies(run, error)) {
        return FALSE;
    }
    while (run->stage.model->writable != writable && tables_served(run) == tables) {
        if (!ss_stage_serve(&run->stage, -1, FALSE, NULL, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean exchange_serving(SsLegalRun *run, GError **error)
{
    if (!send_burst(run, error) || !collect_replies(run, error)) {
        return FALSE;
    }
    /* Without replies this also keeps the channel from getting full, which would block. */
    while (!ss_hostile_is_read(channel_of(run))) {
        if (!ss_stage_serve(&run->stage, NOTICE_POLL_MS, FALSE, NULL, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean exchange_all(SsLegalRun *run, gboolean (*exchange)(SsLegalRun *run, GError **error),
                             GError **error)
{
    while (run->round_left > 0) {
        if (!exchange(run, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean exchange_in_thread(SsLegalRun *run, GError **error)
{
    return send_burst(run, error) && collect_replies(run, error);
}

static gboolean send_round(void *data, GError **error)
{
    SsLegalRun *run = data;

    if (!exchange_all(run, exchange_in_thread, error)) {
        return FALSE;
    }
    /* What has no reply is dealt with when it is read, as far as others can tell. */
    ss_hostile_await_read(channel_of(run));
    return TRUE;
}

gboolean ss_legal_round(SsLegalRun *run, GError **error)
{
    uint64_t length = 1 + ss_legal_mix_below(run->mix, 2 * run->options->round - 1);
    g_autofree char *told = g_strdup_printf("done %" G_GUINT64_FORMAT, length);
    gboolean good = FALSE;

    run->round_left = length;
    switch (run->options->manner) {
    case SS_LEGAL_THREADS:
        good = ss_stage_round(&run->stage, "messages", send_round, run, error);
        break;
    case SS_LEGAL_SERVING:
        good = exchange_all(run, exchange_serving, error);
        break;
    case SS_LEGAL_BLOCKING:
        good = exchange_all(run, exchange_blocking, error);
        break;
    }
    return good && ss_control_tell(told, error);
}
