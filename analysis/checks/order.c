/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/order.h"

#include "analysis/report/names.h"

static const char *const kind_names[] = {
    [SS_ORDER_START] = "start",
    [SS_ORDER_STOP] = "stop",
    [SS_ORDER_RESET] = "reset",
    [SS_ORDER_UNREALIZE] = "unrealize",
    [SS_ORDER_READ] = "read",
    [SS_ORDER_REPLY] = "reply",
    [SS_ORDER_COMMIT] = "commit",
    [SS_ORDER_FRONTEND_REQUEST] = "frontend-request",
    [SS_ORDER_FRONTEND_WAITS] = "frontend-waits",
    [SS_ORDER_BACKEND_REQUEST] = "backend-request",
    [SS_ORDER_BACKEND_WAITS] = "backend-waits",
};

G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == SS_ORDER_N_KINDS);

static void device_free(gpointer data)
{
    SsOrderDevice *device = data;
    g_free(device->id);
    g_array_unref(device->regions);
    g_array_unref(device->mapped);
    g_free(device);
}

SsOrder *ss_order_new(void)
{
    SsOrder *order = g_new0(SsOrder, 1);
    order->main_loop = true;
    order->devices = g_ptr_array_new_with_free_func(device_free);
    order->steps = g_array_new(FALSE, TRUE, sizeof(SsOrderStep));
    return order;
}

void ss_order_free(SsOrder *order)
{
    if (!order) {
        return;
    }
    g_ptr_array_unref(order->devices);
    g_array_unref(order->steps);
    g_free(order);
}

SsOrderDevice *ss_order_device_at(const SsOrder *order, guint index)
{
    return g_ptr_array_index(order->devices, index);
}

guint ss_order_device(SsOrder *order, const SsDevice *device)
{
    for (guint i = 0; i < order->devices->len; i++) {
        if (ss_order_device_at(order, i)->told_by == device) {
            return i;
        }
    }
    SsOrderDevice *copy = g_new0(SsOrderDevice, 1);
    copy->told_by = device;
    copy->id = g_strdup(device->id);
    copy->virtio_id = device->virtio_id;
    copy->features = device->features;
    copy->protocol_features = device->protocol_features;
    copy->features_known = device->features_known;
    copy->started = device->started;
    copy->regions = g_array_new(FALSE, FALSE, sizeof(SsRegion));
    g_array_append_vals(copy->regions, device->regions->data, device->regions->len);
    copy->mapped = g_array_new(FALSE, FALSE, sizeof(SsOrderRange));
    g_ptr_array_add(order->devices, copy);
    return order->devices->len - 1;
}

SsOrderStep *ss_order_add(SsOrder *order, const SsOrderStep *step)
{
    g_array_append_val(order->steps, *step);
    return &g_array_index(order->steps, SsOrderStep, order->steps->len - 1);
}

bool ss_order_kind_of_backend(SsOrderKind kind)
{
    return kind == SS_ORDER_BACKEND_REQUEST || kind == SS_ORDER_BACKEND_WAITS;
}

const char *ss_order_kind_name(SsOrderKind kind)
{
    return kind_names[kind];
}

char *ss_order_request_text(const SsOrderStep *step)
{
    switch (step->kind) {
    case SS_ORDER_READ:
    case SS_ORDER_REPLY:
    case SS_ORDER_BACKEND_REQUEST:
    case SS_ORDER_BACKEND_WAITS:
        return ss_backend_request_text(step->request);
    case SS_ORDER_COMMIT:
        return step->request ? ss_backend_request_text(step->request) : NULL;
    case SS_ORDER_FRONTEND_REQUEST:
    case SS_ORDER_FRONTEND_WAITS:
        return ss_frontend_request_text(step->request);
    default:
        return NULL;
    }
}

char *ss_order_shape(const SsOrder *order)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < order->steps->len; i++) {
        const SsOrderStep *step = &g_array_index(order->steps, SsOrderStep, i);
        g_autofree char *request = ss_order_request_text(step);
        g_string_append_printf(text, "%s%u %s", i ? "; " : "", step->device,
                               kind_names[step->kind]);
        if (request) {
            g_string_append_printf(text, " %s", request);
        }
        if (step->number) {
            g_string_append_printf(text, " %u", step->number);
        }
    }
    return g_string_free(text, FALSE);
}
