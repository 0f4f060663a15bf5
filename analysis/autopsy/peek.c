/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A look into a socket without taking anything out of it. The descriptor is a copy that is closed
 * at once; the bytes are copied while the reader, if it stands in recvmsg(), holds no lock of the
 * socket. Where the owner moves the place that a peek begins at (SO_PEEK_OFF) a peek of ours would
 * move it too, so it is left alone. No control buffer: descriptors that lie there are not brought
 * into this process.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* A copy of a process's descriptor; -1 with errno. */
static int copy_of(gint32 pid, gint32 fd)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    int error = errno;
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
    errno = error;
    return copy;
}

static void peek_into(SsSeenSocket *socket, int fd)
{
    struct stat file;
    if (fstat(fd, &file) != 0 || file.st_ino != socket->inode) {
        socket->peek = SS_PEEK_ENDED; /* the number is another file's meanwhile */
        return;
    }
    struct ucred made;
    socklen_t len = sizeof made;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &made, &len) == 0 && made.pid > 0) {
        socket->peer_pid = made.pid;
    }
    struct timeval timeout;
    len = sizeof timeout;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &len) == 0) {
        socket->receive_timeout_ns =
            timeout.tv_sec * G_GINT64_CONSTANT(1000000000) + timeout.tv_usec * 1000;
    }
    int listens = 0;
    len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens) {
        socket->peek = SS_PEEK_DONE;
        return;
    }
    int offset = -1;
    len = sizeof offset;
    if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &len) == 0 && offset >= 0) {
        socket->peek = SS_PEEK_OFFSET;
        return;
    }
    guint8 bytes[SS_PEEK_BYTES];
    gssize got = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN) {
        socket->peek = SS_PEEK_ENDED;
        return;
    }
    int unread = 0;
    if (ioctl(fd, SIOCINQ, &unread) == 0) {
        /* Of the same moment, nearly: more may have come since. */
        socket->unread = (guint64)MAX(unread, MAX(got, 0));
    }
    socket->peek = SS_PEEK_DONE;
    if (got > 0) {
        g_byte_array_append(socket->peeked, bytes, (guint)got);
    }
    ss_seen_socket_count(socket);
}

static char *name_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_un name = { 0 };
    socklen_t len = sizeof name;
    bool is_unix = get(fd, (struct sockaddr *)&name, &len) == 0 && name.sun_family == AF_UNIX;
    gsize offset = offsetof(struct sockaddr_un, sun_path);
    return is_unix ? ss_socket_path(name.sun_path, MIN(len, sizeof name) - MIN(len, offset)) : NULL;
}

static int ends_of(int fd, guint64 inode, char **ret_path, gint32 *ret_peer_pid)
{
    struct stat file;
    struct pollfd poll_fd = { .fd = fd };
    struct ucred made;
    socklen_t len = sizeof made;
    g_autofree char *own = name_of(fd, getsockname);
    g_autofree char *other = own ? name_of(fd, getpeername) : NULL;
    if (!other || fstat(fd, &file) != 0 || file.st_ino != inode || poll(&poll_fd, 1, 0) < 0 ||
        (poll_fd.revents & POLLHUP)) {
        return ENOTCONN;
    }
    bool is_told = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &made, &len) == 0 && made.pid > 0;
    *ret_peer_pid = is_told ? made.pid : 0;
    *ret_path = *own ? g_steal_pointer(&own) : g_steal_pointer(&other);
    return 0;
}

int ss_peek_ends(const SsSocketFd *socket, char **ret_path, gint32 *ret_peer_pid)
{
    int copy = copy_of(socket->pid, socket->fd);
    int error = copy < 0 ? errno : ends_of(copy, socket->inode, ret_path, ret_peer_pid);
    if (copy >= 0) {
        (void)close(copy);
    }
    return error;
}

void ss_peek(SsSeenSocket *socket, SsSeenProcess *holder, gint32 fd)
{
    int copy = copy_of(holder->pid, fd);
    int error = errno;
    if (copy >= 0) {
        peek_into(socket, copy);
        (void)close(copy);
    } else if (error == EPERM || error == EACCES) {
        socket->peek = SS_PEEK_DENIED;
        int dir = ss_proc_open(holder->pid);
        ss_process_deny(dir, holder, "what lies unread", SS_NEEDS_ATTACH, error);
        if (dir >= 0) {
            (void)close(dir);
        }
    } else if (error == ENOSYS) {
        socket->peek = SS_PEEK_DENIED;
        ss_deny(holder->denied, "what lies unread", "Linux 5.6, for pidfd_getfd", error);
    } else {
        socket->peek = SS_PEEK_ENDED;
    }
}
