/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parse.h"

#include <string.h>

static int find_file(const SsParser *parser, const char *name)
{
    for (unsigned i = 0; i < parser->scenario->files->len; i++) {
        const SsScenarioFile *file = g_ptr_array_index(parser->scenario->files, i);

        if (strcmp(file->name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static gboolean parse_request(SsParser *parser, SsStatement *statement, const char *word,
                              GError **error)
{
    statement->request = ss_request_number(word);
    if (statement->request == 0) {
        return ss_parser_fail(parser, error, "\"%s\" is no request of the front-end", word);
    }
    return TRUE;
}

/* What only the thread that serves the main channel can do. */
static gboolean require_main(SsParser *parser, GError **error)
{
    if (parser->in_thread) {
        return ss_parser_fail(parser, error,
                              "\"%s\" serves the main channel, which a thread does not",
                              parser->words[0]);
    }
    return TRUE;
}

static gboolean parse_await(SsParser *parser, SsStatement *statement, GError **error)
{
    const char *what = parser->count > 1 ? parser->words[1] : "";

    if (strcmp(what, "start") == 0) {
        statement->kind = SS_STATEMENT_AWAIT_START;
        return require_main(parser, error) && ss_parser_arguments(parser, 1, "await start", error);
    }
    if (!ss_parser_arguments(parser, 2, "await start | await signal|thread|request NAME", error)) {
        return FALSE;
    }
    statement->name = g_strdup(parser->words[2]);
    if (strcmp(what, "signal") == 0) {
        statement->kind = SS_STATEMENT_AWAIT_SIGNAL;
        parser->scenario->awaits_signals = TRUE;
        return TRUE;
    }
    if (strcmp(what, "thread") == 0) {
        statement->kind = SS_STATEMENT_AWAIT_THREAD;
        return require_main(parser, error);
    }
    if (strcmp(what, "request") == 0) {
        statement->kind = SS_STATEMENT_AWAIT_REQUEST;
        return require_main(parser, error) &&
               parse_request(parser, statement, parser->words[2], error);
    }
    return ss_parser_fail(parser, error, "cannot await \"%s\"", what);
}

static gboolean parse_signal(SsParser *parser, SsStatement *statement, GError **error)
{
    if (!ss_parser_arguments(parser, 1, "signal NAME", error)) {
        return FALSE;
    }
    statement->name = g_strdup(parser->words[1]);
    return TRUE;
}

static gboolean parse_serve(SsParser *parser, SsStatement *statement, GError **error)
{
    if (!ss_parser_arguments(parser, 2, "serve idle MS | serve until WHAT", error) ||
        !require_main(parser, error)) {
        return FALSE;
    }
    if (strcmp(parser->words[1], "idle") == 0) {
        statement->kind = SS_STATEMENT_SERVE_IDLE;
        statement->first = ss_parser_number(parser, parser->words[2], error);
        return statement->first != NULL;
    }
    if (strcmp(parser->words[1], "until") != 0) {
        return ss_parser_fail(parser, error, "\"%s\" is neither idle nor until", parser->words[1]);
    }
    /* On the wire a reset of the device is the stop of its rings, nothing more. */
    if (strcmp(parser->words[2], "stop") == 0 || strcmp(parser->words[2], "reset") == 0) {
        statement->kind = SS_STATEMENT_SERVE_UNTIL_STOP;
        return TRUE;
    }
    if (strcmp(parser->words[2], "close") == 0) {
        statement->kind = SS_STATEMENT_SERVE_UNTIL_CLOSE;
        return TRUE;
    }
    statement->kind = SS_STATEMENT_SERVE_UNTIL_REQUEST;
    return parse_request(parser, statement, parser->words[2], error);
}

static gboolean parse_delay(SsParser *parser, SsStatement *statement, GError **error)
{
    if (!ss_parser_arguments(parser, 2, "delay REQUEST MS", error) ||
        !require_main(parser, error) ||
        !parse_request(parser, statement, parser->words[1], error)) {
        return FALSE;
    }
    statement->first = ss_parser_number(parser, parser->words[2], error);
    return statement->first != NULL;
}

static gboolean parse_word_in_file(SsParser *parser, SsStatement *statement, GError **error)
{
    if (!ss_parser_arguments(parser, 3, "write|check FILE OFFSET VALUE", error)) {
        return FALSE;
    }
    statement->file = find_file(parser, parser->words[1]);
    if (statement->file < 0) {
        return ss_parser_fail(parser, error, "no file \"%s\" above", parser->words[1]);
    }
    statement->first = ss_parser_number(parser, parser->words[2], error);
    if (statement->first == NULL) {
        return FALSE;
    }
    statement->second = ss_parser_number(parser, parser->words[3], error);
    return statement->second != NULL;
}

static gboolean parse_note(SsParser *parser, SsStatement *statement, GError **error)
{
    g_autofree char *label = NULL;

    if (parser->count < 2) {
        return ss_parser_fail(parser, error, "expected \"note FILE [LABEL...]\"");
    }
    statement->file = find_file(parser, parser->words[1]);
    if (statement->file < 0) {
        return ss_parser_fail(parser, error, "no file \"%s\" above", parser->words[1]);
    }
    if (parser->count > 2) {
        label = g_strjoinv(" ", parser->words + 2);
        statement->name = g_strcompress(label);
    }
    return TRUE;
}

static gboolean parse_close(SsParser *parser, SsStatement *statement, GError **error)
{
    if (!ss_parser_arguments(parser, 1, "close backend|main", error)) {
        return FALSE;
    }
    if (strcmp(parser->words[1], "backend") == 0) {
        statement->kind = SS_STATEMENT_CLOSE_BACKEND;
        return TRUE;
    }
    if (strcmp(parser->words[1], "main") == 0) {
        statement->kind = SS_STATEMENT_CLOSE_MAIN;
        return require_main(parser, error);
    }
    return ss_parser_fail(parser, error, "channel \"%s\" is neither backend nor main",
                          parser->words[1]);
}

static gboolean parse_bare(SsParser *parser, SsStatement *statement, GError **error)
{
    return ss_parser_arguments(parser, 0, ss_statement_word(statement), error);
}

static gboolean parse_bare_of_main(SsParser *parser, SsStatement *statement, GError **error)
{
    return require_main(parser, error) && parse_bare(parser, statement, error);
}

static gboolean parse_expect(SsParser *parser, SsShmemStatement *shmem, const char *value,
                             GError **error)
{
    if (strcmp(value, "ok") == 0) {
        shmem->expect = SS_EXPECT_OK;
    } else if (strcmp(value, "refused") == 0) {
        shmem->expect = SS_EXPECT_REFUSED;
    } else if (strcmp(value, "any") == 0) {
        shmem->expect = SS_EXPECT_ANY;
    } else {
        return ss_parser_fail(parser, error, "expect=%s: it is ok, refused or any", value);
    }
    return TRUE;
}

/* One `word` or `key=value` of a map or unmap. */
static gboolean parse_shmem_option(SsParser *parser, SsShmemStatement *shmem, const char *word,
                                   gboolean *ret_expect_given, GError **error)
{
    static const struct {
        const char *key;
        SsShmemNumber number;
    } numbers[] = {
        { "fd_offset", SS_SHMEM_FD_OFFSET },
        { "flags", SS_SHMEM_FLAGS },
        { "fds", SS_SHMEM_FDS },
        { "size", SS_SHMEM_SIZE },
        { "cut", SS_SHMEM_CUT },
        { "request", SS_SHMEM_REQUEST },
    };
    const struct {
        const char *word;
        gboolean *flag;
    } flags[] = {
        { "ro", &shmem->read_only },   { "noreply", &shmem->no_reply },
        { "nowait", &shmem->no_wait }, { "serving", &shmem->serving },
        { "raw", &shmem->raw },
    };
    const char *value = strchr(word, '=');
    size_t length = value != NULL ? (size_t)(value - word) : strlen(word);

    for (unsigned i = 0; value == NULL && i < G_N_ELEMENTS(flags); i++) {
        if (strcmp(word, flags[i].word) == 0) {
            *flags[i].flag = TRUE;
            return TRUE;
        }
    }
    if (value == NULL) {
        return ss_parser_fail(parser, error, "option \"%s\" is not known", word);
    }
    value++;
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        SsExpr **number = &shmem->numbers[numbers[i].number];

        if (strlen(numbers[i].key) != length || strncmp(word, numbers[i].key, length) != 0) {
            continue;
        }
        if (*number != NULL) {
            return ss_parser_fail(parser, error, "\"%s\" is given twice", numbers[i].key);
        }
        *number = ss_parser_number(parser, value, error);
        return *number != NULL;
    }
    if (g_str_has_prefix(word, "expect=")) {
        *ret_expect_given = TRUE;
        return parse_expect(parser, shmem, value, error);
    }
    if (g_str_has_prefix(word, "tag=") && *value != '\0') {
        g_free(shmem->tag);
        shmem->tag = g_strdup(value);
        return TRUE;
    }
    if (g_str_has_prefix(word, "file=")) {
        shmem->file = find_file(parser, value);
        if (shmem->file < 0) {
            return ss_parser_fail(parser, error, "no file \"%s\" above", value);
        }
        return TRUE;
    }
    return ss_parser_fail(parser, error, "option \"%s\" is not known", word);
}

static gboolean parse_shmem(SsParser *parser, SsStatement *statement, GError **error)
{
    static const SsShmemNumber places[] = { SS_SHMEM_SHMID, SS_SHMEM_SHM_OFFSET, SS_SHMEM_LEN };
    gboolean expect_given = FALSE;
    SsShmemStatement *shmem;

    if (parser->count < 4) {
        return ss_parser_fail(parser, error, "expected \"%s SHMID SHM_OFFSET LEN [OPTION]...\"",
                              parser->words[0]);
    }
    shmem = g_new0(SsShmemStatement, 1);
    shmem->file = -1;
    statement->shmem = shmem;
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        shmem->numbers[places[i]] = ss_parser_number(parser, parser->words[i + 1], error);
        if (shmem->numbers[places[i]] == NULL) {
            return FALSE;
        }
    }
    for (unsigned i = 4; i < parser->count; i++) {
        if (!parse_shmem_option(parser, shmem, parser->words[i], &expect_given, error)) {
            return FALSE;
        }
    }
    /* A tag is the reason of a refusal, so it asks for one. */
    if (!expect_given && shmem->tag != NULL) {
        shmem->expect = SS_EXPECT_REFUSED;
    }
    if (statement->kind == SS_STATEMENT_MAP && shmem->file < 0 &&
        shmem->numbers[SS_SHMEM_FDS] == NULL) {
        return ss_parser_fail(parser, error, "a map needs file=NAME (or fds=0)");
    }
    if (statement->kind == SS_STATEMENT_UNMAP && shmem->numbers[SS_SHMEM_FDS] != NULL &&
        shmem->file < 0) {
        return ss_parser_fail(parser, error, "an unmap with descriptors needs file=NAME");
    }
    if (shmem->read_only && shmem->numbers[SS_SHMEM_FLAGS] != NULL) {
        return ss_parser_fail(parser, error, "ro and flags= contradict each other");
    }
    if (shmem->serving) {
        return require_main(parser, error);
    }
    return TRUE;
}

SsStatement *ss_parser_statement(SsParser *parser, GError **error)
{
    static const struct {
        const char *word;
        SsStatementKind kind;
        gboolean (*parse)(SsParser *parser, SsStatement *statement, GError **error);
    } words[] = {
        { "await", SS_STATEMENT_AWAIT_START, parse_await },
        { "signal", SS_STATEMENT_SIGNAL, parse_signal },
        { "map", SS_STATEMENT_MAP, parse_shmem },
        { "unmap", SS_STATEMENT_UNMAP, parse_shmem },
        { "replies", SS_STATEMENT_REPLIES, parse_bare },
        { "serve", SS_STATEMENT_SERVE_IDLE, parse_serve },
        { "delay", SS_STATEMENT_DELAY, parse_delay },
        { "write", SS_STATEMENT_WRITE, parse_word_in_file },
        { "check", SS_STATEMENT_CHECK, parse_word_in_file },
        { "note", SS_STATEMENT_NOTE, parse_note },
        { "kill", SS_STATEMENT_KILL, parse_bare },
        { "close", SS_STATEMENT_CLOSE_MAIN, parse_close },
        { "reconnect", SS_STATEMENT_RECONNECT, parse_bare_of_main },
        { "exit", SS_STATEMENT_EXIT, parse_bare_of_main },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autoptr(SsStatement) statement = NULL;

        if (strcmp(parser->words[0], words[i].word) != 0) {
            continue;
        }
        statement = ss_statement_new(words[i].kind, parser->line);
        if (!words[i].parse(parser, statement, error)) {
            return NULL;
        }
        return g_steal_pointer(&statement);
    }
    (void)ss_parser_fail(parser, error, "statement \"%s\" is not known", parser->words[0]);
    return NULL;
}
