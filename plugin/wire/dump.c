/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The library's beginning, and its state told again when the tracer asks for it.
 */
#include <pthread.h>

#include "audit.h"
#include "conn.h"
#include "file.h"
#include "load.h"
#include "note.h"
#include "real.h"
#include "tell.h"
#include "watch.h"

#define MEANING 1 /* of the events */

static void tell_library(void)
{
    SS_WIRE_TELL(library, MEANING, ss_wire_forked_from);
}

/*
 * Runs in a thread of the tracer, after a recording began and for each `lttng regenerate
 * statedump`, and in a child once its tracer was set up.
 */
void ss_wire_dump(void *data, void *session)
{
    SsWireGuard guard;
    (void)data;
    (void)session;
    if (!ss_wire_enter(&guard)) {
        return;
    }
    atomic_store(&ss_wire_telling, true);
    tell_library();
    for (uint32_t i = 0; i < ss_wire_conns_end; i++) {
        SsWireConn *conn = &ss_wire_conns[i];
        if (conn->state != SS_WIRE_OPEN) {
            continue;
        }
        ss_wire_conn_tell(conn);
        /* In a child whose parent did not stand still it may be the last that is heard of it. */
        if (atomic_load(&conn->missed) && ss_wire_claim(conn)) {
            atomic_store(&conn->missed, false);
            ss_wire_conn_gap(conn, "busy");
            ss_wire_unclaim(conn);
        }
    }
    ss_wire_audit_lost();
    ss_wire_files_tell();
    ss_wire_maps_tell();
    ss_wire_notes_tell();
    ss_wire_watch_dump();
    ss_wire_leave(&guard);
}

static void before_fork(void)
{
    ss_wire_load_before_fork();
    ss_wire_lock_for_fork();
}

static void after_fork_parent(void)
{
    ss_wire_unlock_after_fork(false);
}

static void after_fork_child(void)
{
    ss_wire_load_forked();
    ss_wire_watch_forked();
    ss_wire_unlock_after_fork(true);
}

__attribute__((constructor)) static void begin(void)
{
    (void)ss_wire_own_process();
    ss_wire_real_resolve();
    ss_wire_state_begin();
    (void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
    ss_wire_load_begin();
}
