/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Takes evidence and prints it, for tests:
 *   take-look [--pid PID] [--vm NAME] [--apart MS | --step] [--looks N] OUT.json
 *   take-look --load IN.json OUT.json
 */
#include <stdio.h>

#include "analysis/autopsy/evidence.h"

static gint pid;
static char *vm;
static gint apart_ms = 100;
static gint n_looks = 2;
static gboolean step;
static char *load;

static const GOptionEntry entries[] = {
    { "pid", 0, 0, G_OPTION_ARG_INT, &pid, "Only the VMs of this process", "PID" },
    { "vm", 0, 0, G_OPTION_ARG_STRING, &vm, "Only this VM", "NAME" },
    { "apart", 0, 0, G_OPTION_ARG_INT, &apart_ms, "Time between two looks", "MS" },
    { "step", 0, 0, G_OPTION_ARG_NONE, &step, "Between two looks, wait for a line", NULL },
    { "looks", 0, 0, G_OPTION_ARG_INT, &n_looks, "Number of looks", "N" },
    { "load", 0, 0, G_OPTION_ARG_FILENAME, &load, "Evidence to read instead", "FILE" },
    { 0 },
};

static SsEvidence *take(GError **error)
{
    SsLookOptions options = { .pid = pid, .vm = vm };
    g_autoptr(SsEvidence) evidence = ss_look_first(&options, error);
    for (gint i = 1; evidence && i < n_looks; i++) {
        if (step) {
            (void)printf("looked\n");
            (void)fflush(stdout);
            if (getchar() == EOF) {
                break;
            }
        } else {
            /* Two looks some time apart is what is asked for. */
            g_usleep((gulong)apart_ms * 1000);
        }
        if (!ss_look_again(evidence, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&evidence);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("OUT.json");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2) {
        (void)fprintf(stderr, "take-look: %s\n", error ? error->message : "one file is needed");
        return 2;
    }
    g_autoptr(SsEvidence) evidence = load ? ss_evidence_load(load, &error) : take(&error);
    if (!evidence || !ss_evidence_save(evidence, argv[1], &error)) {
        (void)fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    for (guint i = 0; i < evidence->looks->len; i++) {
        const SsLook *look = g_ptr_array_index(evidence->looks, i);
        (void)printf("look %u: %u processes, %u channels, %.3f ms\n", i + 1, look->processes->len,
                     look->channels->len, (double)look->took_ns / 1e6);
    }
    return 0;
}
