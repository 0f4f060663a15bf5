/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "legal-run.h"

#include "legal-parts.h"

#include <string.h>

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

/* All is taken out by another one than us. */
static void clear(SsLegalRun *run, const char *reason)
{
    SsLogLine *line = ss_log_begin(run->stage.log, "main", "removed", 0);

    ss_log_string(line, "reason", reason);
    ss_log_number(line, "count", run->stage.model->live->len);
    ss_log_end(line);
    ss_legal_count_removed(run, reason, run->stage.model->live->len);
    g_array_set_size(run->stage.model->live, 0);
    run->stage.model->writable = 0;
}

static gboolean reset(SsLegalRun *run, GError **error)
{
    clear(run, "reset");
    return ss_stage_await_start(&run->stage, error) && ss_control_tell("ready", error);
}

/* One channel goes first, or both together. */
static gboolean reconnect(SsLegalRun *run, GError **error)
{
    clear(run, "disconnect");
    switch (ss_legal_mix_below(run->mix, 3)) {
    case 0:
        ss_device_close_backend(run->stage.device);
        break;
    case 1:
        ss_device_close_main(run->stage.device);
        break;
    default:
        break;
    }
    return ss_stage_connect(&run->stage, error) && ss_control_tell("ready", error);
}

static gboolean be_unplugged(SsLegalRun *run, GError **error)
{
    clear(run, "unrealize");
    return ss_control_tell("ready", error) && ss_stage_serve_until_close(&run->stage, error);
}

static gboolean end(SsLegalRun *run, GError **error)
{
    for (unsigned i = 0; i < run->stage.model->live->len; i++) {
        const SsHostileMapping *mapping =
            &g_array_index(run->stage.model->live, SsHostileMapping, i);
        SsLogLine *line = ss_log_begin(run->stage.log, "main", "live", 0);

        ss_log_number(line, "shmid", mapping->shmid);
        ss_log_number(line, "shm_offset", mapping->offset);
        ss_log_number(line, "len", mapping->len);
        ss_log_number(line, "fd_offset", mapping->fd_offset);
        ss_log_number(line, "of", mapping->file->ino);
        ss_log_boolean(line, "writable", mapping->writable);
        ss_log_end(line);
    }
    return ss_control_tell("ready", error) && ss_stage_serve_until_close(&run->stage, error);
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
            if (ss_control_take(run->stage.control, commands[i].name, &ended)) {
                *ret_command = i;
                return TRUE;
            }
        }
        if (ended) {
            return fail(error, "the input ended before \"end\"");
        }
        if (!ss_stage_serve(&run->stage, -1, FALSE, NULL, error)) {
            return FALSE;
        }
    }
}

static gboolean perform(SsLegalRun *run, GError **error)
{
    unsigned command;

    if (!ss_stage_connect(&run->stage, error) || !ss_control_tell("started", error)) {
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
    SsLogLine *line = ss_log_begin(run->stage.log, "main", "end", 0);

    ss_log_number(line, "seed", run->options->seed);
    ss_hostile_tally_write(run->stage.tally, line);
    ss_log_counts(line, "removed", run->removed);
    ss_log_number(line, "live", run->stage.model != NULL ? run->stage.model->live->len : 0);
    ss_log_number(line, "live_most", run->live_most);
    ss_log_boolean(line, "ok", good);
    if (reason != NULL) {
        ss_log_string(line, "reason", reason);
    }
    ss_log_end(line);
}

static void prepare(SsLegalRun *run)
{
    const SsLegalOptions *options = run->options;
    const SsLegalLimits limits = {
        .live = options->live,
        .writable = options->writable,
        .always_reply = options->manner == SS_LEGAL_BLOCKING,
        .whole_at_once = options->manner == SS_LEGAL_BLOCKING,
        .plain = options->plain,
    };

    run->mix = ss_legal_mix_new(options->seed, &limits, run->stage.model, run->stage.files);
}

gboolean ss_legal_run(const SsLegalOptions *options, SsLog *log, int listener, GError **error)
{
    g_autofree SsLegalRun *run = g_new0(SsLegalRun, 1);
    g_autoptr(GError) reason = NULL;
    gboolean good;

    const SsStageOptions stage = {
        .name = "legal",
        .reply_ack = options->reply_ack,
        .mem_slots = options->mem_slots,
        .one_region = options->one_region,
        .region = options->region,
    };

    run->options = options;
    run->removed = g_hash_table_new(g_str_hash, g_str_equal);
    good = ss_stage_open(&run->stage, &stage, log, listener, &reason);
    if (good) {
        prepare(run);
        good = perform(run, &reason);
    }
    log_end(run, good, reason != NULL ? reason->message : NULL);
    ss_legal_mix_free(run->mix);
    g_hash_table_unref(run->removed);
    if (!good) {
        g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                                   "Legal run failed: seed=%" G_GUINT64_FORMAT
                                   ", message=%" G_GUINT64_FORMAT ": ",
                                   options->seed, run->stage.tally->sent);
    }
    ss_stage_close(&run->stage);
    return good;
}
