/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A front-end whose connection lies in the backlog of a listener: it may send, and waits for an
 * answer that nobody gives before the connection is accepted.
 */
#include "analysis/autopsy/tell-parts.h"
#include "analysis/model/text.h"

bool ss_tell_is_pending(const SsLook *look, const SsSeenChannel *channel)
{
    const SsSeenSocket *end = ss_look_socket(look, channel->front_inode);
    return channel->front_inode && !channel->back_inode && end && end->known && !end->peer &&
           end->pending_at;
}

/* "its main thread stands in pause; it has 3 others, 2 of which stand still" */
static char *does_text(const SsTell *tell, const SsSeenProcess *process)
{
    const SsSeenThread *main = ss_seen_thread(process, process->pid);
    guint others = process->threads->len - 1;
    guint still = 0;
    if (!main) {
        return g_strdup("what its threads do could not be seen");
    }
    g_autofree char *does =
        ss_tell_stands(tell, process, main, others ? "main thread" : "only thread");
    for (guint i = 0; i < process->threads->len; i++) {
        const SsSeenThread *thread = g_ptr_array_index(process->threads, i);
        still += thread != main && ss_tell_stood(tell, process, thread);
    }
    return !others ? g_steal_pointer(&does)
                   : g_strdup_printf("%s; it has %u other%s, of which %u stood still", does, others,
                                     others == 1 ? "" : "s", still);
}

SsListener *ss_tell_listener(const SsTell *tell, const SsSeenChannel *channel)
{
    const SsSeenProcess *process = ss_look_process(tell->now, channel->back_pid);
    SsListener *listener = g_new0(SsListener, 1);
    bool is_seen = process && !process->ended;
    listener->pid = is_seen ? process->pid : 0;
    listener->name = is_seen ? ss_text_sanitize(process->comm, 0) : g_strdup("");
    listener->does = is_seen ? does_text(tell, process) : g_strdup("");
    return listener;
}
