/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/report/format.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "analysis/model/text.h"
#include "analysis/report/formats.h"

const SsFormat ss_report_formats[] = {
    { "text", ss_report_text },
    { "json", ss_report_json },
    { "sarif", ss_report_sarif },
    { "junit", ss_report_junit },
    { "html", ss_report_html, .lives = true },
    { "chrome", ss_report_chrome, .lives = true },
    { NULL, NULL },
};

const SsFormat *ss_format_find(const SsFormat *formats, const char *name)
{
    for (const SsFormat *format = formats; format->name; format++) {
        if (!name || g_str_equal(format->name, name)) {
            return format;
        }
    }
    return NULL;
}

char *ss_format_names(const SsFormat *formats)
{
    GString *names = g_string_new(NULL);
    for (const SsFormat *format = formats; format->name; format++) {
        const char *before = !names->len ? "" : format[1].name ? ", " : " or ";
        g_string_append_printf(names, "%s%s", before, format->name);
    }
    return g_string_free(names, FALSE);
}

bool ss_output_colour(const char *output)
{
    const char *no_colour = g_getenv("NO_COLOR");
    return !output && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

static void set_error(GError **error, const char *path, const char *why)
{
    g_autofree char *harmless = ss_text_sanitize(path, 0);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "Cannot write report: path=\"%s\": %s",
                harmless, why);
}

bool ss_output_write(const char *output, const char *text, GError **error)
{
    if (output) {
        g_autoptr(GError) why = NULL;
        if (!g_file_set_contents(output, text, -1, &why)) {
            set_error(error, output, why->message);
            return false;
        }
        return true;
    }
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        set_error(error, "standard output", g_strerror(errno));
        return false;
    }
    return true;
}
