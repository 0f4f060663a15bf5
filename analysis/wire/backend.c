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

void ss_wire_backend_finish(SsWire *wire, SsWireProcess *process)
{
}

void ss_wire_backend_free(SsWireProcess *process)
{
}

void ss_wire_backend_channel_free(SsWireConn *conn)
{
}
