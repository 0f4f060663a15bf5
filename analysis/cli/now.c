/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope now: looks at the VMs of this host, twice, and explains what it sees.
 */
#include <stdio.h>

#include "analysis/autopsy/stacks.h"
#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "analysis/report/now.h"

/* Between the looks, in seconds: by default so long that a thread that goes on is seen to. */
#define DEFAULT_FOR 0.2
#define LONGEST_FOR 3600.0

typedef struct Options {
    double seconds;
    char *save; /* owned */
    gboolean stacks;
} Options;

/* A word that is all digits is a pid. */
static bool is_pid(const char *word, gint32 *ret_pid)
{
    guint64 pid;
    bool number = g_ascii_string_to_unsigned(word, 10, 1, G_MAXINT32, &pid, NULL);
    *ret_pid = number ? (gint32)pid : 0;
    return number;
}

static bool has_vm(const SsEvidence *evidence)
{
    const SsLook *look = g_ptr_array_index(evidence->looks, 0);
    for (guint i = 0; i < look->processes->len; i++) {
        if (((const SsSeenProcess *)g_ptr_array_index(look->processes, i))->roles &
            SS_ROLE_FRONT_END) {
            return true;
        }
    }
    return false;
}

static SsEvidence *look(const SsAcquire *acquire, const Options *options, GError **error)
{
    const char *word = acquire->traces ? acquire->traces[0] : NULL;
    SsLookOptions which = { 0 };
    if (word && !is_pid(word, &which.pid)) {
        which.vm = word;
    }
    g_autoptr(SsEvidence) evidence = ss_look_first(&which, which.pid ? NULL : error);
    if (which.pid && !(evidence && has_vm(evidence))) {
        /* A name may be a number, too. */
        g_clear_pointer(&evidence, ss_evidence_free);
        evidence = ss_look_first(&(SsLookOptions){ .vm = word }, error);
    }
    if (!evidence) {
        return NULL;
    }
    g_usleep((gulong)(options->seconds * G_USEC_PER_SEC));
    return ss_look_again(evidence, error) ? g_steal_pointer(&evidence) : NULL;
}

static void take_stacks(GPtrArray *stacks, const SsLook *look, gint32 pid)
{
    const SsSeenProcess *process = ss_look_process(look, pid);
    for (guint i = 0; i < stacks->len; i++) {
        if (((const SsStacks *)g_ptr_array_index(stacks, i))->pid == pid) {
            return;
        }
    }
    if (process && !process->ended) {
        g_ptr_array_add(stacks, ss_stacks_take(pid, process->start_ticks));
    }
}

/* Of both sides: where one VM was asked for of that, else of those in which something was found. */
static GPtrArray *stacks_of(const SsAcquire *acquire)
{
    const SsEvidence *evidence = acquire->evidence;
    const SsLook *look = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    GPtrArray *stacks = g_ptr_array_new_with_free_func((GDestroyNotify)ss_stacks_free);
    for (guint i = 0; i < look->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(look->channels, i);
        bool wanted = acquire->traces != NULL;
        for (guint f = 0; f < acquire->checks->findings->len; f++) {
            const SsFinding *finding = g_ptr_array_index(acquire->checks->findings, f);
            wanted |= finding->has_process &&
                      (finding->pid == channel->front_pid || finding->pid == channel->back_pid);
        }
        if (wanted) {
            take_stacks(stacks, look, channel->front_pid);
            take_stacks(stacks, look, channel->back_pid);
        }
    }
    return stacks;
}

static int run(SsAcquire *acquire, const Options *options)
{
    g_autoptr(GError) error = NULL;
    SsEvidence *evidence = look(acquire, options, &error);
    if (!evidence) {
        (void)fprintf(stderr, "%s\n", error->message);
        return SS_EXIT_TRACE;
    }
    ss_acquire_explain(acquire, evidence, "this host");
    evidence->stacks = options->stacks ? stacks_of(acquire) : NULL;
    if (options->save && !ss_evidence_save(evidence, options->save, &error)) {
        (void)fprintf(stderr, "%s\n", error->message);
        return SS_EXIT_USAGE;
    }
    return ss_acquire_verdict(acquire, ss_acquire_show(acquire));
}

int ss_verb_now(int argc, char **argv)
{
    Options options = { .seconds = DEFAULT_FOR };
    const GOptionEntry more[] = {
        { "for", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds,
          "Time between the two looks (default: 0.2)", "SECONDS" },
        { "save", 0, 0, G_OPTION_ARG_FILENAME, &options.save,
          "Keep what was seen; shmemscope report FILE explains it", "FILE" },
        { "stacks", 0, 0, G_OPTION_ARG_NONE, &options.stacks,
          "Tell the stacks of the threads of both sides, too", NULL },
        { 0 },
    };
    const SsReadingVerb verb = {
        .summary = "Which VMs of this host are stuck, in what, and what frees them.",
        .words = "[PID | VM]",
        .explains = "Without PID or VM all front-ends of vhost-user devices are looked at. PID is\n"
                    "one of them or a back-end, VM the name that was given to it.\n"
                    "Nothing is consumed or kept open, nor stopped but with --stacks.\n",
        .formats = ss_now_formats,
        .fails = true,
        .more = more,
    };
    SsAcquire acquire;
    int status;
    if (ss_acquire_options(&acquire, argc, argv, &verb, &status)) {
        if (acquire.traces && acquire.traces[0] && acquire.traces[1]) {
            (void)ss_usage_error(argv[0], "one PID or VM at a time", &status);
        } else if (!(options.seconds >= 0 && options.seconds <= LONGEST_FOR)) {
            (void)ss_usage_error(argv[0], "--for takes seconds, up to 3600", &status);
        } else {
            status = run(&acquire, &options);
        }
    }
    g_free(options.save);
    ss_acquire_clear(&acquire);
    return status;
}
