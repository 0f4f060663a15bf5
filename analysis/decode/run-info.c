/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/decode/run-info.h"

#include <json-glib/json-glib.h>

#include "analysis/input/json-input.h"
#include "analysis/model/text.h"

#define LEVELS 6
#define MAX_BYTES (1024 * 1024)

static bool get_int(JsonObject *object, const char *name, gint64 *ret_value)
{
    JsonNode *node = json_object_get_member(object, name);
    if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64) {
        return false;
    }
    *ret_value = json_node_get_int(node);
    return true;
}

/* A recorder that was itself cut off does not know who lives. */
static bool complete(JsonObject *object)
{
    JsonNode *node = json_object_get_member(object, "complete");
    return !node || !JSON_NODE_HOLDS_VALUE(node) ||
           json_node_get_value_type(node) != G_TYPE_BOOLEAN || json_node_get_boolean(node);
}

/* With `until_ns`, of that time: what ended later was alive. */
static void take_process(SsModel *model, JsonObject *object, bool ended, bool whole,
                         gint64 until_ns)
{
    gint64 pid, code, ns = 0;
    (void)get_int(object, "ended_ns", &ns);
    if (!get_int(object, "pid", &pid) || pid <= 0 || pid > G_MAXINT32) {
        return;
    }
    if (ended && until_ns && ns > until_ns) {
        ss_model_set_run_end(model, (gint32)pid, SS_END_ALIVE, 0, 0);
    } else if (ended && until_ns && !ns) {
        ss_model_set_run_end(model, (gint32)pid, SS_END_UNKNOWN, 0, 0);
    } else if (!ended) {
        ss_model_set_run_end(model, (gint32)pid, whole ? SS_END_ALIVE : SS_END_UNKNOWN, 0, 0);
    } else if (get_int(object, "signal", &code)) {
        ss_model_set_run_end(model, (gint32)pid, SS_END_SIGNAL, (gint32)code, ns);
    } else if (get_int(object, "exit_code", &code)) {
        ss_model_set_run_end(model, (gint32)pid, SS_END_EXITED, (gint32)code, ns);
    } else {
        ss_model_set_run_end(model, (gint32)pid, SS_END_EXITED, -1, ns);
    }
}

static void take_limit(SsModel *model, JsonObject *object)
{
    gint64 pid, nofile;
    if (get_int(object, "pid", &pid) && pid > 0 && pid <= G_MAXINT32 &&
        get_int(object, "nofile", &nofile) && nofile > 0) {
        ss_model_set_fd_limit(model, (gint32)pid, (guint64)nofile);
    }
}

static void take(SsModel *model, JsonNode *root, gint64 until_ns)
{
    if (!JSON_NODE_HOLDS_OBJECT(root)) {
        return;
    }
    JsonObject *object = json_node_get_object(root);
    bool whole = complete(object);
    JsonNode *list = json_object_get_member(object, "processes");
    JsonArray *processes = list && JSON_NODE_HOLDS_ARRAY(list) ? json_node_get_array(list) : NULL;
    for (guint i = 0; processes && i < json_array_get_length(processes); i++) {
        JsonNode *node = json_array_get_element(processes, i);
        if (JSON_NODE_HOLDS_OBJECT(node)) {
            JsonObject *process = json_node_get_object(node);
            take_limit(model, process);
            JsonNode *ended = json_object_get_member(process, "ended");
            bool known = ended && JSON_NODE_HOLDS_VALUE(ended) &&
                         json_node_get_value_type(ended) == G_TYPE_BOOLEAN;
            if (known) {
                take_process(model, process, json_node_get_boolean(ended), whole, until_ns);
            }
        }
    }
    /* The command last: of it also the exit status is known. */
    gint64 ended_ns;
    if (json_object_has_member(object, "pid")) {
        take_process(model, object, get_int(object, "ended_ns", &ended_ns), whole, until_ns);
    }
}

void ss_run_info_read(SsModel *model, const char *directory, gint64 until_ns,
                      GPtrArray *diagnostics)
{
    g_autofree char *at = g_canonicalize_filename(directory, NULL);
    for (guint level = 0; level < LEVELS; level++) {
        g_autofree char *path = g_build_filename(at, SS_RUN_INFO_NAME, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            g_autoptr(GError) error = NULL;
            g_autofree char *text = NULL;
            gsize length = 0;
            g_autoptr(JsonNode) root = NULL;
            if (!g_file_get_contents(path, &text, &length, &error) || length > MAX_BYTES ||
                !(root = ss_json_input(text, length, &error))) {
                g_autofree char *said = g_strdup_printf("Cannot use run record: path=\"%s\": %s",
                                                        path, error ? error->message : "too large");
                g_ptr_array_add(diagnostics, ss_text_sanitize(said, 0));
                return;
            }
            take(model, root, until_ns);
            return;
        }
        char *above = g_path_get_dirname(at);
        g_free(at);
        at = above;
    }
}
