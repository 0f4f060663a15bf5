/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The report as a page. Its data is the JSON of the report, in elements of a type that no browser
 * runs; what could end such an element, or be taken for markup, is written as JSON's own escape.
 */
#include "analysis/report/html.h"

#include <string.h>

#include "analysis/report/formats.h"

#define LINE_SEPARATOR "\342\200\250"
#define PARAGRAPH_SEPARATOR "\342\200\251"

/* Markup means something outside of strings only to HTML: in JSON none of these stands there. */
static void add_escaped(GString *out, const char *json)
{
    const char *rest = json;
    while (*rest) {
        gsize plain = strcspn(rest, "<>&\342");
        g_string_append_len(out, rest, (gssize)plain);
        rest += plain;
        if (g_str_has_prefix(rest, LINE_SEPARATOR)) {
            g_string_append(out, "\\u2028");
            rest += strlen(LINE_SEPARATOR);
        } else if (g_str_has_prefix(rest, PARAGRAPH_SEPARATOR)) {
            g_string_append(out, "\\u2029");
            rest += strlen(PARAGRAPH_SEPARATOR);
        } else if (*rest == '\342') {
            g_string_append_c(out, *rest++);
        } else if (*rest) {
            g_string_append_printf(out, "\\u%04x", (guint)*rest++);
        }
    }
}

static void add_data(GString *out, const char *id, char *json_taken)
{
    g_autofree char *json = json_taken;
    g_autofree char *valid = g_utf8_make_valid(json, -1);
    g_string_append_printf(out, "<script type=\"application/json\" id=\"%s\">", id);
    add_escaped(out, valid);
    g_string_append(out, "</script>\n");
}

char *ss_report_html(const SsReport *report)
{
    GString *out = g_string_new(ss_page_begin);
    add_data(out, "report", ss_report_json(report));
    add_data(out, "more", ss_html_more(report));
    add_data(out, "lives", ss_html_lives(report));
    g_string_append(out, ss_page_end);
    return g_string_free(out, FALSE);
}
