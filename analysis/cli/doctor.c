/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope doctor: what can be traced here, and how.
 */
#include "analysis/doctor/doctor.h"

#include <errno.h>
#include <stdio.h>

#include "analysis/cli/verbs.h"
#include "analysis/model/text.h"

typedef struct Options {
    char *qemu; /* owned, as all here */
    char *backend;
    char *directory;
    char *format;
    char **ask;
    guint asked; /* bits of SsAbility */
    bool json;
} Options;

static void options_clear(Options *options)
{
    g_free(options->qemu);
    g_free(options->backend);
    g_free(options->directory);
    g_free(options->format);
    g_strfreev(options->ask);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Looks at what is needed to record QEMU and its back-ends, to look at one that hangs, and to\n"
    "read recordings. What is in the way comes first, each with what mends it.\n\n"
    "Exit status: 0 all that was asked for can be done, 1 something cannot, 2 usage.";

static gboolean parse_ability(Options *options, const char *word, GError **error)
{
    for (guint ability = 0; ability < SS_N_ABILITIES; ability++) {
        if (g_str_equal(word, ss_ability_name(ability))) {
            options->asked |= SS_BIT(ability);
            return TRUE;
        }
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--ask takes tracepoints, wire, backend, now or report, not \"%s\"", word);
    return FALSE;
}

static gboolean parse(Options *options, int argc, char **argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &options->qemu,
          "The QEMU that is to be recorded (default: the one in PATH, if any)", "BINARY" },
        { "backend", 0, 0, G_OPTION_ARG_FILENAME, &options->backend,
          "The back-end that is to be recorded", "BINARY" },
        { "directory", 0, 0, G_OPTION_ARG_FILENAME, &options->directory,
          "Where recordings will go (default: here)", "DIR" },
        { "ask", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->ask,
          "tracepoints, wire, backend, now or report: what the exit status is about (may be "
          "repeated; default: all)",
          "WHAT" },
        { "format", 0, 0, G_OPTION_ARG_STRING, &options->format, "text (default) or json",
          "FORMAT" },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_set_prgname("shmemscope doctor");
    g_option_context_set_summary(context, "What can be traced on this host, and how.");
    g_option_context_set_description(context, description);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error)) {
        return FALSE;
    }
    if (argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "it takes options only, not \"%s\"", argv[1]);
        return FALSE;
    }
    options->json = options->format && g_str_equal(options->format, "json");
    if (options->format && !options->json && !g_str_equal(options->format, "text")) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--format takes text or json");
        return FALSE;
    }
    for (char **word = options->ask; word && *word; word++) {
        if (!parse_ability(options, *word, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

int ss_verb_doctor(int argc, char **argv)
{
    g_auto(Options) options = { 0 };
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = NULL;
    SsDoctor doctor = { 0 };
    bool well;

    if (!parse(&options, argc, argv, &error)) {
        g_autofree char *harmless = ss_text_sanitize(error->message, 0);

        (void)fprintf(stderr, "shmemscope doctor: %s\nTry: shmemscope doctor --help\n", harmless);
        return SS_EXIT_USAGE;
    }
    doctor.qemu = options.qemu;
    doctor.backend = options.backend;
    doctor.directory = options.directory ? options.directory : ".";
    doctor.asked = options.asked ? options.asked : SS_BIT(SS_N_ABILITIES) - 1;
    ss_doctor_look(&doctor);
    shown = options.json ? ss_doctor_json(&doctor) : ss_doctor_text(&doctor);
    well = ss_doctor_well(&doctor);
    ss_doctor_clear(&doctor);
    if (fputs(shown, stdout) < 0 || fflush(stdout) != 0) {
        (void)fprintf(stderr, "Cannot write: path=\"standard output\": %s\n", g_strerror(errno));
        return SS_EXIT_USAGE;
    }
    return well ? SS_EXIT_CLEAN : SS_EXIT_FINDINGS;
}
