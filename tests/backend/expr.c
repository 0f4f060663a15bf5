/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr.h"

#include <errno.h>
#include <string.h>

typedef enum {
    SS_EXPR_LITERAL,
    SS_EXPR_VARIABLE,
    SS_EXPR_ADD,
    SS_EXPR_SUBTRACT,
    SS_EXPR_MULTIPLY,
    SS_EXPR_DIVIDE,
    SS_EXPR_REMAINDER,
} SsExprKind;

struct SsExpr {
    SsExprKind kind;
    uint64_t value; /* of a literal, or the variable's place in the values */
    SsExpr *left;   /* owned; NULL for a literal and a variable */
    SsExpr *right;  /* owned; likewise */
};

typedef struct {
    const char *at;             /* weak: the rest of the text */
    const GPtrArray *variables; /* weak, may be NULL */
    unsigned depth;             /* open parentheses */
    char *reason;               /* owned: why it failed */
} Reader;

/* Bounds the recursion: a scenario is a person's text, no nest of brackets. */
#define MAX_DEPTH 32

static SsExpr *read_sum(Reader *reader);

void ss_expr_free(SsExpr *expr)
{
    if (expr == NULL) {
        return;
    }
    ss_expr_free(expr->left);
    ss_expr_free(expr->right);
    g_free(expr);
}

static void fail(Reader *reader, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void fail(Reader *reader, const char *format, ...)
{
    va_list args;

    if (reader->reason != NULL) {
        return;
    }
    va_start(args, format);
    reader->reason = g_strdup_vprintf(format, args);
    va_end(args);
}

static SsExpr *new_leaf(SsExprKind kind, uint64_t value)
{
    SsExpr *expr = g_new0(SsExpr, 1);

    expr->kind = kind;
    expr->value = value;
    return expr;
}

static SsExpr *read_literal(Reader *reader)
{
    const char *start = reader->at;
    char *end = NULL;
    unsigned shift = 0;
    uint64_t value;

    errno = 0;
    value = g_ascii_strtoull(start, &end, start[0] == '0' && start[1] == 'x' ? 16 : 10);
    if (errno == ERANGE) {
        fail(reader, "number \"%.*s\" does not fit 64 bits", (int)(end - start), start);
        return NULL;
    }
    if (*end == 'K') {
        shift = 10;
    } else if (*end == 'M') {
        shift = 20;
    } else if (*end == 'G') {
        shift = 30;
    }
    if (shift != 0) {
        end++;
        if (value > UINT64_MAX >> shift) {
            fail(reader, "number \"%.*s\" does not fit 64 bits", (int)(end - start), start);
            return NULL;
        }
    }
    if (g_ascii_isalnum(*end)) {
        fail(reader, "\"%s\" is not a number", start);
        return NULL;
    }
    reader->at = end;
    return new_leaf(SS_EXPR_LITERAL, value << shift);
}

static SsExpr *read_variable(Reader *reader)
{
    const char *start = reader->at + 1;
    size_t length = 0;
    unsigned i;

    while (g_ascii_isalnum(start[length]) || start[length] == '_') {
        length++;
    }
    i = reader->variables != NULL ? reader->variables->len : 0;
    while (i > 0) {
        const char *name = g_ptr_array_index(reader->variables, i - 1);

        if (strlen(name) == length && strncmp(name, start, length) == 0) {
            reader->at = start + length;
            return new_leaf(SS_EXPR_VARIABLE, i - 1);
        }
        i--;
    }
    fail(reader, "no loop variable \"$%.*s\" here", (int)length, start);
    return NULL;
}

static SsExpr *read_operand(Reader *reader)
{
    SsExpr *expr;

    if (g_ascii_isdigit(*reader->at)) {
        return read_literal(reader);
    }
    if (*reader->at == '$') {
        return read_variable(reader);
    }
    if (*reader->at != '(') {
        fail(reader,
             *reader->at == '\0' ? "a number is missing at the end"
                                 : "a number is expected at \"%s\"",
             reader->at);
        return NULL;
    }
    if (++reader->depth > MAX_DEPTH) {
        fail(reader, "more than %d parentheses deep", MAX_DEPTH);
        return NULL;
    }
    reader->at++;
    expr = read_sum(reader);
    if (expr != NULL && *reader->at != ')') {
        fail(reader, "\")\" is missing");
        ss_expr_free(expr);
        return NULL;
    }
    if (expr != NULL) {
        reader->at++;
    }
    reader->depth--;
    return expr;
}

/* Joins `left` (taken) with the operand that `read` delivers. */
static SsExpr *read_right(Reader *reader, SsExprKind kind, SsExpr *left,
                          SsExpr *(*read)(Reader *reader))
{
    g_autoptr(SsExpr) owned = left;
    SsExpr *right;
    SsExpr *expr;

    reader->at++;
    right = read(reader);
    if (right == NULL) {
        return NULL;
    }
    expr = new_leaf(kind, 0);
    expr->left = g_steal_pointer(&owned);
    expr->right = right;
    return expr;
}

static SsExpr *read_product(Reader *reader)
{
    SsExpr *expr = read_operand(reader);

    while (expr != NULL) {
        if (*reader->at == '*') {
            expr = read_right(reader, SS_EXPR_MULTIPLY, expr, read_operand);
        } else if (*reader->at == '/') {
            expr = read_right(reader, SS_EXPR_DIVIDE, expr, read_operand);
        } else if (*reader->at == '%') {
            expr = read_right(reader, SS_EXPR_REMAINDER, expr, read_operand);
        } else {
            break;
        }
    }
    return expr;
}

static SsExpr *read_sum(Reader *reader)
{
    SsExpr *expr = read_product(reader);

    while (expr != NULL) {
        if (*reader->at == '+') {
            expr = read_right(reader, SS_EXPR_ADD, expr, read_product);
        } else if (*reader->at == '-') {
            expr = read_right(reader, SS_EXPR_SUBTRACT, expr, read_product);
        } else {
            break;
        }
    }
    return expr;
}

SsExpr *ss_expr_parse(const char *text, const GPtrArray *variables, char **ret_reason)
{
    Reader reader = { .at = text, .variables = variables };
    g_autoptr(SsExpr) expr = read_sum(&reader);

    if (expr != NULL && *reader.at != '\0') {
        fail(&reader, "\"%s\" after the number is not understood", reader.at);
    }
    if (reader.reason != NULL) {
        *ret_reason = reader.reason;
        return NULL;
    }
    return g_steal_pointer(&expr);
}

gboolean ss_expr_eval(const SsExpr *expr, const uint64_t *values, uint64_t *ret_value)
{
    uint64_t left;
    uint64_t right;

    if (expr->kind == SS_EXPR_LITERAL) {
        *ret_value = expr->value;
        return TRUE;
    }
    if (expr->kind == SS_EXPR_VARIABLE) {
        *ret_value = values[expr->value];
        return TRUE;
    }
    if (!ss_expr_eval(expr->left, values, &left) || !ss_expr_eval(expr->right, values, &right)) {
        return FALSE;
    }
    if (right == 0 && (expr->kind == SS_EXPR_DIVIDE || expr->kind == SS_EXPR_REMAINDER)) {
        return FALSE;
    }
    switch (expr->kind) {
    case SS_EXPR_ADD:
        *ret_value = left + right;
        break;
    case SS_EXPR_SUBTRACT:
        *ret_value = left - right;
        break;
    case SS_EXPR_MULTIPLY:
        *ret_value = left * right;
        break;
    case SS_EXPR_DIVIDE:
        *ret_value = left / right;
        break;
    case SS_EXPR_REMAINDER:
        *ret_value = left % right;
        break;
    case SS_EXPR_LITERAL:
    case SS_EXPR_VARIABLE:
        g_assert_not_reached();
    }
    return TRUE;
}
