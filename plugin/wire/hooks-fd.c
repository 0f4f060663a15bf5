/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The calls that make, duplicate and close descriptors. What happens to one that is ours happens
 * with the lock held, so that no other thread is told to have the number before it is told that
 * it was closed. Such a call does not wait for anything but the kernel's own work.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>

#include "conn.h"
#include "file.h"
#include "hooks.h"
#include "load.h"
#include "real.h"

static inline SsWireKind kind_of(int fd)
{
    return ss_wire_entry_kind(ss_wire_entry(fd));
}

static inline bool is_ours(int fd)
{
    SsWireKind kind = kind_of(fd);
    return kind == SS_WIRE_SOCKET || kind == SS_WIRE_FILE || kind == SS_WIRE_CLOSED;
}

/* Number @fd was handed out by a call that succeeded. */
static void taken(int fd)
{
    SsWireGuard guard;
    if (fd < 0 || SS_WIRE_LIKELY(ss_wire_entry(fd) == SS_WIRE_UNKNOWN)) {
        return;
    }
    if (!is_ours(fd)) {
        ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
    } else if (ss_wire_enter(&guard)) {
        ss_wire_number_taken(fd);
        ss_wire_leave(&guard);
    }
}

/* ---- new ones ---- */

SS_EXPORT int socket(int domain, int type, int protocol)
{
    int fd = REAL(socket)(domain, type, protocol);
    taken(fd);
    if (domain == AF_UNIX && fd >= 0) {
        ss_wire_load_for_socket();
    }
    return fd;
}

SS_EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
    int result = REAL(socketpair)(domain, type, protocol, fds);
    SsWireGuard guard;
    if (result == 0) {
        taken(fds[0]);
        taken(fds[1]);
    }
    if (result == 0 && domain == AF_UNIX &&
        (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM && ss_wire_enter(&guard)) {
        ss_wire_pair(fds[0], fds[1]);
        ss_wire_leave(&guard);
    }
    if (domain == AF_UNIX && result == 0) {
        ss_wire_load_for_socket();
    }
    return result;
}

SS_EXPORT int accept(int fd, __SOCKADDR_ARG address, socklen_t *length)
{
    int newfd = REAL(accept)(fd, address, length);
    taken(newfd);
    ss_wire_load_put_off();
    return newfd;
}

SS_EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    int newfd = REAL(accept4)(fd, address, length, flags);
    taken(newfd);
    ss_wire_load_put_off();
    return newfd;
}

/* ---- closes ---- */

static int __attribute__((noinline)) slow_close(int fd)
{
    SsWireGuard guard;
    SsWireClosing closing;
    if (!ss_wire_enter(&guard)) {
        return REAL(close)(fd);
    }
    bool ours = ss_wire_closing(fd, &closing);
    errno = guard.error;
    int result = REAL(close)(fd);
    if (result < 0) {
        guard.error = errno;
    }
    if (ours) {
        ss_wire_closed(fd, &closing, result < 0 ? -guard.error : 0);
    }
    ss_wire_leave(&guard);
    return result;
}

SS_EXPORT int close(int fd)
{
    SsWireKind kind = kind_of(fd);
    if (SS_WIRE_UNLIKELY(kind == SS_WIRE_SOCKET || kind == SS_WIRE_FILE ||
                         kind == SS_WIRE_CLOSED)) {
        pthread_testcancel(); /* as the real one would, which is not cancelled below */
        return slow_close(fd);
    }
    if (kind == SS_WIRE_PASS) {
        ss_wire_set(fd, SS_WIRE_UNKNOWN, 0);
    }
    return REAL(close)(fd);
}

/* Numbers of a range that are nothing of ours are forgotten; true when others are among them. */
static bool forget_range(unsigned int first, unsigned int last)
{
    uint32_t end = atomic_load_explicit(&ss_wire_numbers_end, memory_order_acquire);
    bool ours = false;
    for (unsigned int fd = first; fd < end && fd <= last; fd++) {
        SsWireKind kind = kind_of((int)fd);
        if (kind == SS_WIRE_PASS) {
            ss_wire_set((int)fd, SS_WIRE_UNKNOWN, 0);
        } else if (kind != SS_WIRE_UNKNOWN) {
            ours = true;
        }
    }
    return ours;
}

static void closed_range(unsigned int first, unsigned int last)
{
    uint32_t end = atomic_load_explicit(&ss_wire_numbers_end, memory_order_acquire);
    for (unsigned int fd = first; fd < end && fd <= last; fd++) {
        SsWireClosing closing;
        /* One that was closed before is not open for this call to close. */
        if (kind_of((int)fd) != SS_WIRE_CLOSED && is_ours((int)fd) &&
            ss_wire_closing((int)fd, &closing)) {
            ss_wire_closed((int)fd, &closing, 0);
        }
    }
}

static void told_in_time(unsigned int first, unsigned int last)
{
    uint32_t end = atomic_load_explicit(&ss_wire_numbers_end, memory_order_acquire);
    for (unsigned int fd = first; fd < end && fd <= last; fd++) {
        if (kind_of((int)fd) == SS_WIRE_FILE) {
            ss_wire_carried_now((int)fd);
        }
    }
}

SS_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
    SsWireGuard guard;
    /* 4 is CLOSE_RANGE_CLOEXEC: nothing is closed now. */
    if ((flags & 4) || !forget_range(first, last) || !ss_wire_enter(&guard)) {
        return REAL(close_range)(first, last, flags);
    }
    told_in_time(first, last);
    errno = guard.error;
    int result = REAL(close_range)(first, last, flags);
    if (result < 0) {
        guard.error = errno;
    } else {
        closed_range(first, last);
    }
    ss_wire_leave(&guard);
    return result;
}

SS_EXPORT void closefrom(int first)
{
    SsWireGuard guard;
    unsigned int begin = first < 0 ? 0 : (unsigned int)first;
    if (!forget_range(begin, ~0u) || !ss_wire_enter(&guard)) {
        REAL(closefrom)(first);
        return;
    }
    told_in_time(begin, ~0u);
    errno = guard.error;
    REAL(closefrom)(first);
    guard.error = errno;
    closed_range(begin, ~0u);
    ss_wire_leave(&guard);
}

/* ---- duplicates ---- */

typedef enum SsWireDupCall {
    DUP,
    DUP2,
    DUP3,
    FCNTL,
    FCNTL64
} SsWireDupCall;

typedef struct SsWireDup {
    SsWireDupCall call;
    int fd;
    int newfd;   /* dup2, dup3; -1 for the others */
    int command; /* dup3's flags, or fcntl's command */
    void *argument;
} SsWireDup;

static int real_dup(const SsWireDup *dup)
{
    switch (dup->call) {
    case DUP:
        return REAL(dup)(dup->fd);
    case DUP2:
        return REAL(dup2)(dup->fd, dup->newfd);
    case DUP3:
        return REAL(dup3)(dup->fd, dup->newfd, dup->command);
    case FCNTL:
        return REAL(fcntl)(dup->fd, dup->command, dup->argument);
    default:
        return REAL(fcntl64)(dup->fd, dup->command, dup->argument);
    }
}

static int __attribute__((noinline)) slow_dup(const SsWireDup *dup)
{
    SsWireGuard guard;
    SsWireClosing closing;
    if (!ss_wire_enter(&guard)) {
        return real_dup(dup);
    }
    bool closes = dup->newfd >= 0 && dup->newfd != dup->fd;
    bool ours =
        closes && kind_of(dup->newfd) != SS_WIRE_CLOSED && ss_wire_closing(dup->newfd, &closing);
    errno = guard.error;
    int result = real_dup(dup);
    int error = result < 0 ? errno : 0;
    if (error) {
        guard.error = error;
    }
    if (!error && ours) {
        ss_wire_closed(dup->newfd, &closing, 0);
    }
    if (error || result != dup->fd) {
        ss_wire_duplicated(dup->fd, result, -error);
    }
    ss_wire_leave(&guard);
    return result;
}

static int duplicate(const SsWireDup *dup)
{
    if (SS_WIRE_UNLIKELY(is_ours(dup->fd) || (dup->newfd >= 0 && is_ours(dup->newfd)))) {
        return slow_dup(dup);
    }
    int result = real_dup(dup);
    taken(result);
    return result;
}

SS_EXPORT int dup(int fd)
{
    return duplicate(&(SsWireDup){ .call = DUP, .fd = fd, .newfd = -1 });
}

SS_EXPORT int dup2(int fd, int newfd)
{
    return duplicate(&(SsWireDup){ .call = DUP2, .fd = fd, .newfd = newfd });
}

SS_EXPORT int dup3(int fd, int newfd, int flags)
{
    return duplicate(&(SsWireDup){ .call = DUP3, .fd = fd, .newfd = newfd, .command = flags });
}

SS_EXPORT int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (SS_WIRE_LIKELY(command != F_DUPFD && command != F_DUPFD_CLOEXEC)) {
        return REAL(fcntl)(fd, command, argument);
    }
    return duplicate(&(SsWireDup){
        .call = FCNTL, .fd = fd, .newfd = -1, .command = command, .argument = argument });
}

SS_EXPORT int fcntl64(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (SS_WIRE_LIKELY(command != F_DUPFD && command != F_DUPFD_CLOEXEC)) {
        return REAL(fcntl64)(fd, command, argument);
    }
    return duplicate(&(SsWireDup){
        .call = FCNTL64, .fd = fd, .newfd = -1, .command = command, .argument = argument });
}
