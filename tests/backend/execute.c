/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "execute.h"

#include "shmemscope.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error != NULL) {
        *error = g_error_new_valist(SS_SCENARIO_ERROR, 0, format, args);
    }
    va_end(args);
    return FALSE;
}

static gboolean evaluate(const SsExecutor *executor, const SsExpr *expr, uint64_t *ret_value,
                         GError **error)
{
    if (!ss_expr_eval(expr, executor->loops, ret_value)) {
        return fail(error, "a number divides by zero");
    }
    return TRUE;
}

/* As evaluate(), for a value with a limit of its own. */
static gboolean evaluate_up_to(const SsExecutor *executor, const SsExpr *expr, uint64_t maximum,
                               const char *what, uint64_t *ret_value, GError **error)
{
    if (!evaluate(executor, expr, ret_value, error)) {
        return FALSE;
    }
    if (*ret_value > maximum) {
        return fail(error, "%s %" G_GUINT64_FORMAT " is above %" G_GUINT64_FORMAT, what, *ret_value,
                    maximum);
    }
    return TRUE;
}

/* Serves one thing of the main channel, which has to stay open. */
static gboolean serve_open(SsExecutor *executor, int timeout_ms, SsServeResult *ret_result,
                           GError **error)
{
    if (!ss_device_serve(executor->run->device, timeout_ms, FALSE, ret_result, error) ||
        !ss_run_check(executor->run, error)) {
        return FALSE;
    }
    if (*ret_result == SS_SERVE_CLOSED) {
        return fail(error, "the front-end closed the main channel");
    }
    return TRUE;
}

gboolean ss_execute_until_close(SsExecutor *executor, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;

    while (result != SS_SERVE_CLOSED) {
        if (!ss_device_serve(executor->run->device, -1, FALSE, &result, error) ||
            !ss_run_check(executor->run, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean serve_until_started(SsExecutor *executor, gboolean started, GError **error)
{
    SsServeResult result;

    while (ss_device_started(executor->run->device) != started) {
        if (!serve_open(executor, -1, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean serve_until_request(SsExecutor *executor, uint32_t request, GError **error)
{
    uint64_t before = ss_device_served(executor->run->device, request);
    SsServeResult result;

    while (ss_device_served(executor->run->device, request) == before) {
        if (!serve_open(executor, -1, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean serve_idle(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    SsServeResult result = SS_SERVE_DONE;
    uint64_t idle_ms;

    if (!evaluate_up_to(executor, statement->first, G_MAXINT, "time", &idle_ms, error)) {
        return FALSE;
    }
    while (result != SS_SERVE_TIMEOUT) {
        if (!serve_open(executor, (int)idle_ms, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Serves what comes, up to the request that is left unread. */
static gboolean await_request(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    SsServeResult result;
    uint32_t request = 0;

    for (;;) {
        if (!ss_device_peek(executor->run->device, &request, &result, error) ||
            !ss_run_check(executor->run, error)) {
            return FALSE;
        }
        if (result == SS_SERVE_CLOSED) {
            return fail(error, "the front-end closed the main channel");
        }
        if (result == SS_SERVE_DONE && request == statement->request) {
            return TRUE;
        }
        if (result == SS_SERVE_DONE && !serve_open(executor, -1, &result, error)) {
            return FALSE;
        }
    }
}

static gboolean await_signal(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    SsControl *control = executor->run->control;
    gboolean ended = FALSE;
    SsServeResult result;

    if (!executor->is_main) {
        if (!ss_control_wait(control, statement->name)) {
            return fail(error, "the input ended before the signal \"%s\"", statement->name);
        }
        return TRUE;
    }
    while (!ss_control_take(control, statement->name, &ended)) {
        if (ended) {
            return fail(error, "the input ended before the signal \"%s\"", statement->name);
        }
        if (!serve_open(executor, -1, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean await_thread(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    SsServeResult result;

    while (!ss_run_thread_finished(executor->run, statement->name)) {
        if (!serve_open(executor, -1, &result, error)) {
            return FALSE;
        }
    }
    return ss_run_check(executor->run, error);
}

/* A number of a map or unmap, or `otherwise` when it was not given. */
static gboolean shmem_number(const SsExecutor *executor, const SsShmemStatement *shmem,
                             SsShmemNumber which, uint64_t otherwise, uint64_t *ret_value,
                             GError **error)
{
    static const struct {
        const char *name;
        uint64_t maximum;
    } limits[SS_SHMEM_NUMBERS] = {
        [SS_SHMEM_SHMID] = { "shmid", UINT8_MAX },
        [SS_SHMEM_SHM_OFFSET] = { "shm_offset", UINT64_MAX },
        [SS_SHMEM_LEN] = { "len", UINT64_MAX },
        [SS_SHMEM_FD_OFFSET] = { "fd_offset", UINT64_MAX },
        [SS_SHMEM_FLAGS] = { "flags", UINT64_MAX },
        [SS_SHMEM_FDS] = { "fds", SS_CHANNEL_MAX_FDS },
        [SS_SHMEM_SIZE] = { "size", SS_CHANNEL_MAX_PAYLOAD },
        [SS_SHMEM_CUT] = { "cut", SS_CHANNEL_HEADER_SIZE + SS_CHANNEL_MAX_PAYLOAD },
        [SS_SHMEM_REQUEST] = { "request", UINT32_MAX },
    };

    if (shmem->numbers[which] == NULL) {
        *ret_value = otherwise;
        return TRUE;
    }
    return evaluate_up_to(executor, shmem->numbers[which], limits[which].maximum,
                          limits[which].name, ret_value, error);
}

static gboolean execute_shmem(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    const SsShmemStatement *shmem = statement->shmem;
    gboolean is_map = statement->kind == SS_STATEMENT_MAP;
    g_autoptr(SsExchange) exchange = ss_exchange_new(executor->name, statement->line, shmem->tag);
    const uint64_t otherwise[SS_SHMEM_NUMBERS] = {
        [SS_SHMEM_FLAGS] = is_map && !shmem->read_only ? 1 : 0,
        [SS_SHMEM_FDS] = is_map ? 1 : 0,
        [SS_SHMEM_SIZE] = SS_CHANNEL_SHMEM_SIZE,
        [SS_SHMEM_REQUEST] = is_map ? SS_BACKEND_SHMEM_MAP : SS_BACKEND_SHMEM_UNMAP,
    };
    uint64_t numbers[SS_SHMEM_NUMBERS];

    for (unsigned i = 0; i < SS_SHMEM_NUMBERS; i++) {
        if (!shmem_number(executor, shmem, i, otherwise[i], &numbers[i], error)) {
            return FALSE;
        }
    }
    exchange->message = (SsChannelMessage){
        .request = (uint32_t)numbers[SS_SHMEM_REQUEST],
        .size = (uint32_t)numbers[SS_SHMEM_SIZE],
        .shmid = (uint8_t)numbers[SS_SHMEM_SHMID],
        .fd_offset = numbers[SS_SHMEM_FD_OFFSET],
        .shm_offset = numbers[SS_SHMEM_SHM_OFFSET],
        .len = numbers[SS_SHMEM_LEN],
        .map_flags = numbers[SS_SHMEM_FLAGS],
        .fd = -1,
        .fds = (unsigned)numbers[SS_SHMEM_FDS],
        .cut = (unsigned)numbers[SS_SHMEM_CUT],
    };
    if (shmem->file >= 0) {
        const SsRunFile *file = &g_array_index(executor->run->files, SsRunFile, shmem->file);

        exchange->message.fd = file->fd;
        exchange->ino = file->ino;
    } else if (exchange->message.fds > 0) {
        return fail(error, "descriptors of no file");
    }
    exchange->is_map = is_map;
    exchange->ask_reply = !shmem->no_reply;
    exchange->raw = shmem->raw;
    exchange->wait = shmem->no_wait   ? SS_WAIT_LATER
                     : shmem->serving ? SS_WAIT_SERVING
                                      : SS_WAIT_NOW;
    exchange->expect = shmem->expect;
    return ss_exchanges_perform(executor->run->exchanges, g_steal_pointer(&exchange), error);
}

/* The signal with which a repeat ends has come. */
static gboolean is_ended(const SsExecutor *executor, const SsStatement *statement)
{
    gboolean input_ended;

    return statement->name != NULL &&
           ss_control_take(executor->run->control, statement->name, &input_ended);
}

/* Notes in `times`, unless it is NULL, how long each iteration took, in nanoseconds. */
static gboolean iterate(SsExecutor *executor, const SsStatement *statement, uint64_t count,
                        GArray *times, GError **error)
{
    uint64_t begin = times != NULL ? ss_now_ns() : 0;

    executor->depth++;
    for (uint64_t i = 0; i < count && !executor->exited && !is_ended(executor, statement); i++) {
        executor->loops[executor->depth - 1] = i;
        if (!ss_execute(executor, statement->body, error)) {
            return FALSE;
        }
        if (times != NULL) {
            uint64_t end = ss_now_ns();
            uint64_t took = end - begin;

            g_array_append_val(times, took);
            begin = end;
        }
    }
    executor->depth--;
    return TRUE;
}

static gboolean execute_timed(SsExecutor *executor, const SsStatement *statement, uint64_t count,
                              GError **error)
{
    g_autoptr(GArray) times =
        g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), (unsigned)MIN(count, 1u << 20));
    SsLog *log = executor->run->log;
    uint64_t begin = ss_now_ns();
    SsLogLine *line;
    gboolean good;

    ss_log_hold(log);
    good = iterate(executor, statement, count, times, error);
    ss_log_release(log);
    line = ss_log_begin(log, executor->name, ss_statement_word(statement), begin);
    ss_log_number(line, "line", statement->line);
    ss_log_numbers(line, "ns", (const uint64_t *)(const void *)times->data, times->len);
    ss_log_end(line);
    return good;
}

static gboolean execute_repeat(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    uint64_t count;

    if (!evaluate(executor, statement->first, &count, error)) {
        return FALSE;
    }
    if (statement->timed) {
        return execute_timed(executor, statement, count, error);
    }
    return iterate(executor, statement, count, NULL /* not timed */, error);
}

/* Writes or compares 64 bits of a file, in the host's byte order. */
static gboolean execute_word(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    const SsRunFile *file = &g_array_index(executor->run->files, SsRunFile, statement->file);
    uint64_t offset;
    uint64_t value;
    uint64_t found;

    if (!evaluate_up_to(executor, statement->first, INT64_MAX, "offset", &offset, error) ||
        !evaluate(executor, statement->second, &value, error)) {
        return FALSE;
    }
    if (statement->kind == SS_STATEMENT_WRITE) {
        if (pwrite(file->fd, &value, sizeof(value), (off_t)offset) != sizeof(value)) {
            return fail(error, "cannot write the file: %s", g_strerror(errno));
        }
        return TRUE;
    }
    if (pread(file->fd, &found, sizeof(found), (off_t)offset) != sizeof(found)) {
        return fail(error, "the file has no 64 bits at 0x%" G_GINT64_MODIFIER "x", offset);
    }
    if (found != value) {
        return fail(error,
                    "the file has 0x%" G_GINT64_MODIFIER "x at 0x%" G_GINT64_MODIFIER
                    "x, not 0x%" G_GINT64_MODIFIER "x",
                    found, offset, value);
    }
    return TRUE;
}

static gboolean execute_delay(SsExecutor *executor, const SsStatement *statement, GError **error)
{
    uint64_t delay_ms;

    if (!evaluate_up_to(executor, statement->first, G_MAXINT, "time", &delay_ms, error)) {
        return FALSE;
    }
    ss_device_delay(executor->run->device, statement->request, (unsigned)delay_ms);
    return TRUE;
}

static gboolean execute_reconnect(SsExecutor *executor, GError **error)
{
    SsRun *run = executor->run;
    const char *unfinished = ss_run_unfinished_thread(run);

    if (unfinished != NULL) {
        return fail(error, "thread \"%s\" still uses the connection: await it", unfinished);
    }
    ss_device_disconnect(run->device);
    ss_exchanges_restart(run->exchanges);
    return ss_device_accept(run->device, error);
}

static void log_statement(SsExecutor *executor, const SsStatement *statement)
{
    SsLogLine *line =
        ss_log_begin(executor->run->log, executor->name, ss_statement_word(statement), 0);

    ss_log_number(line, "line", statement->line);
    if (statement->name != NULL) {
        ss_log_string(line, "name", statement->name);
    }
    ss_log_end(line);
}

static gboolean execute_statement(SsExecutor *executor, const SsStatement *statement,
                                  GError **error)
{
    SsRun *run = executor->run;

    switch (statement->kind) {
    case SS_STATEMENT_MAP:
    case SS_STATEMENT_UNMAP:
        return execute_shmem(executor, statement, error);
    case SS_STATEMENT_REPEAT:
        return execute_repeat(executor, statement, error);
    case SS_STATEMENT_REPLIES:
        return ss_exchanges_collect(run->exchanges, error);
    case SS_STATEMENT_SERVE_IDLE:
        return serve_idle(executor, statement, error);
    case SS_STATEMENT_SERVE_UNTIL_STOP:
        return serve_until_started(executor, FALSE, error);
    case SS_STATEMENT_SERVE_UNTIL_CLOSE:
        return ss_execute_until_close(executor, error);
    case SS_STATEMENT_SERVE_UNTIL_REQUEST:
        return serve_until_request(executor, statement->request, error);
    case SS_STATEMENT_AWAIT_START:
        return serve_until_started(executor, TRUE, error);
    case SS_STATEMENT_AWAIT_REQUEST:
        return await_request(executor, statement, error);
    case SS_STATEMENT_AWAIT_SIGNAL:
        return await_signal(executor, statement, error);
    case SS_STATEMENT_AWAIT_THREAD:
        return await_thread(executor, statement, error);
    case SS_STATEMENT_SIGNAL:
        log_statement(executor, statement);
        return ss_control_tell(statement->name, error);
    case SS_STATEMENT_DELAY:
        return execute_delay(executor, statement, error);
    case SS_STATEMENT_WRITE:
    case SS_STATEMENT_CHECK:
        return execute_word(executor, statement, error);
    case SS_STATEMENT_NOTE:
        shmemscope_note(g_array_index(run->files, SsRunFile, statement->file).fd, statement->name);
        return TRUE;
    case SS_STATEMENT_CLOSE_BACKEND:
        log_statement(executor, statement);
        ss_device_close_backend(run->device);
        return TRUE;
    case SS_STATEMENT_CLOSE_MAIN:
        log_statement(executor, statement);
        ss_device_close_main(run->device);
        return TRUE;
    case SS_STATEMENT_RECONNECT:
        log_statement(executor, statement);
        return execute_reconnect(executor, error);
    case SS_STATEMENT_KILL:
        log_statement(executor, statement);
        (void)kill(getpid(), SIGKILL);
        return fail(error, "SIGKILL did not kill");
    case SS_STATEMENT_EXIT:
        executor->exited = TRUE;
        return TRUE;
    }
    g_assert_not_reached();
}

gboolean ss_execute(SsExecutor *executor, const GPtrArray *body, GError **error)
{
    for (unsigned i = 0; i < body->len && !executor->exited; i++) {
        const SsStatement *statement = g_ptr_array_index(body, i);
        g_autoptr(GError) reason = NULL;

        if (execute_statement(executor, statement, &reason)) {
            continue;
        }
        /* The innermost statement names the line, the loops around it do not again. */
        if (statement->kind == SS_STATEMENT_REPEAT &&
            g_str_has_prefix(reason->message, "Scenario failed: ")) {
            g_propagate_error(error, g_steal_pointer(&reason));
            return FALSE;
        }
        g_set_error(error, SS_SCENARIO_ERROR, 0,
                    "Scenario failed: file=\"%s\", line=%u, statement=\"%s\", thread=\"%s\": %s",
                    executor->run->scenario->path, statement->line, ss_statement_word(statement),
                    executor->name, reason->message);
        return FALSE;
    }
    return TRUE;
}
