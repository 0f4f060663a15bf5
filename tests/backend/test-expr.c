/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr.h"

#include <string.h>

static GPtrArray *variables(void)
{
    GPtrArray *names = g_ptr_array_new();

    g_ptr_array_add(names, (void *)"i");
    g_ptr_array_add(names, (void *)"round");
    g_ptr_array_add(names, (void *)"i");
    return names;
}

static void test_values(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        { "0", 0 },
        { "4096", 4096 },
        { "0x1000", 4096 },
        { "64K", 65536 },
        { "16M", UINT64_C(16) << 20 },
        { "3G", UINT64_C(3) << 30 },
        { "0xffffffffffffffff", UINT64_MAX },
        { "1+2*3", 7 },
        { "(1+2)*3", 9 },
        { "10-2-3", 5 },
        { "7/2", 3 },
        { "7%4*4K", 3 * 4096 },
        { "0-0x1000", UINT64_C(0xfffffffffffff000) },
        { "0x8000000000000000*2", 0 },
        /* The innermost of two variables of the same name. */
        { "$i*0x1000", 7 * 4096 },
        { "$round", 5 },
        { "$i%4+$round", 8 },
    };
    const uint64_t values[] = { 3, 5, 7 };
    g_autoptr(GPtrArray) names = variables();

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *reason = NULL;
        g_autoptr(SsExpr) expr = ss_expr_parse(cases[i].text, names, &reason);
        uint64_t value = 0;

        g_assert_cmpstr(reason, ==, NULL);
        g_assert_nonnull(expr);
        g_assert_true(ss_expr_eval(expr, values, &value));
        g_test_message("%s", cases[i].text);
        g_assert_cmpuint(value, ==, cases[i].value);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        { "", "a number is missing at the end" },
        { "1+", "a number is missing at the end" },
        { "x", "a number is expected at \"x\"" },
        { "1++2", "a number is expected at \"+2\"" },
        { "-1", "a number is expected at \"-1\"" },
        { "12T", "\"12T\" is not a number" },
        { "0x1000KB", "\"0x1000KB\" is not a number" },
        { "1 2", "\" 2\" after the number is not understood" },
        { "(1", "\")\" is missing" },
        { "1)", "\")\" after the number is not understood" },
        { "$j", "no loop variable \"$j\" here" },
        { "$", "no loop variable \"$\" here" },
        { "$round1", "no loop variable \"$round1\" here" },
        { "18446744073709551616", "number \"18446744073709551616\" does not fit 64 bits" },
        { "0x400000000G", "number \"0x400000000G\" does not fit 64 bits" },
    };
    g_autoptr(GPtrArray) names = variables();

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *reason = NULL;
        g_autoptr(SsExpr) expr = ss_expr_parse(cases[i].text, names, &reason);

        g_assert_null(expr);
        g_assert_cmpstr(reason, ==, cases[i].reason);
    }
}

static void test_depth(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *reason = NULL;
    g_autoptr(SsExpr) expr = NULL;

    for (unsigned i = 0; i < 100000; i++) {
        g_string_append_c(text, '(');
    }
    expr = ss_expr_parse(text->str, NULL, &reason);
    g_assert_null(expr);
    g_assert_cmpstr(reason, ==, "more than 32 parentheses deep");
}

static void test_division_by_zero(void)
{
    static const char *const texts[] = { "1/0", "1%0", "1/(2-2)", "2+3%(1-1)" };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *reason = NULL;
        g_autoptr(SsExpr) expr = ss_expr_parse(texts[i], NULL, &reason);
        uint64_t value = 42;

        g_assert_nonnull(expr);
        g_assert_false(ss_expr_eval(expr, NULL, &value));
        g_assert_cmpuint(value, ==, 42);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/expr/values", test_values);
    g_test_add_func("/expr/refused", test_refused);
    g_test_add_func("/expr/depth", test_depth);
    g_test_add_func("/expr/division-by-zero", test_division_by_zero);
    return g_test_run();
}
