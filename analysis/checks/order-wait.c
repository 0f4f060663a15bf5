/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The order of messages that leads into a wait: what the wait stands in, outermost first, then
 * its own request, then what the back-end waits for.
 */
#include "analysis/checks/order.h"
#include "analysis/model/window.h"
#include "analysis/report/names.h"

#define PAGE 4096
#define MAP_WRITABLE 1

/* One order while it is built. */
typedef struct Build {
    SsOrder *order;
    const SsWait *wait;
    const SsExchange *cause; /* copy of the innermost request it stands in, or NULL */
    SsOrderRange base;       /* the first range that the order names */
    bool used;               /* a step names it */
    guint ranges;            /* how many were made up beside it */
    guint numbers[2];        /* back-end requests of the device that waits, and of others */
    bool mapped;             /* a step has mapped `last`, and none took it out */
    SsOrderRange last;
} Build;

static bool is_shmem(guint32 request)
{
    return request == SS_REQUEST_SHMEM_MAP || request == SS_REQUEST_SHMEM_UNMAP;
}

static void set_range(SsOrderRange *range, const SsExchange *exchange)
{
    range->shmid = exchange->shmid;
    range->shm_offset = exchange->shm_offset;
    range->len = exchange->len;
    if (exchange->request == SS_REQUEST_SHMEM_MAP) {
        range->fd_offset = exchange->fd_offset;
        range->writable = exchange->map_flags & MAP_WRITABLE;
    } else {
        range->writable = true;
    }
    range->file_size = range->fd_offset + range->len;
}

/* A range that the recording has, or a page at the begin of the device's first region. */
static void choose_base(Build *build, const SsExchange *unread)
{
    const SsDevice *device = build->wait->device;
    const SsWindows *windows = device->windows;
    const SsExchange *from[2 + SS_MAX_SYNC_KINDS] = { build->cause, unread };
    guint n = 2;
    for (guint i = 0; windows && i < windows->n_sync; i++) {
        from[n++] = &windows->sync[i].first;
    }
    build->base = (SsOrderRange){ .len = PAGE, .file_size = PAGE, .writable = true };
    if (device->regions->len) {
        build->base.shmid = g_array_index(device->regions, SsRegion, 0).shmid;
    }
    for (guint i = 0; i < n; i++) {
        if (from[i] && is_shmem(from[i]->request) && from[i]->has_range && from[i]->len) {
            set_range(&build->base, from[i]);
            return;
        }
    }
}

/* The next range beside the base, where the region has room for it. */
static SsOrderRange make_range(Build *build)
{
    const GArray *regions = build->wait->device->regions;
    SsOrderRange range = build->base;
    guint64 size = G_MAXUINT64;
    for (guint i = 0; i < regions->len; i++) {
        const SsRegion *region = &g_array_index(regions, SsRegion, i);
        size = region->shmid == range.shmid ? region->size : size;
    }
    guint64 ahead = ++build->ranges * range.len;
    if (range.len && range.shm_offset < size && ahead < size - range.shm_offset &&
        range.len <= size - range.shm_offset - ahead) {
        range.shm_offset += ahead;
    } else if (range.shm_offset >= ahead) {
        range.shm_offset -= ahead;
    }
    return range;
}

static void add_mapped(Build *build, guint device, const SsOrderRange *range)
{
    g_array_append_val(ss_order_device_at(build->order, device)->mapped, *range);
}

static SsOrderRange new_range(Build *build)
{
    bool used = build->used;
    build->used = true;
    return used ? make_range(build) : build->base;
}

static void give_range(Build *build, SsOrderStep *step)
{
    step->has_range = true;
    if (step->request == SS_REQUEST_SHMEM_MAP) {
        step->range = build->last = new_range(build);
        build->mapped = true;
        return;
    }
    /* It takes out what this order has mapped, or what was mapped before. */
    if (build->mapped) {
        step->range = build->last;
    } else {
        step->range = new_range(build);
        add_mapped(build, step->device, &step->range);
    }
    build->mapped = false;
    step->range.fd_offset = step->range.file_size = 0;
    step->range.writable = false;
}

static SsOrderStep *add(Build *build, SsOrderKind kind, guint device, guint32 request, guint number)
{
    return ss_order_add(
        build->order,
        &(SsOrderStep){ .kind = kind, .device = device, .request = request, .number = number });
}

/* The back-end's request, and its range when it has one. Returns its number. */
static guint add_request(Build *build, guint device, guint32 request, guint64 seq, bool need_reply)
{
    guint number = ++build->numbers[MIN(device, 1)];
    SsOrderStep *step = add(build, SS_ORDER_BACKEND_REQUEST, device, request, number);
    step->seq = seq;
    step->need_reply = need_reply;
    if (is_shmem(request)) {
        give_range(build, step);
    }
    return number;
}

static const SsExchange *exchange_of(const Build *build, const SsContext *context)
{
    if (build->cause && build->cause->seq == context->seq) {
        return build->cause;
    }
    for (guint i = 0; i < SS_RECENT_EXCHANGES; i++) {
        if (context->device->exchanges[i].seq == context->seq) {
            return &context->device->exchanges[i];
        }
    }
    return NULL;
}

/* A request of the back-end, and how far QEMU is with it. Returns its number when the back-end
 * waits for its reply, else 0. */
static guint add_cause(Build *build, const SsContext *context, guint device)
{
    const SsExchange *exchange = exchange_of(build, context);
    bool need_reply = exchange ? exchange->flags & SS_HEADER_NEED_REPLY : context->deferred;
    guint number = add_request(build, device, context->request, context->seq, need_reply);
    add(build, SS_ORDER_READ, device, context->request, number)->seq = context->seq;
    if (context->deferred) {
        add(build, SS_ORDER_REPLY, device, context->request, number)->seq = context->seq;
    }
    if (context->kind == SS_CONTEXT_COMMIT) {
        add(build, SS_ORDER_COMMIT, device, context->request, number)->seq = context->seq;
    }
    bool owed = !context->deferred && exchange &&
                ss_backend_request_answered(context->device, exchange->request, exchange->flags);
    return owed ? number : 0;
}

static void add_context(Build *build, const SsContext *context, SsOrderStep *ret_owed)
{
    static const SsOrderKind phases[] = {
        [SS_CONTEXT_START] = SS_ORDER_START,
        [SS_CONTEXT_STOP] = SS_ORDER_STOP,
        [SS_CONTEXT_RESET] = SS_ORDER_RESET,
        [SS_CONTEXT_UNREALIZE] = SS_ORDER_UNREALIZE,
    };
    guint device = context->device ? ss_order_device(build->order, context->device) : 0;
    if (context->kind != SS_CONTEXT_COMMIT && context->kind != SS_CONTEXT_DISPATCH) {
        add(build, phases[context->kind], device, 0, 0);
        if (context->kind == SS_CONTEXT_START) {
            ss_order_device_at(build->order, device)->started = false;
        } else {
            ss_order_device_at(build->order, device)->started = true;
        }
    } else if (context->device && context->seq && context->request) {
        guint number = add_cause(build, context, device);
        if (number) {
            *ret_owed = (SsOrderStep){ .kind = SS_ORDER_BACKEND_WAITS,
                                       .device = device,
                                       .request = context->request,
                                       .number = number,
                                       .seq = context->seq,
                                       .need_reply = true };
        }
    } else if (context->kind == SS_CONTEXT_COMMIT) {
        add(build, SS_ORDER_COMMIT, device, 0, 0);
        if (!build->used) {
            SsOrderRange range = new_range(build); /* or there would be nothing to commit */
            add_mapped(build, device, &range);
        }
    }
}

SsOrder *ss_order_of_wait(const SsWait *wait, const SsExchange *cause, const SsExchange *unread)
{
    g_autoptr(SsOrder) order = ss_order_new();
    Build build = { .order = order, .wait = wait, .cause = cause };
    SsOrderStep owed = { 0 };
    SsContext chain[SS_MAX_CONTEXTS];
    guint n = ss_wait_chain(wait, chain);
    if (!wait->begin_seen && !n) {
        return NULL; /* it began before the recording: what it stands in is not known */
    }
    guint device = ss_order_device(order, wait->device);
    order->main_loop = wait->tid == wait->device->process->pid;
    for (guint i = n; i > 0 && !build.cause; i--) {
        build.cause = chain[i - 1].seq ? exchange_of(&build, &chain[i - 1]) : NULL;
    }
    choose_base(&build, unread);
    SsWindowClass class = ss_window_class(wait);
    if (class == SS_WINDOW_DEFERRED_COMMIT || class == SS_WINDOW_EARLY_COMMIT ||
        class == SS_WINDOW_OTHER_COMMIT) {
        ss_order_device_at(order, device)->started = true; /* or its listener sends nothing */
    }
    for (guint i = 0; i < n; i++) {
        add_context(&build, &chain[i], &owed);
    }
    const char *name = ss_frontend_request_name(wait->request);
    add(&build, SS_ORDER_FRONTEND_REQUEST, device, wait->request, 0)->need_reply =
        !(name && g_str_has_prefix(name, "GET_"));
    add(&build, SS_ORDER_FRONTEND_WAITS, device, wait->request, 0);
    if (unread) {
        guint number = add_request(&build, device, unread->request, unread->seq, true);
        add(&build, SS_ORDER_BACKEND_WAITS, device, unread->request, number)->seq = unread->seq;
    } else if (owed.number) {
        (void)ss_order_add(order, &owed);
    } else {
        return NULL;
    }
    return g_steal_pointer(&order);
}
