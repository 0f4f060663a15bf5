/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/wait-text.h"

#include "analysis/report/names.h"

static char *context_text(const SsContext *context)
{
    g_autofree char *request = ss_backend_request_text(context->request);
    switch (context->kind) {
    case SS_CONTEXT_DISPATCH:
        return g_strdup_printf("the dispatch of %s #%" G_GUINT64_FORMAT, request, context->seq);
    case SS_CONTEXT_COMMIT:
        if (!context->seq) {
            return g_strdup("a memory commit");
        }
        return g_strdup_printf("the %scommit of %s #%" G_GUINT64_FORMAT,
                               context->deferred ? "deferred " : "", request, context->seq);
    case SS_CONTEXT_START:
        return g_strdup("the start of the device");
    case SS_CONTEXT_STOP:
        return g_strdup("the stop of the device");
    case SS_CONTEXT_RESET:
        return g_strdup("the reset of the device");
    case SS_CONTEXT_UNREALIZE:
        return g_strdup("the unplug of the device");
    }
    return g_strdup("something unknown");
}

char *ss_wait_inside_text(const SsWait *wait)
{
    GString *text = g_string_new(NULL);
    guint said = 0;
    if (!wait->begin_seen && !wait->n_contexts) {
        bool before = wait->begin_ns < wait->device->process->birth_ns;
        return g_strdup_printf(", sent inside what: not recorded%s",
                               before ? ", it began before the recording" : "");
    }
    for (guint i = wait->n_contexts; i > 0 && said < 3; i--) {
        const SsContext *context = &wait->contexts[i - 1];
        /* A commit that names its exchange has said whose dispatch it is in. */
        if (context->kind == SS_CONTEXT_DISPATCH && said) {
            continue;
        }
        g_autofree char *inside = context_text(context);
        g_string_append_printf(text, "%s inside %s", said ? "," : ", sent", inside);
        said++;
    }
    return g_string_free(text, FALSE);
}

char *ss_wait_text(const SsWait *wait)
{
    g_autofree char *request = ss_frontend_request_text(wait->request);
    g_autofree char *inside = ss_wait_inside_text(wait);
    return g_strdup_printf("waits for the reply to %s%s", request, inside);
}
