/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* The address argument is a transparent union in C. */
#define SS_WIRE_ADDRESS(address) ((address).__sockaddr__)

#define SS_WIRE_RAW(type, name, parameters, arguments) \
    static type raw_##name parameters \
    { \
        return (type)syscall arguments; \
    }
#pragma push_macro("SS_WIRE_REAL_OTHERS")
#undef SS_WIRE_REAL_OTHERS
#define SS_WIRE_REAL_OTHERS(X)
SS_WIRE_REAL_FUNCTIONS(SS_WIRE_RAW)
#pragma pop_macro("SS_WIRE_REAL_OTHERS")

static void raw_closefrom(int first)
{
    (void)syscall(SYS_close_range, first < 0 ? 0u : (unsigned int)first, ~0u, 0);
}

static int raw_dup2(int fd, int newfd)
{
    if (fd == newfd) {
        return syscall(SYS_fcntl, fd, F_GETFD) < 0 ? -1 : newfd;
    }
    return (int)syscall(SYS_dup3, fd, newfd, 0);
}

static int raw_fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

static int raw_fcntl64(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

static void *raw_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

static void *raw_mmap64(void *address, size_t length, int prot, int flags, int fd, off64_t offset)
{
    return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

static void *raw_mremap(void *address, size_t length, size_t newlength, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *to = va_arg(more, void *);
    va_end(more);
    return (void *)syscall(SYS_mremap, address, length, newlength, flags, to);
}

/* No system call: a constructor that comes before ours begins a thread. */
static int raw_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                              void *(*routine)(void *), void *data)
{
    int (*found)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");
    return found ? found(thread, attributes, routine, data) : EAGAIN;
}

/* As a system call it would return twice. */
static int raw_clone(int (*function)(void *), void *stack, int flags, void *data, ...)
{
    va_list more;
    va_start(more, data);
    void *parent_tid = va_arg(more, void *);
    void *local = va_arg(more, void *);
    void *child_tid = va_arg(more, void *);
    va_end(more);
    int (*found)(int (*)(void *), void *, int, void *, ...) =
        (int (*)(int (*)(void *), void *, int, void *, ...))dlsym(RTLD_NEXT, "clone");
    if (!found) {
        errno = ENOSYS;
        return -1;
    }
    return found(function, stack, flags, data, parent_tid, local, child_tid);
}

#define SS_WIRE_DEFINE(type, name, parameters, arguments) \
    type(*ss_wire_real_##name) parameters = raw_##name;
SS_WIRE_REAL_FUNCTIONS(SS_WIRE_DEFINE)

void ss_wire_real_resolve(void)
{
    void *found;
    /* A C library without it: the system call stays. */
#define SS_WIRE_RESOLVE(type, name, parameters, arguments) \
    found = dlsym(RTLD_NEXT, #name); \
    if (found) { \
        __atomic_store_n((void **)(void *)&ss_wire_real_##name, found, __ATOMIC_RELEASE); \
    }
    SS_WIRE_REAL_FUNCTIONS(SS_WIRE_RESOLVE)
}

long ss_wire_getpid(void)
{
    return syscall(SYS_getpid);
}

long ss_wire_gettid(void)
{
    return syscall(SYS_gettid);
}
