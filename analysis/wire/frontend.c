/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The front-end's side of a connection.
 */
#include "analysis/wire/parts.h"

void ss_wire_frontend_event(SsWire *wire, SsWireConn *conn, const SsEvent *event)
{
}

void ss_wire_frontend_descriptor(SsWire *wire, SsWireProcess *process, const SsEvent *event)
{
}

void ss_wire_frontend_finish(SsWire *wire, SsWireProcess *process)
{
}

void ss_wire_frontend_free(SsWireProcess *process)
{
}

void ss_wire_frontend_channel_free(SsWireConn *conn)
{
}
