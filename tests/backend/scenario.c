/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scenario.h"

G_DEFINE_QUARK(ss - scenario - error - quark, ss_scenario_error)

static void scenario_file_free(void *data)
{
    SsScenarioFile *file = data;

    g_free(file->name);
    g_free(file);
}

static void scenario_thread_free(void *data)
{
    SsScenarioThread *thread = data;

    g_free(thread->name);
    g_ptr_array_unref(thread->body);
    g_free(thread);
}

SsScenario *ss_scenario_new(const char *path)
{
    SsScenario *scenario = g_new0(SsScenario, 1);

    scenario->path = g_strdup(path);
    scenario->reply_ack = TRUE;
    scenario->mem_slots = TRUE;
    scenario->shmem_bit = 22;
    scenario->files = g_ptr_array_new_with_free_func(scenario_file_free);
    scenario->threads = g_ptr_array_new_with_free_func(scenario_thread_free);
    scenario->body = g_ptr_array_new_with_free_func((GDestroyNotify)ss_statement_free);
    return scenario;
}

void ss_scenario_free(SsScenario *scenario)
{
    if (scenario == NULL) {
        return;
    }
    g_free(scenario->path);
    g_ptr_array_unref(scenario->files);
    g_ptr_array_unref(scenario->threads);
    g_ptr_array_unref(scenario->body);
    g_free(scenario);
}

SsStatement *ss_statement_new(SsStatementKind kind, unsigned line)
{
    SsStatement *statement = g_new0(SsStatement, 1);

    statement->kind = kind;
    statement->line = line;
    statement->file = -1;
    return statement;
}

void ss_statement_free(SsStatement *statement)
{
    if (statement == NULL) {
        return;
    }
    if (statement->shmem != NULL) {
        for (unsigned i = 0; i < SS_SHMEM_NUMBERS; i++) {
            ss_expr_free(statement->shmem->numbers[i]);
        }
        g_free(statement->shmem->tag);
        g_free(statement->shmem);
    }
    if (statement->body != NULL) {
        g_ptr_array_unref(statement->body);
    }
    ss_expr_free(statement->first);
    ss_expr_free(statement->second);
    g_free(statement->name);
    g_free(statement);
}

const char *ss_statement_word(const SsStatement *statement)
{
    switch (statement->kind) {
    case SS_STATEMENT_AWAIT_START:
    case SS_STATEMENT_AWAIT_REQUEST:
    case SS_STATEMENT_AWAIT_SIGNAL:
    case SS_STATEMENT_AWAIT_THREAD:
        return "await";
    case SS_STATEMENT_SIGNAL:
        return "signal";
    case SS_STATEMENT_MAP:
        return "map";
    case SS_STATEMENT_UNMAP:
        return "unmap";
    case SS_STATEMENT_REPLIES:
        return "replies";
    case SS_STATEMENT_SERVE_IDLE:
    case SS_STATEMENT_SERVE_UNTIL_STOP:
    case SS_STATEMENT_SERVE_UNTIL_CLOSE:
    case SS_STATEMENT_SERVE_UNTIL_REQUEST:
        return "serve";
    case SS_STATEMENT_REPEAT:
        return statement->timed ? "timed" : "repeat";
    case SS_STATEMENT_DELAY:
        return "delay";
    case SS_STATEMENT_WRITE:
        return "write";
    case SS_STATEMENT_CHECK:
        return "check";
    case SS_STATEMENT_NOTE:
        return "note";
    case SS_STATEMENT_KILL:
        return "kill";
    case SS_STATEMENT_CLOSE_BACKEND:
    case SS_STATEMENT_CLOSE_MAIN:
        return "close";
    case SS_STATEMENT_RECONNECT:
        return "reconnect";
    case SS_STATEMENT_EXIT:
        return "exit";
    }
    g_assert_not_reached();
}
