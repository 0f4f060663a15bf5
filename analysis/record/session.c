/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session.h"

#include <errno.h>
#include <lttng/lttng.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ss-catalogue.h"

#define CHANNEL_NAME "shmemscope"

/*
 * Buffers. A MAP/UNMAP pair tells 20 to 40 events of about 80 bytes, and QEMU does at most
 * some 5,000 pairs a second in its one main loop: 16 MB/s on one CPU at the very worst. Eight
 * sub-buffers of 512 KiB hold a quarter of a second of that, which a consumer daemon
 * that waits for its disk needs; a large sub-buffer keeps the switches, where a writer may
 * find no room, rare. Events that find no room are discarded and counted, never overwritten:
 * the analysis can say "unknown" for a counted loss, not for a silent one.
 */
#define SUBBUFFER_COUNT 8
#define SUBBUFFER_MOST (512 * 1024)
#define SUBBUFFER_LEAST (16 * 1024)

/*
 * Every 200 ms what is in the buffers goes to the disk, whoever still lives by then: so much
 * is missing at most when the whole recorder, its keeper included, is gone.
 */
#define SWITCH_INTERVAL_US (200 * 1000)

#define CLOSE_TIMEOUT_US (60 * G_USEC_PER_SEC)
#define DAEMON_TIMEOUT_US (10 * G_USEC_PER_SEC)
#define POLL_US (20 * 1000)

typedef struct lttng_handle LttngHandle;
typedef struct lttng_channel LttngChannel;
typedef struct lttng_event LttngEvent;
typedef struct lttng_session_descriptor LttngDescriptor;
typedef struct lttng_destruction_handle LttngDestruction;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LttngHandle, lttng_destroy_handle)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LttngChannel, lttng_channel_destroy)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LttngEvent, lttng_event_destroy)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LttngDescriptor, lttng_session_descriptor_destroy)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LttngDestruction, lttng_destruction_handle_destroy)

G_DEFINE_QUARK(ss - record - error - quark, ss_record_error)

static const char *const wide_patterns[] = {
    "qemu:vhost_*",
    "qemu:virtio_*",
    "qemu:memory_region_*",
    "qemu:flatview_*",
};

/* code: as liblttng-ctl returns it, negative or not */
static void set_lttng_error(GError **error, const char *what, const char *name, int code)
{
    g_set_error(error, SS_RECORD_ERROR, 0, "Cannot %s: session=\"%s\": %s", what, name,
                lttng_strerror(-ABS(code)));
}

static void init_domain(struct lttng_domain *domain)
{
    memset(domain, 0, sizeof(*domain));
    domain->type = LTTNG_DOMAIN_UST;
    /* Per user, not per process: what a process wrote stays when the process is killed. */
    domain->buf_type = LTTNG_BUFFER_PER_UID;
}

static LttngHandle *open_handle(const char *name)
{
    struct lttng_domain domain;

    init_domain(&domain);
    return lttng_create_handle(name, &domain);
}

static gboolean wait_for_daemon(gint64 timeout_us)
{
    gint64 deadline = g_get_monotonic_time() + timeout_us;

    while (lttng_session_daemon_alive() != 1) {
        if (g_get_monotonic_time() >= deadline) {
            return FALSE;
        }
        g_usleep(POLL_US);
    }
    return TRUE;
}

gboolean ss_session_ensure_daemon(GError **error)
{
    const char *const argv[] = { "lttng-sessiond", "--daemonize", "--no-kernel", NULL };
    g_autoptr(GError) spawn_error = NULL;
    g_autofree char *program = NULL;
    const char *reason = "it was started and does not answer";
    int status = 0;

    if (lttng_session_daemon_alive() == 1) {
        return TRUE;
    }
    program = g_find_program_in_path(argv[0]);
    if (!program) {
        reason = "lttng-sessiond is not installed (Debian's package lttng-tools has it)";
    } else {
        g_printerr("shmemscope record: no session daemon answers; starting %s %s %s\n", argv[0],
                   argv[1], argv[2]);
        if (!g_spawn_sync(NULL, (char **)argv, NULL,
                          G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                              G_SPAWN_STDERR_TO_DEV_NULL,
                          NULL, NULL, NULL, NULL, &status, &spawn_error)) {
            reason = spawn_error->message;
        } else if (wait_for_daemon(status == 0 ? DAEMON_TIMEOUT_US : G_USEC_PER_SEC)) {
            /* Another recorder may have been faster, and its daemon serves as well. */
            return TRUE;
        } else if (status != 0) {
            reason = "lttng-sessiond cannot be started";
        }
    }
    g_set_error(error, SS_RECORD_ERROR, 0,
                "Cannot record: no LTTng session daemon answers: %s. Start one with "
                "`lttng-sessiond --daemonize --no-kernel`; to use root's daemon, be in the "
                "group \"tracing\"",
                reason);
    return FALSE;
}

void ss_session_tell_stale(void)
{
    struct lttng_session *sessions = NULL;
    int count = lttng_list_sessions(&sessions);

    for (int i = 0; i < count; i++) {
        int pid = 0;

        if (sscanf(sessions[i].name, "shmemscope-%d-", &pid) == 1 && pid > 0 && kill(pid, 0) < 0 &&
            errno == ESRCH) {
            g_printerr("shmemscope record: the recorder of session %s is gone; its trace is in "
                       "%s; `lttng destroy %s` removes the session\n",
                       sessions[i].name, sessions[i].path, sessions[i].name);
        }
    }
    free(sessions);
}

/*
 * The size a sub-buffer may have so that all CPUs' buffers take a quarter of the room; or what
 * was asked for, in whole powers of two as LTTng wants it, and at least a page.
 */
static guint64 subbuffer_size(guint64 asked)
{
    guint64 size = SUBBUFFER_MOST;
    struct statvfs shm;
    long cpus = MAX(sysconf(_SC_NPROCESSORS_CONF), 1);

    if (asked > 0) {
        guint64 page = (guint64)sysconf(_SC_PAGESIZE);

        for (size = page; size * 2 <= asked / SUBBUFFER_COUNT; size *= 2) {
        }
    } else if (statvfs("/dev/shm", &shm) == 0) {
        guint64 room = (guint64)shm.f_bavail * shm.f_frsize / 4 / cpus / SUBBUFFER_COUNT;

        while (size > SUBBUFFER_LEAST && size > room) {
            size /= 2;
        }
    }
    return size;
}

SsBufferSizes ss_session_buffers(void)
{
    const guint64 buffers = (guint64)MAX(sysconf(_SC_NPROCESSORS_CONF), 1) * SUBBUFFER_COUNT;

    return (SsBufferSizes){ .chosen = buffers * subbuffer_size(0),
                            .least = buffers * SUBBUFFER_LEAST,
                            .most = buffers * SUBBUFFER_MOST };
}

/*
 * LTTng writes the description of the events when its buffer is full or the session stops;
 * without it nothing of the rest can be read. A channel of this reserved name sets its timer.
 */
static gboolean add_metadata_channel(LttngHandle *handle, const char *name, GError **error)
{
    struct lttng_domain domain;
    g_autoptr(LttngChannel) channel = NULL;
    int code = -LTTNG_ERR_NOMEM;

    init_domain(&domain);
    channel = lttng_channel_create(&domain);
    if (channel) {
        g_strlcpy(channel->name, "metadata", sizeof(channel->name));
        channel->attr.overwrite = 0;
        channel->attr.subbuf_size = (guint64)sysconf(_SC_PAGESIZE);
        channel->attr.num_subbuf = 2;
        channel->attr.switch_timer_interval = SWITCH_INTERVAL_US;
        channel->attr.output = LTTNG_EVENT_MMAP;
        code = lttng_enable_channel(handle, channel);
    }
    if (code < 0) {
        set_lttng_error(error, "make the metadata channel", name, code);
        return FALSE;
    }
    return TRUE;
}

static gboolean add_channel(LttngHandle *handle, const SsSessionConfig *config, GError **error)
{
    static const enum lttng_event_context_type contexts[] = {
        LTTNG_EVENT_CONTEXT_VPID,
        LTTNG_EVENT_CONTEXT_VTID,
        LTTNG_EVENT_CONTEXT_PROCNAME,
    };
    const char *name = config->name;
    struct lttng_domain domain;
    g_autoptr(LttngChannel) channel = NULL;
    int code;

    init_domain(&domain);
    channel = lttng_channel_create(&domain);
    if (!channel) {
        set_lttng_error(error, "make a channel", name, LTTNG_ERR_NOMEM);
        return FALSE;
    }
    g_strlcpy(channel->name, CHANNEL_NAME, sizeof(channel->name));
    channel->attr.overwrite = 0;
    channel->attr.subbuf_size = subbuffer_size(config->buffer_size);
    channel->attr.num_subbuf = SUBBUFFER_COUNT;
    channel->attr.switch_timer_interval = SWITCH_INTERVAL_US;
    channel->attr.read_timer_interval = 0;
    channel->attr.output = LTTNG_EVENT_MMAP;
    code = lttng_enable_channel(handle, channel);
    if (code < 0) {
        set_lttng_error(error, "make a channel", name, code);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(contexts); i++) {
        struct lttng_event_context context = { .ctx = contexts[i] };

        code = lttng_add_context(handle, &context, NULL /* every event */, CHANNEL_NAME);
        if (code < 0) {
            set_lttng_error(error, "add a context", name, code);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean enable(LttngHandle *handle, const SsSessionConfig *config, const char *pattern,
                       GPtrArray *exclusions, GError **error)
{
    g_autoptr(LttngEvent) event = lttng_event_create();
    int code;

    if (!event) {
        set_lttng_error(error, "enable an event", config->name, LTTNG_ERR_NOMEM);
        return FALSE;
    }
    event->type = LTTNG_EVENT_TRACEPOINT;
    event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
    event->loglevel = -1;
    g_strlcpy(event->name, pattern, sizeof(event->name));
    code = lttng_enable_event_with_exclusions(handle, event, CHANNEL_NAME, NULL /* no filter */,
                                              exclusions ? (int)exclusions->len : 0,
                                              exclusions ? (char **)exclusions->pdata : NULL);
    if (code < 0) {
        g_set_error(error, SS_RECORD_ERROR, 0, "Cannot enable an event: event=\"%s\": %s", pattern,
                    lttng_strerror(code));
        return FALSE;
    }
    return TRUE;
}

/* Events of excluded classes that a pattern would bring back; weak names. */
static GPtrArray *exclusions_of(const SsSessionConfig *config, const char *pattern)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; i < SS_N_EVENTS; i++) {
        const SsEventInfo *info = &ss_catalogue_events[i];

        if (config->excluded[info->event_class] && g_pattern_match_simple(pattern, info->name)) {
            g_ptr_array_add(names, (gpointer)info->name);
        }
    }
    return g_steal_pointer(&names);
}

static gboolean enable_events(LttngHandle *handle, const SsSessionConfig *config, GError **error)
{
    if (!enable(handle, config, SS_TRACER_BEGINS, NULL, error)) {
        return FALSE;
    }
    for (guint i = 0; i < SS_N_EVENTS; i++) {
        const SsEventInfo *info = &ss_catalogue_events[i];

        if (!config->excluded[info->event_class] &&
            !enable(handle, config, info->name, NULL, error)) {
            return FALSE;
        }
    }
    if (config->set == SS_EVENT_SET_ALL) {
        for (guint i = 0; i < G_N_ELEMENTS(wide_patterns); i++) {
            g_autoptr(GPtrArray) exclusions = exclusions_of(config, wide_patterns[i]);

            if (!enable(handle, config, wide_patterns[i], exclusions, error)) {
                return FALSE;
            }
        }
    }
    return TRUE;
}

typedef struct lttng_process_attr_tracker_handle LttngTracker;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LttngTracker, lttng_process_attr_tracker_handle_destroy)

static LttngTracker *open_tracker(const char *name, GError **error)
{
    LttngTracker *tracker = NULL;
    enum lttng_error_code code = lttng_session_get_tracker_handle(
        name, LTTNG_DOMAIN_UST, LTTNG_PROCESS_ATTR_VIRTUAL_PROCESS_ID, &tracker);

    if (code != LTTNG_OK) {
        set_lttng_error(error, "choose processes", name, (int)code);
        return NULL;
    }
    return tracker;
}

static gboolean include_nothing(const char *name, GError **error)
{
    g_autoptr(LttngTracker) tracker = open_tracker(name, error);

    if (!tracker) {
        return FALSE;
    }
    if (lttng_process_attr_tracker_handle_set_tracking_policy(tracker,
                                                              LTTNG_TRACKING_POLICY_INCLUDE_SET) !=
        LTTNG_PROCESS_ATTR_TRACKER_HANDLE_STATUS_OK) {
        set_lttng_error(error, "choose processes", name, LTTNG_ERR_UNK);
        return FALSE;
    }
    return TRUE;
}

gboolean ss_session_include(const char *name, int pid, GError **error)
{
    g_autoptr(LttngTracker) tracker = open_tracker(name, error);
    enum lttng_process_attr_tracker_handle_status status;

    if (!tracker) {
        return FALSE;
    }
    status = lttng_process_attr_virtual_process_id_tracker_handle_add_pid(tracker, pid);
    if (status != LTTNG_PROCESS_ATTR_TRACKER_HANDLE_STATUS_OK &&
        status != LTTNG_PROCESS_ATTR_TRACKER_HANDLE_STATUS_EXISTS) {
        g_set_error(error, SS_RECORD_ERROR, 0,
                    "Cannot record a process: pid=%d: LTTng's tracker "
                    "refuses it (%d)",
                    pid, (int)status);
        return FALSE;
    }
    return TRUE;
}

gboolean ss_session_create(const SsSessionConfig *config, GError **error)
{
    g_autoptr(LttngDescriptor) descriptor =
        lttng_session_descriptor_local_create(config->name, config->directory);
    g_autoptr(LttngHandle) handle = NULL;
    enum lttng_error_code code;

    if (!descriptor) {
        g_set_error(error, SS_RECORD_ERROR, 0,
                    "Cannot create a session: session=\"%s\": LTTng takes no such name or path",
                    config->name);
        return FALSE;
    }
    code = lttng_create_session_ext(descriptor);
    if (code == LTTNG_ERR_EXIST_SESS) {
        g_set_error(error, SS_RECORD_ERROR, 0,
                    "Cannot create a session: session=\"%s\": one with this name exists and is "
                    "left alone; choose another --session",
                    config->name);
        return FALSE;
    }
    if (code != LTTNG_OK) {
        set_lttng_error(error, "create a session", config->name, (int)code);
        return FALSE;
    }
    handle = open_handle(config->name);
    if (!handle) {
        set_lttng_error(error, "use the session", config->name, LTTNG_ERR_NOMEM);
    } else if (add_metadata_channel(handle, config->name, error) &&
               add_channel(handle, config, error) && enable_events(handle, config, error) &&
               (config->everything || include_nothing(config->name, error))) {
        return TRUE;
    }
    (void)lttng_destroy_session_no_wait(config->name);
    return FALSE;
}

gboolean ss_session_start(const char *name, GError **error)
{
    int code = lttng_start_tracing(name);

    if (code < 0) {
        set_lttng_error(error, "start recording", name, code);
        return FALSE;
    }
    return TRUE;
}

static gboolean wait_until_written(const char *name, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + CLOSE_TIMEOUT_US;
    int pending;

    while ((pending = lttng_data_pending(name)) == 1) {
        if (g_get_monotonic_time() >= deadline) {
            g_set_error(error, SS_RECORD_ERROR, 0,
                        "Cannot finish the trace: session=\"%s\": the consumer daemon did not "
                        "write everything within a minute",
                        name);
            return FALSE;
        }
        g_usleep(POLL_US);
    }
    if (pending < 0) {
        set_lttng_error(error, "finish the trace", name, pending);
        return FALSE;
    }
    return TRUE;
}

/* Asked before the session is destroyed: its counters end with it. */
static void read_losses(const char *name, SsSessionResult *result)
{
    g_autoptr(LttngHandle) handle = open_handle(name);
    struct lttng_channel *channels = NULL;
    int count = handle ? lttng_list_channels(handle, &channels) : 0;

    for (int i = 0; i < count; i++) {
        uint64_t discarded = 0, lost = 0;

        if (lttng_channel_get_discarded_event_count(&channels[i], &discarded) == 0) {
            /*
             * LTTng's consumer takes a count of a buffer that is read as smaller than the last
             * time for the wrap of a long, and adds 2^63 to the difference. Without that bit the
             * sum is right again.
             */
            result->discarded += discarded & G_MAXINT64;
        }
        if (lttng_channel_get_lost_packet_count(&channels[i], &lost) == 0) {
            result->lost_packets += lost;
        }
    }
    free(channels);
}

gboolean ss_session_close(const char *name, SsSessionResult *ret_result, GError **error)
{
    g_autoptr(LttngDestruction) destruction = NULL;
    SsSessionResult result = { 0 };
    enum lttng_error_code code;
    gboolean written;
    int stopped = lttng_stop_tracing_no_wait(name);

    if (stopped < 0 && stopped != -LTTNG_ERR_TRACE_ALREADY_STOPPED) {
        set_lttng_error(error, "stop recording", name, stopped);
        return FALSE;
    }
    written = wait_until_written(name, error);
    read_losses(name, &result);
    /* Also when it was not all written: a session nobody watches would fill the disk. */
    code = lttng_destroy_session_ext(name, &destruction);
    if (code != LTTNG_OK) {
        if (written) {
            set_lttng_error(error, "remove the session", name, (int)code);
        }
        return FALSE;
    }
    (void)lttng_destruction_handle_wait_for_completion(destruction,
                                                       CLOSE_TIMEOUT_US / 1000 /* ms */);
    if (ret_result) {
        *ret_result = result;
    }
    return written;
}
