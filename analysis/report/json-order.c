/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The order of messages of a deadlock, or of a hazard of one, as JSON.
 */
#include "analysis/report/json.h"
#include "analysis/report/names.h"

static void add_range(JsonBuilder *json, const SsOrderRange *range)
{
    json_builder_begin_object(json);
    ss_json_int(json, "shmid", range->shmid);
    ss_json_int(json, "shm_offset", range->shm_offset);
    ss_json_int(json, "len", range->len);
    ss_json_int(json, "fd_offset", range->fd_offset);
    ss_json_int(json, "file_size", range->file_size);
    ss_json_bool(json, "writable", range->writable);
    json_builder_end_object(json);
}

static void add_device(JsonBuilder *json, const SsOrderDevice *device)
{
    json_builder_begin_object(json);
    ss_json_string(json, "id", device->id);
    ss_json_int(json, "virtio_id", device->virtio_id);
    if (device->features_known) {
        ss_json_hex(json, "features", device->features);
        ss_json_hex(json, "protocol_features", device->protocol_features);
    } else {
        ss_json_string_or_null(json, "features", NULL);
        ss_json_string_or_null(json, "protocol_features", NULL);
    }
    ss_json_bool(json, "started", device->started);
    ss_json_begin_array(json, "regions");
    for (guint i = 0; i < device->regions->len; i++) {
        const SsRegion *region = &g_array_index(device->regions, SsRegion, i);
        json_builder_begin_object(json);
        ss_json_int(json, "shmid", region->shmid);
        ss_json_int(json, "size", region->size);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "mapped");
    for (guint i = 0; i < device->mapped->len; i++) {
        add_range(json, &g_array_index(device->mapped, SsOrderRange, i));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}

static void add_step(JsonBuilder *json, const SsOrderStep *step)
{
    g_autofree char *request = ss_order_request_text(step);
    json_builder_begin_object(json);
    ss_json_string(json, "party", ss_order_kind_of_backend(step->kind) ? "back-end" : "QEMU");
    ss_json_string(json, "kind", ss_order_kind_name(step->kind));
    ss_json_int(json, "device", step->device);
    ss_json_string_or_null(json, "request", request);
    ss_json_int(json, "request_id", step->request);
    ss_json_int(json, "number", step->number);
    ss_json_int(json, "seq", step->seq);
    ss_json_bool(json, "need_reply", step->need_reply);
    json_builder_set_member_name(json, "range");
    if (step->has_range) {
        add_range(json, &step->range);
    } else {
        json_builder_add_null_value(json);
    }
    json_builder_end_object(json);
}

void ss_json_order(JsonBuilder *json, const char *name, const SsOrder *order)
{
    json_builder_set_member_name(json, name);
    if (!order) {
        json_builder_add_null_value(json);
        return;
    }
    g_autofree char *shape = ss_order_shape(order);
    json_builder_begin_object(json);
    ss_json_string(json, "shape", shape);
    ss_json_bool(json, "main_loop", order->main_loop);
    ss_json_begin_array(json, "devices");
    for (guint i = 0; i < order->devices->len; i++) {
        add_device(json, ss_order_device_at(order, i));
    }
    json_builder_end_array(json);
    ss_json_begin_array(json, "steps");
    for (guint i = 0; i < order->steps->len; i++) {
        add_step(json, &g_array_index(order->steps, SsOrderStep, i));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
}
