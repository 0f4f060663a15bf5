/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run-file.h"

#include <json-glib/json-glib.h>
#include <sys/wait.h>

static void add_int(JsonBuilder *builder, const char *name, gint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

static void add_int_or_null(JsonBuilder *builder, const char *name, gboolean known, gint64 value)
{
    json_builder_set_member_name(builder, name);
    if (known) {
        json_builder_add_int_value(builder, value);
    } else {
        json_builder_add_null_value(builder);
    }
}

/* JSON is UTF-8, and a command line need not be. */
static void add_string_value(JsonBuilder *builder, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    json_builder_add_string_value(builder, valid);
}

static void add_command(JsonBuilder *builder, const SsCommand *command)
{
    gboolean ended = command->ended_ns != 0;

    json_builder_set_member_name(builder, "command");
    json_builder_begin_array(builder);
    for (char **argument = command->argv; *argument; argument++) {
        add_string_value(builder, *argument);
    }
    json_builder_end_array(builder);
    add_int(builder, "pid", command->pid);
    add_int_or_null(builder, "exit_code", ended && WIFEXITED(command->status),
                    WEXITSTATUS(command->status));
    add_int_or_null(builder, "signal", ended && WIFSIGNALED(command->status),
                    WTERMSIG(command->status));
    add_int(builder, "started_ns", command->started_ns);
    add_int_or_null(builder, "ended_ns", ended, command->ended_ns);
}

static void add_processes(JsonBuilder *builder, const SsWatch *watch)
{
    json_builder_set_member_name(builder, "processes");
    json_builder_begin_array(builder);
    for (guint i = 0; i < watch->processes->len; i++) {
        const SsWatchedProcess *process = &g_array_index(watch->processes, SsWatchedProcess, i);

        json_builder_begin_object(builder);
        add_int(builder, "pid", process->pid);
        json_builder_set_member_name(builder, "name");
        add_string_value(builder, process->name);
        json_builder_set_member_name(builder, "ended");
        json_builder_add_boolean_value(builder, process->ended_ns != 0);
        add_int_or_null(builder, "ended_ns", process->ended_ns != 0, process->ended_ns);
        add_int_or_null(builder, "nofile", process->nofile && process->nofile <= G_MAXINT64,
                        (gint64)process->nofile);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

gboolean ss_run_file_write(const char *directory, const char *session, const SsCommand *command,
                           const SsWatch *watch, const SsSessionResult *result, GError **error)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *path = g_build_filename(directory, "shmemscope-run.json", NULL);
    g_autofree char *text = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "session");
    add_string_value(builder, session);
    json_builder_set_member_name(builder, "complete");
    json_builder_add_boolean_value(builder, result != NULL);
    if (result) {
        add_int(builder, "discarded_events", (gint64)result->discarded);
    }
    if (command) {
        add_command(builder, command);
    }
    add_processes(builder, watch);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    json_generator_set_pretty(generator, TRUE);
    json_generator_set_root(generator, root);
    text = json_generator_to_data(generator, NULL);
    return g_file_set_contents(path, text, -1, error);
}
