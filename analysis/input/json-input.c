/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/input/json-input.h"

#include <stdbool.h>
#include <string.h>

/* Deeper than anything of ours; the parser recurses. */
#define MAX_DEPTH 16

/* Which bytes JSON has outside of strings: the parser skips comments, in which a quote is none. */
static bool is_plain(char c)
{
    return g_ascii_isalnum(c) || (c && strchr("[]{}:,\"+-.", c));
}

/* NULL when the text may be given to the parser. */
static const char *shape_fault(const char *data, gsize length)
{
    guint depth = 0;
    bool in_string = false;
    bool ended = false;
    for (gsize i = 0; i < length; i++) {
        if (in_string) {
            if (data[i] == '\\') {
                i++; /* what comes next ends nothing */
            } else {
                in_string = data[i] != '"';
            }
        } else if (g_ascii_isspace(data[i])) {
            continue;
        } else if (ended || (depth == 0 && data[i] != '{')) {
            return "it is not one JSON object";
        } else if (!is_plain(data[i])) {
            return "it is no JSON";
        } else if (data[i] == '"') {
            in_string = true;
        } else if (data[i] == '[' || data[i] == '{') {
            if (++depth > MAX_DEPTH) {
                return "it is nested too deeply";
            }
        } else if (data[i] == ']' || data[i] == '}') {
            ended = --depth == 0;
        }
    }
    return NULL;
}

/* The objects that the parser is in, outermost first. */
typedef struct Objects {
    guint members[MAX_DEPTH]; /* that were read of each so far */
    guint depth;
    char *twice; /* owned; the first name of two members of one object, NULL: none */
} Objects;

static void object_begins(JsonParser *parser, gpointer data)
{
    Objects *objects = data;
    (void)parser;
    objects->members[objects->depth++] = 0;
}

/* A member of a name that was there before takes its place, and no more of them are there then. */
static void object_has(JsonParser *parser, JsonObject *object, const char *name, gpointer data)
{
    Objects *objects = data;
    (void)parser;
    if (++objects->members[objects->depth - 1] != json_object_get_size(object) && !objects->twice) {
        objects->twice = g_strdup(name);
    }
}

static void object_ends(JsonParser *parser, JsonObject *object, gpointer data)
{
    Objects *objects = data;
    (void)parser;
    (void)object;
    objects->depth--;
}

static JsonNode *fail(GError **error, const char *words)
{
    g_set_error_literal(error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE, words);
    return NULL;
}

JsonNode *ss_json_input(const char *data, gsize length, GError **error)
{
    if (length == 0) {
        return fail(error, "it is empty");
    }
    if (!g_utf8_validate(data, (gssize)length, NULL)) {
        return fail(error, "it is no UTF-8");
    }
    const char *fault = shape_fault(data, length);
    if (fault) {
        return fail(error, fault);
    }
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) cause = NULL;
    Objects objects = { 0 };
    g_signal_connect(parser, "object-start", G_CALLBACK(object_begins), &objects);
    g_signal_connect(parser, "object-member", G_CALLBACK(object_has), &objects);
    g_signal_connect(parser, "object-end", G_CALLBACK(object_ends), &objects);
    bool parsed = json_parser_load_from_data(parser, data, (gssize)length, &cause);
    g_autofree char *twice = objects.twice;
    if (!parsed) {
        /* The parser's words may quote half a character. */
        g_autofree char *words = g_utf8_make_valid(cause->message, -1);
        return fail(error, words);
    }
    if (twice) {
        g_autofree char *words = g_strdup_printf("\"%s\" is there twice", twice);
        return fail(error, words);
    }
    JsonNode *root = json_parser_steal_root(parser);
    return root ? root : fail(error, "it is not one JSON object");
}
