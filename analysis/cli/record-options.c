/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record-options.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "ss-catalogue.h"

void ss_record_options_clear(SsRecordOptions *options)
{
    g_clear_pointer(&options->pids, g_array_unref);
    g_free(options->directory);
    g_free(options->session);
}

static gboolean exclude_class(SsRecordOptions *options, const char *name, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (guint i = 0; i < SS_N_CLASSES; i++) {
        if (g_str_equal(ss_catalogue_classes[i], name)) {
            options->excluded[i] = TRUE;
            return TRUE;
        }
        g_string_append_printf(known, "%s%s", i ? ", " : "", ss_catalogue_classes[i]);
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "There is no event class \"%s\"; the classes are %s", name, known->str);
    return FALSE;
}

static gboolean add_pid(SsRecordOptions *options, const char *text, GError **error)
{
    guint64 number = 0;
    pid_t pid;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &number, error)) {
        g_prefix_error(error, "--pid: ");
        return FALSE;
    }
    pid = (pid_t)number;
    if (options->command) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--pid is for a recording without a COMMAND");
        return FALSE;
    }
    if (kill(pid, 0) < 0 && errno == ESRCH) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--pid: there is no process %d", (int)pid);
        return FALSE;
    }
    g_array_append_val(options->pids, pid);
    return TRUE;
}

static const char description[] =
    "Records the events of the running QEMUs until it is told to end (SIGINT,\n"
    "SIGTERM) or, with COMMAND, those of COMMAND and what it starts until COMMAND\n"
    "ends; it passes on COMMAND's exit status (128 + N for signal N). Signals that it\n"
    "gets go to COMMAND. The trace is in DIR, which is new or empty;\n"
    "shmemscope-run.json there tells how the processes ended.\n"
    "Should the recorder be killed, its session is closed and the trace is whole up\n"
    "to there; should its keeper be killed as well, what was told until 200 ms\n"
    "before is there, and `lttng destroy SESSION` ends the session.\n"
    "The exit status is that of COMMAND; 0 without one; 2 usage; 3 the recording\n"
    "failed; 126 and 127 COMMAND cannot be started.\n";

/* Reads the command line; the command's argv stays in argv. */
gboolean ss_record_options_parse(SsRecordOptions *options, int argc, char **argv, GError **error)
{
    g_autofree char *output = NULL;
    g_autofree char *session = NULL;
    g_autofree char *set = NULL;
    g_auto(GStrv) classes = NULL;
    g_auto(GStrv) pids = NULL;
    double duration = 0;
    int buffer_kib = 0;
    gboolean help = FALSE;
    const GOptionEntry entries[] = {
        { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Where the trace goes", "DIR" },
        { "session", 0, 0, G_OPTION_ARG_STRING, &session, "Name of the LTTng session", "NAME" },
        { "set", 0, 0, G_OPTION_ARG_STRING, &set, "Which events: default, catalogue or all",
          "SET" },
        { "exclude-class", 0, 0, G_OPTION_ARG_STRING_ARRAY, &classes,
          "Leave out a class of events (may be repeated)", "CLASS" },
        { "wire", 0, 0, G_OPTION_ARG_NONE, &options->wire, "Load the wire library into COMMAND",
          NULL },
        { "pid", 0, 0, G_OPTION_ARG_STRING_ARRAY, &pids,
          "Record this process, not every one (may be repeated)", "PID" },
        { "duration", 0, 0, G_OPTION_ARG_DOUBLE, &duration, "End after so many seconds",
          "SECONDS" },
        { "buffer-size", 0, 0, G_OPTION_ARG_INT, &buffer_kib,
          "Buffer of each CPU and user (default: up to 4096)", "KIB" },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[--] [COMMAND...]");
    int rest;

    g_option_context_set_help_enabled(context, FALSE);
    g_set_prgname("shmemscope record");
    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_set_summary(context, "Record what QEMU does with its shared memory.");
    g_option_context_set_description(context, description);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error)) {
        return FALSE;
    }
    if (help) {
        ss_help_print(context);
        exit(SS_EXIT_CLEAN);
    }
    rest = argc > 1 && g_str_equal(argv[1], "--") ? 2 : 1;
    options->command = rest < argc ? argv + rest : NULL;
    if (!output || !*output) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--output DIR is needed: where the trace goes");
        return FALSE;
    }
    if (options->wire && !options->command) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--wire is for a recording with a COMMAND: a program that runs already loads "
                    "no library");
        return FALSE;
    }
    if (set && g_str_equal(set, "all")) {
        options->set = SS_EVENT_SET_ALL;
    } else if (set && g_str_equal(set, "catalogue")) {
        options->set = SS_EVENT_SET_CATALOGUE;
    } else if (set && !g_str_equal(set, "default")) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--set is default, catalogue or all, not \"%s\"", set);
        return FALSE;
    }
    if (duration < 0 || duration > 1e9 || (duration > 0 && options->command)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    options->command ? "--duration is for a recording without a COMMAND"
                                     : "--duration is a number of seconds");
        return FALSE;
    }
    if (buffer_kib < 0 || buffer_kib > 1024 * 1024) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--buffer-size is a number of KiB up to a million");
        return FALSE;
    }
    for (char **name = classes; name && *name; name++) {
        if (!exclude_class(options, *name, error)) {
            return FALSE;
        }
    }
    if (options->wire && options->excluded[SS_CLASS_WIRE]) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--wire and --exclude-class wire contradict each other");
        return FALSE;
    }
    if (options->set == SS_EVENT_SET_DEFAULT) {
        options->excluded[SS_CLASS_DETAIL] = TRUE;
    }
    options->duration_ns = (gint64)(duration * 1e9);
    options->pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
    for (char **pid = pids; pid && *pid; pid++) {
        if (!add_pid(options, *pid, error)) {
            return FALSE;
        }
    }
    options->buffer_size = (guint64)buffer_kib * 1024;
    options->directory = g_canonicalize_filename(output, NULL);
    options->session = session ? g_steal_pointer(&session)
                               : g_strdup_printf("shmemscope-%d-%" G_GINT64_FORMAT, (int)getpid(),
                                                 g_get_real_time() / 1000);
    return TRUE;
}
