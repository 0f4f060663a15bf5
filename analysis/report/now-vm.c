/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The page of one VM: what is wrong, what was seen of both sides, what frees it and what that
 * costs. A stuck one fits a screen of 24 lines.
 */
#include "analysis/checks/peer-text.h"
#include "analysis/checks/wait-text.h"
#include "analysis/model/text.h"
#include "analysis/report/layout.h"
#include "analysis/report/names.h"
#include "analysis/report/now.h"
#include "analysis/report/text-parts.h"

#define LABEL 10
/* Of a process that listens. */
#define LISTENER_THREADS 4

static char *since_text(const SsEvidence *evidence, const SsSeenThread *thread)
{
    const SsLook *first = g_ptr_array_index(evidence->looks, 0);
    const SsLook *last = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    bool known = thread->last_ran_ns && thread->last_ran_ns <= first->ns;
    gint64 since = known ? thread->last_ran_ns : first->ns;
    g_autofree char *time = ss_duration_text(MAX(last->ns - since, 0));
    return g_strdup_printf("%s%s", known ? "" : "at least ", time);
}

/* "main thread (4311) in recvmsg for 12.3 s" */
static void add_thread(GString *out, const SsEvidence *evidence, const char *label, gint32 pid,
                       gint32 tid)
{
    const SsLook *look = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    const SsSeenProcess *process = ss_look_process(look, pid);
    const SsSeenThread *thread = process ? ss_seen_thread(process, tid) : NULL;
    if (!thread) {
        return;
    }
    const char *call = ss_call_name(thread->nr);
    g_autofree char *since = since_text(evidence, thread);
    g_autofree char *comm = ss_text_sanitize(thread->comm, 0);
    g_autofree char *text =
        g_strdup_printf("%s (%d) stands in %s for %s", tid == pid ? "main thread" : comm, tid,
                        call ? call : "a call", since);
    ss_text_labelled(out, LABEL, label, text);
}

static void add_inbox(GString *out, const char *label, const char *where, guint64 bytes,
                      const char *first)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT " bytes unread in %s%s%s", bytes,
                                            where, first ? ": " : "", first ? first : "");
    ss_text_labelled(out, LABEL, label, text);
}

static const SsThread *waiter_of(const SsDevice *device)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, device->process->threads);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const SsThread *thread = value;
        if ((thread->waiting && thread->wait.device == device) || thread->reading == device) {
            return thread;
        }
    }
    return NULL;
}

static void add_held(GString *out, const SsDevice *device)
{
    guint64 bytes = 0;
    guint fds = 0;
    for (guint i = 0; device->held && i < device->held->len; i++) {
        const SsHeld *held = &g_array_index(device->held, SsHeld, i);
        bytes += held->len;
        fds = MAX(fds, held->fds);
    }
    if (!bytes) {
        return;
    }
    g_autofree char *size = ss_size_text(bytes);
    g_autofree char *text =
        g_strdup_printf("%u mapping%s of the back-end's files in %s, %s", device->held->len,
                        device->held->len == 1 ? "" : "s", ss_front_text(device->process), size);
    ss_text_labelled(out, LABEL, "mapped", text);
}

/* What lies in the front-end's end of the device's back-end channel. */
static void add_front_inbox(GString *out, const SsDevice *device, const char *label,
                            const char *where)
{
    SsPeerWait next = { .looked = true,
                        .request = device->inbox.request,
                        .has_range = device->inbox.has_range,
                        .shm_offset = device->inbox.shm_offset,
                        .len = device->inbox.len };
    g_autofree char *first = next.request ? ss_peer_request_text(&next) : NULL;
    add_inbox(out, label, where, device->inbox.bytes, first);
}

/* The end at which a thread of the back-end waits itself: the device's own, or that of another
 * device of the same VM. */
static const SsPeer *waiting_peer(const SsPeer *peer)
{
    for (guint i = 0; peer && i <= peer->process->peers->len; i++) {
        const SsPeer *other = i ? g_ptr_array_index(peer->process->peers, i - 1) : peer;
        bool same =
            other->device && peer->device && other->device->process == peer->device->process;
        if (same && ss_peer_wait(other)) {
            return other;
        }
    }
    return NULL;
}

/* Threads of who listens, the first that stand; each of the others may still accept. */
static void add_listener(GString *out, const SsEvidence *evidence, gint32 pid)
{
    const SsLook *first = g_ptr_array_index(evidence->looks, 0);
    const SsLook *last = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    const SsSeenProcess *before = ss_look_process(first, pid);
    const SsSeenProcess *process = ss_look_process(last, pid);
    guint shown = 0;
    for (guint i = 0; process && i < process->threads->len && shown < LISTENER_THREADS; i++) {
        const SsSeenThread *thread = g_ptr_array_index(process->threads, i);
        const SsSeenThread *was = before ? ss_seen_thread(before, thread->tid) : NULL;
        if (was && thread->call == SS_CALL_IN && ss_seen_stood(was, thread)) {
            add_thread(out, evidence, shown++ ? "" : "listener", pid, thread->tid);
        }
    }
}

/* Both sides of a device's channels, as they were seen. */
static void add_seen(GString *out, const SsEvidence *evidence, const SsDevice *device)
{
    const SsThread *waiter = waiter_of(device);
    const char *front = device->process->called ? "front-end" : "QEMU";
    const SsPeer *peer = device->peer;
    const SsPeer *waiting = waiting_peer(peer);
    if (waiter) {
        add_thread(out, evidence, front, device->process->pid, waiter->tid);
    }
    if (device->inbox.bytes) {
        add_front_inbox(out, device, waiter ? "" : front, "its back-end channel");
    }
    if (waiting && waiting != peer && waiting->device->inbox.bytes) {
        g_autofree char *name = ss_device_label(waiting->device, SS_WITNESS_DEVICE_COLUMNS);
        g_autofree char *where = g_strdup_printf("that of %s", name);
        add_front_inbox(out, waiting->device, waiter ? "" : front, where);
    }
    if (waiting) {
        add_thread(out, evidence, "back-end", peer->process->pid, ss_peer_wait(waiting)->tid);
    }
    if (device->listener) {
        add_listener(out, evidence, device->listener->pid);
    }
    if (peer && peer->inbox.bytes) {
        g_autofree char *first = peer->inbox.request ? ss_inbox_request_text(&peer->inbox) : NULL;
        add_inbox(out, waiting ? "" : "back-end", "its main channel", peer->inbox.bytes, first);
    }
    add_held(out, device);
}

static const SsDevice *device_of(const SsVm *vm)
{
    const SsFinding *finding = vm->finding;
    for (guint i = 0; vm->process && i < vm->process->devices->len; i++) {
        const SsDevice *device = g_ptr_array_index(vm->process->devices, i);
        if (finding && finding->has_device && device->dev == finding->dev) {
            return device;
        }
    }
    return NULL;
}

static void add_looks(GString *out, const SsEvidence *evidence)
{
    const SsLook *first = g_ptr_array_index(evidence->looks, 0);
    const SsLook *last = g_ptr_array_index(evidence->looks, evidence->looks->len - 1);
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(first->ns / SS_NS_PER_S);
    g_autofree char *time = at ? g_date_time_format(at, "%Y-%m-%d %H:%M:%S UTC") : g_strdup("?");
    g_autofree char *text = first == last
                                ? g_strdup_printf("%s, once", time)
                                : g_strdup_printf("%s, and %.1f s later", time,
                                                  (double)(last->ns - first->ns) / SS_NS_PER_S);
    ss_text_labelled(out, LABEL, "looked", text);
}

/* A device of which nothing was found. */
static void add_device(GString *out, const SsDevice *device)
{
    g_autofree char *name = ss_device_text(device->id, device->chardev, device->dev, device->vdev);
    g_autoptr(GString) text = g_string_new(name);
    if (device->peer) {
        g_autofree char *backend =
            ss_process_text("", device->peer->process->name, device->peer->process->pid);
        g_string_append_printf(text, ", back-end %s", backend);
    } else if (device->listener && device->listener->pid) {
        g_autofree char *listener =
            ss_process_text("", device->listener->name, device->listener->pid);
        g_string_append_printf(text, ", its connection is not accepted by %s", listener);
    } else if (device->listener) {
        g_string_append(text, ", its connection is not accepted; who listens is not visible");
    } else {
        g_string_append(text, device->main_channel == SS_CHANNEL_OPEN
                                  ? ", its back-end is not visible"
                              : device->main_channel == SS_CHANNEL_CLOSED
                                  ? ", no back-end is connected"
                                  : ", not visible whether a back-end is connected");
    }
    ss_text_labelled(out, LABEL, "device", text->str);
}

static void add_devices(GString *out, const SsEvidence *evidence, const SsVm *vm,
                        const SsDevice *but)
{
    guint rest = 0;
    for (guint i = 0; vm->process && i < vm->process->devices->len; i++) {
        const SsDevice *device = g_ptr_array_index(vm->process->devices, i);
        if (but) {
            rest += device != but;
            continue;
        }
        add_device(out, device);
        add_seen(out, evidence, device);
    }
    if (rest) {
        g_autofree char *text =
            g_strdup_printf("%u other device%s of this VM", rest, rest == 1 ? "" : "s");
        ss_text_labelled(out, LABEL, "and", text);
    }
    if (!(vm->process && vm->process->devices->len) && !vm->seen->ended) {
        ss_text_labelled(out, LABEL, "device",
                         vm->process && vm->process->unseen
                             ? "not visible whether one has a vhost-user channel"
                             : "none has a vhost-user channel");
    }
}

static void add_finding(const SsReport *report, const SsEvidence *evidence, GString *out,
                        const SsVm *vm, const SsFinding *finding)
{
    const SsVm one = { .process = vm->process, .seen = vm->seen, .finding = finding };
    const SsDevice *device = device_of(&one);
    ss_text_heading(report, out, finding, NULL);
    if (!finding->statements->len) {
        g_string_append(out, "  ");
        ss_text_wrap(out, 2, 2, finding->summary);
    }
    ss_text_states(out, finding);
    g_string_append_c(out, '\n');
    add_looks(out, evidence);
    if (device) {
        add_seen(out, evidence, device);
        add_devices(out, evidence, vm, device);
    } else {
        add_devices(out, evidence, vm, NULL);
    }
    ss_text_remedies(out, finding);
}

void ss_now_vm_text(const SsReport *report, GString *out, const SsVm *vm)
{
    const SsEvidence *evidence = report->evidence;
    guint shown = 0;
    for (guint i = 0; i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        if (finding->has_process && !vm->seen->ended) {
            g_string_append(out, shown++ ? "\n" : "");
            add_finding(report, evidence, out, vm, finding);
        }
    }
    if (shown) {
        return;
    }
    g_autofree char *name = ss_vm_name(vm);
    g_autofree char *comm = ss_text_sanitize(vm->seen->comm, 0);
    g_autofree char *process = ss_process_text(*vm->seen->vm ? name : "", comm, vm->seen->pid);
    g_string_append_printf(out, "%s: %s\n", process, ss_vm_state_name(vm->state));
    add_looks(out, evidence);
    add_devices(out, evidence, vm, NULL);
    g_autofree char *worth =
        g_strdup_printf("%u of %u checks: what only a recording shows was not looked for",
                        ss_checks_decided(report->checks), ss_checks_count(report->checks));
    ss_text_labelled(out, LABEL, "worth", worth);
}
