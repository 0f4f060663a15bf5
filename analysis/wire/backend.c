/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The back-end's side of a connection.
 */
#include "analysis/wire/parts.h"

void ss_wire_backend_event(SsWire *wire, SsWireConn *conn, const SsEvent *event)
{
    /* QEMU's tracepoints have no words for it: the model takes it as it is. */
    SsProcess *process = ss_model_apply(wire->model, event);
    process->sources |= SS_SOURCE_WIRE;
}

/* The sockets of a device that was made of the wire's events, whose `dev` is its main channel: by
 * these its back-end's end is found. */
static void tell_sockets(const SsProcess *process, const SsWireConn *conn)
{
    guint64 number = conn->backend ? conn->main : conn->conn;
    SsDevice *device = g_hash_table_lookup(process->by_dev, &number);
    if (device && conn->backend && !conn->closed) {
        device->sockets.backend_sock = conn->sock;
        device->sockets.backend_peer = conn->peer;
    } else if (device && !conn->backend) {
        device->sockets.main_sock = conn->sock;
        device->sockets.main_peer = conn->peer;
    }
}

void ss_wire_backend_finish(SsWire *wire, SsWireProcess *process)
{
    gint64 key = ss_process_key(wire->model, process->trace, process->pid);
    const SsProcess *known = g_hash_table_lookup(wire->model->by_pid, &key);
    GHashTableIter iter;
    gpointer value;
    for (guint d = 0; known && process->traced && d < known->devices->len; d++) {
        SsDevice *device = g_ptr_array_index(known->devices, d);
        if (g_hash_table_lookup(known->by_dev, &device->dev) == device) {
            ss_wire_corroborated_sockets(process, device->dev, &device->sockets);
        }
    }
    g_hash_table_iter_init(&iter, process->conns);
    while (known && !process->traced && g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((const SsWireConn *)value)->role == SS_WIRE_FRONT_END) {
            tell_sockets(known, value);
        }
    }
}

void ss_wire_backend_free(SsWireProcess *process)
{
}

void ss_wire_backend_channel_free(SsWireConn *conn)
{
}
