/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope doctor: what can be traced here, and how.
 */
#include "analysis/doctor/doctor.h"

#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"

typedef struct Options {
    char *qemu; /* owned, as all here */
    char *backend;
    char *directory;
    char **ask;
} Options;

static void options_clear(Options *options)
{
    g_free(options->qemu);
    g_free(options->backend);
    g_free(options->directory);
    g_strfreev(options->ask);
}

/* Bits of what is asked for; 0 when one of the words is none of these. */
static guint parse_asked(char **words)
{
    guint asked = 0;
    if (!words) {
        return SS_BIT(SS_N_ABILITIES) - 1;
    }
    for (char **word = words; *word; word++) {
        guint ability = 0;
        while (ability < SS_N_ABILITIES && !g_str_equal(*word, ss_ability_name(ability))) {
            ability++;
        }
        if (ability == SS_N_ABILITIES) {
            return 0;
        }
        asked |= SS_BIT(ability);
    }
    return asked;
}

static int run(SsAcquire *acquire, SsDoctor *doctor)
{
    ss_doctor_look(doctor);
    g_autofree char *shown = g_str_equal(acquire->format->name, "json") ? ss_doctor_json(doctor)
                                                                        : ss_doctor_text(doctor);
    bool well = ss_doctor_well(doctor);
    ss_doctor_clear(doctor);
    int status = ss_acquire_write(acquire, shown);
    return status == SS_EXIT_CLEAN && !well ? SS_EXIT_FINDINGS : status;
}

int ss_verb_doctor(int argc, char **argv)
{
    /* It is no report, so these render nothing. */
    static const SsFormat formats[] = { { "text", NULL }, { "json", NULL }, { NULL, NULL } };
    Options options = { 0 };
    const GOptionEntry more[] = {
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &options.qemu,
          "The QEMU to be recorded (default: one in PATH)", "BINARY" },
        { "backend", 0, 0, G_OPTION_ARG_FILENAME, &options.backend, "The back-end to be recorded",
          "BINARY" },
        { "directory", 0, 0, G_OPTION_ARG_FILENAME, &options.directory,
          "Where recordings will go (default: here)", "DIR" },
        { "ask", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.ask,
          "What the exit status is about (may be repeated)", "WHAT" },
        { 0 },
    };
    const SsReadingVerb verb = {
        .summary = "What can be traced on this host, and what mends the rest.",
        .words = "",
        .explains = "WHAT is tracepoints (a QEMU from inside), wire (a QEMU through the wire\n"
                    "library), backend, now or report; without it the exit status is about all.\n"
                    "It is 1 when something of that cannot be done.\n",
        .formats = formats,
        .more = more,
    };
    SsAcquire acquire;
    int status;
    if (ss_acquire_options(&acquire, argc, argv, &verb, &status)) {
        SsDoctor doctor = {
            .qemu = options.qemu,
            .backend = options.backend,
            .directory = options.directory ? options.directory : ".",
            .asked = parse_asked(options.ask),
        };
        if (doctor.asked) {
            status = run(&acquire, &doctor);
        } else {
            (void)ss_usage_error(argv[0], "--ask takes tracepoints, wire, backend, now or report",
                                 &status);
        }
    }
    options_clear(&options);
    ss_acquire_clear(&acquire);
    return status;
}
