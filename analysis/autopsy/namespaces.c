/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

guint64 ss_namespace_own(const char *name)
{
    static const char *const names[] = { "ns/net", "ns/pid", "ns/mnt", "ns/user" };
    static guint64 own[G_N_ELEMENTS(names)];
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(names[i], name)) {
            if (!own[i]) {
                int dir = ss_proc_open(getpid());
                own[i] = dir < 0 ? 0 : ss_proc_namespace(dir, name);
                if (dir >= 0) {
                    (void)close(dir);
                }
            }
            return own[i];
        }
    }
    return 0;
}

static int open_diag(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* In a child of one thread: only system calls. Sends the socket, or an errno, and ends. */
static void send_from_within(int out, int net, int user)
{
    int error = 0;
    if (setns(net, CLONE_NEWNET) != 0 &&
        (user < 0 || setns(user, CLONE_NEWUSER) != 0 || setns(net, CLONE_NEWNET) != 0)) {
        error = errno;
    }
    int diag = error ? -1 : open_diag();
    if (!error && diag < 0) {
        error = errno;
    }
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec word = { .iov_base = &error, .iov_len = sizeof error };
    struct msghdr message = { .msg_iov = &word, .msg_iovlen = 1 };
    if (diag >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &diag, sizeof diag);
    }
    _exit(sendmsg(out, &message, MSG_NOSIGNAL) < 0);
}

static int receive_socket(int in)
{
    int error = EIO;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec word = { .iov_base = &error, .iov_len = sizeof error };
    struct msghdr message = { .msg_iov = &word,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    gssize len;
    do {
        len = recvmsg(in, &message, MSG_CMSG_CLOEXEC);
    } while (len < 0 && errno == EINTR);
    const struct cmsghdr *header = len > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS) {
        errno = len == sizeof error ? error : EIO;
        return -1;
    }
    int diag;
    memcpy(&diag, CMSG_DATA(header), sizeof diag);
    return diag;
}

/* A socket keeps the namespace that it was made in: only a child has to enter that. */
int ss_namespace_diag(int dir)
{
    if (dir < 0) {
        return open_diag();
    }
    int net = openat(dir, "ns/net", O_RDONLY | O_CLOEXEC);
    if (net < 0) {
        return -1;
    }
    int user = openat(dir, "ns/user", O_RDONLY | O_CLOEXEC);
    int pair[2];
    int diag = -1;
    int error = 0;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
        error = errno;
    } else {
        pid_t child = fork();
        if (child == 0) {
            send_from_within(pair[1], net, user);
        }
        error = child < 0 ? errno : 0;
        (void)close(pair[1]);
        if (child > 0) {
            diag = receive_socket(pair[0]);
            error = diag < 0 ? errno : 0;
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
            }
        }
        (void)close(pair[0]);
    }
    (void)close(net);
    if (user >= 0) {
        (void)close(user);
    }
    errno = error;
    return diag;
}
