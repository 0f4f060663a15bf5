/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A bug on purpose, to see whether the fuzzer finds one. The linker puts it in front of
 * ss_wait_event(): the end of a wait, when the back-end channel of the same device was closed
 * since the wait began, clears one step too many of what it believes to be a journal. Three
 * events have to agree, in order: in device, thread and number.
 */
#include "analysis/model/parts.h"

#define STEPS 4

void __real_ss_wait_event(SsModel *model, SsProcess *process, SsThread *thread,
                          const SsEvent *event);
void __wrap_ss_wait_event(SsModel *model, SsProcess *process, SsThread *thread,
                          const SsEvent *event);

void __wrap_ss_wait_event(SsModel *model, SsProcess *process, SsThread *thread,
                          const SsEvent *event)
{
    const SsWait *wait = &thread->wait;
    if (event->id == SS_EVENT_VHOST_USER_REPLY_READ && thread->waiting && wait->device &&
        wait->device->dev == event->u.vhost_user_reply_read.dev &&
        wait->seq == event->u.vhost_user_reply_read.seq &&
        wait->device->backend_channel == SS_CHANNEL_CLOSED &&
        wait->device->disconnect_ns > wait->begin_ns) {
        g_autofree SsStep *steps = g_new0(SsStep, STEPS);
        for (volatile guint i = 0; i <= STEPS; i++) {
            steps[i].ns = 0;
        }
    }
    __real_ss_wait_event(model, process, thread, event);
}
