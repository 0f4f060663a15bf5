/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/looked.h"

#include "analysis/model/model.h"
#include "analysis/report/names.h"

/* Others that the process serves are named up to this number, and counted beyond. */
#define MAX_NAMED 4
#define DEVICE_COLUMNS 24

/* Requests of the front-end, by their numbers in the vhost-user specification. */
enum {
    GET_VRING_BASE = 11,
    SET_VRING_ENABLE = 18,
};

/* "dev0", or "dev0 of VM web-17" when that is another one than the finding's. */
static char *lost_text(const SsDevice *device, const SsDevice *of)
{
    g_autofree char *name = ss_device_label(device, DEVICE_COLUMNS);
    if (device->process == of->process) {
        return g_steal_pointer(&name);
    }
    return *device->process->vm ? g_strdup_printf("%s of VM %s", name, device->process->vm)
                                : g_strdup_printf("%s of process %d", name, device->process->pid);
}

/* All that the process at the other end serves: its end is the end of all. */
static char *all_lost(const SsPeer *peer, const SsDevice *of)
{
    const GPtrArray *peers = peer->process->peers;
    GString *text = g_string_new(NULL);
    g_autofree char *first = lost_text(of, of);
    guint more = 0;
    g_string_append(text, first);
    for (guint i = 0; i < peers->len; i++) {
        const SsPeer *other = g_ptr_array_index(peers, i);
        if (!other->device || other->device == of) {
            continue;
        }
        if (++more < MAX_NAMED) {
            g_autofree char *name = lost_text(other->device, of);
            g_string_append_printf(text, ", %s", name);
        }
    }
    if (more >= MAX_NAMED) {
        g_string_append_printf(text, " and %u more", more - MAX_NAMED + 1);
    }
    return g_string_free(text, FALSE);
}

/* Sent to a back-end whose device is stopped: by a guest's reset, above all. */
static bool is_of_a_stop(guint32 request)
{
    return request == SET_VRING_ENABLE || request == GET_VRING_BASE;
}

void ss_looked_remedy(SsFinding *finding, const SsDevice *device, guint32 request)
{
    const SsPeer *peer = device->peer;
    if (!peer || !peer->looked) {
        return;
    }
    if (peer->answers < SS_ANSWERS_DOUBTFUL) {
        finding->remedy_own =
            g_strdup_printf("see what process %d does: shmemscope now --stacks %d",
                            peer->process->pid, peer->process->pid);
        finding->remedy_now = finding->remedy_own;
        return;
    }
    g_autofree char *lost = all_lost(peer, device);
    finding->remedy_own = g_strdup_printf("end process %d", peer->process->pid);
    finding->remedy_now = finding->remedy_own;
    guint held = device->held ? device->held->len : 0;
    finding->costs = g_strdup_printf(
        "%sthe guest loses %s until it is reset%s",
        is_of_a_stop(request) ? "QEMU 11.1.2 aborts then, an assertion fails; of others " : "",
        lost, held ? "; what is mapped may stay till then" : "");
}
