/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shmemscope-hostile: a vhost-user back-end that sends what no back-end should, and knows what a
 * front-end has to make of it. With --legal it sends only what every back-end may.
 *
 * Exit status: 0 the front-end did as it should, 1 it did not, 2 usage.
 */
#include "hostile-config.h"
#include "hostile-run.h"
#include "legal-run.h"
#include "listener.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

static int report(int status, const char *message)
{
    (void)fprintf(stderr, "shmemscope-hostile: %s\n", message);
    return status;
}

/* What to do, with what else the options tell. */
typedef struct {
    const SsHostileOptions *hostile;
    const SsLegalOptions *legal; /* NULL: not */
    const char *configs;         /* NULL: not */
} Task;

static gboolean perform(const Task *task, SsLog *log, int listener, GError **error)
{
    if (task->legal != NULL) {
        return ss_legal_run(task->legal, log, listener, error);
    }
    if (task->configs != NULL) {
        return ss_hostile_configs(strcmp(task->configs, "reconnect") == 0, log, listener, error);
    }
    return ss_hostile_run(task->hostile, log, listener, error);
}

static int run(const Task *task, const char *socket_path, const char *log_path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) log_error = NULL;
    SsLog *log = ss_log_open(log_path, &error);
    int listener = -1;
    gboolean good;

    if (log == NULL) {
        return report(EXIT_FAILED, error->message);
    }
    good = ss_listener_open(socket_path, &listener, &error);
    if (good) {
        good = perform(task, log, listener, &error);
        (void)close(listener);
        (void)unlink(socket_path);
    }
    if (!ss_log_close(log, &log_error) && good) {
        return report(EXIT_FAILED, log_error->message);
    }
    return good ? EXIT_GOOD : report(EXIT_FAILED, error->message);
}

int main(int argc, char **argv)
{
    g_autofree char *socket_path = NULL;
    g_autofree char *log_path = NULL;
    g_autofree char *configs = NULL;
    g_autofree char *legal = NULL;
    gint64 seed = 1;
    gint64 messages = 10000;
    gint64 region = 1 << 20;
    int live = 64;
    int writable = 32;
    int round_of = 50;
    gboolean no_reply_ack = FALSE;
    gboolean no_mem_slots = FALSE;
    gboolean lies = FALSE;
    gboolean endless = FALSE;
    gboolean one_region = FALSE;
    gboolean plain = FALSE;
    const GOptionEntry entries[] = {
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &socket_path,
          "Listen for the front-end on the unix socket PATH", "PATH" },
        { "log", 0, 0, G_OPTION_ARG_FILENAME, &log_path,
          "Write what was done to FILE, one JSON object a line", "FILE" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Of the random numbers (1)", "N" },
        { "messages", 0, 0, G_OPTION_ARG_INT64, &messages, "Send so many (10000)", "N" },
        { "no-reply-ack", 0, 0, G_OPTION_ARG_NONE, &no_reply_ack, "Do not offer REPLY_ACK", NULL },
        { "no-mem-slots", 0, 0, G_OPTION_ARG_NONE, &no_mem_slots,
          "Do not offer CONFIGURE_MEM_SLOTS", NULL },
        { "lies", 0, 0, G_OPTION_ARG_NONE, &lies,
          "Answer falsely now and then on the main channel, too", NULL },
        { "one-region", 0, 0, G_OPTION_ARG_NONE, &one_region,
          "Announce one region only, which is what fits behind a root port", NULL },
        { "endless", 0, 0, G_OPTION_ARG_NONE, &endless,
          "Send until the front-end leaves, and do not judge what it replies", NULL },
        { "configs", 0, 0, G_OPTION_ARG_STRING, &configs,
          "Only answer GET_SHMEM_CONFIG, each time in another way: \"add\", for devices that are "
          "added, or \"reconnect\"",
          "HOW" },
        { "legal", 0, 0, G_OPTION_ARG_STRING, &legal,
          "Send only what is legal, in rounds, and serve the main channel by \"threads\", "
          "\"serving\" meanwhile or \"blocking\"",
          "HOW" },
        { "plain", 0, 0, G_OPTION_ARG_NONE, &plain,
          "With --legal: map only files that can be mapped for writing, of the usual kind", NULL },
        { "live", 0, 0, G_OPTION_ARG_INT, &live,
          "With --legal: have so many mappings at once, at most (64)", "N" },
        { "writable", 0, 0, G_OPTION_ARG_INT, &writable,
          "With --legal: so many of them may be writable (32)", "N" },
        { "region", 0, 0, G_OPTION_ARG_INT64, &region,
          "With --legal: the first region has so many bytes (1048576)", "N" },
        { "round", 0, 0, G_OPTION_ARG_INT, &round_of,
          "With --legal: so many messages a round, on average (50)", "N" },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- hostile vhost-user back-end");
    g_autoptr(GError) error = NULL;
    SsHostileOptions options;
    SsLegalOptions legal_options = { 0 };
    Task task = { .hostile = &options };

    (void)setlocale(LC_ALL, "C");
    /* A front-end that has gone is an error of a write, not our end. */
    (void)signal(SIGPIPE, SIG_IGN);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        return report(EXIT_USAGE, error->message);
    }
    if (argc > 1 || socket_path == NULL || log_path == NULL || messages < 0 || live < 1 ||
        region < 4096 || region % 4096 != 0 || writable < 0 || round_of < 1 ||
        (configs != NULL && strcmp(configs, "add") != 0 && strcmp(configs, "reconnect") != 0) ||
        (legal != NULL && !ss_legal_manner_parse(legal, &legal_options.manner))) {
        return report(EXIT_USAGE, "usage: shmemscope-hostile --socket PATH --log FILE [--seed N] "
                                  "[--messages N] [--configs add|reconnect] "
                                  "[--legal threads|serving|blocking]");
    }
    options = (SsHostileOptions){
        .seed = (uint64_t)seed,
        .messages = (uint64_t)messages,
        .reply_ack = !no_reply_ack,
        .mem_slots = !no_mem_slots,
        .lies = lies,
        .endless = endless,
        .one_region = one_region,
    };
    legal_options.seed = (uint64_t)seed;
    legal_options.reply_ack = !no_reply_ack;
    legal_options.mem_slots = !no_mem_slots;
    legal_options.one_region = one_region;
    legal_options.plain = plain;
    legal_options.region = (uint64_t)region;
    legal_options.live = (unsigned)live;
    legal_options.writable = (unsigned)writable;
    legal_options.round = (unsigned)round_of;
    task.legal = legal != NULL ? &legal_options : NULL;
    task.configs = configs;
    return run(&task, socket_path, log_path);
}
