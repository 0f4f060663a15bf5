/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/cli/acquire.h"

#include <stdio.h>
#include <string.h>

#include "analysis/autopsy/tell.h"
#include "analysis/cli/verbs.h"
#include "analysis/decode/decode.h"
#include "analysis/model/lives.h"
#include "analysis/model/text.h"

/* As they are given. */
typedef struct Selects {
    char **checks, *begin, *end, *at, *sort;
    gboolean live;
} Selects;

/* A read is long after a second, and tells of itself some times a second. */
#define LONG_US G_USEC_PER_SEC
#define AGAIN_US (G_USEC_PER_SEC / 5)

typedef struct Progress {
    gint64 next_us;
    bool shown;
} Progress;

static void progress(guint64 events, gpointer user_data)
{
    Progress *state = user_data;
    gint64 now_us = g_get_monotonic_time();
    if (now_us >= state->next_us) {
        state->next_us = now_us + AGAIN_US;
        state->shown = true;
        (void)fprintf(stderr, "\rReading: %" G_GUINT64_FORMAT " events", events);
    }
}

bool ss_usage_error(const char *verb, const char *what, int *ret_status)
{
    g_autofree char *harmless = ss_text_sanitize(what, 0);
    (void)fprintf(stderr, "shmemscope %s: %s\nTry: shmemscope %s --help\n", verb, harmless, verb);
    *ret_status = SS_EXIT_USAGE;
    return false;
}

/* Takes what the listing is to be sorted by. */
static bool take_sort(SsAcquire *acquire, const SsReadingVerb *verb, const char *name,
                      const char *word, int *ret_status)
{
    if (!word || ss_listed_sort(&acquire->listed, verb->listing, word)) {
        return true;
    }
    g_autofree char *columns = ss_listing_columns_text(verb->listing);
    g_autofree char *what = g_strdup_printf(
        "Cannot sort: sort=\"%s\": it takes %s, with - before it downwards", word, columns);
    return ss_usage_error(name, what, ret_status);
}

static bool take_selects(SsAcquire *acquire, const SsReadingVerb *verb, const char *name,
                         Selects *selects, int *ret_status)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *begin = selects->begin, *end = selects->end, *at = selects->at;
    g_autofree char *sort = selects->sort;
    SsSelection *selection = &acquire->selection;
    if (!ss_selection_checks(selection, g_steal_pointer(&selects->checks), &error) ||
        !ss_moment_parse(&selection->begin, "begin", begin, &error) ||
        !ss_moment_parse(&selection->end, "end", end, &error) ||
        !ss_moment_parse(&selection->end, "at", at, &error)) {
        return ss_usage_error(name, error->message, ret_status);
    }
    if (at && (begin || end)) {
        return ss_usage_error(name, "--at is of one time: --begin and --end are of two",
                              ret_status);
    }
    if (!ss_selection_order(selection, 0, &error)) {
        return ss_usage_error(name, error->message, ret_status);
    }
    acquire->at = at != NULL;
    acquire->lists = verb->lists;
    acquire->listed.selection = selection;
    acquire->listed.live = selects->live;
    return take_sort(acquire, verb, name, sort, ret_status);
}

void ss_help_print(GOptionContext *context)
{
    g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);
    g_autoptr(GString) text = g_string_new(help);

    /* GLib's is of UTF-8, whatever the terminal is of. */
    (void)g_string_replace(text, "[OPTION\u2026]", "[OPTION...]", 0);
    (void)fputs(text->str, stdout);
}

static bool parse(SsAcquire *acquire, int argc, char **argv, const SsReadingVerb *verb,
                  int *ret_status)
{
    Selects selects = { 0 };
    gboolean help = FALSE;
    g_autofree char *format_names = ss_format_names(verb->formats);
    g_autofree char *format_help = g_strdup_printf("%s (default)%s", verb->formats[0].name,
                                                   format_names + strlen(verb->formats[0].name));
    g_autoptr(GError) error = NULL;
    const GOptionEntry common[] = {
        { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL },
        { "format", 0, 0, G_OPTION_ARG_STRING, &acquire->format_name, format_help, "FORMAT" },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &acquire->output,
          "Write to FILE instead of standard output", "FILE" },
        { 0 },
    };
    const GOptionEntry words_entry[] = {
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &acquire->traces, NULL,
          verb->words ? verb->words : "TRACE..." },
        { 0 },
    };
    const GOptionEntry fail_entry[] = {
        { "fail-on", 0, 0, G_OPTION_ARG_STRING, &acquire->fail_on,
          "observed, suspected (default), hazard, unknown, never", "CERTAINTY" },
        { 0 },
    };
    const GOptionEntry list_entries[] = {
        { "at", 0, 0, G_OPTION_ARG_STRING, &selects.at, "The state at this time", "TIME" },
        { "begin", 0, 0, G_OPTION_ARG_STRING, &selects.begin, "Also what ended after this time",
          "TIME" },
        { "end", 0, 0, G_OPTION_ARG_STRING, &selects.end, "Read no further than this", "TIME" },
        { "live", 0, 0, G_OPTION_ARG_NONE, &selects.live, "Only what is in use", NULL },
        { "sort", 0, 0, G_OPTION_ARG_STRING, &selects.sort, "By this; -COLUMN: downwards",
          "COLUMN" },
        { 0 },
    };
    const GOptionEntry select_entries[] = {
        { "checks", 0, 0, G_OPTION_ARG_STRING_ARRAY, &selects.checks,
          "Findings of these only; with commas between", "CHECK" },
        { "device", 0, 0, G_OPTION_ARG_STRING_ARRAY, &acquire->selection.devices,
          "Findings of this device; may be repeated", "ID" },
        { "vm", 0, 0, G_OPTION_ARG_STRING_ARRAY, &acquire->selection.vms,
          "Findings of this VM; may be repeated", "NAME" },
        { "begin", 0, 0, G_OPTION_ARG_STRING, &selects.begin, "Findings that last beyond this time",
          "TIME" },
        { "end", 0, 0, G_OPTION_ARG_STRING, &selects.end, "Read no further than this", "TIME" },
        { 0 },
    };
    const GOptionEntry of_entries[] = {
        { "device", 0, 0, G_OPTION_ARG_STRING_ARRAY, &acquire->selection.devices,
          "Of this device; may be repeated", "ID" },
        { "vm", 0, 0, G_OPTION_ARG_STRING_ARRAY, &acquire->selection.vms,
          "Of this VM; may be repeated", "NAME" },
        { 0 },
    };
    g_autofree char *name = g_strdup_printf("shmemscope %s", argv[0]);
    g_autofree char **arguments = g_new0(char *, argc + 1);
    for (int i = 0; i < argc; i++) {
        arguments[i] = i ? argv[i] : name;
    }
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_summary(context, verb->summary);
    g_autofree char *description = g_strconcat(
        verb->explains ? verb->explains
                       : "TRACE is a directory at or above the metadata of a CTF trace.\n",
        verb->fails ? "The exit status is 1 when a finding is at least as certain as CERTAINTY.\n"
                    : "",
        NULL);
    g_option_context_set_description(context, description);
    g_option_context_add_main_entries(context, common, NULL);
    if (!verb->words || *verb->words) {
        g_option_context_add_main_entries(context, words_entry, NULL);
    }
    if (verb->fails) {
        g_option_context_add_main_entries(context, fail_entry, NULL);
    }
    if (verb->lists) {
        g_option_context_add_main_entries(context, list_entries, NULL);
    }
    if (verb->selects) {
        g_option_context_add_main_entries(context, select_entries, NULL);
    }
    if (verb->of || verb->lists) {
        g_option_context_add_main_entries(context, of_entries, NULL);
    }
    if (verb->more) {
        g_option_context_add_main_entries(context, verb->more, NULL);
    }
    g_set_prgname(name);
    if (!g_option_context_parse(context, &argc, &arguments, &error)) {
        return ss_usage_error(argv[0], error->message, ret_status);
    }
    if (!take_selects(acquire, verb, argv[0], &selects, ret_status)) {
        return false;
    }
    if (help) {
        ss_help_print(context);
        *ret_status = SS_EXIT_CLEAN;
        return false;
    }
    if (argc > 1) {
        g_autofree char *what = g_strdup_printf("it takes no argument \"%s\"", arguments[1]);
        return ss_usage_error(argv[0], what, ret_status);
    }
    return true;
}

static bool validate(SsAcquire *acquire, const char *verb, const SsFormat *formats, int *ret_status)
{
    acquire->format = ss_format_find(formats, acquire->format_name);
    if (!acquire->format) {
        g_autofree char *names = ss_format_names(formats);
        g_autofree char *what = g_strdup_printf("--format takes %s", names);
        return ss_usage_error(verb, what, ret_status);
    }
    acquire->threshold = SS_SUSPECTED;
    if (acquire->fail_on && !ss_certainty_parse(acquire->fail_on, &acquire->threshold)) {
        return ss_usage_error(verb, "--fail-on takes " SS_CERTAINTY_CHOICES, ret_status);
    }
    return true;
}

bool ss_acquire_options(SsAcquire *acquire, int argc, char **argv, const SsReadingVerb *verb,
                        int *ret_status)
{
    *acquire = (SsAcquire){ 0 };
    return parse(acquire, argc, argv, verb, ret_status) &&
           validate(acquire, argv[0], verb->formats, ret_status);
}

void ss_acquire_explain(SsAcquire *acquire, SsEvidence *evidence_taken, const char *path)
{
    acquire->evidence = evidence_taken;
    acquire->model = ss_model_new();
    acquire->checks = ss_checks_new(acquire->model);
    ss_tell(acquire->model, acquire->evidence, path);
    ss_model_finish(acquire->model);
    ss_checks_finish(acquire->checks);
}

/* Whether there was a recording at the time of --at. */
static bool is_inside(const SsAcquire *acquire, GError **error)
{
    const SsWanted *wanted = acquire->wanted;
    SsMoment at = acquire->at ? acquire->selection.end : (SsMoment){ 0 };
    if (wanted && wanted->at_given) {
        at = (SsMoment){ .given = true, .absolute = wanted->at_absolute, .ns = wanted->at_ns };
    }
    return !at.given || ss_moment_inside(&at, "at", acquire->model, error);
}

static bool choose(SsAcquire *acquire, const char *verb, int *ret_status)
{
    g_autoptr(GError) error = NULL;
    SsSelection *selection = &acquire->selection;
    if (acquire->evidence && (selection->begin.given || selection->end.given)) {
        return ss_usage_error(
            verb, "a look has one time: --at, --begin and --end are of recordings", ret_status);
    }
    bool chosen =
        selection->devices || selection->vms || acquire->listed.live || acquire->listed.sort;
    if (acquire->evidence && acquire->lists && chosen) {
        return ss_usage_error(verb, "--device, --vm, --live and --sort are of recordings",
                              ret_status);
    }
    return (is_inside(acquire, &error) && ss_selection_apply(selection, acquire->checks, &error)) ||
           ss_usage_error(verb, error->message, ret_status);
}

/* What was looked at, in a file of `now --save`. */
static bool explain_file(SsAcquire *acquire, const char *verb, const SsFormat *formats,
                         int *ret_status)
{
    g_autoptr(GError) error = NULL;
    if (acquire->traces[1]) {
        return ss_usage_error(verb, "evidence that now has saved is explained alone", ret_status);
    }
    if (!validate(acquire, verb, formats, ret_status)) {
        return false;
    }
    SsEvidence *evidence = ss_evidence_load(acquire->traces[0], &error);
    if (!evidence) {
        (void)fprintf(stderr, "%s\n", error->message);
        *ret_status = SS_EXIT_TRACE;
        return false;
    }
    ss_acquire_explain(acquire, evidence, acquire->traces[0]);
    return choose(acquire, verb, ret_status);
}

bool ss_acquire(SsAcquire *acquire, int argc, char **argv, const SsReadingVerb *verb,
                int *ret_status)
{
    return ss_acquire_options(acquire, argc, argv, verb, ret_status) &&
           ss_acquire_traces(acquire, argv[0], verb, ret_status);
}

bool ss_acquire_traces(SsAcquire *acquire, const char *name, const SsReadingVerb *verb,
                       int *ret_status)
{
    if (!acquire->traces || !acquire->traces[0]) {
        return ss_usage_error(name, "no TRACE is given", ret_status);
    }
    for (guint i = 0; acquire->traces[i]; i++) {
        if (!ss_evidence_is(acquire->traces[i])) {
            continue;
        }
        if (!verb->looked) {
            return ss_usage_error(name, "evidence that now has saved has no steps to tell",
                                  ret_status);
        }
        return explain_file(acquire, name, verb->looked, ret_status);
    }
    Progress state = { .next_us = g_get_monotonic_time() + LONG_US };
    SsDecodeOptions options = {
        .until = acquire->selection.end,
        .progress = ss_output_terminal(STDERR_FILENO) ? progress : NULL,
        .progress_data = &state,
    };
    g_autoptr(GPtrArray) diagnostics = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    acquire->model = ss_model_new();
    acquire->checks = ss_checks_new(acquire->model);
    acquire->lives = acquire->format->lives ? ss_lives_new(acquire->model) : NULL;
    if (acquire->lists && acquire->selection.begin.given) {
        const SsMoment *begin = &acquire->selection.begin;
        acquire->listed.ended = acquire->ended =
            ss_ended_new(acquire->model, begin->absolute, begin->ns);
    }
    acquire->chains = acquire->wanted ? ss_chains_new(acquire->model, acquire->wanted) : NULL;
    gboolean read = ss_decode(acquire->model, (const char *const *)acquire->traces, &options,
                              diagnostics, &error);
    if (state.shown) {
        (void)fputs("\r\033[K", stderr);
    }
    for (guint i = 0; i < diagnostics->len; i++) {
        (void)fprintf(stderr, "%s\n", (const char *)g_ptr_array_index(diagnostics, i));
    }
    if (!read) {
        (void)fprintf(stderr, "%s\n", error->message);
        *ret_status = SS_EXIT_TRACE;
        return false;
    }
    ss_model_finish(acquire->model);
    ss_checks_finish(acquire->checks);
    if (acquire->ended) {
        ss_ended_finish(acquire->ended);
    }
    return choose(acquire, name, ret_status);
}

void ss_acquire_clear(SsAcquire *acquire)
{
    g_clear_pointer(&acquire->checks, ss_checks_free);
    g_clear_pointer(&acquire->model, ss_model_free);
    g_clear_pointer(&acquire->evidence, ss_evidence_free);
    g_clear_pointer(&acquire->format_name, g_free);
    g_clear_pointer(&acquire->output, g_free);
    g_clear_pointer(&acquire->fail_on, g_free);
    g_clear_pointer(&acquire->traces, g_strfreev);
    g_clear_pointer(&acquire->lives, g_ptr_array_unref);
    g_clear_pointer(&acquire->chains, ss_chains_free);
    g_clear_pointer(&acquire->ended, ss_ended_free);
    ss_selection_clear(&acquire->selection);
}

int ss_acquire_show(SsAcquire *acquire)
{
    SsReport report = {
        .model = acquire->model,
        .checks = acquire->checks,
        .lives = acquire->lives,
        .chains = acquire->chains,
        .selection = acquire->lists ? NULL : &acquire->selection,
        .listed = acquire->lists ? &acquire->listed : NULL,
        .columns = ss_output_columns(acquire->output),
        .version = SS_VERSION,
        .evidence = acquire->evidence,
        .stacks = acquire->evidence ? acquire->evidence->stacks : NULL,
        .colour = ss_output_colour(acquire->output),
    };
    g_autofree char *shown = acquire->format->render(&report);
    return ss_acquire_write(acquire, shown);
}

int ss_acquire_verdict(const SsAcquire *acquire, int status)
{
    bool any;
    SsCertainty worst = ss_checks_worst(acquire->checks, &any);
    bool found = any && worst >= acquire->threshold;
    return status == SS_EXIT_CLEAN && found ? SS_EXIT_FINDINGS : status;
}

int ss_acquire_write(SsAcquire *acquire, const char *text)
{
    g_autoptr(GError) error = NULL;
    if (!ss_output_write(acquire->output, text, &error)) {
        if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_PIPE)) {
            (void)fprintf(stderr, "%s\n", error->message);
        }
        return SS_EXIT_USAGE;
    }
    return SS_EXIT_CLEAN;
}
