/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device.h"

#include "channel.h"
#include "listener.h"

#include <errno.h>
#include <libvhost-user.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    int fd;        /* weak: libvhost-user's */
    int condition; /* poll events */
    vu_watch_cb call;
    void *data; /* weak: libvhost-user's */
} Watch;

struct SsDevice {
    VuDev vu;                   /* first: libvhost-user's callbacks get a pointer to it */
    const SsScenario *scenario; /* weak */
    SsLog *log;                 /* weak */
    int listener;               /* weak */
    int wake;                   /* weak */
    SsDeviceStarted started_call;
    void *started_data;         /* weak */
    SsDeviceAnswer answer_call; /* NULL: libvhost-user answers all */
    void *answer_data;          /* weak */
    GArray *watches;            /* owned, of Watch */
    char *panic;                /* owned: why libvhost-user gave up */
    gboolean connected;
    gboolean closed;  /* the main channel has come to its end */
    gboolean enabled; /* queue 0, by SET_VRING_ENABLE */
    gboolean started;
    uint64_t seq; /* messages of the main channel on this connection */
    uint64_t served[SS_REQUEST_MAX];
    unsigned delay_ms[SS_REQUEST_MAX];
};

static SsDevice *device_of(VuDev *vu)
{
    return (SsDevice *)vu;
}

static void on_panic(VuDev *vu, const char *text)
{
    SsDevice *device = device_of(vu);

    g_free(device->panic);
    device->panic = g_strdup(text != NULL ? text : "out of memory");
    g_strchomp(device->panic);
}

static void on_set_watch(VuDev *vu, int fd, int condition, vu_watch_cb call, void *data)
{
    GArray *watches = device_of(vu)->watches;
    Watch watch = { .fd = fd, .condition = condition, .call = call, .data = data };

    vu->remove_watch(vu, fd);
    g_array_append_val(watches, watch);
}

static void on_remove_watch(VuDev *vu, int fd)
{
    GArray *watches = device_of(vu)->watches;

    for (unsigned i = watches->len; i > 0; i--) {
        if (g_array_index(watches, Watch, i - 1).fd == fd) {
            g_array_remove_index(watches, i - 1);
        }
    }
}

static uint64_t on_get_features(VuDev *vu)
{
    return 0; /* libvhost-user adds those of every device */
}

static void on_set_features(VuDev *vu, uint64_t features)
{
    SsLogLine *line = ss_log_begin(device_of(vu)->log, "main", "features", 0);

    ss_log_number(line, "features", features);
    ss_log_end(line);
}

static void on_set_protocol_features(VuDev *vu, uint64_t features)
{
    SsLogLine *line = ss_log_begin(device_of(vu)->log, "main", "protocol-features", 0);

    ss_log_number(line, "features", features);
    ss_log_end(line);
}

static int on_get_shmem_config(VuDev *vu, VhostUserShMemConfig *config)
{
    for (unsigned i = 0; i < SS_SCENARIO_MAX_REGIONS; i++) {
        config->sizes[i] = device_of(vu)->scenario->regions[i];
    }
    return 0;
}

/* libvhost-user always offers what a scenario may want to leave out. */
static uint64_t offered_protocol_features(const SsScenario *scenario)
{
    uint64_t features = UINT64_C(1) << VHOST_USER_PROTOCOL_F_MQ |
                        UINT64_C(1) << VHOST_USER_PROTOCOL_F_BACKEND_REQ |
                        UINT64_C(1) << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD;

    if (scenario->reply_ack) {
        features |= UINT64_C(1) << VHOST_USER_PROTOCOL_F_REPLY_ACK;
    }
    if (scenario->mem_slots) {
        features |= UINT64_C(1) << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS;
    }
    if (scenario->shmem_bit != SS_SHMEM_BIT_OFF) {
        features |= UINT64_C(1) << scenario->shmem_bit;
    }
    return features;
}

static void log_served(SsDevice *device, const char *phase, uint32_t request,
                       const VhostUserMsg *message)
{
    SsLogLine *line = ss_log_begin(device->log, "main", "serve", 0);
    const char *name = ss_request_name(request);

    ss_log_string(line, "phase", phase);
    ss_log_string(line, "request", name != NULL ? name : "unknown");
    ss_log_number(line, "number", request);
    ss_log_number(line, "seq", device->seq);
    if (message != NULL) {
        ss_log_number(line, "size", message->size);
        ss_log_number(line, "fds", (uint64_t)message->fd_num);
        ss_log_boolean(line, "need_reply", message->flags & VHOST_USER_NEED_REPLY_MASK);
    }
    ss_log_end(line);
}

/* Sees each message before libvhost-user does; nonzero: it is dealt with here. */
static int on_message(VuDev *vu, VhostUserMsg *message, int *ret_reply)
{
    SsDevice *device = device_of(vu);
    uint32_t request = (uint32_t)message->request;

    device->seq++;
    log_served(device, "read", request, message);
    if (request < SS_REQUEST_MAX && device->delay_ms[request] != 0) {
        g_usleep((gulong)device->delay_ms[request] * 1000);
    }
    /* Not libvhost-user's own note: that enables the rings before the front-end does. */
    if (request == VHOST_USER_SET_VRING_ENABLE && message->payload.state.index == 0) {
        device->enabled = message->payload.state.num != 0;
    }
    if (request == VHOST_USER_GET_PROTOCOL_FEATURES) {
        message->payload.u64 = offered_protocol_features(device->scenario);
        message->size = sizeof(message->payload.u64);
        message->flags = 0;
        message->fd_num = 0;
        *ret_reply = 1;
        return 1;
    }
    if (request == VHOST_USER_NONE) {
        /* libvhost-user would end the process. */
        vu->broken = true;
        on_panic(vu, "the front-end sent request 0");
        *ret_reply = 0;
        return 1;
    }
    return 0;
}

static const VuDevIface device_callbacks = {
    .get_features = on_get_features,
    .set_features = on_set_features,
    .set_protocol_features = on_set_protocol_features,
    .process_msg = on_message,
    .get_shmem_config = on_get_shmem_config,
};

SsDevice *ss_device_new(const SsScenario *scenario, SsLog *log, int listener, int wake,
                        SsDeviceStarted started, void *data)
{
    SsDevice *device = g_new0(SsDevice, 1);

    device->scenario = scenario;
    device->log = log;
    device->listener = listener;
    device->wake = wake;
    device->started_call = started;
    device->started_data = data;
    device->watches = g_array_new(FALSE, FALSE, sizeof(Watch));
    return device;
}

void ss_device_set_answer(SsDevice *device, SsDeviceAnswer answer, void *data)
{
    device->answer_call = answer;
    device->answer_data = data;
}

void ss_device_free(SsDevice *device)
{
    if (device == NULL) {
        return;
    }
    ss_device_disconnect(device);
    g_array_unref(device->watches);
    g_free(device->panic);
    g_free(device);
}

gboolean ss_device_accept(SsDevice *device, GError **error)
{
    int sock;

    if (!ss_listener_accept(device->listener, &sock, error)) {
        return FALSE;
    }
    if (!vu_init(&device->vu, 1, sock, on_panic, NULL, on_set_watch, on_remove_watch,
                 &device_callbacks)) {
        (void)close(sock);
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot start libvhost-user: no memory");
        return FALSE;
    }
    device->connected = TRUE;
    device->closed = FALSE;
    device->enabled = FALSE;
    device->started = FALSE;
    device->seq = 0;
    ss_log_end(ss_log_begin(device->log, "main", "accept", 0));
    return TRUE;
}

void ss_device_disconnect(SsDevice *device)
{
    if (device->connected) {
        vu_deinit(&device->vu);
        device->connected = FALSE;
    }
    device->closed = TRUE;
    device->started = FALSE;
}

static void note_closed(SsDevice *device)
{
    if (!device->closed) {
        device->closed = TRUE;
        ss_log_end(ss_log_begin(device->log, "main", "closed", 0));
    }
}

static void note_started(SsDevice *device)
{
    gboolean started = device->vu.vq[0].started && device->enabled;

    if (started == device->started) {
        return;
    }
    device->started = started;
    ss_log_end(ss_log_begin(device->log, "main", started ? "start" : "stop", 0));
    if (started) {
        device->started_call(device->started_data);
    }
}

/* Whether the main channel is at its end; libvhost-user takes that for a request 0. */
static gboolean at_end(int sock)
{
    char byte;
    ssize_t count;

    do {
        count = recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    return count == 0 || (count < 0 && errno != EAGAIN);
}

/* Whether the message that lies there was answered without libvhost-user. */
static gboolean answered_elsewhere(SsDevice *device)
{
    uint8_t message[512]; /* a header and a whole memory table */
    ssize_t length;

    if (device->answer_call == NULL) {
        return FALSE;
    }
    length = recv(device->vu.sock, message, sizeof(message), MSG_PEEK | MSG_DONTWAIT);
    if (length < SS_CHANNEL_HEADER_SIZE ||
        !device->answer_call(device->vu.sock, message, (size_t)length, device->answer_data)) {
        return FALSE;
    }
    device->seq++;
    return TRUE;
}

static gboolean dispatch(SsDevice *device, SsServeResult *ret_result, GError **error)
{
    uint64_t seq = device->seq;
    uint32_t request = 0;
    gboolean good;

    if (at_end(device->vu.sock)) {
        note_closed(device);
        *ret_result = SS_SERVE_CLOSED;
        return TRUE;
    }
    if (answered_elsewhere(device)) {
        *ret_result = SS_SERVE_DONE;
        return TRUE;
    }
    (void)recv(device->vu.sock, &request, sizeof(request), MSG_PEEK | MSG_DONTWAIT);
    good = vu_dispatch(&device->vu);
    if (device->vu.broken || !good) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot serve main channel: %s",
                    device->panic != NULL ? device->panic : "libvhost-user gave up");
        return FALSE;
    }
    if (device->seq != seq && request < SS_REQUEST_MAX) {
        device->served[request]++;
        log_served(device, "answered", request, NULL);
    }
    note_started(device);
    *ret_result = SS_SERVE_DONE;
    return TRUE;
}

/* Waits for one of the device's descriptors; `polled` has room for all. */
static gboolean wait_for_one(SsDevice *device, struct pollfd *polled, unsigned count,
                             int timeout_ms, int *ret_ready, GError **error)
{
    uint64_t begin = ss_now_ns();
    int left_ms = timeout_ms;

    while ((*ret_ready = poll(polled, count, left_ms)) < 0) {
        if (errno != EINTR) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot poll channels: %s", g_strerror(errno));
            return FALSE;
        }
        if (timeout_ms >= 0) {
            left_ms = MAX(0, timeout_ms - (int)((ss_now_ns() - begin) / 1000000));
        }
    }
    return TRUE;
}

gboolean ss_device_serve(SsDevice *device, int timeout_ms, gboolean watch_backend,
                         SsServeResult *ret_result, GError **error)
{
    unsigned count = 3 + device->watches->len;
    g_autofree struct pollfd *polled = g_new0(struct pollfd, count);
    eventfd_t wakes;
    int ready;

    if (device->closed) {
        *ret_result = SS_SERVE_CLOSED;
        return TRUE;
    }
    polled[0] = (struct pollfd){ .fd = device->wake, .events = POLLIN };
    polled[1] = (struct pollfd){ .fd = device->vu.sock, .events = POLLIN };
    polled[2] =
        (struct pollfd){ .fd = watch_backend ? device->vu.backend_fd : -1, .events = POLLIN };
    for (unsigned i = 0; i < device->watches->len; i++) {
        const Watch *watch = &g_array_index(device->watches, Watch, i);

        polled[3 + i] = (struct pollfd){ .fd = watch->fd, .events = (short)watch->condition };
    }
    if (!wait_for_one(device, polled, count, timeout_ms, &ready, error)) {
        return FALSE;
    }
    if (ready == 0) {
        *ret_result = SS_SERVE_TIMEOUT;
        return TRUE;
    }
    if (polled[0].revents != 0) {
        (void)eventfd_read(device->wake, &wakes);
        *ret_result = SS_SERVE_WOKEN;
        return TRUE;
    }
    if (polled[2].revents != 0) {
        *ret_result = SS_SERVE_BACKEND;
        return TRUE;
    }
    if (polled[1].revents != 0) {
        return dispatch(device, ret_result, error);
    }
    for (unsigned i = 3; i < count; i++) {
        if (polled[i].revents != 0) {
            /* A copy: the callback may change the watches. */
            Watch watch = g_array_index(device->watches, Watch, i - 3);

            watch.call(&device->vu, polled[i].revents, watch.data);
            break;
        }
    }
    *ret_result = SS_SERVE_DONE;
    return TRUE;
}

gboolean ss_device_peek(SsDevice *device, uint32_t *ret_request, SsServeResult *ret_result,
                        GError **error)
{
    struct pollfd polled[2] = {
        { .fd = device->wake, .events = POLLIN },
        { .fd = device->closed ? -1 : device->vu.sock, .events = POLLIN },
    };
    eventfd_t wakes;
    int ready;

    if (device->closed) {
        *ret_result = SS_SERVE_CLOSED;
        return TRUE;
    }
    if (!wait_for_one(device, polled, 2, -1, &ready, error)) {
        return FALSE;
    }
    if (polled[0].revents != 0) {
        (void)eventfd_read(device->wake, &wakes);
        *ret_result = SS_SERVE_WOKEN;
        return TRUE;
    }
    if (recv(device->vu.sock, ret_request, sizeof(*ret_request), MSG_PEEK | MSG_WAITALL) !=
        (ssize_t)sizeof(*ret_request)) {
        note_closed(device);
        *ret_result = SS_SERVE_CLOSED;
        return TRUE;
    }
    *ret_result = SS_SERVE_DONE;
    return TRUE;
}

gboolean ss_device_started(const SsDevice *device)
{
    return device->started;
}

uint64_t ss_device_served(const SsDevice *device, uint32_t request)
{
    return device->served[request];
}

void ss_device_delay(SsDevice *device, uint32_t request, unsigned delay_ms)
{
    device->delay_ms[request] = delay_ms;
}

void ss_device_close_main(SsDevice *device)
{
    if (device->connected && device->vu.sock >= 0) {
        (void)close(device->vu.sock);
        device->vu.sock = -1;
    }
    note_closed(device);
}

void ss_device_close_backend(SsDevice *device)
{
    if (device->connected && device->vu.backend_fd >= 0) {
        (void)close(device->vu.backend_fd);
        device->vu.backend_fd = -1;
    }
}

void ss_device_shutdown_backend(SsDevice *device)
{
    if (device->connected && device->vu.backend_fd >= 0) {
        (void)shutdown(device->vu.backend_fd, SHUT_RDWR);
    }
}

int ss_device_backend_fd(const SsDevice *device)
{
    return device->connected ? device->vu.backend_fd : -1;
}

gboolean ss_device_negotiated(const SsDevice *device, unsigned bit)
{
    return device->connected && (device->vu.protocol_features >> bit & 1) != 0;
}

gboolean ss_device_library_map(SsDevice *device, uint8_t shmid, uint64_t fd_offset,
                               uint64_t shm_offset, uint64_t len, uint64_t flags, int fd)
{
    return vu_shmem_map(&device->vu, shmid, fd_offset, shm_offset, len, flags, fd);
}

gboolean ss_device_library_unmap(SsDevice *device, uint8_t shmid, uint64_t shm_offset, uint64_t len)
{
    return vu_shmem_unmap(&device->vu, shmid, shm_offset, len);
}
