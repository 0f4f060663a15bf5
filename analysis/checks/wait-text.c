/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/wait-text.h"

#include "analysis/checks/finding.h"
#include "analysis/model/model.h"

#include "analysis/report/names.h"

/* Columns of another device's name. */
#define DEVICE_COLUMNS 24

/* " of the device", or " of device dev1" when it is not the one that is waited for: the
 * commit of one device's request tells every back-end of the VM. */
static char *owner_text(const SsContext *context, const SsWait *wait, const char *own)
{
    const SsDevice *device = context->device;
    if (!device || device == wait->device) {
        return g_strdup(own);
    }
    g_autofree char *name = ss_device_label(device, DEVICE_COLUMNS);
    return g_strdup_printf(" of device %s", name);
}

/* "SHMEM_MAP #2 "context 3"". */
static char *request_text(const SsContext *context)
{
    g_autofree char *request = ss_backend_request_text(context->request);
    return ss_labelled_text(g_strdup_printf("%s #%" G_GUINT64_FORMAT, request, context->seq),
                            ss_exchange_label(context->device, context->seq));
}

static char *context_text(const SsContext *context, const SsWait *wait)
{
    bool exchange = context->kind == SS_CONTEXT_DISPATCH || context->kind == SS_CONTEXT_COMMIT;
    g_autofree char *request = request_text(context);
    g_autofree char *owner = owner_text(context, wait, exchange ? "" : " of the device");
    switch (context->kind) {
    case SS_CONTEXT_DISPATCH:
        return g_strdup_printf("the dispatch of %s%s", request, owner);
    case SS_CONTEXT_COMMIT:
        if (!context->seq) {
            return g_strdup("a memory commit");
        }
        return g_strdup_printf("the %scommit of %s%s", context->deferred ? "deferred " : "",
                               request, owner);
    case SS_CONTEXT_START:
        return g_strdup_printf("the start%s", owner);
    case SS_CONTEXT_STOP:
        return g_strdup_printf("the stop%s", owner);
    case SS_CONTEXT_RESET:
        return g_strdup_printf("the reset%s", owner);
    case SS_CONTEXT_UNREALIZE:
        return g_strdup_printf("the unplug%s", owner);
    }
    return g_strdup("something unknown");
}

char *ss_wait_inside_text(const SsWait *wait)
{
    guint said = 0;
    if (ss_process_looked(wait->device->process)) {
        return g_strdup("");
    }
    if (!wait->begin_seen && !wait->n_contexts) {
        bool before = wait->begin_ns < wait->device->process->birth_ns;
        return g_strdup_printf(", sent inside what: not recorded%s",
                               before ? ", it began before the recording" : "");
    }
    GString *text = g_string_new(NULL);
    for (guint i = wait->n_contexts; i > 0 && said < 3; i--) {
        const SsContext *context = &wait->contexts[i - 1];
        /* A commit that names its exchange has said whose dispatch it is in. */
        if (context->kind == SS_CONTEXT_DISPATCH && said) {
            continue;
        }
        g_autofree char *inside = context_text(context, wait);
        g_string_append_printf(text, "%s inside %s", said ? "," : ", sent", inside);
        said++;
    }
    return g_string_free(text, FALSE);
}

static char *window_part(const SsContext *context, const SsWait *wait)
{
    static const char *const phases[] = {
        [SS_CONTEXT_START] = "start",
        [SS_CONTEXT_STOP] = "stop",
        [SS_CONTEXT_RESET] = "reset",
        [SS_CONTEXT_UNREALIZE] = "unplug",
    };
    bool other = context->device && context->device != wait->device;
    const char *owner = other ? "another device's " : "";
    g_autofree char *request = ss_backend_request_text(context->request);
    switch (context->kind) {
    case SS_CONTEXT_DISPATCH:
        return g_strdup_printf("dispatch of %s%s", owner, request);
    case SS_CONTEXT_COMMIT:
        return context->seq ? g_strdup_printf("%scommit of %s%s",
                                              context->deferred ? "deferred " : "", owner, request)
                            : g_strdup("commit");
    default:
        return g_strdup_printf("%s%s", phases[context->kind], other ? " of another device" : "");
    }
}

char *ss_wait_window_text(const SsWait *wait)
{
    GString *text = g_string_new(NULL);
    SsContext chain[SS_MAX_CONTEXTS];
    for (guint i = ss_wait_chain(wait, chain); i > 0; i--) {
        g_autofree char *part = window_part(&chain[i - 1], wait);
        g_string_append_printf(text, "%s%s", text->len ? ", in " : "", part);
    }
    return g_string_free(text, FALSE);
}

char *ss_inbox_request_text(const SsInbox *inbox)
{
    if (!inbox->request) {
        return g_strdup(inbox->bytes ? "a request that could not be read"
                                     : "a request that the back-end has read");
    }
    g_autofree char *request = ss_frontend_request_text(inbox->request);
    if (!inbox->entries) {
        return g_steal_pointer(&request);
    }
    return g_strdup_printf("%s (%u region%s%s)", request, inbox->entries,
                           inbox->entries == 1 ? "" : "s", inbox->by_size ? ", by its size" : "");
}

char *ss_wait_request_text(const SsWait *wait)
{
    if (wait->device->listener) {
        return g_strdup("a request of the handshake"); /* nothing was answered over it yet */
    }
    if (!wait->inbox && !wait->request && ss_process_looked(wait->device->process)) {
        return g_strdup("a request that could not be read");
    }
    return wait->inbox ? ss_inbox_request_text(wait->inbox)
                       : ss_frontend_request_text(wait->request);
}

char *ss_wait_text(const SsWait *wait)
{
    g_autofree char *request = ss_wait_request_text(wait);
    g_autofree char *inside = ss_wait_inside_text(wait);
    return g_strdup_printf("waits for the reply to %s%s", request, inside);
}
