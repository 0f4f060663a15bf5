/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/babeltrace/parameters.h"

#include "analysis/model/text.h"

#define MAX_NAME 100

typedef struct Look {
    const SsParameter *table;
    char *fault; /* owned; NULL: none yet */
} Look;

static bool is_number(const bt_value *value)
{
    return bt_value_is_signed_integer(value) || bt_value_is_unsigned_integer(value) ||
           bt_value_is_real(value);
}

static bool are_texts(const bt_value *value)
{
    if (!bt_value_is_array(value)) {
        return bt_value_is_string(value);
    }
    for (guint64 i = 0; i < bt_value_array_get_length(value); i++) {
        if (!bt_value_is_string(bt_value_array_borrow_element_by_index_const(value, i))) {
            return false;
        }
    }
    return true;
}

/* What the value has to be, and is not; NULL when it is. */
static const char *wanted(SsParameterKind kind, const bt_value *value)
{
    switch (kind) {
    case SS_PARAMETER_TEXT:
        return bt_value_is_string(value) ? NULL : "a string";
    case SS_PARAMETER_TEXTS:
        return are_texts(value) ? NULL : "a string or an array of strings";
    default:
        return bt_value_is_string(value) || is_number(value) ? NULL : "a string or a number";
    }
}

static char *table_names(const SsParameter *table)
{
    GString *names = g_string_new(NULL);
    for (; table->name; table++) {
        g_string_append_printf(names, "%s%s",
                               !names->len     ? ""
                               : table[1].name ? ", "
                                               : " and ",
                               table->name);
    }
    return g_string_free(names, FALSE);
}

static bt_value_map_foreach_entry_const_func_status look_at(const char *key, const bt_value *value,
                                                            void *data)
{
    Look *look = data;
    g_autofree char *name = ss_text_sanitize(key, MAX_NAME);
    for (const SsParameter *known = look->table; known->name; known++) {
        if (g_str_equal(known->name, key)) {
            const char *kind = wanted(known->kind, value);
            if (kind) {
                look->fault =
                    g_strdup_printf("Cannot use parameter: name=\"%s\": it takes %s", name, kind);
            }
            return look->fault ? BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT
                               : BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_OK;
        }
    }
    g_autofree char *names = table_names(look->table);
    look->fault = g_strdup_printf("Cannot use parameter: name=\"%s\": there is none of that name; "
                                  "there are %s",
                                  name, *names ? names : "none");
    return BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT;
}

char *ss_parameters_fault(const SsParameter *table, const bt_value *params)
{
    Look look = { .table = table };
    if (bt_value_map_foreach_entry_const(params, look_at, &look) ==
            BT_VALUE_MAP_FOREACH_ENTRY_CONST_STATUS_MEMORY_ERROR &&
        !look.fault) {
        look.fault = g_strdup("Cannot read the parameters: there is no memory left");
    }
    return look.fault;
}

char *ss_parameters_text(const bt_value *params, const char *name)
{
    const bt_value *value = bt_value_map_borrow_entry_value_const(params, name);
    if (!value) {
        return NULL;
    }
    if (bt_value_is_signed_integer(value)) {
        return g_strdup_printf("%" G_GINT64_FORMAT, bt_value_integer_signed_get(value));
    }
    if (bt_value_is_unsigned_integer(value)) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, bt_value_integer_unsigned_get(value));
    }
    if (bt_value_is_real(value)) {
        char digits[G_ASCII_DTOSTR_BUF_SIZE];
        return g_strdup(g_ascii_formatd(digits, sizeof(digits), "%.9f", bt_value_real_get(value)));
    }
    return g_strdup(bt_value_string_get(value));
}

char **ss_parameters_texts(const bt_value *params, const char *name)
{
    const bt_value *value = bt_value_map_borrow_entry_value_const(params, name);
    if (!value) {
        return NULL;
    }
    GPtrArray *texts = g_ptr_array_new();
    if (bt_value_is_string(value)) {
        g_ptr_array_add(texts, g_strdup(bt_value_string_get(value)));
    }
    for (guint64 i = 0; bt_value_is_array(value) && i < bt_value_array_get_length(value); i++) {
        const bt_value *element = bt_value_array_borrow_element_by_index_const(value, i);
        g_ptr_array_add(texts, g_strdup(bt_value_string_get(element)));
    }
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}
