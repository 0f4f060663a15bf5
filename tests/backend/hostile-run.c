/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-run.h"

#include "channel.h"
#include "hostile-lies.h"
#include "hostile-mix.h"
#include "hostile-send.h"
#include "stage.h"

#include <sys/socket.h>
#include <unistd.h>

/* Requests without waiting for a reply: what the buffers of both directions hold at least. */
#define BURST_MOST 128
/* Descriptors that are under way at once: fewer than a process may have by the usual limit. */
#define BURST_FDS_MOST 256

/* How often to look whether the front-end has read a message that it does not answer. */
#define NOTICE_POLL_MS 1

/* The pattern of the mapping that is made at the end. */
#define GOOD_PATTERN UINT64_C(0x6c6c65777368656d)

typedef struct {
    SsHostileMessage message;
    SsHostileVerdict verdict;
    uint64_t seq;
} Exchange;

typedef struct {
    const SsHostileOptions *options; /* weak */
    SsStage stage;
    SsHostileLies *lies; /* owned, NULL: none */
    SsHostileMix *mix;   /* owned */
    Exchange burst[BURST_MOST];
    unsigned burst_length;
} Run;

static gboolean read_reply(Run *run, int channel, const Exchange *exchange, GError **error)
{
    uint64_t value;

    if (run->options->endless) {
        return ss_channel_read_reply(channel, exchange->message.request, &value, error);
    }
    return ss_hostile_read_reply(channel, &exchange->message, &exchange->verdict, error);
}

static gboolean collect_replies(Run *run, GError **error)
{
    int channel = ss_device_backend_fd(run->stage.device);

    for (unsigned i = 0; i < run->burst_length; i++) {
        const Exchange *exchange = &run->burst[i];

        if (!exchange->verdict.replied) {
            continue;
        }
        if (!read_reply(run, channel, exchange, error)) {
            g_prefix_error(error,
                           "message %" G_GUINT64_FORMAT " of the connection: ", exchange->seq);
            return FALSE;
        }
        run->stage.tally->replies++;
    }
    run->burst_length = 0;
    return TRUE;
}

/* Ends the channel with the message, and waits until the front-end has noticed. */
static gboolean end_channel(Run *run, const SsHostileMessage *message, GError **error)
{
    int channel = ss_device_backend_fd(run->stage.device);

    if (message->end == SS_HOSTILE_CLOSES) {
        ss_device_close_backend(run->stage.device);
        return TRUE;
    }
    if (message->end == SS_HOSTILE_SHUTS_DOWN) {
        (void)shutdown(channel, SHUT_WR);
    }
    return ss_hostile_await_end(channel, error);
}

/* Judges, logs and sends one message; its reply is still to come. */
static gboolean send_message(Run *run, const SsHostileMessage *message, uint64_t spread,
                             GError **error)
{
    Exchange *exchange = &run->burst[run->burst_length];

    exchange->message = *message;
    exchange->verdict = ss_hostile_model_judge(run->stage.model, message);
    exchange->seq = ++run->stage.seq;
    ss_hostile_tally_add(run->stage.tally, run->stage.log, message, &exchange->verdict,
                         exchange->seq);
    ss_hostile_model_apply(run->stage.model, message, &exchange->verdict);
    if (exchange->verdict.outcome != SS_HOSTILE_CLOSED) {
        run->burst_length++;
        return ss_hostile_send(ss_device_backend_fd(run->stage.device), message, spread, error);
    }
    /* Replies that nobody reads would be a fault of another kind. */
    if (!collect_replies(run, error)) {
        return FALSE;
    }
    ss_hostile_await_read(ss_device_backend_fd(run->stage.device));
    return ss_hostile_send(ss_device_backend_fd(run->stage.device), message, spread, error) &&
           end_channel(run, message, error);
}

static gboolean is_enough(const Run *run)
{
    return !run->options->endless && run->stage.tally->sent >= run->options->messages;
}

/* Messages until they are enough, or the channel is at its end. */
static gboolean send_round(void *data, GError **error)
{
    Run *run = data;
    uint64_t closed = run->stage.tally->closed;

    while (!is_enough(run) && run->stage.tally->closed == closed) {
        uint64_t length = 1;
        unsigned fds = 0;

        /* Mostly one after another, and now and then a flood. */
        if (ss_hostile_mix_below(run->mix, 8) == 0) {
            length += ss_hostile_mix_below(run->mix, BURST_MOST);
        }
        while (length-- > 0 && fds < BURST_FDS_MOST && run->burst_length < BURST_MOST &&
               !is_enough(run) && run->stage.tally->closed == closed) {
            SsHostileMessage message;

            ss_hostile_mix_next(run->mix, &message);
            fds += message.fds;
            if (!send_message(run, &message, ss_hostile_mix_below(run->mix, UINT32_MAX), error)) {
                return FALSE;
            }
        }
        if (!collect_replies(run, error)) {
            return FALSE;
        }
    }
    if (run->stage.tally->closed == closed) {
        /* Without replies, nothing else tells. */
        ss_hostile_await_read(ss_device_backend_fd(run->stage.device));
    }
    return TRUE;
}

/* Whether the front-end has come to the message, so that the next thing it does comes after. */
static gboolean is_noticed(Run *run, SsServeResult result)
{
    return run->options->reply_ack ? result == SS_SERVE_BACKEND
                                   : ss_hostile_is_read(ss_device_backend_fd(run->stage.device));
}

/* One more exchange, of the main thread, which serves the memory table meanwhile. */
static gboolean exchange_good(Run *run, const SsHostileMessage *message, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    if (!send_message(run, message, 0, error)) {
        return FALSE;
    }
    while (!is_noticed(run, result)) {
        if (!ss_stage_serve(&run->stage, NOTICE_POLL_MS, run->options->reply_ack, &result, error)) {
            return FALSE;
        }
    }
    return collect_replies(run, error);
}

static gboolean await_go(Run *run, GError **error)
{
    gboolean ended = FALSE;

    while (!ss_control_take(run->stage.control, "go", &ended)) {
        if (ended) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "the input ended before \"go\"");
            return FALSE;
        }
        if (!ss_stage_serve(&run->stage, -1, FALSE, NULL, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean take_all_out(Run *run, GError **error)
{
    while (run->stage.model->live->len > 0) {
        SsHostileMessage unmap =
            ss_hostile_good_unmap(&g_array_index(run->stage.model->live, SsHostileMapping, 0));

        if (!exchange_good(run, &unmap, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* After all this, what is right still works. */
static gboolean end_well(Run *run, GError **error)
{
    const SsHostileFile *file = &g_array_index(run->stage.files, SsHostileFile, 0);
    const uint64_t pattern = GOOD_PATTERN;
    SsHostileMessage map = ss_hostile_good_map(file, 0, SS_HOSTILE_PAGE);

    if (pwrite(file->fd, &pattern, sizeof(pattern), 0) != sizeof(pattern)) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot write the file");
        return FALSE;
    }
    return take_all_out(run, error) && exchange_good(run, &map, error) &&
           ss_control_tell("mapped", error) && await_go(run, error) && take_all_out(run, error) &&
           ss_control_tell("done", error);
}

static gboolean perform(Run *run, GError **error)
{
    uint64_t closed;

    if (!ss_stage_connect(&run->stage, error) || !ss_control_tell("started", error) ||
        !await_go(run, error)) {
        return FALSE;
    }
    if (run->options->endless) {
        ss_hostile_mix_go_on(run->mix);
        return ss_stage_endless(&run->stage, "hostile", send_round, run, error);
    }
    do {
        closed = run->stage.tally->closed;
        if (!ss_stage_round(&run->stage, "hostile", send_round, run, error)) {
            return FALSE;
        }
        if (run->stage.tally->closed != closed && !ss_stage_connect(&run->stage, error)) {
            return FALSE;
        }
    } while (!is_enough(run));
    if (run->lies != NULL) {
        ss_hostile_lies_stop(run->lies);
    }
    return end_well(run, error) && ss_stage_serve_until_close(&run->stage, error);
}

static void log_end(Run *run, gboolean good, const char *reason)
{
    SsLogLine *line = ss_log_begin(run->stage.log, "main", "end", 0);

    ss_log_number(line, "seed", run->options->seed);
    ss_hostile_tally_write(run->stage.tally, line);
    if (run->lies != NULL) {
        ss_log_number(line, "lies", ss_hostile_lies_told(run->lies));
    }
    ss_log_boolean(line, "ok", good);
    if (reason != NULL) {
        ss_log_string(line, "reason", reason);
    }
    ss_log_end(line);
}

static void prepare(Run *run)
{
    const SsHostileOptions *options = run->options;

    run->mix =
        ss_hostile_mix_new(options->seed, options->messages, run->stage.model, run->stage.files);
    if (options->lies) {
        run->lies = ss_hostile_lies_new(options->seed);
        ss_device_set_answer(run->stage.device, ss_hostile_lies_answer, run->lies);
    }
}

gboolean ss_hostile_run(const SsHostileOptions *options, SsLog *log, int listener, GError **error)
{
    g_autofree Run *run = g_new0(Run, 1);
    g_autoptr(GError) reason = NULL;
    gboolean good;

    const SsStageOptions stage = {
        .name = "hostile",
        .reply_ack = options->reply_ack,
        .mem_slots = options->mem_slots,
        .one_region = options->one_region,
        .region = UINT64_C(1) << 20,
    };

    run->options = options;
    good = ss_stage_open(&run->stage, &stage, log, listener, &reason);
    if (good) {
        prepare(run);
        good = perform(run, &reason);
        log_end(run, good, reason != NULL ? reason->message : NULL);
    }
    ss_hostile_lies_free(run->lies);
    ss_hostile_mix_free(run->mix);
    if (!good) {
        g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                                   "Hostile run failed: seed=%" G_GUINT64_FORMAT
                                   ", message=%" G_GUINT64_FORMAT ": ",
                                   options->seed, run->stage.tally->sent);
    }
    ss_stage_close(&run->stage);
    return good;
}
