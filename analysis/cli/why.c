/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * shmemscope why: the chain of one mapping or descriptor, from its request to the last close.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/acquire.h"
#include "analysis/cli/verbs.h"
#include "analysis/report/why.h"

static bool number(const char *text, guint64 most, guint64 *ret_value, const char **ret_end)
{
    char *end = NULL;
    if (!g_ascii_isdigit(*text)) {
        return false; /* no sign, no blank */
    }
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    errno = 0;
    *ret_value = g_ascii_strtoull(text, &end, hex ? 16 : 10); /* nobody writes octal here */
    *ret_end = end;
    return errno == 0 && *ret_value <= most;
}

static bool whole(const char *text, guint64 most, guint64 *ret_value)
{
    const char *end = NULL;
    return number(text, most, ret_value, &end) && !*end;
}

/* "fd 23", "inode 7000". */
static bool parse_named(const char *name, const char *text, SsWanted *wanted)
{
    guint64 value;
    bool fd = g_str_equal(name, "fd");
    if ((!fd && !g_str_equal(name, "inode")) ||
        !whole(text, fd ? G_MAXINT32 : G_MAXUINT64, &value)) {
        return false;
    }
    wanted->kind = fd ? SS_WANTED_FD : SS_WANTED_INODE;
    wanted->fd = fd ? (gint32)value : -1;
    wanted->ino = fd ? 0 : value;
    return true;
}

static bool parse_wanted(const char *text, SsWanted *wanted)
{
    const char *end = NULL;
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    if (words[0] && words[1]) {
        return parse_named(words[0], words[1], wanted);
    }
    if (!number(text, G_MAXUINT64, &wanted->offset, &end)) {
        return false;
    }
    if (!*end) {
        wanted->kind = SS_WANTED_OFFSET;
        return true;
    }
    wanted->kind = SS_WANTED_RANGE;
    return *end == '+' && whole(end + 1, G_MAXUINT64, &wanted->len) && wanted->len;
}

/* The last word, or the last two, say of what; the others are traces. */
static bool take_wanted(char **words, SsWanted *wanted)
{
    guint n = words ? g_strv_length(words) : 0;
    guint taken = 0;
    if (n > 2 && (g_str_equal(words[n - 2], "fd") || g_str_equal(words[n - 2], "inode"))) {
        taken = parse_named(words[n - 2], words[n - 1], wanted) ? 2 : 0; /* "fd x" is no trace */
    } else if (n > 1 && parse_wanted(words[n - 1], wanted)) {
        taken = 1;
    }
    for (guint i = n - taken; i < n; i++) {
        g_clear_pointer(&words[i], g_free);
    }
    return taken > 0;
}

typedef struct Asked {
    gint64 region;
    gint pid;
    char *at; /* owned */
} Asked;

static bool take_asked(const SsAcquire *acquire, const Asked *asked, const char *name,
                       SsWanted *wanted, int *ret_status)
{
    g_autoptr(GError) error = NULL;
    SsMoment at = { 0 };
    if (!take_wanted(acquire->traces, wanted)) {
        return ss_usage_error(name,
                              "behind the TRACE it takes OFFSET+LENGTH, OFFSET, \"fd NUMBER\" or "
                              "\"inode NUMBER\"",
                              ret_status);
    }
    if (asked->region < -1 || asked->region > G_MAXUINT32 || asked->pid < 0) {
        return ss_usage_error(name, "--region and --pid take a number", ret_status);
    }
    if (!ss_moment_parse(&at, "at", asked->at, &error)) {
        return ss_usage_error(name, error->message, ret_status);
    }
    wanted->of_region = asked->region >= 0;
    wanted->shmid = wanted->of_region ? (guint32)asked->region : 0;
    wanted->pid = asked->pid;
    wanted->at_given = at.given;
    wanted->at_absolute = at.absolute;
    wanted->at_ns = at.ns;
    wanted->devices = acquire->selection.devices;
    wanted->vms = acquire->selection.vms;
    return true;
}

static bool has_process(const SsModel *model, gint32 pid)
{
    for (guint i = 0; i < model->processes->len; i++) {
        const SsProcess *process = g_ptr_array_index(model->processes, i);
        if (process->pid == pid) {
            return true;
        }
    }
    return false;
}

static bool take_process(const SsAcquire *acquire, gint32 pid, const char *name, int *ret_status)
{
    if (!pid || has_process(acquire->model, pid)) {
        return true;
    }
    g_autofree char *what =
        g_strdup_printf("Cannot select: pid=\"%d\": the recording has no such process", pid);
    return ss_usage_error(name, what, ret_status);
}

/* One was told of. */
static bool is_one(const SsChains *chains)
{
    g_autoptr(GPtrArray) found = ss_chains_found(chains);
    return found->len == 1 && !chains->more;
}

int ss_verb_why(int argc, char **argv)
{
    SsWanted wanted = { .fd = -1 };
    Asked asked = { .region = -1 };
    const GOptionEntry more[] = {
        { "region", 0, 0, G_OPTION_ARG_INT64, &asked.region, "Of the region of this id", "NUMBER" },
        { "pid", 0, 0, G_OPTION_ARG_INT, &asked.pid, "Of this process", "PID" },
        { "at", 0, 0, G_OPTION_ARG_STRING, &asked.at, "The one that was there then", "TIME" },
        { 0 },
    };
    static const SsFormat formats[] = { { "text", ss_why_text },
                                        { "json", ss_why_json },
                                        { NULL, NULL } };
    const SsReadingVerb verb = {
        .summary = "The steps of one mapping or descriptor, and the one that is missing.",
        .words = "TRACE... WHAT",
        .explains = "TRACE is a directory at or above the metadata of a CTF trace. WHAT is\n"
                    "OFFSET+LENGTH or an OFFSET in a region, \"fd NUMBER\" or \"inode NUMBER\".\n"
                    "The exit status is 2 when none or several fit; these are listed.\n",
        .formats = formats,
        .of = true,
        .more = more,
    };
    SsAcquire acquire;
    int status;
    if (ss_acquire_options(&acquire, argc, argv, &verb, &status) &&
        take_asked(&acquire, &asked, argv[0], &wanted, &status)) {
        acquire.wanted = &wanted;
        if (ss_acquire_traces(&acquire, argv[0], &verb, &status) &&
            take_process(&acquire, wanted.pid, argv[0], &status)) {
            status = ss_acquire_show(&acquire);
            status = status == SS_EXIT_CLEAN && !is_one(acquire.chains) ? SS_EXIT_USAGE : status;
        }
    }
    g_free(asked.at);
    ss_acquire_clear(&acquire);
    return status;
}
