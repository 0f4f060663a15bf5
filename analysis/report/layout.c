/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/report/layout.h"

#include <string.h>

static guint char_width(gunichar c)
{
    return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

guint ss_text_width(const char *text)
{
    guint width = 0;
    for (; *text; text = g_utf8_next_char(text)) {
        width += char_width(g_utf8_get_char(text));
    }
    return width;
}

/* Bytes of the text that fit into the columns. */
static gsize fitting(const char *text, guint columns, guint *ret_width)
{
    const char *at = text;
    guint width = 0;
    while (*at) {
        guint next = char_width(g_utf8_get_char(at));
        if (width + next > columns) {
            break;
        }
        width += next;
        at = g_utf8_next_char(at);
    }
    *ret_width = width;
    return at - text;
}

void ss_text_cell(GString *out, const char *text, guint columns, bool pad)
{
    guint width = ss_text_width(text);
    if (width <= columns) {
        g_string_append(out, text);
    } else {
        gsize bytes = fitting(text, columns - MIN(columns, 3), &width);
        g_string_append_len(out, text, bytes);
        g_string_append(out, "...");
        width += 3;
    }
    for (; pad && width < columns; width++) {
        g_string_append_c(out, ' ');
    }
}

static void new_line(GString *out, guint indent)
{
    g_string_append_c(out, '\n');
    for (guint i = 0; i < indent; i++) {
        g_string_append_c(out, ' ');
    }
}

void ss_text_wrap(GString *out, guint at, guint indent, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    bool first = true;
    for (char **word = words; *word; word++) {
        const char *rest = *word;
        guint width = ss_text_width(rest);
        if (!first && at + 1 + width > SS_COLUMNS) {
            new_line(out, indent);
            at = indent;
        } else if (!first) {
            g_string_append_c(out, ' ');
            at++;
        }
        first = false;
        while (at + width > SS_COLUMNS) {
            /* A word longer than a line: a name somebody chose. */
            guint taken;
            gsize bytes = fitting(rest, SS_COLUMNS - at, &taken);
            g_string_append_len(out, rest, bytes);
            rest += bytes;
            width -= taken;
            new_line(out, indent);
            at = indent;
        }
        g_string_append(out, rest);
        at += width;
    }
    g_string_append_c(out, '\n');
}

void ss_text_labelled(GString *out, guint label_columns, const char *label, const char *text)
{
    g_string_append(out, "  ");
    ss_text_cell(out, label, label_columns, true);
    g_string_append(out, " ");
    ss_text_wrap(out, 3 + label_columns, 3 + label_columns, text);
}

char *ss_duration_text(gint64 ns)
{
    double value = (double)ns;
    if (value < 1e3) {
        return g_strdup_printf("%.0f ns", value);
    }
    if (value < 1e6) {
        return g_strdup_printf("%.1f us", value / 1e3);
    }
    if (value < 1e9) {
        return g_strdup_printf("%.1f ms", value / 1e6);
    }
    return g_strdup_printf("%.3f s", value / 1e9);
}

char *ss_size_text(guint64 bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    guint unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        value /= 1024;
        unit++;
    }
    return g_strdup_printf(value == (guint64)value ? "%.0f %s" : "%.1f %s", value, units[unit]);
}
