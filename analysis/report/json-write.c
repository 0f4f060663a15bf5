/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Members of JSON objects.
 */
#include "analysis/report/json.h"

void ss_json_string(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value ? value : "");
}

void ss_json_string_or_null(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    if (value) {
        json_builder_add_string_value(json, value);
    } else {
        json_builder_add_null_value(json);
    }
}

void ss_json_int(JsonBuilder *json, const char *name, guint64 value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, MIN(value, (guint64)G_MAXINT64));
}

void ss_json_signed(JsonBuilder *json, const char *name, gint64 value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, value);
}

void ss_json_bool(JsonBuilder *json, const char *name, bool value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_boolean_value(json, value);
}

void ss_json_hex(JsonBuilder *json, const char *name, guint64 value)
{
    g_autofree char *text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", value);
    ss_json_string(json, name, text);
}

void ss_json_time(JsonBuilder *json, const SsReport *report, const char *name, gint64 ns)
{
    json_builder_set_member_name(json, name);
    if (ns) {
        json_builder_add_int_value(json, ns - report->model->begin_ns);
    } else {
        json_builder_add_null_value(json);
    }
}

void ss_json_begin_array(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_array(json);
}

void ss_json_begin_object(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_object(json);
}

char *ss_json_end(JsonBuilder *json_taken, bool pretty)
{
    g_autoptr(JsonBuilder) json = json_taken;
    json_builder_end_object(json);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(json);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, pretty);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}
