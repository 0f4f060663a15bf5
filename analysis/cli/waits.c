/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope waits: who waits, and how long it took; and a program that brings a hang about.
 */
#include <stdio.h>

#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "analysis/model/text.h"
#include "analysis/report/now.h"
#include "analysis/reproduce/reproduce.h"

static int reproduce(SsAcquire *acquire, const char *name)
{
    g_autoptr(GError) error = NULL;
    if (acquire->evidence) {
        (void)fprintf(stderr,
                      "Cannot reproduce: path=\"%s\": it is what `shmemscope now` saved, "
                      "which has no order of messages\n",
                      acquire->traces[0]);
        return SS_EXIT_USAGE;
    }
    const SsFinding *finding = ss_reproduce_find(acquire->checks, name, &error);
    g_autofree char *program = finding ? ss_reproduce_program(finding, &error) : NULL;
    if (!program) {
        g_autofree char *harmless = ss_text_sanitize(name, 100);
        (void)fprintf(stderr, "Cannot reproduce: finding=\"%s\": %s\n", harmless, error->message);
        return SS_EXIT_USAGE;
    }
    return ss_acquire_write(acquire, program);
}

int ss_verb_waits(int argc, char **argv)
{
    g_autofree char *finding = NULL;
    const GOptionEntry more[] = {
        { "reproduce", 0, 0, G_OPTION_ARG_STRING, &finding, "Write a C program that tries the hang",
          "FINDING" },
        { 0 },
    };
    static const SsFormat formats[] = { { "text", ss_waits_text },
                                        { "json", ss_waits_json },
                                        { NULL, NULL } };
    const SsReadingVerb verb = {
        .summary = "Who waits at the end of a recording, and how long waits took.",
        .explains = "TRACE is a directory at or above the metadata of a CTF trace, or a file that\n"
                    "now --save has written.\n",
        .formats = formats,
        .looked = ss_now_waits_formats,
        .at = true,
        .more = more,
    };
    SsAcquire acquire;
    int status;
    if (ss_acquire(&acquire, argc, argv, &verb, &status)) {
        status = finding ? reproduce(&acquire, finding) : ss_acquire_show(&acquire);
    }
    ss_acquire_clear(&acquire);
    return status;
}
