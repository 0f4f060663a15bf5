/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/report/format.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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

bool ss_output_terminal(int fd)
{
    const char *kind = g_getenv("TERM");
    return isatty(fd) && kind && *kind && !g_str_equal(kind, "dumb");
}

bool ss_output_colour(const char *output)
{
    const char *no_colour = g_getenv("NO_COLOR");
    return !output && ss_output_terminal(STDOUT_FILENO) && !(no_colour && *no_colour);
}

guint ss_output_columns(const char *output)
{
    struct winsize size;
    bool terminal =
        !output && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    return terminal ? size.ws_col : 0;
}

static void set_error(GError **error, GFileError code, const char *path, const char *why)
{
    g_autofree char *harmless = ss_text_sanitize(path, 0);
    g_set_error(error, G_FILE_ERROR, code, "Cannot write report: path=\"%s\": %s", harmless, why);
}

static bool write_stream(FILE *stream, const char *path, const char *text, GError **error)
{
    if (fputs(text, stream) < 0 || fflush(stream) != 0) {
        GFileError code = errno == EPIPE ? G_FILE_ERROR_PIPE : G_FILE_ERROR_FAILED;
        set_error(error, code, path, g_strerror(errno));
        return false;
    }
    return true;
}

/* A device, a pipe or a link, in the place of which no file may be put. */
static bool is_special(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

static bool write_through(const char *path, const char *text, GError **error)
{
    FILE *stream = fopen(path, "we");
    if (!stream) {
        set_error(error, G_FILE_ERROR_FAILED, path, g_strerror(errno));
        return false;
    }
    bool written = write_stream(stream, path, text, error);
    if (fclose(stream) != 0 && written) {
        set_error(error, G_FILE_ERROR_FAILED, path, g_strerror(errno));
        written = false;
    }
    return written;
}

bool ss_output_write(const char *output, const char *text, GError **error)
{
    if (!output) {
        return write_stream(stdout, "standard output", text, error);
    }
    if (is_special(output)) {
        return write_through(output, text, error);
    }
    g_autoptr(GError) why = NULL;
    if (!g_file_set_contents(output, text, -1, &why)) {
        set_error(error, G_FILE_ERROR_FAILED, output, why->message);
        return false;
    }
    return true;
}
