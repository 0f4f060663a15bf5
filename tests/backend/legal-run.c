/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "legal-run.h"

#include "channel.h"
#include "legal-parts.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

gboolean ss_legal_manner_parse(const char *word, SsLegalManner *ret_manner)
{
    static const char *const words[] = {
        [SS_LEGAL_THREADS] = "threads",
        [SS_LEGAL_SERVING] = "serving",
        [SS_LEGAL_BLOCKING] = "blocking",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret_manner = (SsLegalManner)i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean fail(GError **error, const char *reason)
{
    g_set_error(error, SS_SCENARIO_ERROR, 0, "%s", reason);
    return FALSE;
}

void ss_legal_count_removed(SsLegalRun *run, const char *reason, unsigned count)
{
    unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(run->removed, reason));

    if (count > 0) {
        g_hash_table_insert(run->removed, (char *)reason, GUINT_TO_POINTER(before + count));
    }
}

gboolean ss_legal_serve(SsLegalRun *run, int timeout_ms, gboolean watch_backend,
                        SsServeResult *ret_result, GError **error)
{
    SsServeResult result;

    if (!ss_device_serve(run->device, timeout_ms, watch_backend, &result, error)) {
        return FALSE;
    }
    if (result == SS_SERVE_CLOSED) {
        return fail(error, "the front-end closed the main channel");
    }
    if (ret_result != NULL) {
        *ret_result = result;
    }
    return TRUE;
}

/* All is taken out by another one than us. */
static void clear(SsLegalRun *run, const char *reason)
{
    SsLogLine *line = ss_log_begin(run->log, "main", "removed", 0);

    ss_log_string(line, "reason", reason);
    ss_log_number(line, "count", run->model->live->len);
    ss_log_end(line);
    ss_legal_count_removed(run, reason, run->model->live->len);
    g_array_set_size(run->model->live, 0);
    run->model->writable = 0;
}

static gboolean await_start(SsLegalRun *run, GError **error)
{
    while (!ss_device_started(run->device)) {
        if (!ss_legal_serve(run, -1, FALSE, NULL, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean connect_device(SsLegalRun *run, GError **error)
{
    ss_device_disconnect(run->device);
    if (!ss_device_accept(run->device, error)) {
        return FALSE;
    }
    run->tally->connections++;
    run->seq = 0;
    return await_start(run, error);
}

static gboolean reset(SsLegalRun *run, GError **error)
{
    clear(run, "reset");
    return await_start(run, error) && ss_control_tell("ready", error);
}

/* One channel goes first, or both together. */
static gboolean reconnect(SsLegalRun *run, GError **error)
{
    clear(run, "disconnect");
    switch (ss_legal_mix_below(run->mix, 3)) {
    case 0:
        ss_device_close_backend(run->device);
        break;
    case 1:
        ss_device_close_main(run->device);
        break;
    default:
        break;
    }
    return connect_device(run, error) && ss_control_tell("ready", error);
}

static gboolean serve_until_close(SsLegalRun *run, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    while (result != SS_SERVE_CLOSED) {
        if (!ss_device_serve(run->device, -1, FALSE, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean be_unplugged(SsLegalRun *run, GError **error)
{
    clear(run, "unrealize");
    return ss_control_tell("ready", error) && serve_until_close(run, error);
}

static gboolean end(SsLegalRun *run, GError **error)
{
    for (unsigned i = 0; i < run->model->live->len; i++) {
        const SsHostileMapping *mapping = &g_array_index(run->model->live, SsHostileMapping, i);
        SsLogLine *line = ss_log_begin(run->log, "main", "live", 0);

        ss_log_number(line, "shmid", mapping->shmid);
        ss_log_number(line, "shm_offset", mapping->offset);
        ss_log_number(line, "len", mapping->len);
        ss_log_number(line, "fd_offset", mapping->fd_offset);
        ss_log_number(line, "of", mapping->file->ino);
        ss_log_boolean(line, "writable", mapping->writable);
        ss_log_end(line);
    }
    return ss_control_tell("ready", error) && serve_until_close(run, error);
}

static const struct {
    const char *name;
    gboolean (*perform)(SsLegalRun *run, GError **error);
    gboolean last;
} commands[] = {
    { "round", ss_legal_round, FALSE },
    { "reset", reset, FALSE },
    { "reconnect", reconnect, FALSE },
    { "unplugged", be_unplugged, TRUE },
    { "end", end, TRUE },
};

/* The index of the next command; the front-end is served until it comes. */
static gboolean await_command(SsLegalRun *run, unsigned *ret_command, GError **error)
{
    for (;;) {
        gboolean ended = FALSE;

        for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
            if (ss_control_take(run->control, commands[i].name, &ended)) {
                *ret_command = i;
                return TRUE;
            }
        }
        if (ended) {
            return fail(error, "the input ended before \"end\"");
        }
        if (!ss_legal_serve(run, -1, FALSE, NULL, error)) {
            return FALSE;
        }
    }
}

static gboolean perform(SsLegalRun *run, GError **error)
{
    unsigned command;

    if (!connect_device(run, error) || !ss_control_tell("started", error)) {
        return FALSE;
    }
    do {
        if (!await_command(run, &command, error) || !commands[command].perform(run, error)) {
            return FALSE;
        }
    } while (!commands[command].last);
    return TRUE;
}

static void log_end(SsLegalRun *run, gboolean good, const char *reason)
{
    SsLogLine *line = ss_log_begin(run->log, "main", "end", 0);

    ss_log_number(line, "seed", run->options->seed);
    ss_hostile_tally_write(run->tally, line);
    ss_log_counts(line, "removed", run->removed);
    ss_log_number(line, "live", run->model != NULL ? run->model->live->len : 0);
    ss_log_number(line, "live_most", run->live_most);
    ss_log_boolean(line, "ok", good);
    if (reason != NULL) {
        ss_log_string(line, "reason", reason);
    }
    ss_log_end(line);
}

static void log_files(SsLegalRun *run)
{
    for (unsigned i = 0; i < run->files->len; i++) {
        const SsHostileFile *file = &g_array_index(run->files, SsHostileFile, i);
        SsLogLine *line = ss_log_begin(run->log, "main", "file", 0);

        ss_log_string(line, "name", file->name);
        ss_log_number(line, "ino", file->ino);
        ss_log_end(line);
    }
}

static void ignore_start(void *data)
{
}

static gboolean prepare(SsLegalRun *run, int listener, GError **error)
{
    const SsLegalOptions *options = run->options;
    const SsLegalLimits limits = {
        .live = options->live,
        .writable = options->writable,
        .always_reply = options->manner == SS_LEGAL_BLOCKING,
        .whole_at_once = options->manner == SS_LEGAL_BLOCKING,
    };

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
    run->announced->regions[0] = options->region;
    if (!options->one_region) {
        run->announced->regions[7] = UINT64_C(1) << 16;
        run->announced->regions[200] = SS_HOSTILE_PAGE;
    }
    run->model = ss_hostile_model_new(run->announced->regions, options->reply_ack);
    run->mix = ss_legal_mix_new(options->seed, &limits, run->model, run->files);
    run->device = ss_device_new(run->announced, run->log, listener, run->wake, ignore_start, NULL);
    return TRUE;
}

gboolean ss_legal_run(const SsLegalOptions *options, SsLog *log, int listener, GError **error)
{
    g_autofree SsLegalRun *run = g_new0(SsLegalRun, 1);
    g_autoptr(GError) reason = NULL;
    gboolean good;

    run->options = options;
    run->log = log;
    run->wake = -1;
    run->announced = ss_scenario_new("legal");
    run->tally = ss_hostile_tally_new();
    run->removed = g_hash_table_new(g_str_hash, g_str_equal);
    g_mutex_init(&run->mutex);
    good = prepare(run, listener, &reason);
    if (good) {
        log_files(run);
        good = perform(run, &reason);
    }
    log_end(run, good, reason != NULL ? reason->message : NULL);
    ss_device_free(run->device);
    ss_legal_mix_free(run->mix);
    ss_hostile_model_free(run->model);
    ss_control_free(run->control);
    if (run->files != NULL) {
        g_array_unref(run->files);
    }
    if (run->wake >= 0) {
        (void)close(run->wake);
    }
    ss_scenario_free(run->announced);
    g_hash_table_unref(run->removed);
    g_mutex_clear(&run->mutex);
    if (!good) {
        g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                                   "Legal run failed: seed=%" G_GUINT64_FORMAT
                                   ", message=%" G_GUINT64_FORMAT ": ",
                                   options->seed, run->tally->sent);
    }
    ss_hostile_tally_free(run->tally);
    return good;
}
