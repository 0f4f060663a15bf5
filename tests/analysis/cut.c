/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/analysis/cut.h"

#include <string.h>

#include "analysis/report/report.h"

guint ss_check_index(const char *id)
{
    /* Nearly always it is the check's own word. */
    for (guint i = 0; ss_all_checks[i]; i++) {
        if (ss_all_checks[i]->id == id) {
            return i;
        }
    }
    for (guint i = 0; ss_all_checks[i]; i++) {
        if (g_str_equal(ss_all_checks[i]->id, id)) {
            return i;
        }
    }
    g_error("no such check: %s", id);
}

const char *ss_check_name(guint index)
{
    return ss_all_checks[index]->id;
}

char *ss_verdict_text(guint64 set)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; ss_all_checks[i]; i++) {
        if (set & (G_GUINT64_CONSTANT(1) << i)) {
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", ss_all_checks[i]->id);
        }
    }
    return g_string_free(text, FALSE);
}

static gint64 time_of(const SsFixture *fixture, guint index)
{
    return g_array_index(fixture->events, SsEvent, index).ns;
}

static void tell_loss(SsFixture *fixture, const SsFixture *whole, const SsCut *cut)
{
    /* Told in any order: two threads' events need not be in order of time either. */
    gint64 begin = G_MAXINT64, end = G_MININT64;
    guint from = cut->wide && cut->from ? cut->from - 1 : cut->from;
    guint to = cut->wide ? MIN(cut->to + 1, whole->events->len) : cut->to;
    for (guint i = from; i < to; i++) {
        begin = MIN(begin, time_of(whole, i));
        end = MAX(end, time_of(whole, i));
    }
    SsLoss loss = { .begin_ns = begin, .end_ns = end, .events = cut->loss_events };
    guint at = 0;
    while (at < fixture->losses->len &&
           g_array_index(fixture->losses, SsLoss, at).begin_ns <= begin) {
        at++;
    }
    g_array_insert_val(fixture->losses, at, loss);
}

/* The recording stopped there: what ended later was alive, or will be known to have ended. */
static void stop_at(SsFixture *fixture, const SsCut *cut)
{
    fixture->end_ns = cut->reach_ns;
    for (guint i = 0; i < fixture->process_ends->len; i++) {
        SsFixtureEnd *end = &g_array_index(fixture->process_ends, SsFixtureEnd, i);
        if (cut->run_known) {
            end->ns = end->ns ? end->ns : cut->reach_ns + 10 * SS_NS_PER_S;
        } else if (end->ns > cut->reach_ns) {
            *end = (SsFixtureEnd){ .pid = end->pid, .end = SS_END_ALIVE };
        } else if (!end->ns) {
            *end = (SsFixtureEnd){ .pid = end->pid, .end = SS_END_UNKNOWN };
        }
    }
}

SsFixture *ss_cut_new(const SsFixture *whole, const SsCut *cut)
{
    SsFixture *fixture = g_memdup2(whole, sizeof(*whole));
    (void)g_array_ref(fixture->events);
    fixture->without_from = cut->from;
    fixture->without_to = cut->to;
    fixture->losses = g_array_copy(whole->losses);
    fixture->process_ends = g_array_copy(whole->process_ends);
    if (cut->told && cut->to > cut->from) {
        tell_loss(fixture, whole, cut);
    }
    if (cut->reach_ns) {
        stop_at(fixture, cut);
    }
    return fixture;
}

void ss_cut_free(SsFixture *fixture)
{
    g_array_unref(fixture->events);
    g_array_unref(fixture->losses);
    g_array_unref(fixture->process_ends);
    g_free(fixture);
}

SsVerdict ss_verdict_of(const SsModel *model, const SsChecks *checks, bool render)
{
    SsVerdict verdict = { 0 };
    for (guint i = 0; i < checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(checks->findings, i);
        guint64 bit = G_GUINT64_CONSTANT(1) << ss_check_index(finding->id);
        verdict.found |= bit;
        verdict.alarms |= finding->certainty >= SS_SUSPECTED ? bit : 0;
        verdict.observed |= finding->certainty == SS_OBSERVED ? bit : 0;
    }
    for (guint i = 0; i < checks->left_out->len; i++) {
        const char *id = g_ptr_array_index(checks->left_out, i);
        verdict.undecided |= G_GUINT64_CONSTANT(1) << ss_check_index(id);
    }
    for (guint i = 0; i < checks->not_here->len; i++) {
        const char *id = g_ptr_array_index(checks->not_here, i);
        verdict.undecided |= G_GUINT64_CONSTANT(1) << ss_check_index(id);
    }
    for (guint i = 0; i < checks->alone->len; i++) {
        const char *id = g_ptr_array_index(checks->alone, i);
        verdict.undecided |= G_GUINT64_CONSTANT(1) << ss_check_index(id);
    }
    for (guint i = 0; i < checks->undecided->len; i++) {
        const SsUndecided *undecided = g_ptr_array_index(checks->undecided, i);
        guint64 bit = G_GUINT64_CONSTANT(1) << ss_check_index(undecided->check);
        verdict.doubted |= bit;
        verdict.undecided |= undecided->partial ? 0 : bit;
    }
    if (render) {
        SsReport report = { .model = (SsModel *)model,
                            .checks = (SsChecks *)checks,
                            .version = "test" };
        g_autofree char *text = ss_report_text(&report);
        verdict.clear = strstr(text, "\nNothing found.\n") != NULL;
    }
    return verdict;
}

SsVerdict ss_cut_judge(const SsFixture *fixture, bool render)
{
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    ss_fixture_feed(fixture, model);
    ss_checks_finish(checks);
    return ss_verdict_of(model, checks, render);
}
