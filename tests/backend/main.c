/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shmemscope-backend: a vhost-user back-end that does what a scenario file says.
 *
 * Exit status: 0 the scenario went as it expects, 1 it did not, 2 usage or a scenario that
 * cannot be read.
 */
#include "listener.h"
#include "run.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

static int report(int status, const GError *error)
{
    (void)fprintf(stderr, "shmemscope-backend: %s\n", error->message);
    return status;
}

static int run(const SsScenario *scenario, const char *socket_path, const char *log_path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) log_error = NULL;
    SsLog *log = ss_log_open(log_path, &error);
    int listener = -1;
    gboolean good;

    if (log == NULL) {
        return report(EXIT_FAILED, error);
    }
    good = ss_listener_open(socket_path, &listener, &error);
    if (good) {
        good = ss_run_scenario(scenario, log, listener, &error);
        (void)close(listener);
        (void)unlink(socket_path);
    }
    if (!ss_log_close(log, &log_error)) {
        return report(EXIT_FAILED, good ? log_error : error);
    }
    return good ? EXIT_GOOD : report(EXIT_FAILED, error);
}

int main(int argc, char **argv)
{
    g_autofree char *socket_path = NULL;
    g_autofree char *scenario_path = NULL;
    g_autofree char *log_path = NULL;
    gboolean check = FALSE;
    const GOptionEntry entries[] = {
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &socket_path,
          "Listen for the front-end on the unix socket PATH", "PATH" },
        { "scenario", 0, 0, G_OPTION_ARG_FILENAME, &scenario_path, "Do what FILE says", "FILE" },
        { "log", 0, 0, G_OPTION_ARG_FILENAME, &log_path,
          "Write what was done to FILE, one JSON object a line", "FILE" },
        { "check", 0, 0, G_OPTION_ARG_NONE, &check, "Read the scenario and do nothing", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- scripted vhost-user back-end");
    g_autoptr(SsScenario) scenario = NULL;
    g_autoptr(GError) error = NULL;

    (void)setlocale(LC_ALL, "C");
    /* A front-end that has gone is an error of a write, not our end. */
    (void)signal(SIGPIPE, SIG_IGN);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        return report(EXIT_USAGE, error);
    }
    if (argc > 1 || scenario_path == NULL ||
        (!check && (socket_path == NULL || log_path == NULL))) {
        (void)fprintf(stderr, "shmemscope-backend: usage: shmemscope-backend --socket PATH "
                              "--scenario FILE --log FILE\n");
        return EXIT_USAGE;
    }
    scenario = ss_scenario_load(scenario_path, &error);
    if (scenario == NULL) {
        return report(EXIT_USAGE, error);
    }
    return check ? EXIT_GOOD : run(scenario, socket_path, log_path);
}
