/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The functions that this library stands before. Until its constructor has found them they are
 * the system calls themselves, so that a call that comes earlier does what it should.
 */
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* RETURN, NAME, (PARAMETERS), (ARGUMENTS of the system call, number first) */
#define SS_WIRE_REAL_FUNCTIONS(X) \
    X(ssize_t, read, (int fd, void *to, size_t size), (SYS_read, fd, to, size)) \
    X(ssize_t, __read_chk, (int fd, void *to, size_t size, size_t room), (SYS_read, fd, to, size)) \
    X(ssize_t, readv, (int fd, const struct iovec *iov, int count), (SYS_readv, fd, iov, count)) \
    X(ssize_t, write, (int fd, const void *from, size_t size), (SYS_write, fd, from, size)) \
    X(ssize_t, writev, (int fd, const struct iovec *iov, int count), (SYS_writev, fd, iov, count)) \
    X(ssize_t, recv, (int fd, void *to, size_t size, int flags), \
      (SYS_recvfrom, fd, to, size, flags, NULL, NULL)) \
    X(ssize_t, __recv_chk, (int fd, void *to, size_t size, size_t room, int flags), \
      (SYS_recvfrom, fd, to, size, flags, NULL, NULL)) \
    X(ssize_t, recvfrom, \
      (int fd, void *to, size_t size, int flags, __SOCKADDR_ARG address, socklen_t *length), \
      (SYS_recvfrom, fd, to, size, flags, SS_WIRE_ADDRESS(address), length)) \
    X(ssize_t, __recvfrom_chk, \
      (int fd, void *to, size_t size, size_t room, int flags, __SOCKADDR_ARG address, \
       socklen_t *length), \
      (SYS_recvfrom, fd, to, size, flags, SS_WIRE_ADDRESS(address), length)) \
    X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), \
      (SYS_recvmsg, fd, message, flags)) \
    X(int, recvmmsg, \
      (int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout), \
      (SYS_recvmmsg, fd, messages, count, flags, timeout)) \
    X(ssize_t, send, (int fd, const void *from, size_t size, int flags), \
      (SYS_sendto, fd, from, size, flags, NULL, 0)) \
    X(ssize_t, sendto, \
      (int fd, const void *from, size_t size, int flags, __CONST_SOCKADDR_ARG address, \
       socklen_t length), \
      (SYS_sendto, fd, from, size, flags, SS_WIRE_ADDRESS(address), length)) \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), \
      (SYS_sendmsg, fd, message, flags)) \
    X(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int count, int flags), \
      (SYS_sendmmsg, fd, messages, count, flags)) \
    X(int, socket, (int domain, int type, int protocol), (SYS_socket, domain, type, protocol)) \
    X(int, socketpair, (int domain, int type, int protocol, int fds[2]), \
      (SYS_socketpair, domain, type, protocol, fds)) \
    X(int, accept, (int fd, __SOCKADDR_ARG address, socklen_t *length), \
      (SYS_accept4, fd, SS_WIRE_ADDRESS(address), length, 0)) \
    X(int, accept4, (int fd, __SOCKADDR_ARG address, socklen_t *length, int flags), \
      (SYS_accept4, fd, SS_WIRE_ADDRESS(address), length, flags)) \
    X(int, close, (int fd), (SYS_close, fd)) \
    X(int, close_range, (unsigned int first, unsigned int last, int flags), \
      (SYS_close_range, first, last, flags)) \
    X(int, dup, (int fd), (SYS_dup, fd)) \
    X(int, dup3, (int fd, int newfd, int flags), (SYS_dup3, fd, newfd, flags)) \
    X(int, munmap, (void *address, size_t length), (SYS_munmap, address, length)) \
    SS_WIRE_REAL_OTHERS(X)

/* Those whose system call is not simply theirs; real.c has each by hand. */
#define SS_WIRE_REAL_OTHERS(X) \
    X(void, closefrom, (int first), ) \
    X(int, dup2, (int fd, int newfd), ) \
    X(int, fcntl, (int fd, int command, ...), ) \
    X(int, fcntl64, (int fd, int command, ...), ) \
    X(void *, mmap, (void *address, size_t length, int prot, int flags, int fd, off_t offset), ) \
    X(void *, mmap64, \
      (void *address, size_t length, int prot, int flags, int fd, off64_t offset), ) \
    X(void *, mremap, (void *address, size_t length, size_t newlength, int flags, ...), ) \
    X(int, pthread_create, \
      (pthread_t * thread, const pthread_attr_t *attributes, void *(*routine)(void *), \
       void *data), ) \
    X(int, clone, (int (*function)(void *), void *stack, int flags, void *data, ...), )

#define SS_WIRE_DECLARE(type, name, parameters, arguments) \
    extern type(*ss_wire_real_##name) parameters;
SS_WIRE_REAL_FUNCTIONS(SS_WIRE_DECLARE)
#undef SS_WIRE_DECLARE

/* Threads of the tracer call it while the constructor runs. */
#define REAL(name) __atomic_load_n(&ss_wire_real_##name, __ATOMIC_RELAXED)

/* Finds the functions behind this library. Called once, by its constructor. */
void ss_wire_real_resolve(void);

/* System calls that no other library may be asked for, and that keep errno: 0 or more, or a
 * negative errno. */
long ss_wire_getpid(void);
long ss_wire_gettid(void);
