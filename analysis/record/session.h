/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An LTTng session of our own: made, filled with the catalogue's events, started, and closed
 * so that all that was recorded is on the disk. No other session is ever named here.
 */
#pragma once

#include <glib.h>

#define SS_RECORD_ERROR (ss_record_error_quark())
GQuark ss_record_error_quark(void);

typedef enum SsEventSet {
    SS_EVENT_SET_DEFAULT,   /* the catalogue's events but those of the class detail */
    SS_EVENT_SET_CATALOGUE, /* all of the catalogue */
    SS_EVENT_SET_ALL,       /* and what QEMU tells anyway about its vhost, virtio and memory */
} SsEventSet;

typedef struct SsSessionConfig {
    const char *name;      /* of the session; weak */
    const char *directory; /* absolute path of the trace; weak */
    SsEventSet set;
    const gboolean *excluded; /* SS_N_CLASSES entries: classes left out; weak */
    gboolean everything;      /* every process; else those that ss_session_include names */
    guint64 buffer_size;      /* bytes for each CPU and user; 0: what fits the machine */
} SsSessionConfig;

typedef struct SsSessionResult {
    guint64 discarded;    /* events, for want of room in the buffers */
    guint64 lost_packets; /* packets overwritten; 0 in the mode used */
} SsSessionResult;

/*
 * Makes sure that a session daemon answers; starts one without kernel tracing when none does,
 * and tells so on stderr.
 */
gboolean ss_session_ensure_daemon(GError **error);

typedef struct SsBufferSizes {
    guint64 chosen; /* what fits the room of /dev/shm, when no size is asked for */
    guint64 least, most;
} SsBufferSizes;

/* What a recording's buffers take of /dev/shm, in bytes of all CPUs. */
SsBufferSizes ss_session_buffers(void);

/* Tells on stderr which sessions of earlier, dead recorders remain; they are left alone. */
void ss_session_tell_stale(void);

/*
 * Makes the session with its channel, events and contexts; it does not record yet. On failure
 * nothing of it remains. A session that has the name already is left as it is.
 */
gboolean ss_session_create(const SsSessionConfig *config, GError **error);

/* A process that is recorded, of a session that does not take everything. */
gboolean ss_session_include(const char *name, int pid, GError **error);

gboolean ss_session_start(const char *name, GError **error);

/*
 * Stops the session, waits until the trace is complete on the disk, and removes the session
 * from the daemon; the trace stays. ret_result, if not NULL, is told what was lost.
 */
gboolean ss_session_close(const char *name, SsSessionResult *ret_result, GError **error);
