/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/doctor/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int take(pid_t pid, int number)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int taken, reason;

    if (process < 0) {
        return errno;
    }
    taken = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    reason = taken < 0 ? errno : 0;
    if (taken >= 0) {
        (void)close(taken);
    }
    (void)close(process);
    return reason;
}

int ss_trial_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int reason;

    if (fd < 0) {
        return errno;
    }
    reason = take(getpid(), fd);
    (void)close(fd);
    return reason;
}

int ss_trial_process(pid_t pid)
{
    int reason = take(pid, INT_MAX);

    return reason == EBADF ? 0 : reason;
}

static int wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/* A process as any program of this user is, until the pipe is closed. */
static G_GNUC_NORETURN void stay(const int told[2], const int end[2])
{
    char byte = 0;

    /* This one may be marked as not to be looked into: for its file's mode, or capabilities. */
    (void)prctl(PR_SET_DUMPABLE, 1);
    (void)close(end[1]);
    if (write(told[1], &byte, 1) == 1) {
        (void)read(end[0], &byte, 1);
    }
    _exit(0);
}

/* One child tries it on another, whose ancestor it is not; its exit status is the reason. */
static int on_sibling(int (*attempt)(pid_t sibling))
{
    int told[2], end[2];
    int reason;
    char byte;
    pid_t sibling, child = -1;

    if (pipe2(told, O_CLOEXEC) < 0 || pipe2(end, O_CLOEXEC) < 0) {
        return errno;
    }
    sibling = fork();
    if (sibling == 0) {
        stay(told, end);
    }
    (void)close(told[1]);
    if (sibling > 0 && read(told[0], &byte, 1) == 1) {
        child = fork();
        if (child == 0) {
            _exit(attempt(sibling));
        }
    }
    reason = child > 0 ? wait_for(child) : EAGAIN;
    (void)close(told[0]);
    (void)close(end[0]);
    (void)close(end[1]);
    if (sibling > 0) {
        (void)wait_for(sibling);
    }
    return reason;
}

int ss_trial_peer(void)
{
    return on_sibling(ss_trial_process);
}

static volatile const int readable = 1;

static int read_memory(pid_t sibling)
{
    int copy = 0;
    const struct iovec here = { &copy, sizeof(copy) };
    /* It is at the same address there. */
    const struct iovec there = { (void *)&readable, sizeof(copy) };

    return process_vm_readv(sibling, &here, 1, &there, 1, 0) < 0 ? errno : 0;
}

int ss_trial_memory(void)
{
    return on_sibling(read_memory);
}

int ss_trial_namespace(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    pid_t child = fd < 0 ? -1 : fork();
    int reason;

    if (child == 0) {
        _exit(setns(fd, CLONE_NEWNET) < 0 ? errno : 0);
    }
    reason = child > 0 ? wait_for(child) : errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return reason;
}

static int ask_about(int netlink, guint inode)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } question = {
        .header = { .nlmsg_len = sizeof(question),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST },
        .request = { .sdiag_family = AF_UNIX,
                     .udiag_states = UINT_MAX,
                     .udiag_ino = inode,
                     .udiag_cookie = { UINT_MAX, UINT_MAX },
                     .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN },
    };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } answer = { 0 };
    ssize_t got;

    if (sendto(netlink, &question, sizeof(question), 0, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0) {
        return errno;
    }
    got = recv(netlink, &answer, sizeof(answer), 0);
    if (got < (ssize_t)NLMSG_LENGTH(sizeof(int))) {
        return got < 0 ? errno : EIO;
    }
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&answer.header);

        return error->error ? -error->error : EIO;
    }
    return answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY ? 0 : EIO;
}

int ss_trial_sockets(void)
{
    int pair[2] = { -1, -1 };
    struct stat status;
    int reason = 0;
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (netlink < 0) {
        return errno;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        fstat(pair[0], &status) < 0) {
        reason = errno;
    } else {
        reason = ask_about(netlink, (guint)status.st_ino);
    }
    for (guint i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            (void)close(pair[i]);
        }
    }
    (void)close(netlink);
    return reason;
}
