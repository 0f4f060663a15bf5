/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end channel in our own framing, for what libvhost-user would not send: wrong
 * payload sizes, any number of descriptors, a second request before the first one's reply,
 * a message cut short. Layout and numbers are those of the vhost-user specification.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define SS_CHANNEL_HEADER_SIZE 12
#define SS_CHANNEL_SHMEM_SIZE 40
#define SS_CHANNEL_MAX_FDS 64
#define SS_CHANNEL_MAX_PAYLOAD 4096

#define SS_CHANNEL_VERSION 1u
#define SS_CHANNEL_REPLY (1u << 2)
#define SS_CHANNEL_NEED_REPLY (1u << 3)

/* A SHMEM_MAP or SHMEM_UNMAP as it goes over the wire. */
typedef struct {
    uint32_t request;
    uint32_t flags; /* of the header */
    uint32_t size;  /* payload bytes told and sent; beyond the fields they are zero */
    uint8_t shmid;
    uint64_t fd_offset;
    uint64_t shm_offset;
    uint64_t len;
    uint64_t map_flags;
    int fd; /* sent `fds` times */
    unsigned fds;
    unsigned cut; /* send only that many bytes of header and payload; 0: all */
} SsChannelMessage;

/* Sends it whole. FALSE with `error` set when the channel takes no more, or fds and size
 * are beyond the limits above. */
gboolean ss_channel_send(int channel, const SsChannelMessage *message, GError **error);

/*
 * Sends bytes as they are. The descriptors (at most SS_CHANNEL_MAX_FDS, the caller's) travel
 * with the first of them. FALSE with `error` set when the channel takes no more.
 */
gboolean ss_channel_send_bytes(int channel, const uint8_t *bytes, size_t length, const int *fds,
                               unsigned fd_count, GError **error);

/* Reads just so many bytes. Descriptors that come with them are closed. FALSE with `error` set
 * at the end of the channel. */
gboolean ss_channel_read_bytes(int channel, void *bytes, size_t length, GError **error);

/*
 * Waits for one message and reads it as the reply to `request`. Descriptors that come with
 * it are closed. FALSE with `error` set at the end of the channel, and for a message that is
 * no such reply.
 */
gboolean ss_channel_read_reply(int channel, uint32_t request, uint64_t *ret_value, GError **error);
