/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shmemscope record: the events the analysis needs, from one command or from what runs. */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "keeper.h"
#include "run-file.h"
#include "session.h"
#include "ss-catalogue.h"
#include "verbs.h"
#include "watch.h"

#define EXIT_USAGE 2
#define EXIT_CANNOT_RECORD 3

#define SCAN_INTERVAL_MS 250
/* What COMMAND starts is recorded from when it is found: the sooner the better. */
#define FOLLOW_INTERVAL_MS 20
/* A command that was told to end and does not: a hung QEMU never does. */
#define END_GRACE_NS (10 * G_GINT64_CONSTANT(1000000000))

typedef struct Recording {
    char *directory; /* owned */
    char *session;   /* owned */
    SsEventSet set;
    gboolean excluded[SS_N_CLASSES];
    GArray *pids;        /* pid_t to record; empty: every process, or COMMAND; owned */
    gint64 duration_ns;  /* 0: until told to end */
    guint64 buffer_size; /* bytes; 0: what fits the machine */
    SsCommand command;
    gboolean has_command;
    SsWatch *watch;   /* owned */
    SsKeeper *keeper; /* owned */
    int signal_fd;    /* owned */
    sigset_t old_mask;
    int ended_by; /* the signal that ended the recording, 0 */
} Recording;

static void recording_clear(Recording *recording)
{
    g_clear_pointer(&recording->keeper, ss_keeper_free);
    g_clear_pointer(&recording->watch, ss_watch_free);
    g_clear_pointer(&recording->pids, g_array_unref);
    g_free(recording->directory);
    g_free(recording->session);
    if (recording->signal_fd >= 0) {
        (void)close(recording->signal_fd);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Recording, recording_clear)

static gboolean exclude_class(Recording *recording, const char *name, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (guint i = 0; i < SS_N_CLASSES; i++) {
        if (g_str_equal(ss_catalogue_classes[i], name)) {
            recording->excluded[i] = TRUE;
            return TRUE;
        }
        g_string_append_printf(known, "%s%s", i ? ", " : "", ss_catalogue_classes[i]);
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "There is no event class \"%s\"; the classes are %s", name, known->str);
    return FALSE;
}

static gboolean add_pid(Recording *recording, const char *text, GError **error)
{
    guint64 number = 0;
    pid_t pid;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &number, error)) {
        g_prefix_error(error, "--pid: ");
        return FALSE;
    }
    pid = (pid_t)number;
    if (recording->has_command) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--pid is for a recording without a COMMAND");
        return FALSE;
    }
    if (kill(pid, 0) < 0 && errno == ESRCH) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--pid: there is no process %d", (int)pid);
        return FALSE;
    }
    g_array_append_val(recording->pids, pid);
    return TRUE;
}

static const char description[] =
    "Records the events of the running QEMUs until it is told to end (SIGINT, SIGTERM) or,\n"
    "with COMMAND, those of COMMAND and what it starts until COMMAND ends; it passes on\n"
    "COMMAND's exit status (128 + N for signal N). Signals that it gets go to COMMAND. The trace\n"
    "is in DIR, which is new or empty; shmemscope-run.json there tells how the processes ended.\n"
    "Should the recorder be killed, its session is closed and the trace is whole up to there;\n"
    "should its keeper be killed as well, what was told until 200 ms before is there, and\n"
    "`lttng destroy SESSION` ends the session.\n\n"
    "Exit status: that of COMMAND; 0 without one; 2 usage; 3 the recording failed; 126 and 127\n"
    "COMMAND cannot be started.";

/* Reads the command line; the command's argv stays in argv. */
static gboolean parse(Recording *recording, int argc, char **argv, GError **error)
{
    g_autofree char *output = NULL;
    g_autofree char *session = NULL;
    g_autofree char *set = NULL;
    g_auto(GStrv) classes = NULL;
    g_auto(GStrv) pids = NULL;
    double duration = 0;
    int buffer_kib = 0;
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Where the trace goes", "DIR" },
        { "session", 0, 0, G_OPTION_ARG_STRING, &session, "Name of the LTTng session", "NAME" },
        { "set", 0, 0, G_OPTION_ARG_STRING, &set,
          "default: what the analysis reads; catalogue: what it does not read as well; all: "
          "QEMU's own events of the same parts, too",
          "default|catalogue|all" },
        { "exclude-class", 0, 0, G_OPTION_ARG_STRING_ARRAY, &classes,
          "Leave out a class of events (may be repeated)", "CLASS" },
        { "pid", 0, 0, G_OPTION_ARG_STRING_ARRAY, &pids,
          "Record this process and what it starts, instead of every one (may be repeated)", "PID" },
        { "duration", 0, 0, G_OPTION_ARG_DOUBLE, &duration, "End after so many seconds",
          "SECONDS" },
        { "buffer-size", 0, 0, G_OPTION_ARG_INT, &buffer_kib,
          "Buffer of each CPU and user, in KiB (default: up to 4096)", "KIB" },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[--] [COMMAND...]");
    int rest;

    g_set_prgname("shmemscope record");
    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_set_summary(context, "Record what QEMU does with its shared memory.");
    g_option_context_set_description(context, description);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error)) {
        return FALSE;
    }
    rest = argc > 1 && g_str_equal(argv[1], "--") ? 2 : 1;
    recording->has_command = rest < argc;
    recording->command.argv = argv + rest;
    if (!output || !*output) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--output DIR is needed: where the trace goes");
        return FALSE;
    }
    if (set && g_str_equal(set, "all")) {
        recording->set = SS_EVENT_SET_ALL;
    } else if (set && g_str_equal(set, "catalogue")) {
        recording->set = SS_EVENT_SET_CATALOGUE;
    } else if (set && !g_str_equal(set, "default")) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--set is default, catalogue or all, not \"%s\"", set);
        return FALSE;
    }
    if (duration < 0 || duration > 1e9 || (duration > 0 && recording->has_command)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    recording->has_command ? "--duration is for a recording without a COMMAND"
                                           : "--duration is a number of seconds");
        return FALSE;
    }
    if (buffer_kib < 0 || buffer_kib > 1024 * 1024) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--buffer-size is a number of KiB up to a million");
        return FALSE;
    }
    for (char **name = classes; name && *name; name++) {
        if (!exclude_class(recording, *name, error)) {
            return FALSE;
        }
    }
    if (recording->set == SS_EVENT_SET_DEFAULT) {
        recording->excluded[SS_CLASS_DETAIL] = TRUE;
    }
    recording->duration_ns = (gint64)(duration * 1e9);
    recording->pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
    for (char **pid = pids; pid && *pid; pid++) {
        if (!add_pid(recording, *pid, error)) {
            return FALSE;
        }
    }
    recording->buffer_size = (guint64)buffer_kib * 1024;
    recording->directory = g_canonicalize_filename(output, NULL);
    recording->session = session ? g_steal_pointer(&session)
                                 : g_strdup_printf("shmemscope-%d-%" G_GINT64_FORMAT, (int)getpid(),
                                                   g_get_real_time() / 1000);
    return TRUE;
}

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
        done = ss_session_include(recording->session,
                                  g_array_index(recording->watch->fresh, pid_t, i), error);
    }
    g_array_set_size(recording->watch->fresh, 0);
    return done;
}

static gboolean choose_processes(Recording *recording, gboolean everything, GError **error)
{
    recording->watch = ss_watch_new(everything);
    for (guint i = 0; i < recording->pids->len; i++) {
        ss_watch_follow(recording->watch, g_array_index(recording->pids, pid_t, i));
    }
    return include_fresh(recording, error);
}

static gboolean begin(Recording *recording, GError **error)
{
    const SsSessionConfig config = {
        .name = recording->session,
        .directory = recording->directory,
        .set = recording->set,
        .excluded = recording->excluded,
        .everything = recording->pids->len == 0 && !recording->has_command,
        .buffer_size = recording->buffer_size,
    };

    if (!make_directory(recording->directory, error) || !catch_signals(recording, error)) {
        return FALSE;
    }
    recording->keeper = ss_keeper_start(recording->session, recording->directory, error);
    if (!recording->keeper || !ss_session_ensure_daemon(error)) {
        return FALSE;
    }
    ss_session_tell_stale();
    if (!ss_session_create(&config, error)) {
        return FALSE;
    }
    ss_keeper_session_exists(recording->keeper);
    if (!choose_processes(recording, config.everything, error) ||
        !ss_session_start(recording->session, error)) {
        (void)ss_session_close(recording->session, NULL, NULL);
        return FALSE;
    }
    g_printerr("shmemscope record: recording into \"%s\" (session %s)\n", recording->directory,
               recording->session);
    return TRUE;
}

/* A recording whose run file cannot be written is still a recording. */
static void write_run_file(const Recording *recording, const SsSessionResult *result)
{
    g_autoptr(GError) error = NULL;

    if (!ss_run_file_write(recording->directory, recording->session,
                           recording->has_command ? &recording->command : NULL, recording->watch,
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
    if (recording->ended_by != 0 || !recording->has_command) {
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

static void run(Recording *recording)
{
    gint64 started_ns = ss_watch_now_ns();
    g_autoptr(GError) error = NULL;
    int interval_ms = recording->watch->followed ? FOLLOW_INTERVAL_MS : SCAN_INTERVAL_MS;
    gint64 deadline_ns = recording->duration_ns ? started_ns + recording->duration_ns : 0;

    while (!ss_command_reap(&recording->command)) {
        struct pollfd pollers[] = {
            { .fd = recording->signal_fd, .events = POLLIN },
            { .fd = recording->has_command ? recording->command.pidfd : -1, .events = POLLIN },
        };

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
            if (recording->has_command) {
                g_printerr("shmemscope record: process %d was told to end and runs on; the "
                           "recording ends without it\n",
                           (int)recording->command.pid);
            }
            return;
        }
        if (poll(pollers, G_N_ELEMENTS(pollers), interval_ms) > 0 &&
            (pollers[0].revents & POLLIN) && !take_signal(recording, &deadline_ns)) {
            return;
        }
    }
}

static gboolean has_trace(const char *path)
{
    g_autofree char *ust = g_build_filename(path, "ust", NULL);

    return g_file_test(ust, G_FILE_TEST_IS_DIR);
}

static gboolean finish(Recording *recording, GError **error)
{
    SsSessionResult result = { 0 };
    gboolean closed;

    ss_watch_check(recording->watch);
    closed = ss_session_close(recording->session, &result, error);
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
    if (has_trace(recording->directory)) {
        g_printerr("shmemscope record: the trace is in \"%s\"\n", recording->directory);
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

    if (!recording->has_command) {
        return 0;
    }
    reason = ss_command_fork(&recording->command, &recording->old_mask);
    if (reason == 0) {
        ss_watch_follow(recording->watch, recording->command.pid);
        if (!include_fresh(recording, &error)) {
            g_printerr("shmemscope record: %s\n", error->message);
            (void)ss_session_close(recording->session, NULL, NULL);
            return EXIT_CANNOT_RECORD;
        }
        reason = ss_command_release(&recording->command);
    }
    if (reason == 0) {
        return 0;
    }
    g_printerr("shmemscope record: Cannot start the command: command=\"%s\": %s\n",
               recording->command.argv[0], g_strerror(reason));
    (void)ss_session_close(recording->session, NULL, NULL);
    return reason == ENOENT ? 127 : 126;
}

int ss_verb_record(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_auto(Recording) recording = { .signal_fd = -1, .command = { .pidfd = -1 } };
    int status;

    if (!parse(&recording, argc, argv, &error)) {
        g_printerr("shmemscope record: %s (--help tells the options)\n", error->message);
        return EXIT_USAGE;
    }
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
    if (!recording.has_command) {
        return 0;
    }
    return ss_command_reap(&recording.command) ? ss_command_exit_status(&recording.command)
                                               : 128 + recording.ended_by;
}
