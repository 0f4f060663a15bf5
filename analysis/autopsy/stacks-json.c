/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <gio/gio.h>
#include <string.h>

#include "analysis/autopsy/stacks-parts.h"

/* -- out -------------------------------------------------------------------------------------- */

/* JSON is UTF-8, and a path or the name of a thread need not be. */
static void save_string(JsonBuilder *builder, const char *name, const char *text)
{
    json_builder_set_member_name(builder, name);
    if (text) {
        g_autofree char *valid = g_utf8_make_valid(text, -1);

        json_builder_add_string_value(builder, valid);
    } else {
        json_builder_add_null_value(builder);
    }
}

static void save_int(JsonBuilder *builder, const char *name, guint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)value);
}

static void save_frame(const SsFrame *frame, JsonBuilder *builder)
{
    g_autofree char *address = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", frame->address);

    json_builder_begin_object(builder);
    save_string(builder, "address", address);
    save_string(builder, "module", frame->module);
    save_string(builder, "symbol", frame->symbol);
    save_int(builder, "offset", frame->offset);
    json_builder_end_object(builder);
}

static void save_stack(const SsStack *stack, JsonBuilder *builder)
{
    json_builder_begin_object(builder);
    save_int(builder, "tid", (guint64)stack->tid);
    save_string(builder, "comm", stack->comm);
    save_int(builder, "stopped_ns", stack->stopped_ns);
    save_string(builder, "why", stack->why);
    json_builder_set_member_name(builder, "frames");
    json_builder_begin_array(builder);
    for (guint i = 0; i < stack->frames->len; i++) {
        save_frame(g_ptr_array_index(stack->frames, i), builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
}

void ss_stacks_save(const SsStacks *stacks, JsonBuilder *builder)
{
    json_builder_begin_object(builder);
    save_int(builder, "pid", (guint64)stacks->pid);
    save_string(builder, "why", stacks->why);
    json_builder_set_member_name(builder, "threads");
    json_builder_begin_array(builder);
    for (guint i = 0; i < stacks->threads->len; i++) {
        save_stack(g_ptr_array_index(stacks->threads, i), builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
}

/* -- in --------------------------------------------------------------------------------------- */

static gboolean wrong(const char *name, GError **error)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                "stacks: \"%s\" is missing, or of another type", name);
    return FALSE;
}

static gboolean load_int(JsonObject *object, const char *name, gint64 max, gint64 *ret_value,
                         GError **error)
{
    JsonNode *node = json_object_get_member(object, name);

    if (!node || json_node_get_value_type(node) != G_TYPE_INT64 || json_node_get_int(node) < 0 ||
        json_node_get_int(node) > max) {
        return wrong(name, error);
    }
    *ret_value = json_node_get_int(node);
    return TRUE;
}

/* `ret_text` is owned by the caller; NULL of null. */
static gboolean load_string(JsonObject *object, const char *name, char **ret_text, GError **error)
{
    JsonNode *node = json_object_get_member(object, name);

    if (!node ||
        (!JSON_NODE_HOLDS_NULL(node) &&
         (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING))) {
        return wrong(name, error);
    }
    *ret_text = JSON_NODE_HOLDS_NULL(node) ? NULL : json_node_dup_string(node);
    return TRUE;
}

/* Weak. */
static JsonArray *load_array(JsonObject *object, const char *name, GError **error)
{
    JsonNode *node = json_object_get_member(object, name);

    if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
        wrong(name, error);
        return NULL;
    }
    return json_node_get_array(node);
}

/* Weak. */
static JsonObject *load_object(JsonNode *node, const char *name, GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        wrong(name, error);
        return NULL;
    }
    return json_node_get_object(node);
}

static SsFrame *load_frame(JsonNode *node, GError **error)
{
    JsonObject *object = load_object(node, "frames", error);
    g_autoptr(SsFrame) frame = g_new0(SsFrame, 1);
    g_autofree char *address = NULL;
    gint64 offset;

    if (!object || !load_string(object, "address", &address, error) ||
        !load_string(object, "module", &frame->module, error) ||
        !load_string(object, "symbol", &frame->symbol, error) ||
        !load_int(object, "offset", G_MAXINT64, &offset, error)) {
        return NULL;
    }
    if (!address || !g_str_has_prefix(address, "0x") ||
        !g_ascii_string_to_unsigned(address + 2, 16, 0, G_MAXUINT64, &frame->address, NULL)) {
        wrong("address", error);
        return NULL;
    }
    frame->offset = (guint64)offset;
    return g_steal_pointer(&frame);
}

static SsStack *load_stack(JsonNode *node, GError **error)
{
    JsonObject *object = load_object(node, "threads", error);
    g_autoptr(SsStack) stack = NULL;
    g_autofree char *comm = NULL;
    JsonArray *frames;
    gint64 tid, stopped_ns;

    if (!object || !load_int(object, "tid", G_MAXINT32, &tid, error) ||
        !load_int(object, "stopped_ns", G_MAXINT64, &stopped_ns, error) ||
        !load_string(object, "comm", &comm, error)) {
        return NULL;
    }
    if (!comm) {
        wrong("comm", error);
        return NULL;
    }
    stack = ss_stack_new((int)tid, comm);
    stack->stopped_ns = (guint64)stopped_ns;
    frames = load_array(object, "frames", error);
    if (!frames || !load_string(object, "why", &stack->why, error)) {
        return NULL;
    }
    for (guint i = 0; i < json_array_get_length(frames); i++) {
        SsFrame *frame = load_frame(json_array_get_element(frames, i), error);

        if (!frame) {
            return NULL;
        }
        g_ptr_array_add(stack->frames, frame);
    }
    return g_steal_pointer(&stack);
}

SsStacks *ss_stacks_load(JsonNode *node, GError **error)
{
    JsonObject *object = load_object(node, "stacks", error);
    g_autoptr(SsStacks) stacks = NULL;
    JsonArray *threads;
    gint64 pid;

    if (!object || !load_int(object, "pid", G_MAXINT32, &pid, error)) {
        return NULL;
    }
    stacks = ss_stacks_new((int)pid);
    threads = load_array(object, "threads", error);
    if (!threads || !load_string(object, "why", &stacks->why, error)) {
        return NULL;
    }
    for (guint i = 0; i < json_array_get_length(threads); i++) {
        SsStack *stack = load_stack(json_array_get_element(threads, i), error);

        if (!stack) {
            return NULL;
        }
        g_ptr_array_add(stacks->threads, stack);
    }
    return g_steal_pointer(&stacks);
}
