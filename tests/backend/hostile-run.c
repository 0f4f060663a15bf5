/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-run.h"

#include "channel.h"
#include "control.h"
#include "device.h"
#include "hostile-lies.h"
#include "hostile-mix.h"
#include "hostile-send.h"
#include "hostile-tally.h"

#include <sys/eventfd.h>
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
    SsLog *log;                      /* weak */
    SsScenario *announced;           /* owned: what the device has */
    SsDevice *device;                /* owned */
    SsControl *control;              /* owned */
    SsHostileLies *lies;             /* owned, NULL: none */
    GArray *files;                   /* owned, of SsHostileFile */
    SsHostileModel *model;           /* owned */
    SsHostileMix *mix;               /* owned */
    int wake;                        /* owned: an eventfd */
    GMutex mutex;                    /* guards the next two */
    gboolean round_over;
    GError *failure; /* owned */
    /* The thread of the messages, and the main thread while that does not run. */
    uint64_t seq;          /* on this connection */
    SsHostileTally *tally; /* owned */
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
    int channel = ss_device_backend_fd(run->device);

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
        run->tally->replies++;
    }
    run->burst_length = 0;
    return TRUE;
}

/* Ends the channel with the message, and waits until the front-end has noticed. */
static gboolean end_channel(Run *run, const SsHostileMessage *message, GError **error)
{
    int channel = ss_device_backend_fd(run->device);

    if (message->end == SS_HOSTILE_CLOSES) {
        ss_device_close_backend(run->device);
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
    exchange->verdict = ss_hostile_model_judge(run->model, message);
    exchange->seq = ++run->seq;
    ss_hostile_tally_add(run->tally, run->log, message, &exchange->verdict, exchange->seq);
    ss_hostile_model_apply(run->model, message, &exchange->verdict);
    if (exchange->verdict.outcome != SS_HOSTILE_CLOSED) {
        run->burst_length++;
        return ss_hostile_send(ss_device_backend_fd(run->device), message, spread, error);
    }
    /* Replies that nobody reads would be a fault of another kind. */
    if (!collect_replies(run, error)) {
        return FALSE;
    }
    ss_hostile_await_read(ss_device_backend_fd(run->device));
    return ss_hostile_send(ss_device_backend_fd(run->device), message, spread, error) &&
           end_channel(run, message, error);
}

static gboolean is_enough(const Run *run)
{
    return !run->options->endless && run->tally->sent >= run->options->messages;
}

/* Messages until they are enough, or the channel is at its end. */
static gboolean send_round(Run *run, GError **error)
{
    uint64_t closed = run->tally->closed;

    while (!is_enough(run) && run->tally->closed == closed) {
        uint64_t length = 1;
        unsigned fds = 0;

        /* Mostly one after another, and now and then a flood. */
        if (ss_hostile_mix_below(run->mix, 8) == 0) {
            length += ss_hostile_mix_below(run->mix, BURST_MOST);
        }
        while (length-- > 0 && fds < BURST_FDS_MOST && run->burst_length < BURST_MOST &&
               !is_enough(run) && run->tally->closed == closed) {
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
    if (run->tally->closed == closed) {
        /* Without replies, nothing else tells. */
        ss_hostile_await_read(ss_device_backend_fd(run->device));
    }
    return TRUE;
}

static void *run_thread(void *data)
{
    Run *run = data;
    GError *error = NULL;

    (void)send_round(run, &error);
    g_mutex_lock(&run->mutex);
    run->round_over = TRUE;
    run->failure = error;
    g_mutex_unlock(&run->mutex);
    (void)eventfd_write(run->wake, 1);
    return NULL;
}

static gboolean serve_once(Run *run, GError **error)
{
    SsServeResult result;

    if (!ss_device_serve(run->device, -1, FALSE, &result, error)) {
        return FALSE;
    }
    if (result == SS_SERVE_CLOSED) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "the front-end closed the main channel");
        return FALSE;
    }
    return TRUE;
}

static gboolean is_round_over(Run *run)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&run->mutex);

    return run->round_over;
}

/* Serves the front-end while the thread sends. */
static gboolean perform_round(Run *run, GError **error)
{
    gboolean served = TRUE;
    GThread *thread;

    run->round_over = FALSE;
    thread = g_thread_new("hostile", run_thread, run);
    while (served && !is_round_over(run)) {
        served = serve_once(run, error);
    }
    if (!served) {
        ss_device_shutdown_backend(run->device);
    }
    g_thread_join(thread);
    if (served && run->failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&run->failure));
        return FALSE;
    }
    g_clear_error(&run->failure);
    return served;
}

/* The front-end comes, for the first time or again, and starts the device. */
static gboolean connect_device(Run *run, GError **error)
{
    ss_device_disconnect(run->device);
    if (!ss_device_accept(run->device, error)) {
        return FALSE;
    }
    run->tally->connections++;
    run->seq = 0;
    while (!ss_device_started(run->device)) {
        if (!serve_once(run, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Whether the front-end has come to the message, so that the next thing it does comes after. */
static gboolean is_noticed(Run *run, SsServeResult result)
{
    return run->options->reply_ack ? result == SS_SERVE_BACKEND
                                   : ss_hostile_is_read(ss_device_backend_fd(run->device));
}

/* One more exchange, of the main thread, which serves the memory table meanwhile. */
static gboolean exchange_good(Run *run, const SsHostileMessage *message, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    if (!send_message(run, message, 0, error)) {
        return FALSE;
    }
    while (!is_noticed(run, result)) {
        if (!ss_device_serve(run->device, NOTICE_POLL_MS, run->options->reply_ack, &result,
                             error)) {
            return FALSE;
        }
        if (result == SS_SERVE_CLOSED) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "the front-end closed the main channel");
            return FALSE;
        }
    }
    return collect_replies(run, error);
}

static gboolean await_go(Run *run, GError **error)
{
    gboolean ended = FALSE;

    while (!ss_control_take(run->control, "go", &ended)) {
        if (ended) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "the input ended before \"go\"");
            return FALSE;
        }
        if (!serve_once(run, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean take_all_out(Run *run, GError **error)
{
    while (run->model->live->len > 0) {
        SsHostileMessage unmap =
            ss_hostile_good_unmap(&g_array_index(run->model->live, SsHostileMapping, 0));

        if (!exchange_good(run, &unmap, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* After all this, what is right still works. */
static gboolean end_well(Run *run, GError **error)
{
    const SsHostileFile *file = &g_array_index(run->files, SsHostileFile, 0);
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

static gboolean serve_until_close(Run *run, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    while (result != SS_SERVE_CLOSED) {
        if (!ss_device_serve(run->device, -1, FALSE, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Messages until the front-end leaves: by then both channels are at their end. */
static gboolean perform_endless(Run *run, GError **error)
{
    GThread *thread;
    gboolean served;

    ss_hostile_mix_go_on(run->mix);
    thread = g_thread_new("hostile", run_thread, run);
    served = serve_until_close(run, error);
    ss_device_shutdown_backend(run->device);
    g_thread_join(thread);
    g_clear_error(&run->failure);
    return served;
}

static gboolean perform(Run *run, GError **error)
{
    uint64_t closed;

    if (!connect_device(run, error) || !ss_control_tell("started", error) ||
        !await_go(run, error)) {
        return FALSE;
    }
    if (run->options->endless) {
        return perform_endless(run, error);
    }
    do {
        closed = run->tally->closed;
        if (!perform_round(run, error)) {
            return FALSE;
        }
        if (run->tally->closed != closed && !connect_device(run, error)) {
            return FALSE;
        }
    } while (!is_enough(run));
    if (run->lies != NULL) {
        ss_hostile_lies_stop(run->lies);
    }
    return end_well(run, error) && serve_until_close(run, error);
}

static void log_end(Run *run, gboolean good, const char *reason)
{
    SsLogLine *line = ss_log_begin(run->log, "main", "end", 0);

    ss_log_number(line, "seed", run->options->seed);
    ss_hostile_tally_write(run->tally, line);
    if (run->lies != NULL) {
        ss_log_number(line, "lies", ss_hostile_lies_told(run->lies));
    }
    ss_log_boolean(line, "ok", good);
    if (reason != NULL) {
        ss_log_string(line, "reason", reason);
    }
    ss_log_end(line);
}

static void log_files(Run *run)
{
    for (unsigned i = 0; i < run->files->len; i++) {
        const SsHostileFile *file = &g_array_index(run->files, SsHostileFile, i);
        SsLogLine *line = ss_log_begin(run->log, "main", "file", 0);

        ss_log_string(line, "name", file->name);
        ss_log_number(line, "ino", file->ino);
        ss_log_number(line, "size", file->end);
        ss_log_boolean(line, "readable", file->readable);
        ss_log_boolean(line, "writable", file->writable);
        ss_log_end(line);
    }
}

static void ignore_start(void *data)
{
}

static gboolean prepare(Run *run, int listener, GError **error)
{
    const SsHostileOptions *options = run->options;

    run->files = ss_hostile_files_open(error);
    if (run->files == NULL) {
        return FALSE;
    }
    run->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    run->control = ss_control_new(STDIN_FILENO, run->wake, error);
    if (run->control == NULL) {
        return FALSE;
    }
    run->announced->reply_ack = options->reply_ack;
    run->announced->mem_slots = options->mem_slots;
    run->announced->shmem_bit = SS_PROTOCOL_SHMEM;
    run->announced->regions[0] = UINT64_C(1) << 20;
    if (!options->one_region) {
        run->announced->regions[7] = UINT64_C(1) << 16;
        run->announced->regions[200] = SS_HOSTILE_PAGE;
    }
    run->model = ss_hostile_model_new(run->announced->regions, options->reply_ack);
    run->mix = ss_hostile_mix_new(options->seed, options->messages, run->model, run->files);
    run->device = ss_device_new(run->announced, run->log, listener, run->wake, ignore_start, NULL);
    if (options->lies) {
        run->lies = ss_hostile_lies_new(options->seed);
        ss_device_set_answer(run->device, ss_hostile_lies_answer, run->lies);
    }
    return TRUE;
}

gboolean ss_hostile_run(const SsHostileOptions *options, SsLog *log, int listener, GError **error)
{
    g_autofree Run *run = g_new0(Run, 1);
    g_autoptr(GError) reason = NULL;
    gboolean good;

    run->options = options;
    run->log = log;
    run->wake = -1;
    run->announced = ss_scenario_new("hostile");
    run->tally = ss_hostile_tally_new();
    g_mutex_init(&run->mutex);
    good = prepare(run, listener, &reason);
    if (good) {
        log_files(run);
        good = perform(run, &reason);
        log_end(run, good, reason != NULL ? reason->message : NULL);
    }
    ss_device_free(run->device);
    ss_hostile_lies_free(run->lies);
    ss_hostile_mix_free(run->mix);
    ss_hostile_model_free(run->model);
    ss_control_free(run->control);
    if (run->files != NULL) {
        g_array_unref(run->files);
    }
    if (run->wake >= 0) {
        (void)close(run->wake);
    }
    ss_scenario_free(run->announced);
    g_mutex_clear(&run->mutex);
    if (!good) {
        g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                                   "Hostile run failed: seed=%" G_GUINT64_FORMAT
                                   ", message=%" G_GUINT64_FORMAT ": ",
                                   options->seed, run->tally->sent);
    }
    ss_hostile_tally_free(run->tally);
    return good;
}
