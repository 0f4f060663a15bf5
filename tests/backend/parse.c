/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parse.h"

#include <string.h>

/* A block that waits for its `end`. */
typedef struct {
    SsStatement *repeat;      /* weak: NULL for a thread */
    SsScenarioThread *thread; /* weak: NULL for a repeat */
    GPtrArray *body;          /* weak: where its statements go */
    unsigned line;
} Block;

gboolean ss_parser_fail(SsParser *parser, GError **error, const char *format, ...)
{
    g_autofree char *reason = NULL;
    va_list args;

    va_start(args, format);
    reason = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot read scenario: file=\"%s\", line=%u: %s",
                parser->scenario->path, parser->line, reason);
    return FALSE;
}

SsExpr *ss_parser_number(SsParser *parser, const char *word, GError **error)
{
    g_autofree char *reason = NULL;
    SsExpr *expr = ss_expr_parse(word, parser->loops, &reason);

    if (expr == NULL) {
        (void)ss_parser_fail(parser, error, "%s", reason);
    }
    return expr;
}

gboolean ss_parser_constant(SsParser *parser, const char *word, uint64_t *ret_value, GError **error)
{
    g_autofree char *reason = NULL;
    g_autoptr(SsExpr) expr = ss_expr_parse(word, NULL, &reason);

    if (expr == NULL) {
        return ss_parser_fail(parser, error, "%s", reason);
    }
    if (!ss_expr_eval(expr, NULL, ret_value)) {
        return ss_parser_fail(parser, error, "\"%s\" divides by zero", word);
    }
    return TRUE;
}

gboolean ss_parser_arguments(SsParser *parser, unsigned count, const char *usage, GError **error)
{
    if (parser->count != count + 1) {
        return ss_parser_fail(parser, error, "expected \"%s\"", usage);
    }
    return TRUE;
}

static gboolean parse_region(SsParser *parser, GError **error)
{
    uint64_t shmid;
    uint64_t size;

    if (!ss_parser_arguments(parser, 2, "region SHMID SIZE", error) ||
        !ss_parser_constant(parser, parser->words[1], &shmid, error) ||
        !ss_parser_constant(parser, parser->words[2], &size, error)) {
        return FALSE;
    }
    if (shmid >= SS_SCENARIO_MAX_REGIONS) {
        return ss_parser_fail(parser, error, "region %" G_GUINT64_FORMAT " is not below %d", shmid,
                              SS_SCENARIO_MAX_REGIONS);
    }
    if (size == 0) {
        return ss_parser_fail(parser, error, "region of size 0: that is no region");
    }
    if (parser->scenario->regions[shmid] != 0) {
        return ss_parser_fail(parser, error, "region %" G_GUINT64_FORMAT " was given before",
                              shmid);
    }
    parser->scenario->regions[shmid] = size;
    return TRUE;
}

static gboolean parse_switch(SsParser *parser, gboolean *ret_on, GError **error)
{
    if (strcmp(parser->words[2], "on") != 0 && strcmp(parser->words[2], "off") != 0) {
        return ss_parser_fail(parser, error, "feature \"%s\" is on or off, not \"%s\"",
                              parser->words[1], parser->words[2]);
    }
    *ret_on = strcmp(parser->words[2], "on") == 0;
    return TRUE;
}

static gboolean parse_feature(SsParser *parser, GError **error)
{
    uint64_t bit;

    if (!ss_parser_arguments(parser, 2, "feature NAME VALUE", error)) {
        return FALSE;
    }
    if (strcmp(parser->words[1], "reply-ack") == 0) {
        return parse_switch(parser, &parser->scenario->reply_ack, error);
    }
    if (strcmp(parser->words[1], "mem-slots") == 0) {
        return parse_switch(parser, &parser->scenario->mem_slots, error);
    }
    if (strcmp(parser->words[1], "shmem-bit") != 0) {
        return ss_parser_fail(parser, error,
                              "feature \"%s\" is none of reply-ack, mem-slots, shmem-bit",
                              parser->words[1]);
    }
    if (strcmp(parser->words[2], "off") == 0) {
        parser->scenario->shmem_bit = SS_SHMEM_BIT_OFF;
        return TRUE;
    }
    if (!ss_parser_constant(parser, parser->words[2], &bit, error)) {
        return FALSE;
    }
    if (bit > 63) {
        return ss_parser_fail(parser, error, "feature bit %" G_GUINT64_FORMAT " is not below 64",
                              bit);
    }
    parser->scenario->shmem_bit = (uint32_t)bit;
    return TRUE;
}

static gboolean parse_file(SsParser *parser, GError **error)
{
    SsScenarioFile *file;
    uint64_t size = 0;
    gboolean is_pipe;

    if (!ss_parser_arguments(parser, 2, "file NAME SIZE|pipe", error)) {
        return FALSE;
    }
    is_pipe = strcmp(parser->words[2], "pipe") == 0;
    if (!is_pipe && !ss_parser_constant(parser, parser->words[2], &size, error)) {
        return FALSE;
    }
    if (size > INT64_MAX) {
        return ss_parser_fail(parser, error, "file of %" G_GUINT64_FORMAT " bytes", size);
    }
    for (unsigned i = 0; i < parser->scenario->files->len; i++) {
        file = g_ptr_array_index(parser->scenario->files, i);
        if (strcmp(file->name, parser->words[1]) == 0) {
            return ss_parser_fail(parser, error, "file \"%s\" was given before", file->name);
        }
    }
    file = g_new0(SsScenarioFile, 1);
    file->name = g_strdup(parser->words[1]);
    file->size = size;
    file->is_pipe = is_pipe;
    g_ptr_array_add(parser->scenario->files, file);
    return TRUE;
}

static gboolean open_thread(SsParser *parser, GArray *blocks, GError **error)
{
    SsScenarioThread *thread;
    Block block = { 0 };

    if (!ss_parser_arguments(parser, 1, "thread NAME", error)) {
        return FALSE;
    }
    if (blocks->len > 0) {
        return ss_parser_fail(parser, error, "a thread cannot begin inside another block");
    }
    if (strcmp(parser->words[1], "main") == 0) {
        return ss_parser_fail(parser, error, "thread \"main\" is the one outside all blocks");
    }
    for (unsigned i = 0; i < parser->scenario->threads->len; i++) {
        thread = g_ptr_array_index(parser->scenario->threads, i);
        if (strcmp(thread->name, parser->words[1]) == 0) {
            return ss_parser_fail(parser, error, "thread \"%s\" was given before", thread->name);
        }
    }
    thread = g_new0(SsScenarioThread, 1);
    thread->name = g_strdup(parser->words[1]);
    thread->line = parser->line;
    thread->body = g_ptr_array_new_with_free_func((GDestroyNotify)ss_statement_free);
    g_ptr_array_add(parser->scenario->threads, thread);
    block.thread = thread;
    block.body = thread->body;
    block.line = parser->line;
    g_array_append_val(blocks, block);
    parser->in_thread = TRUE;
    return TRUE;
}

static gboolean open_repeat(SsParser *parser, GArray *blocks, GPtrArray *body, GError **error)
{
    gboolean timed = strcmp(parser->words[0], "timed") == 0;
    const char *loop = "i";
    const char *until = NULL;
    unsigned word = 2;
    SsStatement *statement;
    Block block = { 0 };
    SsExpr *count;

    if (parser->count >= word + 2 && strcmp(parser->words[word], "as") == 0) {
        loop = parser->words[word + 1];
        word += 2;
    }
    if (parser->count >= word + 2 && strcmp(parser->words[word], "until") == 0) {
        until = parser->words[word + 1];
        word += 2;
    }
    if (parser->count != word) {
        return ss_parser_fail(parser, error, "expected \"%s COUNT [as NAME] [until SIGNAL]\"",
                              parser->words[0]);
    }
    if (parser->loops->len == SS_SCENARIO_MAX_LOOPS) {
        return ss_parser_fail(parser, error, "more than %d loops deep", SS_SCENARIO_MAX_LOOPS);
    }
    for (unsigned i = 0; timed && i < blocks->len; i++) {
        const SsStatement *outer = g_array_index(blocks, Block, i).repeat;

        if (outer != NULL && outer->timed) {
            return ss_parser_fail(parser, error, "\"timed\" inside another");
        }
    }
    count = ss_parser_number(parser, parser->words[1], error);
    if (count == NULL) {
        return FALSE;
    }
    statement = ss_statement_new(SS_STATEMENT_REPEAT, parser->line);
    statement->timed = timed;
    statement->first = count;
    statement->name = g_strdup(until);
    statement->body = g_ptr_array_new_with_free_func((GDestroyNotify)ss_statement_free);
    g_ptr_array_add(body, statement);
    g_ptr_array_add(parser->loops, g_strdup(loop));
    block.repeat = statement;
    block.body = statement->body;
    block.line = parser->line;
    g_array_append_val(blocks, block);
    return TRUE;
}

static gboolean close_block(SsParser *parser, GArray *blocks, GError **error)
{
    if (!ss_parser_arguments(parser, 0, "end", error)) {
        return FALSE;
    }
    if (blocks->len == 0) {
        return ss_parser_fail(parser, error, "\"end\" without a block");
    }
    if (g_array_index(blocks, Block, blocks->len - 1).thread != NULL) {
        parser->in_thread = FALSE;
    } else {
        g_ptr_array_set_size(parser->loops, (int)parser->loops->len - 1);
    }
    g_array_set_size(blocks, blocks->len - 1);
    return TRUE;
}

static gboolean parse_line(SsParser *parser, GArray *blocks, GError **error)
{
    static const struct {
        const char *word;
        gboolean (*parse)(SsParser *parser, GError **error);
    } declarations[] = {
        { "region", parse_region },
        { "feature", parse_feature },
        { "file", parse_file },
    };
    const char *word = parser->words[0];
    SsStatement *statement;
    GPtrArray *body;

    for (unsigned i = 0; i < G_N_ELEMENTS(declarations); i++) {
        if (strcmp(word, declarations[i].word) == 0) {
            if (blocks->len > 0) {
                return ss_parser_fail(parser, error, "\"%s\" inside a block", word);
            }
            return declarations[i].parse(parser, error);
        }
    }
    body = blocks->len > 0 ? g_array_index(blocks, Block, blocks->len - 1).body
                           : parser->scenario->body;
    if (strcmp(word, "thread") == 0) {
        return open_thread(parser, blocks, error);
    }
    if (strcmp(word, "repeat") == 0 || strcmp(word, "timed") == 0) {
        return open_repeat(parser, blocks, body, error);
    }
    if (strcmp(word, "end") == 0) {
        return close_block(parser, blocks, error);
    }
    statement = ss_parser_statement(parser, error);
    if (statement == NULL) {
        return FALSE;
    }
    g_ptr_array_add(body, statement);
    return TRUE;
}

/* The words of a line without its comment; *ret_count is 0 for an empty one. */
static char **split_line(const char *line, unsigned *ret_count)
{
    g_autofree char *text = g_strndup(line, strcspn(line, "#\r"));
    g_auto(GStrv) parts = g_strsplit_set(text, " \t", -1);
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (unsigned i = 0; parts[i] != NULL; i++) {
        if (parts[i][0] != '\0') {
            g_ptr_array_add(words, g_strdup(parts[i]));
        }
    }
    *ret_count = words->len;
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* A thread may be awaited above its block: names are compared at the end. */
static gboolean check_awaited_threads(SsParser *parser, const GPtrArray *body, GError **error)
{
    for (unsigned i = 0; i < body->len; i++) {
        const SsStatement *statement = g_ptr_array_index(body, i);
        gboolean found = FALSE;

        if (statement->body != NULL && !check_awaited_threads(parser, statement->body, error)) {
            return FALSE;
        }
        if (statement->kind != SS_STATEMENT_AWAIT_THREAD) {
            continue;
        }
        for (unsigned j = 0; j < parser->scenario->threads->len && !found; j++) {
            const SsScenarioThread *thread = g_ptr_array_index(parser->scenario->threads, j);

            found = strcmp(thread->name, statement->name) == 0;
        }
        if (!found) {
            parser->line = statement->line;
            return ss_parser_fail(parser, error, "no thread \"%s\"", statement->name);
        }
    }
    return TRUE;
}

static gboolean parse_lines(SsParser *parser, char **lines, GError **error)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(Block));

    for (unsigned i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) words = NULL;

        parser->line = i + 1;
        words = split_line(lines[i], &parser->count);
        parser->words = words;
        if (parser->count > 0 && !parse_line(parser, blocks, error)) {
            return FALSE;
        }
    }
    if (blocks->len > 0) {
        parser->line = g_array_index(blocks, Block, blocks->len - 1).line;
        return ss_parser_fail(parser, error, "the block that begins here has no \"end\"");
    }
    return check_awaited_threads(parser, parser->scenario->body, error);
}

SsScenario *ss_scenario_parse(const char *path, const char *text, GError **error)
{
    g_autoptr(SsScenario) scenario = ss_scenario_new(path);
    g_autoptr(GPtrArray) loops = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    SsParser parser = { .scenario = scenario, .loops = loops, .line = 1 };

    if (!g_utf8_validate(text, -1, NULL)) {
        (void)ss_parser_fail(&parser, error, "the text is not UTF-8");
        return NULL;
    }
    if (!parse_lines(&parser, lines, error)) {
        return NULL;
    }
    return g_steal_pointer(&scenario);
}

SsScenario *ss_scenario_load(const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = NULL;
    size_t length;

    if (!g_file_get_contents(path, &text, &length, &reason)) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot read scenario: file=\"%s\": %s", path,
                    reason->message);
        return NULL;
    }
    if (strlen(text) != length) {
        g_set_error(error, SS_SCENARIO_ERROR, 0,
                    "Cannot read scenario: file=\"%s\": it contains a NUL byte", path);
        return NULL;
    }
    return ss_scenario_parse(path, text, error);
}
