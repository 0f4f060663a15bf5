/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The nouns of the model. Times are ns since the Unix epoch by the trace's clock;
 * 0 means "not seen". Pointers say who owns them. Strings kept here are already
 * harmless (see ss_text_sanitize()).
 */
#pragma once

#include <stdbool.h>

#include "analysis/decode/event.h"
#include "analysis/model/label.h"
#include "analysis/model/looked.h"
#include "analysis/model/step.h"

#define SS_NS_PER_MS G_GINT64_CONSTANT(1000000)
#define SS_NS_PER_S G_GINT64_CONSTANT(1000000000)

/* An RCU grace period ends in milliseconds; what is still there after this much
 * further activity is not merely waiting for one. */
#define SS_GRACE_NS SS_NS_PER_S
/* Between two adjacent steps of one thread. */
#define SS_STEP_NS (10 * SS_NS_PER_MS)

#define SS_REQUEST_SHMEM_MAP 9
#define SS_REQUEST_SHMEM_UNMAP 10
#define SS_REQUEST_SHARED_OBJECT_LOOKUP 8
#define SS_MAP_WRITABLE G_GUINT64_CONSTANT(1)
#define SS_REMOVAL_UNMAP "unmap"
/* Of a refusal that is seen from outside. */
#define SS_REASON_NOT_TOLD "not-told"
/* What memory_commit_start tells instead of a depth when there was no begin. */
#define SS_DEPTH_UNBEGUN G_MAXUINT32
#define SS_HEADER_NEED_REPLY (1u << 3)
#define SS_PROTOCOL_REPLY_ACK (G_GUINT64_CONSTANT(1) << 3)

typedef struct SsProcess SsProcess;
typedef struct SsDevice SsDevice;
typedef struct SsMapping SsMapping;
typedef struct SsThread SsThread;
typedef struct SsWindows SsWindows;
typedef struct SsTrail SsTrail;
typedef struct SsPeer SsPeer;

typedef struct SsLoss {
    gint64 begin_ns;
    gint64 end_ns;
    guint64 events; /* 0: whole packets, nobody counted */
} SsLoss;

typedef struct SsTraceInfo {
    char *path;                 /* owned, as given */
    char *uuid;                 /* owned, "" when it has none */
    char *hostname;             /* owned, "" when not told */
    guint host;                 /* index of the first trace of that host */
    bool recorded[SS_N_EVENTS]; /* the event is in the trace's metadata, and usable */
    bool any_recorded;
    bool looked;    /* it is no trace: somebody looked, and nothing was recorded */
    GArray *losses; /* of SsLoss, owned, in order of begin */
    guint64 events;
    gint64 begin_ns;
    gint64 end_ns;      /* how far the recording reached, which may be past its last event */
    gint64 last_ns;     /* of its last event */
    gint64 complete_ns; /* from here on all streams tell; 0: from the beginning */
    gint64 ragged_ns;   /* from here on some tell no more; 0: all do to the end */
    guint missing;      /* streams that are not there */
} SsTraceInfo;

/* Durations of one kind. */
typedef struct SsSpan {
    guint64 count;
    gint64 sum_ns;
    gint64 max_ns;
} SsSpan;

/* Ended waits for replies of one kind. */
typedef struct SsWaitKind {
    SsSpan span;
    guint64 spoke; /* waits that spoke up */
} SsWaitKind;

#define SS_MAX_REQUEST 64

typedef struct SsCounts {
    guint64 mappings_created, mappings_visible, mappings_removed, mappings_finalized;
    guint64 fds_received, fds_duplicated, fds_closed, fds_close_failed, fds_implied_closed;
    guint64 fds_waiting_most; /* for RCU to close them, at once; of all: in one process */
    guint64 requests, maps, unmaps, replies, replies_failed, refused;
    guint64 commits, mem_tables, mem_tables_failed;
    GHashTable *refusals; /* owned; char * -> guint64 *, by the reason's word */
    SsSpan request_to_reply, reply_to_visible, removed_to_finalized, finalized_to_closed;
} SsCounts;

#define SS_JOURNAL_STEPS 64
#define SS_RECENT_EXCHANGES 16
#define SS_EXCHANGE_FDS 8

typedef struct SsDescriptor SsDescriptor;

/* What the protocol has against the place that a SHMEM request names, by the mappings that
 * were known as it came. */
typedef enum SsPlaceFault {
    SS_PLACE_FINE,
    SS_PLACE_OVERLAP,   /* MAP: some of it is mapped */
    SS_PLACE_NOT_WHOLE, /* UNMAP: what is mapped there is not exactly the range */
    SS_PLACE_EMPTY,     /* UNMAP: nothing is known to be mapped there */
} SsPlaceFault;

/* A part of a region, and since when it is known to be mapped. */
typedef struct SsPlace {
    guint32 shmid;
    guint64 offset, len;
    guint64 seq; /* exchange that mapped it, 0 when not known */
    gint64 since_ns;
} SsPlace;

/* A request of the back-end and what became of it. */
typedef struct SsExchange {
    guint64 seq; /* 0: this place of the ring is free */
    guint32 request;
    guint32 flags;
    gint32 tid; /* thread that dispatches it */
    guint32 shmid;
    guint64 shm_offset, len, fd_offset;
    bool has_range;
    guint64 map_flags;              /* of SHMEM_MAP */
    guint added, removed, unmapped; /* mappings; unmapped: removed because it asked so */
    guint duplicated, finalized;    /* descriptors for mappings; mappings that were given up */
    bool has_file;                  /* a descriptor came with it: size of its file */
    guint64 file_size;
    SsLabel label; /* of that file */
    SsPlaceFault place_fault;
    SsPlace there;    /* what is in the way; when place_fault is OVERLAP or NOT_WHOLE */
    bool there_known; /* all mappings of the device were known as it came */
    bool refused;
    char reason[24];
    gint64 read_ns, request_ns, reply_ns, dispatched_ns;
    guint replies; /* sent */
    guint reply_tries;
    guint64 value;
    gint32 dispatch_ret;
    gint64 early_commit_ns;             /* a commit began before the reply */
    gint64 early_wait_ns;               /* and waited for a back-end in it */
    guint32 early_wait;                 /* for the reply of this one to this request; 0: none */
    bool settled;                       /* the checks have seen its end */
    SsDescriptor *fds[SS_EXCHANGE_FDS]; /* weak; still open ones that came or were made in it */
} SsExchange;

typedef struct SsRegion {
    guint32 shmid;
    guint64 size;
} SsRegion;

/* The memory table that the back-end knows. */
typedef struct SsTable {
    gint64 stale_ns;  /* an update failed, and none worked since; 0: not */
    gint64 failed_ns; /* the last that failed */
    guint32 entries, slots;
    gint32 ret;
    bool sure;   /* the back-end's end was not the reason */
    bool judged; /* the last failure was told to the checks */
} SsTable;

typedef enum SsChannelState {
    SS_CHANNEL_UNKNOWN,
    SS_CHANNEL_OPEN,
    SS_CHANNEL_CLOSED,
    SS_CHANNEL_PENDING, /* connected, and not accepted: what is sent waits for nobody yet */
} SsChannelState;

/* Inodes of both ends of a device's channels, as the front-end knows them; 0: not known. */
typedef struct SsSockets {
    guint64 main_sock, main_peer;
    guint64 backend_sock, backend_peer;
} SsSockets;

struct SsDevice {
    SsProcess *process; /* weak */
    guint64 dev, vdev;  /* 0: not known yet */
    char *id;           /* owned; "" when not known */
    char *chardev;      /* owned; "" when not known */
    guint32 virtio_id;
    guint64 features, protocol_features;
    bool features_known;
    bool started;
    bool gone;       /* vhost_dev cleaned up */
    bool unrealized; /* the VirtIODevice ended */
    bool late;       /* was there before the recording began */
    bool told;       /* told of itself since its channel was opened, or before that was seen */
    bool usable;     /* and has a region, or begins to be started: its back-end may ask */
    gint64 birth_ns;
    SsDevice *absorbed; /* weak; it turned out to be that one, which has its records now */
    SsChannelState main_channel, backend_channel;
    gint64 disconnect_ns; /* a channel closed and its mappings are not judged yet */
    bool disconnect_main; /* it was the main channel */
    gint64 gone_ns;
    gint64 left_ns;  /* when a reset or unplug ended last: what was left then was told */
    GArray *regions; /* of SsRegion, owned */
    SsExchange exchanges[SS_RECENT_EXCHANGES];
    guint next_exchange;
    guint64 last_seq;
    guint64 read_seq; /* front-end exchange whose reply was read last; 0 none */
    SsStep journal[SS_JOURNAL_STEPS];
    guint64 journal_next;
    SsCounts counts;
    SsWaitKind waits[SS_MAX_REQUEST]; /* by VhostUserRequest; 0: any other */
    guint live_mappings;              /* added and not removed */
    guint fds_waiting;                /* of its finalized mappings, for RCU to close them */
    SsTable table;
    SsWindows *windows; /* owned; NULL until there are some */
    GTree *places;      /* owned; SsMapping by their place, weak */
    SsTrail *sent;      /* owned; requests on the main channel; NULL until there are some */
    SsTrail *asked;     /* owned; requests of the back-end that were read; the same */
    SsSockets sockets;
    SsPeer *peer;         /* weak; the same connection in the back-end, NULL: not known */
    SsInbox inbox;        /* of the front-end's end of the back-end channel */
    bool served;          /* a thread of the front-end is at that channel, and would read */
    GArray *held;         /* of SsHeld, owned; NULL: none was seen */
    SsListener *listener; /* owned; of a main channel that is PENDING, else NULL */
};

typedef enum SsDescriptorRole {
    SS_FD_RECEIVED,
    SS_FD_DUPLICATE
} SsDescriptorRole;

/* An open descriptor that travelled with a request, or a mapping's own copy of it.
 * Identity: process, number, birth. */
struct SsDescriptor {
    SsProcess *process; /* weak */
    SsDevice *device;   /* weak; NULL when not known */
    gint32 number;
    SsDescriptorRole role;
    guint64 seq; /* exchange it came with or was made in; 0 when not known */
    guint32 index;
    guint32 request;
    guint64 fdev, ino, size;
    SsLabel label;
    gint64 birth_ns;
    gint64 closed_ns; /* 0: it is open */
    bool birth_seen;
    SsMapping *mapping; /* weak; the mapping whose own descriptor it is */
    guint64 mapping_pointer;
    /* The received one that had the number before, and was closed unseen. */
    SsDevice *older_device; /* weak */
    guint64 older_seq, older_ino;
    SsLabel older_label;
};

typedef enum SsCloser {
    SS_CLOSER_UNSEEN,
    SS_CLOSER_DISPATCH,
    SS_CLOSER_MAPPING,
    SS_CLOSER_RAM_BLOCK,
} SsCloser;

/* A descriptor after its close. */
typedef struct SsClosed {
    guint64 key; /* in the table that has it */
    gint32 number;
    SsCloser closer;
    gint32 ret;
    guint64 ino;
    SsLabel label;
    guint32 request;
    guint64 seq;
    SsDevice *device; /* weak; NULL when not known */
    guint64 mapping;  /* whose own it was; 0: nobody's */
    guint64 ram;      /* key of the RAM block that owns it still */
    guint32 shmid;
    guint64 shm_offset, len;
    bool in_region;             /* its mapping was, at that time */
    bool told;                  /* the checks know */
    gint64 birth_ns, closed_ns; /* birth: or when its mapping was told of last */
    SsThread *thread;           /* weak; that closed it; NULL when not known */
    guint64 thread_events;
} SsClosed;

/* A close that was not the closer's to do, or not again. */
typedef struct SsClose {
    SsCloser closer;
    gint32 number, ret;
    SsClosed first;             /* the close before; of an early one this one */
    const SsDescriptor *victim; /* weak; whose number it was by now; NULL: nobody's known */
} SsClose;

/* Identity: process, pointer, birth. */
struct SsMapping {
    SsProcess *process; /* weak */
    SsDevice *device;   /* weak; NULL when not known */
    guint64 pointer;
    guint64 vdev;
    guint32 shmid;
    guint64 shm_offset, len, fd_offset, gpa, mr, host;
    bool writable;
    bool birth_seen;
    bool details; /* fd_offset, writable are known */
    gint32 fd;    /* its own descriptor, -1 when not known */
    guint64 fdev, ino;
    SsLabel label;
    guint64 seq; /* exchange that made it, 0 when not known */
    gint64 birth_ns, ram_ns, added_ns, visible_ns, removed_ns, finalized_ns;
    gint64 closed_ns;            /* of its descriptor, after it was finalized */
    gint64 request_ns, reply_ns; /* of the exchange that made it */
    gint64 told_ns;              /* the last event that had it in its region */
    char reason[16];             /* why it was removed */
    bool in_region;              /* entered its region and did not leave it */
    SsPlace place;               /* where it is kept in the list of places */
    SsDevice *placed;            /* weak; in whose list, NULL: in none */
    SsDescriptor *descriptor;    /* weak; NULL once closed */
};

typedef enum SsContextKind {
    SS_CONTEXT_DISPATCH,
    SS_CONTEXT_COMMIT,
    SS_CONTEXT_START,
    SS_CONTEXT_STOP,
    SS_CONTEXT_RESET,
    SS_CONTEXT_UNREALIZE,
} SsContextKind;

/* What a thread is inside of. */
typedef struct SsContext {
    SsContextKind kind;
    SsDevice *device; /* weak; of a commit: of the exchange that caused it, or NULL */
    guint64 seq;      /* exchange dispatched, or that caused the commit; 0 none */
    guint32 request;
    gint64 begin_ns;
    bool deferred; /* of a commit: its cause had been answered before; of a dispatch inside of
                    * which the front-end waits: its request had been, when the wait began */
} SsContext;

#define SS_MAX_CONTEXTS 12

/* The front-end waits for a reply on the main channel of `device`. */
typedef struct SsWait {
    SsDevice *device; /* weak */
    guint64 seq;
    guint32 request;
    gint32 tid;
    gint64 begin_ns, end_ns;
    bool begin_seen;
    bool told_by_other;              /* which thread waits is not known: the main loop stands */
    gint64 spoke_ns, first_spoke_ns; /* last and first time it spoke up */
    guint64 waited_ms;               /* as it said then */
    bool at_least;                   /* looked at: since when is not known, but at the latest */
    const SsInbox *inbox;            /* weak; looked at: where its request may lie; or NULL */
    guint32 unread, peek_request, peek_flags, peek_size;
    guint32 unread_before; /* in the back-end channel, as the request was about to be sent */
    guint32 unread_at_end;
    gint64 peek_ns; /* when it was first told that a request lies there that is to be answered */
    gint32 ret;
    guint64 window_key; /* equal for waits that open the same kind of window; 0: none */
    guint n_contexts;
    SsContext contexts[SS_MAX_CONTEXTS]; /* outermost first */
} SsWait;

struct SsThread {
    SsProcess *process; /* weak */
    gint32 tid;
    char *name; /* owned */
    gint64 last_ns;
    SsSeen seen;
    guint64 events;
    guint64 closed_mapping; /* it closed the descriptor of that one last; 0: something else */
    guint n_contexts;
    SsContext contexts[SS_MAX_CONTEXTS];
    bool waiting;
    SsWait wait;
    SsDevice *reading; /* weak; device whose back-end channel it reads a message from */
    gint64 reading_ns;
    gint64 reading_told_ns; /* another thread told that it lasts; 0 never */
};

/* The depth of QEMU's memory transactions: one for the whole process, under its lock. */
typedef struct SsTransactions {
    bool depth_known;      /* a dispatch or a commit told it */
    guint32 depth;         /* after the last dispatch; 0 after a commit */
    bool begin_seen;       /* some begin was told: none is missed from then on */
    bool begun;            /* a begin was told, and no commit since */
    gint64 commit_ns;      /* the last commit */
    SsDevice *left_device; /* weak; whose dispatch left one open, NULL: none is known to be */
    guint64 left_seq;
    guint32 left_request, left_depth;
    gint64 left_since_ns, left_ns; /* the request was read; its dispatch ended */
    gint64 left_ended_ns;          /* a commit ended it after all; 0: none did */
    bool left_before;              /* it may have been open before that dispatch */
} SsTransactions;
/* Descriptors of finalized mappings, which RCU has yet to close. */
typedef struct SsBacklog {
    guint64 limit;         /* of the process; 0: not known. Set when its last event was read */
    guint most, most_open; /* at once; and all that were known to be open then */
    gint64 most_ns;
    guint64 refused; /* duplicates for which no number was left; what follows is of the first */
    guint refused_waiting;
    gint64 refused_ns;
    SsDevice *refused_device; /* weak; NULL when not known */
} SsBacklog;

/* The MemoryRegion of a mapping. */
typedef struct SsStructure {
    guint64 mr, mapping;
    SsDevice *device; /* weak; NULL when not known */
    gint32 fd;
    guint64 ino;
    SsLabel label;
    guint32 shmid;
    guint64 shm_offset, len;
    gint64 birth_ns, mapping_ended_ns;
} SsStructure;

typedef struct SsStructures {
    GHashTable *live;                 /* guint64 * -> owned SsStructure, by its address */
    GHashTable *by_mapping;           /* guint64 * -> SsStructure, weak; its object lives */
    GHashTable *mappings_seen, *seen; /* owned guint64: addresses of objects and structures */
    guint64 made, ended;
    guint64 mappings_again, again; /* at an address where another was before */
    gint64 first_ns;
    gint64 newest_whole_ns; /* the latest end of an object whose structure ended too */
    SsDevice *device;       /* weak; of the last */
    bool several;           /* of several devices */
} SsStructures;

/* From then on nothing is told of a channel of the device. */
typedef struct SsGap {
    guint64 dev;
    gint64 ns;
} SsGap;

typedef enum SsProcessEnd {
    SS_END_UNKNOWN,
    SS_END_ALIVE,
    SS_END_EXITED,
    SS_END_SIGNAL
} SsProcessEnd;

/* Where what is known of a process comes from. */
typedef enum SsSource {
    SS_SOURCE_TRACEPOINTS = 1 << 0, /* its own tracepoints */
    SS_SOURCE_WIRE = 1 << 1,        /* the wire library in it */
    SS_SOURCE_LOOK = 1 << 2,        /* nothing: somebody looked at it twice, from outside */
} SsSource;

/* Identity: host, pid, birth. */
struct SsProcess {
    struct SsModel *model; /* weak */
    guint trace;
    guint32 sources; /* bits SsSource */
    char *unseen;    /* owned; what of it could not be looked at; NULL: nothing */
    char *called;    /* owned; what it is called in a sentence, fit for a terminal; NULL: QEMU */
    gint32 pid;
    char *name; /* owned; of the main thread when that was seen */
    bool name_of_main;
    char *vm; /* owned; "" when not known */
    gint64 birth_ns, last_ns;
    gint64 silent_from_ns, silent_until_ns; /* its last silence of more than SS_GRACE_NS */
    GPtrArray *devices;                     /* owned SsDevice */
    GPtrArray *peers;            /* owned SsPeer: its connections as a back-end; NULL: none */
    GHashTable *by_dev;          /* guint64 * -> SsDevice, weak */
    SsDevice *last_device;       /* weak; of by_dev, the one asked for last; NULL: none */
    GHashTable *by_vdev;         /* guint64 * -> SsDevice, weak */
    GHashTable *mappings;        /* guint64 * -> owned SsMapping, not finalized */
    GHashTable *closing;         /* SsMapping, owned: finalized, descriptor not closed */
    GHashTable *fds;             /* int -> owned SsDescriptor */
    GHashTable *threads;         /* int -> owned SsThread */
    SsThread *last_thread;       /* weak; of the event before */
    GPtrArray *pending;          /* weak SsMapping: visible when the commit ends */
    GHashTable *closed_ram;      /* guint64 * -> owned SsClosed: its RAM block will close it too */
    GHashTable *closed_mappings; /* guint64 * -> owned SsClosed: before the mapping's end */
    SsClosed closed_last;        /* of the mapping that ended last */
    guint64 commits_ended;
    gint64 last_commit_end_ns;
    gint64 newest_finalized_removal_ns; /* the latest removal that led to a finalize */
    gint64 newest_closed_finalize_ns;   /* the latest finalize whose RAM block was reclaimed */
    SsDevice *deferred_device;          /* weak; dispatch that left a transaction open */
    guint64 deferred_seq;
    guint32 deferred_request;
    SsTransactions transactions;
    GQueue disconnects;   /* weak SsDevice whose disconnect is not judged yet, oldest first */
    guint64 late_objects; /* things seen whose beginning was not */
    bool acted;           /* it told more than its state */
    gint64 dumped_ns;     /* it told its state to a thread of the tracer; 0: never */
    GHashTable *unsure;   /* owned guint64 *: inodes of which descriptors came or went by calls that
                           * nobody watches; NULL: none */
    GArray *gaps;         /* of SsGap, owned; NULL: none */
    SsBacklog backlog;
    SsStructures structures;
    SsProcessEnd end;
    gint32 end_code; /* exit code or signal */
    gint64 ended_ns; /* 0 when not known */
};
