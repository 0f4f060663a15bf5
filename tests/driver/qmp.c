/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qmp.h"

#include <string.h>

struct SsQmp {
    SsLines *lines; /* owned */
    gint64 deadline;
    gint64 last_id;
    GHashTable *deleted; /* owned, a set of char *: devices with a DEVICE_DELETED */
};

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error != NULL) {
        *error = g_error_new_valist(SS_DRIVE_ERROR, SS_DRIVE_ERROR_FAILED, format, args);
    }
    va_end(args);
    return FALSE;
}

static void note_event(SsQmp *qmp, JsonObject *message)
{
    const char *event = json_object_get_string_member_with_default(message, "event", "");
    JsonObject *data;
    const char *device;

    if (strcmp(event, "DEVICE_DELETED") != 0 || !json_object_has_member(message, "data")) {
        return;
    }
    data = json_object_get_object_member(message, "data");
    device = json_object_get_string_member_with_default(data, "device", NULL);
    if (device != NULL) {
        g_hash_table_add(qmp->deleted, g_strdup(device));
    }
}

/* The next message, which is an object. Events are noted and returned as well. */
static JsonNode *receive(SsQmp *qmp, GError **error)
{
    g_autofree char *line = ss_lines_receive(qmp->lines, qmp->deadline, error);
    g_autoptr(JsonNode) node = NULL;

    if (line == NULL) {
        return NULL;
    }
    node = json_from_string(line, NULL);
    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node)) {
        (void)fail(error, "QMP sent no object: \"%s\"", line);
        return NULL;
    }
    note_event(qmp, json_node_get_object(node));
    return g_steal_pointer(&node);
}

char *ss_qmp_execute(SsQmp *qmp, const char *command, GError **error)
{
    g_autoptr(JsonNode) question = json_from_string(command, NULL);
    g_autofree char *text = NULL;
    gint64 id;

    if (question == NULL || !JSON_NODE_HOLDS_OBJECT(question)) {
        (void)fail(error, "no JSON object: \"%s\"", command);
        return NULL;
    }
    id = ++qmp->last_id;
    json_object_set_int_member(json_node_get_object(question), "id", id);
    text = json_to_string(question, FALSE);
    if (!ss_lines_send(qmp->lines, text, qmp->deadline, error)) {
        return NULL;
    }
    for (;;) {
        g_autoptr(JsonNode) answer = receive(qmp, error);
        JsonObject *message;

        if (answer == NULL) {
            return NULL;
        }
        message = json_node_get_object(answer);
        if (json_object_get_int_member_with_default(message, "id", 0) != id) {
            continue;
        }
        if (json_object_has_member(message, "return")) {
            return json_to_string(json_object_get_member(message, "return"), FALSE);
        }
        if (json_object_has_member(message, "error")) {
            JsonObject *reason = json_object_get_object_member(message, "error");

            (void)fail(error, "%s",
                       json_object_get_string_member_with_default(reason, "desc", "no reason"));
            return NULL;
        }
        (void)fail(error, "QMP sent an answer without return and error");
        return NULL;
    }
}

SsQmp *ss_qmp_new(SsLines *lines, gint64 deadline, GError **error)
{
    g_autoptr(SsQmp) qmp = g_new0(SsQmp, 1);
    g_autoptr(JsonNode) greeting = NULL;
    g_autofree char *answer = NULL;

    qmp->lines = lines;
    qmp->deadline = deadline;
    qmp->deleted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    greeting = receive(qmp, error);
    if (greeting == NULL) {
        return NULL;
    }
    if (!json_object_has_member(json_node_get_object(greeting), "QMP")) {
        (void)fail(error, "QMP sent no greeting");
        return NULL;
    }
    answer = ss_qmp_execute(qmp, "{\"execute\":\"qmp_capabilities\"}", error);
    return answer != NULL ? g_steal_pointer(&qmp) : NULL;
}

void ss_qmp_free(SsQmp *qmp)
{
    if (qmp == NULL) {
        return;
    }
    ss_lines_free(qmp->lines);
    g_hash_table_unref(qmp->deleted);
    g_free(qmp);
}

void ss_qmp_set_deadline(SsQmp *qmp, gint64 deadline)
{
    qmp->deadline = deadline;
}

gboolean ss_qmp_device_del(SsQmp *qmp, const char *id, GError **error)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *command = NULL;
    g_autofree char *answer = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "execute");
    json_builder_add_string_value(builder, "device_del");
    json_builder_set_member_name(builder, "arguments");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "id");
    json_builder_add_string_value(builder, id);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    command = json_to_string(root, FALSE);
    g_hash_table_remove(qmp->deleted, id);
    answer = ss_qmp_execute(qmp, command, error);
    return answer != NULL;
}

gboolean ss_qmp_await_deleted(SsQmp *qmp, const char *id, GError **error)
{
    while (!g_hash_table_contains(qmp->deleted, id)) {
        g_autoptr(JsonNode) message = receive(qmp, error);

        if (message == NULL) {
            return FALSE;
        }
    }
    return TRUE;
}
