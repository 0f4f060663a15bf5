/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/model/text.h"

#include <stdbool.h>
#include <string.h>

static bool harmless(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT: /* bidirectional overrides hide what a line says */
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return false;
    default:
        /* A combining mark attaches to what the program wrote before it. */
        return !g_unichar_ismark(c);
    }
}

char *ss_text_sanitize(const char *text, gsize max_bytes)
{
    if (!text) {
        return g_strdup("");
    }
    gsize length = max_bytes ? strnlen(text, max_bytes + 1) : strlen(text);
    bool cut = max_bytes && length > max_bytes;
    const char *end = text + (cut ? max_bytes : length);
    GString *out = g_string_sized_new(length + 1);
    while (text < end) {
        gunichar c = g_utf8_get_char_validated(text, end - text);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            if (cut && c == (gunichar)-2) {
                break; /* the cut went through a character */
            }
            g_string_append_printf(out, "\\x%02x", (guchar)*text);
            text++;
            continue;
        }
        if (harmless(c)) {
            g_string_append_unichar(out, c);
        } else if (c < 0x80) {
            g_string_append_printf(out, "\\x%02x", c);
        } else {
            g_string_append_printf(out, "\\u{%x}", c);
        }
        text = g_utf8_next_char(text);
    }
    if (cut) {
        g_string_append(out, "...");
    }
    return g_string_free(out, FALSE);
}
