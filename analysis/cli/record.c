/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shmemscope record: the events the analysis needs, from one command or from what runs. */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "forks.h"
#include "keeper.h"
#include "preload.h"
#include "record-options.h"
#include "run-file.h"
#include "session.h"
#include "verbs.h"
#include "watch.h"

#define EXIT_USAGE 2
#define EXIT_CANNOT_RECORD 3

#define SCAN_INTERVAL_MS 250
/* What COMMAND starts is recorded from when it is found: the sooner the better. */
#define FOLLOW_INTERVAL_MS 20
/* A daemon is made by one that ends at once: until it is there, it is looked for all the time. */
#define DAEMON_INTERVAL_MS 1
/* A command that was told to end and does not: a hung QEMU never does. */
#define END_GRACE_NS (10 * G_GINT64_CONSTANT(1000000000))

typedef struct Recording {
    const SsRecordOptions *options; /* weak */
    SsCommand command;
    SsWatch *watch;   /* owned */
    SsKeeper *keeper; /* owned */
    int signal_fd;    /* owned */
    sigset_t old_mask;
    gboolean daemon; /* the command becomes one, which is recorded until it ends */
    SsForks forks;   /* by which it does */
    int ended_by;    /* the signal that ended the recording, 0 */
} Recording;

static void recording_clear(Recording *recording)
{
    g_clear_pointer(&recording->keeper, ss_keeper_free);
    g_clear_pointer(&recording->watch, ss_watch_free);
    g_clear_pointer(&recording->command.preload, g_free);
    ss_forks_clear(&recording->forks);
    if (recording->signal_fd >= 0) {
        (void)close(recording->signal_fd);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Recording, recording_clear)

/* The directory exists and is empty afterwards. */
static gboolean make_directory(const char *path, GError **error)
{
    g_autoptr(GDir) directory = NULL;

    if (g_mkdir_with_parents(path, 0777) < 0) {
        g_set_error(error, SS_RECORD_ERROR, 0,
                    "Cannot create the output directory: "
                    "path=\"%s\": %s",
                    path, g_strerror(errno));
        return FALSE;
    }
    directory = g_dir_open(path, 0, error);
    if (!directory) {
        return FALSE;
    }
    if (g_dir_read_name(directory)) {
        g_set_error(error, SS_RECORD_ERROR, 0,
                    "Cannot use the output directory: path=\"%s\": it is not empty", path);
        return FALSE;
    }
    return TRUE;
}

/* From here on the signals that end us are read, and interrupt nothing. */
static gboolean catch_signals(Recording *recording, GError **error)
{
    sigset_t mask;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &mask, &recording->old_mask);
    recording->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
    if (recording->signal_fd < 0) {
        g_set_error(error, SS_RECORD_ERROR, 0, "Cannot catch signals: %s", g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

/* Tells the session of the processes that came in since. */
static gboolean include_fresh(Recording *recording, GError **error)
{
    gboolean done = TRUE;

    for (guint i = 0; i < recording->watch->fresh->len && done; i++) {
        done = ss_session_include(recording->options->session,
                                  g_array_index(recording->watch->fresh, pid_t, i), error);
    }
    g_array_set_size(recording->watch->fresh, 0);
    return done;
}

static gboolean choose_processes(Recording *recording, gboolean everything, GError **error)
{
    recording->watch = ss_watch_new(everything);
    for (guint i = 0; i < recording->options->pids->len; i++) {
        ss_watch_follow(recording->watch, g_array_index(recording->options->pids, pid_t, i));
    }
    return include_fresh(recording, error);
}

/* What the command needs to be recorded, or why it cannot be: before anything is begun. */
static gboolean prepare_command(Recording *recording, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (recording->command.argv) {
        recording->command.preload =
            ss_preload_value(recording->command.argv, recording->options->wire, &local);
        recording->daemon =
            ss_preload_daemonizes(recording->command.argv) && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
    }
    if (local) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    return TRUE;
}

static gboolean begin(Recording *recording, GError **error)
{
    const SsSessionConfig config = {
        .name = recording->options->session,
        .directory = recording->options->directory,
        .set = recording->options->set,
        .excluded = recording->options->excluded,
        .everything = recording->options->pids->len == 0 && !recording->command.argv,
        .buffer_size = recording->options->buffer_size,
    };

    if (!prepare_command(recording, error) ||
        !make_directory(recording->options->directory, error) || !catch_signals(recording, error)) {
        return FALSE;
    }
    recording->keeper =
        ss_keeper_start(recording->options->session, recording->options->directory, error);
    if (!recording->keeper || !ss_session_ensure_daemon(error)) {
        return FALSE;
    }
    ss_session_tell_stale();
    if (!ss_session_create(&config, error)) {
        return FALSE;
    }
    ss_keeper_session_exists(recording->keeper);
    if (!choose_processes(recording, config.everything, error) ||
        !ss_session_start(recording->options->session, error)) {
        (void)ss_session_close(recording->options->session, NULL, NULL);
        return FALSE;
    }
    g_printerr("shmemscope record: recording into \"%s\" (session %s)\n",
               recording->options->directory, recording->options->session);
    return TRUE;
}

/* A recording whose run file cannot be written is still a recording. */
static void write_run_file(const Recording *recording, const SsSessionResult *result)
{
    g_autoptr(GError) error = NULL;

    if (!ss_run_file_write(recording->options->directory, recording->options->session,
                           recording->command.argv ? &recording->command : NULL, recording->watch,
                           result, &error)) {
        g_printerr("shmemscope record: Cannot write the run file: %s\n", error->message);
    }
}

/* Returns FALSE when the recording shall end at once. */
static gboolean take_signal(Recording *recording, gint64 *deadline_ns)
{
    struct signalfd_siginfo info;

    if (read(recording->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return TRUE;
    }
    (void)ss_command_reap(&recording->command);
    /* A daemon that is left alone by the one that made it is not ours to end. */
    if (recording->ended_by != 0 || !recording->command.argv || recording->command.ended_ns) {
        recording->ended_by = (int)info.ssi_signo;
        return FALSE;
    }
    recording->ended_by = (int)info.ssi_signo;
    *deadline_ns = ss_watch_now_ns() + END_GRACE_NS;
    /* What comes from a terminal has reached the command too: it is in the same group. */
    if (info.ssi_code != SI_KERNEL) {
        (void)kill(recording->command.pid, (int)info.ssi_signo);
    }
    return TRUE;
}

/* A process of a command that becomes a daemon; it runs on when the session knows it. */
static void on_born(pid_t pid, void *data)
{
    Recording *recording = data;
    g_autoptr(GError) error = NULL;

    ss_watch_follow(recording->watch, pid);
    if (!include_fresh(recording, &error)) {
        g_printerr("shmemscope record: %s\n", error->message);
    }
}

/*
 * Processes without a living parent come to this one: so what a daemon's maker leaves is found,
 * and those that ended have to be taken.
 */
static void adopt(const Recording *recording)
{
    const GArray *processes = recording->watch->processes;

    if (!recording->daemon) {
        return;
    }
    for (guint i = 0; i < processes->len; i++) {
        const SsWatchedProcess *process = &g_array_index(processes, SsWatchedProcess, i);

        if (process->ended_ns && process->pid != recording->command.pid) {
            (void)waitpid(process->pid, NULL, WNOHANG);
        }
    }
    ss_watch_follow_children(recording->watch, getpid());
}

/* The command has ended, and the daemon that it has become, if it has become one. */
static gboolean has_ended(Recording *recording)
{
    if (!ss_command_reap(&recording->command)) {
        return FALSE;
    }
    return !recording->daemon || ss_command_exit_status(&recording->command) != 0 ||
           !ss_watch_lives(recording->watch);
}

static int interval(const Recording *recording)
{
    if (!recording->watch->followed) {
        return SCAN_INTERVAL_MS;
    }
    return recording->daemon && !recording->command.ended_ns ? DAEMON_INTERVAL_MS
                                                             : FOLLOW_INTERVAL_MS;
}

static void run(Recording *recording)
{
    gint64 started_ns = ss_watch_now_ns();
    g_autoptr(GError) error = NULL;
    gint64 deadline_ns =
        recording->options->duration_ns ? started_ns + recording->options->duration_ns : 0;

    while (!has_ended(recording)) {
        struct pollfd pollers[] = {
            { .fd = recording->signal_fd, .events = POLLIN },
            { .fd = recording->command.argv ? recording->command.pidfd : -1, .events = POLLIN },
        };

        ss_forks_look(&recording->forks, on_born, recording);
        adopt(recording);
        ss_watch_scan(recording->watch);
        ss_watch_check(recording->watch);
        if (!include_fresh(recording, &error)) {
            g_printerr("shmemscope record: %s\n", error->message);
            g_clear_error(&error);
        }
        if (recording->watch->changed) {
            recording->watch->changed = FALSE;
            write_run_file(recording, NULL);
        }
        if (deadline_ns && ss_watch_now_ns() >= deadline_ns) {
            if (recording->command.argv) {
                g_printerr("shmemscope record: process %d was told to end and runs on; the "
                           "recording ends without it\n",
                           (int)recording->command.pid);
            }
            return;
        }
        if (poll(pollers, G_N_ELEMENTS(pollers), interval(recording)) > 0 &&
            (pollers[0].revents & POLLIN) && !take_signal(recording, &deadline_ns)) {
            return;
        }
    }
}

/* The session daemon makes the directory, also of a session in which nobody tells anything. */
static gboolean has_trace(const char *path)
{
    g_autofree char *ust = g_build_filename(path, "ust", NULL);
    g_autoptr(GDir) dir = g_dir_open(ust, 0, NULL);

    return dir && g_dir_read_name(dir);
}

static gboolean finish(Recording *recording, GError **error)
{
    SsSessionResult result = { 0 };
    gboolean closed;

    ss_watch_check(recording->watch);
    closed = ss_session_close(recording->options->session, &result, error);
    /* What ended while the trace was being written ended before the recording did. */
    ss_watch_check(recording->watch);
    write_run_file(recording, closed ? &result : NULL);
    if (!closed) {
        return FALSE;
    }
    if (result.discarded > 0 || result.lost_packets > 0) {
        g_printerr("shmemscope record: %" G_GUINT64_FORMAT " events found no room in the "
                   "buffers and are lost; findings that rest on them will be \"unknown\"\n",
                   result.discarded);
    }
    if (has_trace(recording->options->directory)) {
        g_printerr("shmemscope record: the trace is in \"%s\"\n", recording->options->directory);
    } else {
        g_printerr("shmemscope record: nothing was recorded: no process that LTTng traces was "
                   "there\n");
    }
    return TRUE;
}

static int start_command(Recording *recording)
{
    g_autoptr(GError) error = NULL;
    int reason;

    if (!recording->command.argv) {
        return 0;
    }
    reason = ss_command_fork(&recording->command, &recording->old_mask);
    if (reason == 0) {
        ss_watch_follow(recording->watch, recording->command.pid);
        if (!include_fresh(recording, &error)) {
            g_printerr("shmemscope record: %s\n", error->message);
            (void)ss_session_close(recording->options->session, NULL, NULL);
            return EXIT_CANNOT_RECORD;
        }
        if (recording->daemon && !ss_forks_begin(&recording->forks, recording->command.pid)) {
            g_printerr("shmemscope record: the command's forks cannot be held (%s): the first "
                       "events of the daemon may be missing\n",
                       g_strerror(errno));
        }
        reason = ss_command_release(&recording->command);
    }
    if (reason == 0) {
        return 0;
    }
    g_printerr("shmemscope record: Cannot start the command: command=\"%s\": %s\n",
               recording->command.argv[0], g_strerror(reason));
    (void)ss_session_close(recording->options->session, NULL, NULL);
    return reason == ENOENT ? 127 : 126;
}

int ss_verb_record(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_auto(SsRecordOptions) options = { 0 };
    g_auto(Recording) recording = { .options = &options, .signal_fd = -1 };
    int status;

    if (!ss_record_options_parse(&options, argc, argv, &error)) {
        g_printerr("shmemscope record: %s (--help tells the options)\n", error->message);
        return EXIT_USAGE;
    }
    recording.command = (SsCommand){ .argv = options.command, .pidfd = -1 };
    if (!begin(&recording, &error)) {
        g_printerr("shmemscope record: %s\n", error->message);
        return EXIT_CANNOT_RECORD;
    }
    status = start_command(&recording);
    if (status != 0) {
        return status;
    }
    run(&recording);
    if (!finish(&recording, &error)) {
        g_printerr("shmemscope record: %s\n", error->message);
        return EXIT_CANNOT_RECORD;
    }
    if (!recording.command.argv) {
        return 0;
    }
    return ss_command_reap(&recording.command) ? ss_command_exit_status(&recording.command)
                                               : 128 + recording.ended_by;
}
