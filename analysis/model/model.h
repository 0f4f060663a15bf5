/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The model: fed with events, in order of time, it keeps what is alive and tells
 * the checks of each step that may be worth a finding. It keeps no finished thing:
 * those go into the counts.
 */
#pragma once

#include "analysis/model/peer.h"
#include "analysis/model/window.h"

typedef enum SsNoticeKind {
    SS_NOTICE_REPLY,        /* exchange: a reply was sent (ret 0) */
    SS_NOTICE_STRAY_REPLY,  /* device: a reply was sent before any request was read */
    SS_NOTICE_REFUSED,      /* exchange, of which nothing but that may be known */
    SS_NOTICE_SETTLED,      /* exchange: nothing of it comes any more */
    SS_NOTICE_CLOSED_AGAIN, /* close: the number had been closed before */
    SS_NOTICE_CLOSED_EARLY, /* close: its mapping is still in use */
    SS_NOTICE_DISPATCHED,   /* exchange: the front-end is done with it */
    SS_NOTICE_MAPPED,       /* exchange: its mapping entered the region */
    SS_NOTICE_WAIT_ENDED,   /* wait, thread */
    SS_NOTICE_READ_ENDED,   /* thread, device: a message is whole; since_ns */
    SS_NOTICE_RESET_ENDED,  /* device (may be NULL); mappings: QEMU's own count */
    SS_NOTICE_UNREALIZED,   /* the same */
    SS_NOTICE_DISCONNECTED, /* device: its channel closed at since_ns, cleanup had its time */
    SS_NOTICE_TABLE_FAILED, /* device: an update of its memory table failed; stale since_ns */
    SS_NOTICE_TABLE_TOLD,   /* device: stale since_ns, and no more, or nothing more is known */
    SS_NOTICE_UNBEGUN,      /* thread, device, exchange (may be NULL): a commit had no begin */
    SS_NOTICE_LEFT_OPEN,    /* process->transactions: what was left open ended, or never did */
    SS_NOTICE_DISAGREE,     /* device (may be NULL); disagreement: of two sources */
    SS_NOTICE_PROCESS_ENDS, /* no event of the process follows in this trace */
    SS_N_NOTICES,
} SsNoticeKind;

/* QEMU's tracepoints and the wire tell of one call, and not the same. */
typedef struct SsDisagreement {
    enum {
        SS_DISAGREE_REQUEST,
        SS_DISAGREE_REPLY,
        SS_DISAGREE_CLOSE,
        SS_DISAGREE_DUP,
        SS_DISAGREE_MAP
    } kind;
    guint32 request, seen_request;
    guint64 seq;
    SsPlace told, seen;               /* of a request */
    guint64 told_flags, seen_flags;   /* the same */
    guint64 told_offset, seen_offset; /* in the file: of a request, of a map */
    guint64 told_value,
        seen_value;               /* of a reply; of a close its result, of a duplicate its number */
    guint64 told_addr, seen_addr; /* of a map */
    bool told_writable, seen_writable;
    bool none; /* of a reply: the wire saw none */
    gint32 fd;
} SsDisagreement;

typedef struct SsNotice {
    SsNoticeKind kind;
    gint64 ns;
    gint64 since_ns;
    SsProcess *process;
    SsDevice *device;
    SsThread *thread;
    SsExchange *exchange;
    SsWait *wait;
    const SsMapping *mapping;
    const SsClose *close;
    const SsDisagreement *disagreement;
    guint64 mappings;
    bool fatal; /* UNBEGUN: QEMU says so itself, and ends */
} SsNotice;

/* A mapping's life has ended, or the recording has. */
typedef void (*SsLifeFunc)(SsModel *model, const SsMapping *mapping, gpointer user_data);

/* A descriptor is closed, or known to have been. */
typedef void (*SsClosedFunc)(SsModel *model, const SsDescriptor *descriptor, gpointer user_data);

/* The model has taken an event. */
typedef void (*SsAppliedFunc)(SsModel *model, SsProcess *process, SsThread *thread,
                              const SsEvent *event, gpointer user_data);

typedef void (*SsNoticeFunc)(SsModel *model, const SsNotice *notice, gpointer user_data);

struct SsModel {
    GPtrArray *traces;       /* owned SsTraceInfo */
    GPtrArray *processes;    /* owned SsProcess, in order of birth */
    GHashTable *by_pid;      /* SsProcessKey -> SsProcess, weak */
    GHashTable *tracers;     /* owned gint64 *, trace and pid: its tracer has begun */
    GHashTable *run_ends;    /* int pid -> owned SsRunEnd */
    GHashTable *fd_limits;   /* int pid -> owned guint64 */
    SsLabels *labels;        /* owned */
    SsProcess *last_process; /* weak; of the event before */
    SsCounts counts;
    SsWaitKind waits[SS_MAX_REQUEST]; /* by VhostUserRequest; 0: any other */
    SsSpan reads;
    guint64 waits_in_commit, waits_in_phase; /* begun inside a commit; start, stop, reset */
    guint64 windows[SS_WINDOW_N_CLASSES];    /* begun while the back-end could send requests */
    guint64 windows_unknown;                 /* begun where that is not known */
    guint64 events;
    gint64 begin_ns; /* 0: no event yet */
    gint64 end_ns;
    bool finished;
    SsNoticeFunc notice;
    gpointer notice_data;
    SsLifeFunc life;
    gpointer life_data;
    SsClosedFunc closed;
    gpointer closed_data;
    SsAppliedFunc applied;
    gpointer applied_data;
};

SsModel *ss_model_new(void);
void ss_model_free(SsModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SsModel, ss_model_free)

/* Each step is told to `func`, synchronously. */
void ss_model_set_notice(SsModel *model, SsNoticeFunc func, gpointer user_data);

/* The one that `device` turned out to be, which may be itself, or NULL of NULL. */
SsDevice *ss_device_now(SsDevice *device);

/* Each mapping is told to `func` once, synchronously: when nothing more comes of it, or at
 * ss_model_finish(). It is the model's own, and may be gone after that. */
void ss_model_set_life(SsModel *model, SsLifeFunc func, gpointer user_data);

/* Each descriptor that is closed is told to `func`, synchronously; it is gone after that. */
void ss_model_set_closed(SsModel *model, SsClosedFunc func, gpointer user_data);

/* Each event of the model's own is told to `func` after the model has taken it. */
void ss_model_set_applied(SsModel *model, SsAppliedFunc func, gpointer user_data);

/* Strings are copied; NULL means not known. Returns the trace's index. Nothing counts as
 * recorded until ss_model_set_recorded(). */
guint ss_model_add_trace(SsModel *model, const char *path, const char *uuid, const char *hostname);
/* It is no trace: its processes were looked at. */
void ss_model_set_looked(SsModel *model, guint trace);
void ss_model_set_recorded(SsModel *model, guint trace, SsEventId id);
/* Events were discarded between two times, in ns; events may be 0 when not counted. */
void ss_model_add_loss(SsModel *model, guint trace, gint64 begin_ns, gint64 end_ns, guint64 events);
/*
 * The tracer of a process is set up. When that happens again it was torn down before, say for
 * want of descriptors, and what was told meanwhile is lost and counted by nobody. Until when the
 * tracer before it worked is not told either: at most until the process's last sign of life, and
 * what it told since may be of the new one.
 */
void ss_model_tracer_begins(SsModel *model, guint trace, gint32 pid, gint64 ns);
/* Only between these times, in ns, do all streams of the trace tell; 0: from its beginning, to
 * its end. `missing`: streams that are not there at all. Told before the trace's events. */
void ss_model_set_complete(SsModel *model, guint trace, gint64 from_ns, gint64 until_ns,
                           guint missing);
/* The same as it turns out: a stream's first packet begins at this time, and what it told before is
 * not known; a stream told no more after this time. */
void ss_model_begins(SsModel *model, guint trace, gint64 ns);
void ss_model_ragged(SsModel *model, guint trace, gint64 ns);
/* The recording reached this time, with or without an event. */
void ss_model_reached(SsModel *model, guint trace, gint64 ns);
/* What is known from outside the trace about a process's end: exit code (-1: not known) or
 * signal, and when, in ns since the Unix epoch (0: not known). */
void ss_model_set_run_end(SsModel *model, gint32 pid, SsProcessEnd end, gint32 code,
                          gint64 ended_ns);
/* How many descriptors a process may have open, as is known from outside the trace. */
void ss_model_set_fd_limit(SsModel *model, gint32 pid, guint64 limit);

/* Takes any event in any order; never fails. */
void ss_model_event(SsModel *model, const SsEvent *event);
/* For the stage before the model (analysis/wire). An event of the trace that is not the model's own
 * counts; one that was made of others does not, and is taken. Returns its process, weak. */
void ss_model_seen(SsModel *model, const SsEvent *event);
SsProcess *ss_model_apply(SsModel *model, const SsEvent *event);
/* A file was given a label. Any event of the trace, as above; counts already. */
void ss_label_noted(SsModel *model, const SsEvent *event);
/* The file goes out over a channel; returns its label. What another than who noted it sends, as a
 * front-end does with what it has mapped, is no request that brings it along. */
SsLabel ss_label_sent(SsModel *model, guint trace, gint32 pid, guint64 fdev, guint64 ino,
                      gint64 ns);
/* A back-end's channel began or ended: what was under way over one is not known any more. */
void ss_label_channel(SsModel *model);
/* A time that a trace may tell, made one that differences can be told of. */
gint64 ss_model_believed(gint64 ns);
/* Whether the process that tells this event has told one by QEMU's tracepoints. */
bool ss_model_traced(const SsModel *model, const SsEvent *event);
/* No event follows. Judges what is still open; the model can be read afterwards. */
void ss_model_finish(SsModel *model);

/* sources.c: a process of which only the wire library tells. */
bool ss_process_outside(const SsProcess *process);
/* Whether both tell of a process. */
bool ss_model_has_both(const SsModel *model);
/* A process that told nothing, and was looked at. */
bool ss_process_looked(const SsProcess *process);
/* Whether all that is known was looked at, and nothing recorded. */
bool ss_model_looked(const SsModel *model);
/* Whether all that the library tells was recorded in the trace. */
bool ss_wire_recorded(const SsModel *model, guint trace);
/* By which sources the front-ends of the trace are known: bits SsSource; 0: it has back-ends
 * only. */
guint32 ss_trace_sources(const SsModel *model, guint trace);
/* Whether the library tells enough to know what this event would tell. */
bool ss_event_from_outside(SsEventId id);
/* Whether the event, or as much from outside, was recorded of the process. */
bool ss_event_recorded(const SsModel *model, const SsProcess *process, SsEventId id);

/* Lookups for checks and reports. */
const SsTraceInfo *ss_model_trace(const SsModel *model, guint index);
/* All traces by their paths, for what is told: babeltrace2 hands them over in an order of its own,
 * which is another behind another graph. The caller frees the array; weak SsTraceInfo. */
GPtrArray *ss_model_traces(const SsModel *model);
/* Whether events of the process's trace were lost in the interval. */
bool ss_model_lost(const SsModel *model, const SsProcess *process, gint64 from_ns, gint64 to_ns);
/* What it holds of the time before all streams told, and of the time after one told no more. */
bool ss_trace_ragged_head(const SsTraceInfo *trace);
bool ss_trace_ragged_tail(const SsTraceInfo *trace);
guint64 ss_model_lost_events(const SsModel *model, bool *uncounted);
/* From the first event to where the recording reached, in ns; 0 when there is no event. */
gint64 ss_model_length(const SsModel *model);
/* How far the recording of the process's trace reached. */
gint64 ss_model_reach(const SsModel *model, const SsProcess *process);
/* The mappings in the device's regions, in the order of region and offset: SsMapping, weak; the
 * caller unrefs the array. */
GPtrArray *ss_mappings_of(const SsDevice *device);
/* The request a thread is inside of when its events end, and its device, unless that is NULL;
 * NULL when it is in none. Both are weak. */
const SsExchange *ss_thread_open_request(const SsThread *thread, SsDevice **ret_device);
/* "ended by signal 6": of one that is known to have ended; the caller frees it. */
char *ss_process_end_text(const SsProcess *process);
/* Any thread of it waits for the main channel's reply; *thread is weak. */
bool ss_process_waits(const SsProcess *process, SsThread **thread);
