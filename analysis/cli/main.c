/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Finds the verb; each is in a file of its own.
 */
#include <stdio.h>

#include <glib.h>

#include "analysis/cli/verbs.h"
#include "analysis/model/text.h"

typedef struct Verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} Verb;

static const Verb verbs[] = {
    { "now", ss_verb_now, "which VM of this host is stuck, in what, and what frees it" },
#ifdef SS_HAVE_RECORD
    { "record", ss_verb_record, "record QEMU's shared memory events with LTTng" },
#endif
    { "report", ss_verb_report, "what happened in a recording, and what is wrong" },
    { "mappings", ss_verb_mappings, "what is mapped at the end of it, or at a time" },
    { "fds", ss_verb_fds, "which descriptors are open, and what for" },
    { "waits", ss_verb_waits, "who waits, since when, and how long waits took" },
    { "why", ss_verb_why, "the steps of one mapping or descriptor, and which is missing" },
#ifdef SS_HAVE_RECORD
    { "doctor", ss_verb_doctor, "what can be traced on this host, and what mends the rest" },
#endif
};

/* Where what messages call docs/... was installed with this program; NULL when it was not. */
static char *documents(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = g_path_get_dirname(self ? self : "/");
    g_autofree char *path = g_canonicalize_filename(SS_DOCUMENTS, here);

    return g_file_test(path, G_FILE_TEST_IS_DIR) ? g_steal_pointer(&path) : NULL;
}

static void help(FILE *out)
{
    g_autofree char *at = documents();

    (void)fputs("Usage: shmemscope VERB [OPTION...]\n\n"
                "Tracing and observability for QEMU's vhost-user shared memory.\n\nVerbs:\n",
                out);
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        (void)fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    }
    (void)fputs("\nshmemscope VERB --help tells the options of a verb.\n"
                "Exit status: 0 nothing found, 1 findings, 2 usage, 3 the trace cannot be read;\n"
                "of record that of its command, of doctor 1 when something cannot be done.\n",
                out);
    if (at) {
        (void)fprintf(out, "\nThe directory docs, which messages refer to, is in %s\n", at);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return SS_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (g_str_equal(word, "--help") || g_str_equal(word, "-h") || g_str_equal(word, "help")) {
        help(stdout);
        return SS_EXIT_CLEAN;
    }
    if (g_str_equal(word, "--version")) {
        (void)printf("shmemscope %s\n", SS_VERSION);
        return SS_EXIT_CLEAN;
    }
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (g_str_equal(word, verbs[i].name)) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    g_autofree char *harmless = ss_text_sanitize(word, 100);
    (void)fprintf(stderr, "shmemscope: no such verb: \"%s\"\nTry: shmemscope --help\n", harmless);
    return SS_EXIT_USAGE;
}
