/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stage.h"

#include <sys/eventfd.h>
#include <unistd.h>

typedef struct {
    SsStage *stage;
    SsStageSend send;
    void *data;
} Round;

static void ignore_start(void *data)
{
}

static void log_files(const SsStage *stage)
{
    for (unsigned i = 0; i < stage->files->len; i++) {
        const SsHostileFile *file = &g_array_index(stage->files, SsHostileFile, i);
        SsLogLine *line = ss_log_begin(stage->log, "main", "file", 0);

        ss_log_string(line, "name", file->name);
        ss_log_number(line, "ino", file->ino);
        ss_log_number(line, "size", file->end);
        ss_log_boolean(line, "readable", file->readable);
        ss_log_boolean(line, "writable", file->writable);
        ss_log_end(line);
    }
}

gboolean ss_stage_open(SsStage *stage, const SsStageOptions *options, SsLog *log, int listener,
                       GError **error)
{
    *stage = (SsStage){
        .log = log,
        .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .announced = ss_scenario_new(options->name),
        .tally = ss_hostile_tally_new(),
    };
    g_mutex_init(&stage->mutex);
    stage->files = ss_hostile_files_open(error);
    if (stage->files == NULL) {
        return FALSE;
    }
    stage->control = ss_control_new(STDIN_FILENO, stage->wake, error);
    if (stage->control == NULL) {
        return FALSE;
    }
    stage->announced->reply_ack = options->reply_ack;
    stage->announced->mem_slots = options->mem_slots;
    stage->announced->shmem_bit = SS_PROTOCOL_SHMEM;
    stage->announced->regions[0] = options->region;
    if (!options->one_region) {
        stage->announced->regions[7] = UINT64_C(1) << 16;
        stage->announced->regions[200] = SS_HOSTILE_PAGE;
    }
    stage->model = ss_hostile_model_new(stage->announced->regions, options->reply_ack);
    stage->device = ss_device_new(stage->announced, log, listener, stage->wake, ignore_start, NULL);
    log_files(stage);
    return TRUE;
}

void ss_stage_close(SsStage *stage)
{
    ss_device_free(stage->device);
    ss_hostile_model_free(stage->model);
    ss_control_free(stage->control);
    if (stage->files != NULL) {
        g_array_unref(stage->files);
    }
    if (stage->wake >= 0) {
        (void)close(stage->wake);
    }
    ss_scenario_free(stage->announced);
    ss_hostile_tally_free(stage->tally);
    g_mutex_clear(&stage->mutex);
}

gboolean ss_stage_serve(SsStage *stage, int timeout_ms, gboolean watch_backend,
                        SsServeResult *ret_result, GError **error)
{
    SsServeResult result;

    if (!ss_device_serve(stage->device, timeout_ms, watch_backend, &result, error)) {
        return FALSE;
    }
    if (result == SS_SERVE_CLOSED) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "the front-end closed the main channel");
        return FALSE;
    }
    if (ret_result != NULL) {
        *ret_result = result;
    }
    return TRUE;
}

gboolean ss_stage_serve_until_close(SsStage *stage, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    while (result != SS_SERVE_CLOSED) {
        if (!ss_device_serve(stage->device, -1, FALSE, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean ss_stage_await_start(SsStage *stage, GError **error)
{
    while (!ss_device_started(stage->device)) {
        if (!ss_stage_serve(stage, -1, FALSE, NULL, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean ss_stage_connect(SsStage *stage, GError **error)
{
    ss_device_disconnect(stage->device);
    if (!ss_device_accept(stage->device, error)) {
        return FALSE;
    }
    stage->tally->connections++;
    stage->seq = 0;
    return ss_stage_await_start(stage, error);
}

static void *run_thread(void *data)
{
    Round *round = data;
    SsStage *stage = round->stage;
    GError *error = NULL;

    (void)round->send(round->data, &error);
    g_mutex_lock(&stage->mutex);
    stage->round_over = TRUE;
    stage->failure = error;
    g_mutex_unlock(&stage->mutex);
    (void)eventfd_write(stage->wake, 1);
    return NULL;
}

static gboolean is_round_over(SsStage *stage)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&stage->mutex);

    return stage->round_over;
}

gboolean ss_stage_round(SsStage *stage, const char *name, SsStageSend send, void *data,
                        GError **error)
{
    Round round = { .stage = stage, .send = send, .data = data };
    gboolean served = TRUE;
    GThread *thread;

    stage->round_over = FALSE;
    thread = g_thread_new(name, run_thread, &round);
    while (served && !is_round_over(stage)) {
        served = ss_stage_serve(stage, -1, FALSE, NULL, error);
    }
    if (!served) {
        ss_device_shutdown_backend(stage->device);
    }
    g_thread_join(thread);
    if (served && stage->failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&stage->failure));
        return FALSE;
    }
    g_clear_error(&stage->failure);
    return served;
}

gboolean ss_stage_endless(SsStage *stage, const char *name, SsStageSend send, void *data,
                          GError **error)
{
    Round round = { .stage = stage, .send = send, .data = data };
    GThread *thread = g_thread_new(name, run_thread, &round);
    gboolean served = ss_stage_serve_until_close(stage, error);

    ss_device_shutdown_backend(stage->device);
    g_thread_join(thread);
    g_clear_error(&stage->failure);
    return served;
}
