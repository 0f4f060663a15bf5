/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include "execute.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

gboolean ss_run_check(SsRun *run, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&run->mutex);

    if (run->failure == NULL) {
        return TRUE;
    }
    if (error != NULL) {
        *error = g_error_copy(run->failure);
    }
    return FALSE;
}

gboolean ss_run_thread_finished(SsRun *run, const char *name)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&run->mutex);

    for (unsigned i = 0; i < run->threads->len; i++) {
        const SsRunThread *thread = g_ptr_array_index(run->threads, i);

        if (strcmp(thread->thread->name, name) == 0) {
            return thread->finished;
        }
    }
    return FALSE; /* the device has not started yet */
}

static void *run_thread(void *data)
{
    SsRunThread *thread = data;
    SsRun *run = thread->executor.run;
    g_autoptr(GError) error = NULL;

    ss_log_end(ss_log_begin(run->log, thread->thread->name, "thread-begin", 0));
    (void)ss_execute(&thread->executor, thread->thread->body, &error);
    ss_log_end(ss_log_begin(run->log, thread->thread->name, "thread-end", 0));

    g_mutex_lock(&run->mutex);
    thread->finished = TRUE;
    if (error != NULL && run->failure == NULL && !run->stopping) {
        run->failure = g_steal_pointer(&error);
    }
    g_mutex_unlock(&run->mutex);
    (void)eventfd_write(run->wake, 1);
    return NULL;
}

/* Told by the device: the threads begin with its first start. */
static void on_started(void *data)
{
    SsRun *run = data;

    if (run->threads_begun) {
        return;
    }
    run->threads_begun = TRUE;
    for (unsigned i = 0; i < run->scenario->threads->len; i++) {
        SsRunThread *thread = g_new0(SsRunThread, 1);

        thread->thread = g_ptr_array_index(run->scenario->threads, i);
        thread->executor.run = run;
        thread->executor.name = thread->thread->name;
        g_mutex_lock(&run->mutex);
        g_ptr_array_add(run->threads, thread);
        g_mutex_unlock(&run->mutex);
        thread->handle = g_thread_new(thread->thread->name, run_thread, thread);
    }
}

const char *ss_run_unfinished_thread(SsRun *run)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&run->mutex);

    for (unsigned i = 0; i < run->threads->len; i++) {
        const SsRunThread *thread = g_ptr_array_index(run->threads, i);

        if (!thread->finished) {
            return thread->thread->name;
        }
    }
    return NULL;
}

/* Ends all waits of the threads and joins them. */
static void end_threads(SsRun *run)
{
    if (run->control != NULL) {
        ss_control_stop(run->control);
    }
    ss_device_shutdown_backend(run->device);
    for (unsigned i = 0; i < run->threads->len; i++) {
        SsRunThread *thread = g_ptr_array_index(run->threads, i);

        if (thread->handle != NULL) {
            g_thread_join(thread->handle);
            thread->handle = NULL;
        }
    }
}

/* The read end of a pipe; nobody needs the other one. */
static int open_pipe(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    (void)close(ends[1]);
    return ends[0];
}

static gboolean create_file(SsRun *run, const SsScenarioFile *file)
{
    g_autofree char *name = g_strconcat("shmemscope-", file->name, NULL);
    SsRunFile created = { .fd = file->is_pipe ? open_pipe() : memfd_create(name, MFD_CLOEXEC) };
    struct stat status;

    if (created.fd < 0) {
        return FALSE;
    }
    if ((!file->is_pipe && ftruncate(created.fd, (off_t)file->size) != 0) ||
        fstat(created.fd, &status) != 0) {
        int failure = errno;

        (void)close(created.fd);
        errno = failure;
        return FALSE;
    }
    created.ino = status.st_ino;
    g_array_append_val(run->files, created);
    return TRUE;
}

static gboolean create_files(SsRun *run, GError **error)
{
    for (unsigned i = 0; i < run->scenario->files->len; i++) {
        const SsScenarioFile *file = g_ptr_array_index(run->scenario->files, i);

        if (!create_file(run, file)) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot create file: name=\"%s\": %s",
                        file->name, g_strerror(errno));
            return FALSE;
        }
    }
    return TRUE;
}

static void close_file(void *data)
{
    (void)close(((SsRunFile *)data)->fd);
}

/* The files as they are: a front-end has no business to change their size. */
static void log_files(SsRun *run, const char *op)
{
    for (unsigned i = 0; i < run->files->len; i++) {
        const SsScenarioFile *file = g_ptr_array_index(run->scenario->files, i);
        SsLogLine *line = ss_log_begin(run->log, "main", op, 0);
        const SsRunFile *created = &g_array_index(run->files, SsRunFile, i);
        struct stat status = { 0 };

        (void)fstat(created->fd, &status);
        ss_log_string(line, "name", file->name);
        ss_log_number(line, "ino", created->ino);
        ss_log_number(line, "size", (uint64_t)status.st_size);
        ss_log_end(line);
    }
}

static gboolean run_main(SsRun *run, GError **error)
{
    SsExecutor executor = { .run = run, .name = "main", .is_main = TRUE };

    if (!ss_device_accept(run->device, error) ||
        !ss_execute(&executor, run->scenario->body, error)) {
        return FALSE;
    }
    if (executor.exited) {
        g_mutex_lock(&run->mutex);
        run->stopping = TRUE;
        g_mutex_unlock(&run->mutex);
        return TRUE;
    }
    return ss_execute_until_close(&executor, error);
}

static gboolean prepare(SsRun *run, int listener, GError **error)
{
    run->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->wake < 0) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot create eventfd: %s", g_strerror(errno));
        return FALSE;
    }
    if (run->scenario->awaits_signals) {
        run->control = ss_control_new(STDIN_FILENO, run->wake, error);
        if (run->control == NULL) {
            return FALSE;
        }
    }
    run->device = ss_device_new(run->scenario, run->log, listener, run->wake, on_started, run);
    run->exchanges = ss_exchanges_new(run->device, run->log);
    return create_files(run, error);
}

static void finish(SsRun *run, gboolean good, const char *reason, SsLogLine *line)
{
    ss_log_boolean(line, "ok", good);
    if (reason != NULL) {
        ss_log_string(line, "reason", reason);
    }
    ss_log_end(line);
    ss_device_free(run->device);
    ss_exchanges_free(run->exchanges);
    ss_control_free(run->control);
}

gboolean ss_run_scenario(const SsScenario *scenario, SsLog *log, int listener, GError **error)
{
    SsRun run = { .scenario = scenario, .log = log, .wake = -1 };
    g_autoptr(GError) reason = NULL;
    gboolean good = FALSE;

    run.files = g_array_new(FALSE, TRUE, sizeof(SsRunFile));
    g_array_set_clear_func(run.files, close_file);
    run.threads = g_ptr_array_new_with_free_func(g_free);
    g_mutex_init(&run.mutex);

    if (prepare(&run, listener, &reason)) {
        SsLogLine *line;

        log_files(&run, "file");
        good = run_main(&run, &reason);
        end_threads(&run);
        good = good && ss_run_check(&run, &reason);
        log_files(&run, "file-at-end");
        line = ss_log_begin(log, "main", "end", 0);
        good = ss_exchanges_finish(run.exchanges, line, good ? &reason : NULL) && good;
        finish(&run, good, reason != NULL ? reason->message : NULL, line);
    } else {
        ss_device_free(run.device);
        ss_exchanges_free(run.exchanges);
        ss_control_free(run.control);
    }
    if (run.wake >= 0) {
        (void)close(run.wake);
    }
    g_array_unref(run.files);
    g_ptr_array_unref(run.threads);
    g_clear_error(&run.failure);
    g_mutex_clear(&run.mutex);
    if (!good) {
        g_propagate_error(error, g_steal_pointer(&reason));
    }
    return good;
}
