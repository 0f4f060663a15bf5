/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user device: libvhost-user on the main channel, with what the scenario announces.
 * All of it belongs to the thread that serves the main channel, but for the functions marked
 * "any thread".
 */
#pragma once

#include "log.h"
#include "scenario.h"

typedef struct SsDevice SsDevice;

typedef enum {
    SS_SERVE_DONE, /* a message or a kick was dealt with */
    SS_SERVE_TIMEOUT,
    SS_SERVE_CLOSED,  /* the front-end closed the main channel, or we did */
    SS_SERVE_WOKEN,   /* the wake eventfd was written */
    SS_SERVE_BACKEND, /* the back-end channel has something to read */
} SsServeResult;

/* Told when the rings begin to run. */
typedef void (*SsDeviceStarted)(void *data);

/*
 * Told of each request on the main channel before libvhost-user reads it, with as much of it as
 * was there to be peeked at (`length` bytes, the header at least). TRUE: the call has read the
 * whole of it from `sock` and answered in its own way, and libvhost-user never sees it.
 */
typedef gboolean (*SsDeviceAnswer)(int sock, const uint8_t *message, size_t length, void *data);

/* `listener` and `wake` (an eventfd) stay the caller's, as do scenario and log. */
SsDevice *ss_device_new(const SsScenario *scenario, SsLog *log, int listener, int wake,
                        SsDeviceStarted started, void *data);

/* From now on `answer` comes before libvhost-user; `data` is weak. */
void ss_device_set_answer(SsDevice *device, SsDeviceAnswer answer, void *data);

/* Disconnects. NULL is accepted. */
void ss_device_free(SsDevice *device);

/* Waits for the front-end to connect. */
gboolean ss_device_accept(SsDevice *device, GError **error);

/* Gives the connection up, both channels. No thread may use the device meanwhile. */
void ss_device_disconnect(SsDevice *device);

/*
 * Deals with at most one thing, or waits for one for `timeout_ms` (-1: for ever).
 * FALSE with `error` set when libvhost-user gave up.
 */
gboolean ss_device_serve(SsDevice *device, int timeout_ms, gboolean watch_backend,
                         SsServeResult *ret_result, GError **error);

/*
 * Waits until a request lies unread in the main channel, and tells its number without
 * reading it. The result is SS_SERVE_DONE, SS_SERVE_CLOSED or SS_SERVE_WOKEN.
 */
gboolean ss_device_peek(SsDevice *device, uint32_t *ret_request, SsServeResult *ret_result,
                        GError **error);

gboolean ss_device_started(const SsDevice *device);
/* How often a front-end request was dealt with, since the device exists. */
uint64_t ss_device_served(const SsDevice *device, uint32_t request);
/* From now on the request is answered that much later; 0: at once. */
void ss_device_delay(SsDevice *device, uint32_t request, unsigned delay_ms);

void ss_device_close_main(SsDevice *device);

/* Any thread, between two exchanges. */
void ss_device_close_backend(SsDevice *device);
/* Any thread: ends the waits of others on the back-end channel. */
void ss_device_shutdown_backend(SsDevice *device);
/* Any thread: the back-end channel, -1 when there is none. */
int ss_device_backend_fd(const SsDevice *device);
/* Any thread: whether a protocol feature bit was negotiated. */
gboolean ss_device_negotiated(const SsDevice *device, unsigned bit);
/* Any thread: vu_shmem_map() and vu_shmem_unmap() of libvhost-user. */
gboolean ss_device_library_map(SsDevice *device, uint8_t shmid, uint64_t fd_offset,
                               uint64_t shm_offset, uint64_t len, uint64_t flags, int fd);
gboolean ss_device_library_unmap(SsDevice *device, uint8_t shmid, uint64_t shm_offset,
                                 uint64_t len);

#define SS_PROTOCOL_REPLY_ACK 3
#define SS_PROTOCOL_SHMEM 22
