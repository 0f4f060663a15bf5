/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Evidence from a file, which may be anybody's: every member has to be there, of its type and
 * within its bounds, or the file is refused as a whole.
 */
#include <stdio.h>
#include <string.h>

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "analysis/autopsy/fields.h"
#include "analysis/autopsy/parts.h"
#include "analysis/autopsy/stacks.h"
#include "analysis/input/json-input.h"

#define SS_MAX_BYTES (256u << 20)
#define SS_MAX_ITEMS 1000000u
#define SS_MAX_STRING 65536u

typedef struct SsLoad {
    char *trouble; /* owned; NULL: none so far. The first one counts */
} SsLoad;

static void G_GNUC_PRINTF(2, 3) refuse(SsLoad *load, const char *format, ...)
{
    if (!load->trouble) {
        va_list args;
        va_start(args, format);
        load->trouble = g_strdup_vprintf(format, args);
        va_end(args);
    }
}

static JsonNode *member(SsLoad *load, JsonObject *object, const char *name, JsonNodeType type)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;
    if (!node || JSON_NODE_TYPE(node) != type) {
        refuse(load, "\"%s\" is missing, or of another type", name);
        return NULL;
    }
    return node;
}

static JsonArray *array_of(SsLoad *load, JsonObject *object, const char *name)
{
    JsonNode *node = member(load, object, name, JSON_NODE_ARRAY);
    JsonArray *array = node ? json_node_get_array(node) : NULL;
    if (array && json_array_get_length(array) > SS_MAX_ITEMS) {
        refuse(load, "\"%s\" has too many elements", name);
        array = NULL;
    }
    return array;
}

static guint length_of(const SsLoad *load, JsonArray *array)
{
    return array && !load->trouble ? json_array_get_length(array) : 0;
}

static JsonObject *object_at(SsLoad *load, JsonArray *array, guint i, const char *name)
{
    JsonNode *node = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        refuse(load, "an element of \"%s\" is no object", name);
        return NULL;
    }
    return json_node_get_object(node);
}

static gint64 integer(SsLoad *load, JsonNode *node, const char *name, gint64 min, gint64 max)
{
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64) {
        refuse(load, "\"%s\" is no integer", name);
        return min;
    }
    gint64 value = json_node_get_int(node);
    if (value < min || value > max) {
        refuse(load, "\"%s\" is out of range", name);
        return min;
    }
    return value;
}

/* Weak. */
static const char *string(SsLoad *load, JsonNode *node, const char *name)
{
    const char *text =
        JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
            ? json_node_get_string(node)
            : NULL;
    if (!text || strlen(text) > SS_MAX_STRING || !g_utf8_validate(text, -1, NULL)) {
        refuse(load, "\"%s\" is no string, or too long", name);
        return "";
    }
    return text;
}

static guint64 hex(SsLoad *load, JsonNode *node, const char *name)
{
    const char *text = string(load, node, name);
    char *end = NULL;
    guint64 value = g_str_has_prefix(text, "0x") && g_ascii_isxdigit(text[2])
                        ? g_ascii_strtoull(text + 2, &end, 16)
                        : 0;
    if (!end || *end || end - text > 18) {
        refuse(load, "\"%s\" is no number like 0x1f", name);
    }
    return value;
}

static guint32 word(SsLoad *load, JsonNode *node, const SsField *field)
{
    const char *text = string(load, node, field->name);
    for (guint32 i = 0; field->words[i]; i++) {
        if (g_str_equal(field->words[i], text)) {
            return i;
        }
    }
    refuse(load, "\"%s\" is none of its words", field->name);
    return 0;
}

static void load_field(SsLoad *load, const SsField *field, JsonNode *node, void *place)
{
    switch (field->kind) {
    case SS_FIELD_STRING:
        g_free(*(char **)place);
        *(char **)place = g_strdup(string(load, node, field->name));
        break;
    case SS_FIELD_BOOL:
        if (json_node_get_value_type(node) != G_TYPE_BOOLEAN) {
            refuse(load, "\"%s\" is neither true nor false", field->name);
        } else {
            *(bool *)place = json_node_get_boolean(node);
        }
        break;
    case SS_FIELD_LETTER: {
        const char *text = string(load, node, field->name);
        if (text[0] && (text[1] || !g_ascii_isprint(text[0]))) {
            refuse(load, "\"%s\" is not one letter", field->name);
        }
        *(char *)place = text[0];
        break;
    }
    case SS_FIELD_I32:
        *(gint32 *)place = (gint32)integer(load, node, field->name, G_MININT32, G_MAXINT32);
        break;
    case SS_FIELD_U32:
        *(guint32 *)place = (guint32)integer(load, node, field->name, 0, G_MAXUINT32);
        break;
    case SS_FIELD_I64:
        *(gint64 *)place = integer(load, node, field->name, G_MININT64, G_MAXINT64);
        break;
    case SS_FIELD_U64:
        *(guint64 *)place = (guint64)integer(load, node, field->name, 0, G_MAXINT64);
        break;
    case SS_FIELD_HEX:
        *(guint64 *)place = hex(load, node, field->name);
        break;
    case SS_FIELD_WORD:
        *(guint32 *)place = word(load, node, field);
        break;
    }
}

static void load_fields(SsLoad *load, JsonObject *from, const SsField *fields, void *object)
{
    for (const SsField *field = fields; field->name && !load->trouble; field++) {
        JsonNode *node = member(load, from, field->name, JSON_NODE_VALUE);
        if (node) {
            load_field(load, field, node, (char *)object + field->offset);
        }
    }
}

/* Objects that have nothing but fields: `make` returns an owned one to be filled. */
static void load_all(SsLoad *load, JsonObject *from, const char *name, const SsField *fields,
                     gpointer (*make)(void), GPtrArray *objects)
{
    JsonArray *array = array_of(load, from, name);
    for (guint i = 0, n = length_of(load, array); i < n && !load->trouble; i++) {
        JsonObject *element = object_at(load, array, i, name);
        gpointer object = make();
        g_ptr_array_add(objects, object);
        load_fields(load, element, fields, object);
    }
}

static gpointer make_denied(void)
{
    return g_new0(SsDenied, 1);
}

static gpointer make_fd(void)
{
    return g_new0(SsSeenFd, 1);
}

static gpointer make_map(void)
{
    return g_new0(SsSeenMap, 1);
}

static gpointer make_channel(void)
{
    return ss_seen_channel_new(SS_CHANNEL_MAIN, SS_CHANNEL_BY_ARGV);
}

/* Pairs of numbers. */
static void load_pairs(SsLoad *load, JsonObject *from, const char *name, gint64 max_second,
                       void (*add)(gpointer object, gint64 first, gint64 second), gpointer object)
{
    JsonArray *array = array_of(load, from, name);
    for (guint i = 0, n = length_of(load, array); i < n && !load->trouble; i++) {
        JsonNode *node = json_array_get_element(array, i);
        JsonArray *pair = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
        if (!pair || json_array_get_length(pair) != 2) {
            refuse(load, "an element of \"%s\" is no pair", name);
            return;
        }
        gint64 first = integer(load, json_array_get_element(pair, 0), name, G_MININT32, G_MAXINT32);
        gint64 second = integer(load, json_array_get_element(pair, 1), name, 0, max_second);
        add(object, first, second);
    }
}

static void add_poll(gpointer object, gint64 first, gint64 second)
{
    SsSeenThread *thread = object;
    SsSeenPoll poll = { .fd = (gint32)first, .events = (guint32)second };
    g_array_append_val(thread->polls, poll);
}

static void add_holder(gpointer object, gint64 first, gint64 second)
{
    SsSeenSocket *socket = object;
    SsSeenHolder holder = { .pid = (gint32)first, .fd = (gint32)second };
    g_array_append_val(socket->holders, holder);
}

static void load_thread(SsLoad *load, JsonObject *from, SsSeenThread *thread)
{
    load_fields(load, from, ss_fields_thread, thread);
    JsonArray *args = array_of(load, from, "args");
    if (length_of(load, args) != G_N_ELEMENTS(thread->args)) {
        refuse(load, "\"args\" are not six");
    }
    for (guint i = 0; i < G_N_ELEMENTS(thread->args) && !load->trouble; i++) {
        thread->args[i] = hex(load, json_array_get_element(args, i), "args");
    }
    load_pairs(load, from, "polls", G_MAXUINT32, add_poll, thread);
}

static void load_process(SsLoad *load, JsonObject *from, SsSeenProcess *process)
{
    load_fields(load, from, ss_fields_process, process);
    JsonArray *argv = array_of(load, from, "argv");
    for (guint i = 0, n = length_of(load, argv); i < n && !load->trouble; i++) {
        g_ptr_array_add(process->argv,
                        g_strdup(string(load, json_array_get_element(argv, i), "argv")));
    }
    JsonArray *threads = array_of(load, from, "threads");
    for (guint i = 0, n = length_of(load, threads); i < n && !load->trouble; i++) {
        SsSeenThread *thread = ss_seen_thread_new(0);
        g_ptr_array_add(process->threads, thread);
        load_thread(load, object_at(load, threads, i, "threads"), thread);
    }
    load_all(load, from, "fds", ss_fields_fd, make_fd, process->fds);
    load_all(load, from, "maps", ss_fields_map, make_map, process->maps);
    load_all(load, from, "denied", ss_fields_denied, make_denied, process->denied);
}

static void load_peeked(SsLoad *load, JsonObject *from, SsSeenSocket *socket)
{
    JsonNode *node = member(load, from, "peeked", JSON_NODE_VALUE);
    const char *text = node ? string(load, node, "peeked") : "";
    gsize len = strlen(text);
    if (len % 2 || len > 4 * SS_PEEK_BYTES || strspn(text, "0123456789abcdef") != len) {
        refuse(load, "\"peeked\" is not a row of bytes");
        return;
    }
    for (gsize i = 0; i < len; i += 2) {
        guint8 byte =
            (guint8)(g_ascii_xdigit_value(text[i]) * 16 + g_ascii_xdigit_value(text[i + 1]));
        g_byte_array_append(socket->peeked, &byte, 1);
    }
    if (socket->recalled > socket->peeked->len) {
        refuse(load, "\"recalled\" is more than was peeked");
    }
    ss_seen_socket_count(socket);
}

static void load_sockets(SsLoad *load, JsonObject *from, SsLook *look)
{
    JsonArray *sockets = array_of(load, from, "sockets");
    for (guint i = 0, n = length_of(load, sockets); i < n && !load->trouble; i++) {
        SsSeenSocket *socket = ss_seen_socket_new(0);
        JsonObject *element = object_at(load, sockets, i, "sockets");
        load_fields(load, element, ss_fields_socket, socket);
        load_pairs(load, element, "holders", G_MAXINT32, add_holder, socket);
        load_peeked(load, element, socket);
        if (ss_look_socket(look, socket->inode)) {
            refuse(load, "two of \"sockets\" are the same");
            ss_seen_socket_free(socket);
        } else {
            g_hash_table_insert(look->sockets, &socket->inode, socket);
        }
    }
}

/* What the readers of evidence may rely on. */
static void check_look(SsLoad *load, const SsLook *look)
{
    gint32 before = 0;
    for (guint i = 0; i < look->processes->len; i++) {
        const SsSeenProcess *process = g_ptr_array_index(look->processes, i);
        if (process->pid <= before) {
            refuse(load, "\"processes\" are not in order of pid");
        }
        before = process->pid;
    }
    for (guint i = 0; i < look->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(look->channels, i);
        if (!ss_look_process(look, channel->front_pid) ||
            (channel->back_pid && !ss_look_process(look, channel->back_pid))) {
            refuse(load, "one of \"channels\" is of a process that is not there");
        }
        if (channel->main < -1 || channel->main >= (gint32)i ||
            (channel->main >= 0 &&
             ((SsSeenChannel *)g_ptr_array_index(look->channels, (guint)channel->main))->kind !=
                 SS_CHANNEL_MAIN)) {
            refuse(load, "\"main\" is no main channel");
        }
    }
}

static void load_look(SsLoad *load, JsonObject *from, SsLook *look)
{
    load_fields(load, from, ss_fields_look, look);
    JsonArray *processes = array_of(load, from, "processes");
    for (guint i = 0, n = length_of(load, processes); i < n && !load->trouble; i++) {
        SsSeenProcess *process = ss_seen_process_new(0);
        g_ptr_array_add(look->processes, process);
        load_process(load, object_at(load, processes, i, "processes"), process);
    }
    load_all(load, from, "channels", ss_fields_channel, make_channel, look->channels);
    load_sockets(load, from, look);
    load_all(load, from, "denied", ss_fields_denied, make_denied, look->denied);
    if (!load->trouble) {
        check_look(load, look);
    }
}

/* Only of who asked for them; the rest is whole without. */
static void load_stacks(SsLoad *load, JsonObject *from, SsEvidence *evidence)
{
    JsonArray *all = json_object_has_member(from, "stacks") ? array_of(load, from, "stacks") : NULL;
    if (!all) {
        return;
    }
    evidence->stacks = g_ptr_array_new_with_free_func((GDestroyNotify)ss_stacks_free);
    for (guint i = 0, n = length_of(load, all); i < n && !load->trouble; i++) {
        g_autoptr(GError) error = NULL;
        SsStacks *stacks = ss_stacks_load(json_array_get_element(all, i), &error);
        if (stacks) {
            g_ptr_array_add(evidence->stacks, stacks);
        } else {
            refuse(load, "%s", error->message);
        }
    }
}

static void load_evidence(SsLoad *load, JsonNode *root, SsEvidence *evidence)
{
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    JsonNode *format = member(load, object, "format", JSON_NODE_VALUE);
    JsonNode *version = member(load, object, "version", JSON_NODE_VALUE);
    if (!format || !g_str_equal(string(load, format, "format"), SS_EVIDENCE_FORMAT)) {
        refuse(load, "it is no evidence of shmemscope");
        return;
    }
    if (!version || integer(load, version, "version", 0, G_MAXINT32) != SS_EVIDENCE_VERSION) {
        refuse(load, "it is of another version than %d", SS_EVIDENCE_VERSION);
        return;
    }
    load_fields(load, object, ss_fields_evidence, evidence);
    JsonArray *looks = array_of(load, object, "looks");
    guint n = length_of(load, looks);
    if (n < 1 || n > SS_EVIDENCE_MAX_LOOKS) {
        refuse(load, "\"looks\" are neither one nor two");
        return;
    }
    for (guint i = 0; i < n && !load->trouble; i++) {
        SsLook *look = ss_look_new();
        g_ptr_array_add(evidence->looks, look);
        load_look(load, object_at(load, looks, i, "looks"), look);
    }
    load_stacks(load, object, evidence);
}

SsEvidence *ss_evidence_parse(const char *data, gsize length, const char *name, GError **error)
{
    g_autoptr(JsonNode) root = NULL;
    g_autoptr(SsEvidence) evidence = ss_evidence_new();
    g_autoptr(GError) cause = NULL;
    SsLoad load = { 0 };
    if (length > SS_MAX_BYTES) {
        refuse(&load, "it is too large");
    } else if (!(root = ss_json_input(data, length, &cause))) {
        refuse(&load, "%s", cause->message);
    } else {
        load_evidence(&load, root, evidence);
    }
    if (load.trouble) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    "Cannot read evidence: path=\"%s\": %s", name, load.trouble);
        g_free(load.trouble);
        return NULL;
    }
    return g_steal_pointer(&evidence);
}

SsEvidence *ss_evidence_load(const char *path, GError **error)
{
    g_autofree char *data = NULL;
    gsize length;
    g_autoptr(GError) cause = NULL;
    if (!g_file_get_contents(path, &data, &length, &cause)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot read evidence: path=\"%s\": %s",
                    path, cause->message);
        return NULL;
    }
    return ss_evidence_parse(data, length, path, error);
}

bool ss_evidence_is(const char *path)
{
    char begin[256];
    FILE *file = fopen(path, "rbe");
    gsize len = file ? fread(begin, 1, sizeof begin - 1, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    begin[len] = '\0';
    return begin[strspn(begin, " \t\r\n")] == '{' && strstr(begin, SS_EVIDENCE_FORMAT);
}
