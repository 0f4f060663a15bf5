/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "channel.h"

#include "scenario.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The wire is in the byte order of the host, by the specification. */
typedef struct {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
} Header;

typedef struct {
    uint8_t shmid;
    uint8_t padding[7];
    uint64_t fd_offset;
    uint64_t shm_offset;
    uint64_t len;
    uint64_t flags;
} Shmem;

_Static_assert(sizeof(Header) == SS_CHANNEL_HEADER_SIZE, "header of the specification");
_Static_assert(sizeof(Shmem) == SS_CHANNEL_SHMEM_SIZE, "payload of the specification");

static gboolean fail(GError **error, const char *what, const char *reason)
{
    g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot %s back-end channel: %s", what, reason);
    return FALSE;
}

gboolean ss_channel_send_bytes(int channel, const uint8_t *bytes, size_t length, const int *fds,
                               unsigned fd_count, GError **error)
{
    char control[CMSG_SPACE(SS_CHANNEL_MAX_FDS * sizeof(int))] = { 0 };
    size_t sent = 0;

    while (sent < length) {
        struct iovec part = { .iov_base = (void *)(bytes + sent), .iov_len = length - sent };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t count;

        if (sent == 0 && fd_count > 0) {
            struct cmsghdr *rights;

            message.msg_control = control;
            message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
            rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
            memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
        }
        count = sendmsg(channel, &message, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail(error, "write to", g_strerror(errno));
        }
        sent += (size_t)count;
    }
    return TRUE;
}

gboolean ss_channel_send(int channel, const SsChannelMessage *message, GError **error)
{
    Header header = {
        .request = message->request,
        .flags = message->flags,
        .size = message->size,
    };
    Shmem shmem = {
        .shmid = message->shmid,
        .fd_offset = message->fd_offset,
        .shm_offset = message->shm_offset,
        .len = message->len,
        .flags = message->map_flags,
    };
    uint8_t bytes[SS_CHANNEL_HEADER_SIZE + SS_CHANNEL_MAX_PAYLOAD] = { 0 };
    int fds[SS_CHANNEL_MAX_FDS];
    size_t length;

    if (message->fds > SS_CHANNEL_MAX_FDS || message->size > SS_CHANNEL_MAX_PAYLOAD) {
        return fail(error, "write to", "more descriptors or bytes than this back-end can send");
    }
    length = sizeof(header) + message->size;
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), &shmem, MIN(message->size, sizeof(shmem)));
    if (message->cut != 0) {
        length = MIN(length, message->cut);
    }
    for (unsigned i = 0; i < message->fds; i++) {
        fds[i] = message->fd;
    }
    return ss_channel_send_bytes(channel, bytes, length, fds, message->fds, error);
}

static void close_rights(struct msghdr *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; part->cmsg_type == SCM_RIGHTS && i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
            (void)close(fd);
        }
    }
}

gboolean ss_channel_read_bytes(int channel, void *bytes, size_t length, GError **error)
{
    size_t done = 0;

    while (done < length) {
        char control[CMSG_SPACE(SS_CHANNEL_MAX_FDS * sizeof(int))];
        struct iovec part = { .iov_base = (uint8_t *)bytes + done, .iov_len = length - done };
        struct msghdr message = {
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control),
        };
        ssize_t count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);

        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail(error, "read", g_strerror(errno));
        }
        close_rights(&message);
        if (count == 0) {
            return fail(error, "read", "the front-end closed it");
        }
        done += (size_t)count;
    }
    return TRUE;
}

gboolean ss_channel_read_reply(int channel, uint32_t request, uint64_t *ret_value, GError **error)
{
    g_autofree char *reason = NULL;
    Header header;
    uint64_t value;

    if (!ss_channel_read_bytes(channel, &header, sizeof(header), error)) {
        return FALSE;
    }
    if (header.request != request || (header.flags & SS_CHANNEL_REPLY) == 0 ||
        header.size != sizeof(value)) {
        reason = g_strdup_printf("the message with request=%u, flags=0x%x, size=%u is no reply "
                                 "to request %u",
                                 header.request, header.flags, header.size, request);
        return fail(error, "understand", reason);
    }
    if (!ss_channel_read_bytes(channel, &value, sizeof(value), error)) {
        return FALSE;
    }
    *ret_value = value;
    return TRUE;
}
