/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-send.h"

#include "channel.h"
#include "scenario.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Between two pieces, so that the front-end may come across one alone. */
#define PIECE_PAUSE_US 50
#define POLL_US 1000

/* Header and payload in the order of the specification; returns their length. */
static size_t write_down(const SsHostileMessage *message, uint8_t *bytes)
{
    const struct {
        uint32_t request;
        uint32_t flags;
        uint32_t size;
    } header = { message->request, message->flags, message->size };
    struct {
        uint8_t shmid;
        uint8_t padding[7];
        uint64_t fd_offset;
        uint64_t shm_offset;
        uint64_t len;
        uint64_t flags;
    } payload = {
        .shmid = message->shmid,
        .fd_offset = message->fd_offset,
        .shm_offset = message->shm_offset,
        .len = message->len,
        .flags = message->map_flags,
    };
    size_t told = MIN(message->size, SS_HOSTILE_MAX_PAYLOAD);

    memset(payload.padding, message->padding, sizeof(payload.padding));
    memcpy(bytes, &header, sizeof(header));
    /* What is beyond the payload is no zero either. */
    memset(bytes + sizeof(header), message->padding, SS_HOSTILE_MAX_PAYLOAD);
    memcpy(bytes + sizeof(header), &payload, sizeof(payload));
    if (message->end != SS_HOSTILE_STAYS || message->size > SS_HOSTILE_MAX_PAYLOAD) {
        return message->cut;
    }
    return sizeof(header) + told;
}

gboolean ss_hostile_send(int channel, const SsHostileMessage *message, uint64_t spread,
                         GError **error)
{
    uint8_t bytes[SS_CHANNEL_HEADER_SIZE + SS_HOSTILE_MAX_PAYLOAD];
    int fds[SS_CHANNEL_MAX_FDS];
    unsigned fd_count = message->file != NULL ? MIN(message->fds, SS_CHANNEL_MAX_FDS) : 0;
    size_t length = write_down(message, bytes);
    size_t sent = 0;

    for (unsigned i = 0; i < fd_count; i++) {
        fds[i] = message->file->fd;
    }
    if (message->late_fds) {
        if (!ss_channel_send_bytes(channel, bytes, SS_CHANNEL_HEADER_SIZE, NULL, 0, error)) {
            return FALSE;
        }
        sent = SS_CHANNEL_HEADER_SIZE;
    }
    for (unsigned left = message->pieces; sent < length; left--) {
        size_t piece = length - sent;

        if (left > 1 && piece > 1) {
            piece = 1 + spread % (piece - 1);
            spread = spread / 7 + 1;
        }
        if (!ss_channel_send_bytes(channel, bytes + sent, piece, fds, fd_count, error)) {
            return FALSE;
        }
        fd_count = 0;
        sent += piece;
        if (sent < length) {
            g_usleep(PIECE_PAUSE_US);
        }
    }
    return TRUE;
}

gboolean ss_hostile_read_reply(int channel, const SsHostileMessage *message,
                               const SsHostileVerdict *verdict, GError **error)
{
    gboolean good = verdict->outcome == SS_HOSTILE_DONE;
    uint64_t value;

    if (!ss_channel_read_reply(channel, message->request, &value, error)) {
        return FALSE;
    }
    if ((value == 0) != good) {
        g_set_error(error, SS_SCENARIO_ERROR, 0,
                    "the reply is %" G_GUINT64_FORMAT ", and was to be %s", value,
                    good ? "0" : "an error");
        return FALSE;
    }
    return TRUE;
}

gboolean ss_hostile_await_end(int channel, GError **error)
{
    uint8_t byte;
    ssize_t count;

    do {
        count = recv(channel, &byte, 1, 0);
    } while (count < 0 && errno == EINTR);
    /* Closed with something unread, that is a reset. */
    if (count == 0 || (count < 0 && errno == ECONNRESET)) {
        return TRUE;
    }
    g_set_error(error, SS_SCENARIO_ERROR, 0, "the front-end %s, and was to close the channel",
                count > 0 ? "answers" : g_strerror(errno));
    return FALSE;
}

gboolean ss_hostile_is_read(int channel)
{
    int unread = 0;

    return ioctl(channel, SIOCOUTQ, &unread) != 0 || unread == 0;
}

void ss_hostile_await_read(int channel)
{
    while (!ss_hostile_is_read(channel)) {
        g_usleep(POLL_US);
    }
}
