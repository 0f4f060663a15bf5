/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/autopsy/tell.h"
#include "analysis/model/text.h"

#include "analysis/autopsy/tell-parts.h"

/* Of a device whose main channel is not connected: numbers that no inode has. */
#define UNCONNECTED (G_GUINT64_CONSTANT(1) << 62)

static SsEvent event_of(const SsTell *tell, SsEventId id, gint32 pid, gint32 tid, gint64 ns)
{
    SsEvent event = { .id = id, .trace = tell->trace, .ns = ns, .pid = pid, .tid = tid };
    const SsEventInfo *info = &ss_catalogue_events[id];
    for (guint i = 0; i < info->n_fields; i++) {
        if (info->fields[i].type == SS_FIELD_STR) {
            *(const char **)((guint8 *)&event.u + info->fields[i].offset) = "";
        }
    }
    return event;
}

static SsProcess *apply(const SsTell *tell, const SsEvent *event)
{
    ss_model_seen(tell->model, event);
    return ss_model_apply(tell->model, event);
}

/* Its pid, its names and its threads; NULL when the model has none of it. */
static SsProcess *process_of(const SsTell *tell, const SsSeenProcess *seen)
{
    SsEvent at = event_of(tell, SS_EVENT_VHOST_USER_DEVICE, seen->pid, seen->pid, tell->begin_ns);
    at.procname = seen->comm;
    SsProcess *process = ss_process_get(tell->model, &at);
    if (process->sources) {
        return process;
    }
    process->sources = SS_SOURCE_LOOK;
    process->birth_ns = tell->begin_ns;
    process->last_ns = tell->end_ns;
    ss_replace_string(&process->vm, seen->vm);
    process->called = seen->is_qemu ? NULL : ss_text_sanitize(seen->comm, 0);
    ss_model_set_run_end(tell->model, seen->pid, seen->ended ? SS_END_EXITED : SS_END_ALIVE, -1,
                         seen->ended ? tell->end_ns : 0);
    for (guint i = 0; i < seen->threads->len; i++) {
        const SsSeenThread *one = g_ptr_array_index(seen->threads, i);
        at.tid = one->tid;
        at.procname = one->comm;
        SsThread *thread = ss_thread_get(process, &at);
        thread->seen = ss_tell_seen(tell, seen, one);
        thread->last_ns = one->last_ran_ns ? one->last_ran_ns : tell->begin_ns;
    }
    return process;
}

static bool is_of_sockets(const SsDenied *denied)
{
    return g_str_has_prefix(denied->what, "unix sockets");
}

/* Whether a channel that was not found is none: descriptors and sockets could be seen. */
static bool sees_sockets(const SsTell *tell, const SsSeenProcess *front)
{
    bool denied = false;
    for (guint i = 0; i < tell->now->denied->len; i++) {
        denied = denied || is_of_sockets(g_ptr_array_index(tell->now->denied, i));
    }
    for (guint i = 0; i < front->denied->len; i++) {
        denied = denied || is_of_sockets(g_ptr_array_index(front->denied, i));
    }
    return front->n_fds > 0 && !denied;
}

/* What says best why too little of it was seen: of its sockets is the least. */
static const SsDenied *most_denied(const SsSeenProcess *seen)
{
    for (guint i = 0; i < seen->denied->len; i++) {
        if (!is_of_sockets(g_ptr_array_index(seen->denied, i))) {
            return g_ptr_array_index(seen->denied, i);
        }
    }
    return g_ptr_array_index(seen->denied, 0);
}

/* One of which the kernel tells nothing is connected: else it would not be known whose it is. And
 * where it told so late, the other end is known of the socket alone. */
static bool is_open(const SsTell *tell, const SsSeenChannel *channel)
{
    const SsSeenSocket *end = ss_look_socket(tell->now, channel->front_inode);
    return channel->front_inode && (channel->back_inode || (end && (!end->known || end->peer)));
}

static void tell_device(SsTell *tell, const SsSeenChannel *channel, guint index)
{
    const SsSeenProcess *front = ss_look_process(tell->now, channel->front_pid);
    g_ptr_array_index(tell->devices, index) = NULL;
    if (!front || front->ended || channel->kind != SS_CHANNEL_MAIN) {
        return;
    }
    SsProcess *process = process_of(tell, front);
    guint64 number = channel->front_inode ? channel->front_inode : UNCONNECTED + index;
    SsEvent event =
        event_of(tell, SS_EVENT_VHOST_USER_DEVICE, front->pid, front->pid, tell->begin_ns);
    event.u.vhost_user_device.dev = event.u.vhost_user_device.vdev = number;
    event.u.vhost_user_device.vm = front->vm;
    event.u.vhost_user_device.id = channel->device;
    event.u.vhost_user_device.chardev = *channel->chardev ? channel->chardev : channel->path;
    event.u.vhost_user_device.started = channel->front_inode != 0;
    (void)apply(tell, &event);
    SsDevice *device = ss_device_get(process, number, number, tell->begin_ns);
    bool known = channel->front_inode || sees_sockets(tell, front);
    device->main_channel = is_open(tell, channel)                   ? SS_CHANNEL_OPEN
                           : ss_tell_is_pending(tell->now, channel) ? SS_CHANNEL_PENDING
                           : known                                  ? SS_CHANNEL_CLOSED
                                                                    : SS_CHANNEL_UNKNOWN;
    device->sockets.main_sock = channel->front_inode;
    device->sockets.main_peer = channel->back_inode;
    if (device->main_channel == SS_CHANNEL_PENDING) {
        device->listener = ss_tell_listener(tell, channel);
    }
    g_ptr_array_index(tell->devices, index) = device;
}

/* The main channel's end in the back-end, and the back-end channel's when there is one. */
static void tell_peer(const SsTell *tell, const SsSeenChannel *channel, const SsSeenChannel *own,
                      SsDevice *device)
{
    const SsSeenProcess *back = ss_look_process(tell->now, channel->back_pid);
    if (!back || back->ended || !channel->back_inode) {
        return;
    }
    SsProcess *process = process_of(tell, back);
    SsEvent event =
        event_of(tell, SS_EVENT_SHMEMSCOPE_WIRE_CHANNEL, back->pid, back->pid, tell->begin_ns);
    event.u.shmemscope_wire_channel.conn = channel->back_inode;
    event.u.shmemscope_wire_channel.role = 1;
    event.u.shmemscope_wire_channel.sock = channel->back_inode;
    event.u.shmemscope_wire_channel.peer = channel->front_inode;
    event.u.shmemscope_wire_channel.name = channel->path;
    (void)apply(tell, &event);
    if (own && own->back_inode) {
        event.u.shmemscope_wire_channel.conn = own->back_inode;
        event.u.shmemscope_wire_channel.main = channel->back_inode;
        event.u.shmemscope_wire_channel.backend = 1;
        event.u.shmemscope_wire_channel.sock = own->back_inode;
        event.u.shmemscope_wire_channel.peer = own->front_inode;
        (void)apply(tell, &event);
    }
    SsPeer *peer = NULL;
    for (guint i = process->peers->len; i > 0 && !peer; i--) {
        SsPeer *one = g_ptr_array_index(process->peers, i - 1);
        peer = one->conn == channel->back_inode && !one->device ? one : NULL;
    }
    if (!peer) {
        return; /* another channel has that end already: evidence is what somebody says it is */
    }
    peer->looked = true;
    peer->device = device;
    device->peer = peer;
    peer->inbox = ss_tell_main_inbox(ss_look_socket(tell->now, channel->back_inode));
}

static guint64 waited_ms(const SsTell *tell, gint64 since_ns)
{
    return (guint64)(MAX(tell->end_ns - since_ns, 0) / SS_NS_PER_MS);
}

/* A thread of the front-end that waits for a reply. */
static void tell_wait(const SsTell *tell, const SsSeenThread *seen, SsDevice *device)
{
    bool at_least;
    const SsInbox *inbox = device->peer ? &device->peer->inbox : NULL;
    gint64 since_ns = ss_tell_since(tell, seen, &at_least);
    SsEvent event = event_of(tell, SS_EVENT_VHOST_USER_REPLY_WAIT_LASTS, device->process->pid,
                             seen->tid, tell->end_ns);
    event.u.vhost_user_reply_wait_lasts.dev = device->dev;
    event.u.vhost_user_reply_wait_lasts.request = inbox ? inbox->request : 0;
    event.u.vhost_user_reply_wait_lasts.waited = waited_ms(tell, since_ns);
    event.u.vhost_user_reply_wait_lasts.unread = (guint32)MIN(device->inbox.bytes, G_MAXUINT32);
    event.u.vhost_user_reply_wait_lasts.peek_request = device->inbox.request;
    event.u.vhost_user_reply_wait_lasts.peek_flags = device->inbox.flags;
    event.u.vhost_user_reply_wait_lasts.peek_size = device->inbox.size;
    SsProcess *process = apply(tell, &event);
    SsThread *thread = g_hash_table_lookup(process->threads, GINT_TO_POINTER(seen->tid));
    thread->wait.begin_ns = since_ns; /* to the ns, and not to the ms that it has waited */
    thread->wait.at_least = at_least;
    thread->wait.inbox = inbox;
}

/* One that waits for the rest of a message of the back-end channel. */
static void tell_read(const SsTell *tell, const SsSeenThread *seen, SsDevice *device)
{
    bool at_least;
    gint64 since_ns = ss_tell_since(tell, seen, &at_least);
    SsEvent event = event_of(tell, SS_EVENT_VHOST_USER_BACKEND_READ_LASTS, device->process->pid,
                             seen->tid, tell->end_ns);
    event.u.vhost_user_backend_read_lasts.dev = device->dev;
    event.u.vhost_user_backend_read_lasts.waited = waited_ms(tell, since_ns);
    (void)apply(tell, &event);
}

/* One of the back-end that waits for the reply to a request of its own. */
static void tell_own(const SsTell *tell, const SsSeenThread *seen, SsPeer *peer)
{
    bool at_least;
    const SsInbox *inbox = &peer->device->inbox;
    gint64 since_ns = ss_tell_since(tell, seen, &at_least);
    SsEvent event = event_of(tell, SS_EVENT_SHMEMSCOPE_WIRE_WAIT_LASTS, peer->process->pid,
                             seen->tid, tell->end_ns);
    event.u.shmemscope_wire_wait_lasts.conn = peer->backend_conn;
    event.u.shmemscope_wire_wait_lasts.seq = 1;
    event.u.shmemscope_wire_wait_lasts.request = inbox->request;
    event.u.shmemscope_wire_wait_lasts.tid = seen->tid;
    event.u.shmemscope_wire_wait_lasts.waited = waited_ms(tell, since_ns);
    event.u.shmemscope_wire_wait_lasts.blocked = 1;
    event.u.shmemscope_wire_wait_lasts.unread = (guint32)MIN(peer->inbox.bytes, G_MAXUINT32);
    event.u.shmemscope_wire_wait_lasts.peek_request = peer->inbox.request;
    event.u.shmemscope_wire_wait_lasts.peek_flags = peer->inbox.flags;
    event.u.shmemscope_wire_wait_lasts.peek_size = peer->inbox.size;
    (void)apply(tell, &event);
    SsPeerWait *own = &peer->waits[0];
    own->begin_ns = since_ns;
    own->looked = true;
    own->has_range = inbox->has_range;
    own->shm_offset = inbox->shm_offset;
    own->len = inbox->len;
}

static void tell_front_threads(const SsTell *tell, const SsSeenProcess *front,
                               const SsSeenChannel *main, const SsSeenChannel *own,
                               SsDevice *device)
{
    for (guint i = 0; i < front->threads->len; i++) {
        const SsSeenThread *thread = g_ptr_array_index(front->threads, i);
        bool stood = ss_tell_stood(tell, front, thread);
        if (stood && ss_tell_blocks_on(front, thread, main->front_inode)) {
            tell_wait(tell, thread, device);
        } else if (own && stood && ss_tell_blocks_on(front, thread, own->front_inode)) {
            tell_read(tell, thread, device);
        } else if (own && ss_tell_attends(front, thread, own->front_inode)) {
            device->served = true;
        }
    }
}

static void tell_back_threads(const SsTell *tell, const SsSeenProcess *back, SsPeer *peer)
{
    for (guint i = 0; i < back->threads->len && !peer->waits[0].seq; i++) {
        const SsSeenThread *thread = g_ptr_array_index(back->threads, i);
        if (ss_tell_stood(tell, back, thread) &&
            ss_tell_blocks_on(back, thread, peer->backend_sock)) {
            tell_own(tell, thread, peer);
        }
    }
}

/* The device's back-end channel in the look; NULL when none is known to be its. */
static const SsSeenChannel *own_channel(const SsTell *tell, guint main)
{
    for (guint i = 0; i < tell->now->channels->len; i++) {
        const SsSeenChannel *channel = g_ptr_array_index(tell->now->channels, i);
        if (channel->kind == SS_CHANNEL_BACK_END && channel->main == (gint32)main) {
            return channel;
        }
    }
    return NULL;
}

static void tell_ends(const SsTell *tell, guint index)
{
    const SsSeenChannel *channel = g_ptr_array_index(tell->now->channels, index);
    SsDevice *device = g_ptr_array_index(tell->devices, index);
    const SsSeenChannel *own = own_channel(tell, index);
    if (!device) {
        return;
    }
    if (own) {
        device->inbox = ss_tell_backend_inbox(ss_look_socket(tell->now, own->front_inode));
        device->backend_channel = own->back_inode ? SS_CHANNEL_OPEN : SS_CHANNEL_CLOSED;
        device->sockets.backend_sock = own->front_inode;
        device->sockets.backend_peer = own->back_inode;
    }
    tell_peer(tell, channel, own, device);
}

static void tell_threads(const SsTell *tell, guint index)
{
    const SsSeenChannel *channel = g_ptr_array_index(tell->now->channels, index);
    SsDevice *device = g_ptr_array_index(tell->devices, index);
    const SsSeenProcess *back = ss_look_process(tell->now, channel->back_pid);
    if (!device) {
        return;
    }
    if (device->peer) {
        tell_back_threads(tell, back, device->peer);
    }
    tell_front_threads(tell, ss_look_process(tell->now, channel->front_pid), channel,
                       own_channel(tell, index), device);
}

static void tell_rest(const SsTell *tell, guint index)
{
    const SsSeenChannel *channel = g_ptr_array_index(tell->now->channels, index);
    SsDevice *device = g_ptr_array_index(tell->devices, index);
    const SsSeenProcess *back = ss_look_process(tell->now, channel->back_pid);
    if (!device) {
        return;
    }
    if (device->peer) {
        ss_tell_answers(tell, back, device->peer, channel->back_inode,
                        device->peer->inbox.known && !device->peer->inbox.bytes);
    }
    ss_tell_held(tell, ss_look_process(tell->now, channel->front_pid),
                 device->listener ? NULL : back, device);
}

/* One that was told of as a back-end: of a channel that was not found there is none. */
static bool is_told(const SsTell *tell, const SsSeenProcess *seen)
{
    for (guint p = 0; p < tell->model->processes->len; p++) {
        const SsProcess *process = g_ptr_array_index(tell->model->processes, p);
        if (process->pid == seen->pid && process->trace == tell->trace) {
            return true;
        }
    }
    return false;
}

/* Whether it can be told what its main thread does. */
static void tell_unseen(const SsTell *tell, const SsSeenProcess *seen)
{
    if (!(seen->roles & SS_ROLE_FRONT_END) && !is_told(tell, seen)) {
        return;
    }
    SsProcess *process = process_of(tell, seen);
    const SsSeenThread *main = ss_seen_thread(seen, seen->pid);
    bool calls = main && main->call != SS_CALL_UNKNOWN && main->counts_known;
    if (seen->ended || (calls && tell->before)) {
        return;
    }
    if (!tell->before) {
        process->unseen = g_strdup("whether anything moved: it was looked at once only");
    } else if (seen->denied->len) {
        const SsDenied *denied = most_denied(seen);
        char *text = g_strdup_printf("%s; needs %s", denied->what, denied->needs);
        ss_replace_string(&process->unseen, text);
        g_free(text);
    } else {
        process->unseen = g_strdup("what its main thread does");
    }
}

void ss_tell(SsModel *model, const SsEvidence *evidence, const char *path)
{
    const GPtrArray *looks = evidence->looks;
    guint trace = ss_model_add_trace(model, path, evidence->boot_id, evidence->host);
    ss_model_set_looked(model, trace);
    if (!looks->len) {
        return;
    }
    const SsLook *first = g_ptr_array_index(looks, 0);
    const SsLook *last = g_ptr_array_index(looks, looks->len - 1);
    g_autoptr(GPtrArray) devices = g_ptr_array_new();
    SsTell tell = { .model = model,
                    .before = looks->len > 1 ? first : NULL,
                    .now = last,
                    .trace = trace,
                    .begin_ns = ss_model_believed(first->ns),
                    .end_ns = ss_model_believed(MAX(last->ns, first->ns)),
                    .devices = devices };
    guint n = last->channels->len;
    g_ptr_array_set_size(devices, (gint)n);
    for (guint i = 0; i < n; i++) {
        tell_device(&tell, g_ptr_array_index(last->channels, i), i);
    }
    static void (*const steps[])(const SsTell *, guint) = { tell_ends, tell_threads, tell_rest };
    for (guint step = 0; step < G_N_ELEMENTS(steps); step++) {
        for (guint i = 0; i < n; i++) {
            steps[step](&tell, i);
        }
    }
    for (guint i = 0; i < last->processes->len; i++) {
        const SsSeenProcess *seen = g_ptr_array_index(last->processes, i);
        if (seen->detailed && !seen->ended && seen->roles) {
            tell_unseen(&tell, seen);
        }
    }
    ss_model_reached(model, trace, tell.end_ns);
}
