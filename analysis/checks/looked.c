/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/looked.h"

#include "analysis/checks/backend-alone.h"
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
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
static bool is_of_a_stop(const SsInbox *inbox)
{
    return inbox->request == SET_VRING_ENABLE || inbox->request == GET_VRING_BASE;
}

void ss_looked_see(SsFinding *finding, gint32 pid)
{
    finding->remedy_own =
        g_strdup_printf("see what process %d does: shmemscope now --stacks %d", pid, pid);
    finding->remedy_now = finding->remedy_own;
}

/* Ends the back-end that is looked at, when it is known. */
static void end_backend(SsFinding *finding, const SsDevice *device)
{
    const SsPeer *peer = device->peer;
    if (!peer || !peer->looked) {
        return;
    }
    if (peer->answers < SS_ANSWERS_DOUBTFUL) {
        ss_looked_see(finding, peer->process->pid);
        return;
    }
    g_autofree char *lost = all_lost(peer, device);
    finding->remedy_own = g_strdup_printf("end process %d", peer->process->pid);
    finding->remedy_now = finding->remedy_own;
    bool held = device->held && device->held->len;
    finding->costs = g_strdup_printf("%sthe guest loses %s until it is reset%s",
                                     is_of_a_stop(&peer->inbox) && !device->process->called
                                         ? "QEMU 11.1.2 aborts then, an assertion fails; of others "
                                         : "",
                                     lost, held ? "; what is mapped may stay till then" : "");
}

/* "its main thread waits so, and none of its 2 others ..." */
static char *others_text(const SsPeer *peer, const SsPeerWait *own)
{
    g_autofree char *thread = ss_peer_thread_text(peer, own->tid);
    guint others = peer->n_seen - 1;
    if (!others) {
        return g_strdup("its only thread is the one that waits");
    }
    if (peer->answers != SS_ANSWERS_NOBODY) {
        return g_strdup_printf("its %s waits so; it has %u other%s", thread, others,
                               others == 1 ? "" : "s");
    }
    return others == 1
               ? g_strdup_printf("its %s waits so, and the other is not there to answer", thread)
               : g_strdup_printf("its %s waits so, and none of the %u others is there to "
                                 "answer",
                                 thread, others);
}

void ss_looked_state(SsFinding *finding, const SsPeer *peer, const SsPeerWait *own)
{
    g_autofree char *backend = ss_peer_text(peer);
    g_autofree char *request = ss_inbox_request_text(&peer->inbox);
    g_autofree char *others = others_text(peer, own);
    g_autofree char *asked = g_strdup_printf(
        "%s's request", peer->device ? ss_front_text(peer->device->process) : "QEMU");
    ss_finding_state(finding, backend,
                     peer->inbox.bytes ? g_strdup_printf("%s; %s lies unread in its socket", others,
                                                         peer->inbox.request ? request : asked)
                                       : g_strdup_printf("%s; it has read %s", others, asked));
}

void ss_looked_deadlock(SsFinding *finding, const SsWait *wait, bool proven)
{
    const SsPeer *peer = wait->device->peer;
    if (!proven && !finding->condition) {
        finding->condition =
            !peer ? g_strdup(
                        "not visible: who the back-end is; needs the same user, or CAP_SYS_PTRACE")
            : peer->process->unseen
                ? g_strdup_printf("not visible: %s", peer->process->unseen)
                : g_strdup_printf("not visible: that nobody else answers; %s",
                                  peer->doubt ? peer->doubt : "it has other threads");
    }
    finding->at_least = wait->at_least;
    end_backend(finding, wait->device);
}

/* Only the back-end could be seen, and waits. */
static bool judge_unseen_device(SsChecks *checks, const SsCheck *check, SsDevice *device, gint64 ns)
{
    SsPeer *peer = device->peer;
    SsAlone alone = peer && peer->looked ? ss_alone_judge(checks->model, peer) : (SsAlone){ 0 };
    if (alone.kind != SS_ALONE_CYCLE) {
        return false;
    }
    g_autofree char *place = g_strdup_printf("peer|%" G_GUINT64_FORMAT, peer->conn);
    SsFinding *finding = ss_checks_report(
        checks, check, SS_SUSPECTED, device->process, device, alone.own->begin_ns, ns, place,
        g_strdup_printf("%s and its back-end wait for each other", ss_front_text(device->process)));
    if (finding) {
        g_autofree char *backend = ss_peer_text(peer);
        finding->duration_ns = (gint64)alone.own->waited_ms * SS_NS_PER_MS;
        ss_finding_state(finding, backend, ss_peer_wait_text(peer, alone.own));
        ss_looked_state(finding, peer, alone.own);
        finding->condition = g_strdup_printf(
            "not visible of %s: %s", ss_front_text(device->process), device->process->unseen);
        end_backend(finding, device);
    }
    return true;
}

void ss_looked_unseen(SsChecks *checks, const SsCheck *check, SsProcess *process, gint64 ns)
{
    bool told = !process->unseen || !ss_process_looked(process) || ss_process_is_backend(process);
    for (guint i = 0; !told && i < process->devices->len; i++) {
        told = judge_unseen_device(checks, check, g_ptr_array_index(process->devices, i), ns);
    }
    SsFinding *finding =
        told ? NULL
             : ss_checks_report(checks, check, SS_UNKNOWN, process, NULL, process->birth_ns, ns,
                                "unseen", g_strdup("whether it is stuck cannot be told"));
    if (finding) {
        finding->condition = g_strdup_printf("not visible: %s", process->unseen);
        finding->remedy_now = finding->remedy_for_good = NULL;
    }
}
