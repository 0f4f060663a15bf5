/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The calls that map and unmap. Those that concern a mapping of ours happen with the lock held,
 * as those of hooks-fd.c do.
 */
#include <errno.h>
#include <stdarg.h>

#include "file.h"
#include "hooks.h"
#include "real.h"

static bool concerns_us(void *address, size_t length, int flags, int fd)
{
    return (!(flags & MAP_ANONYMOUS) && ss_wire_entry_kind(ss_wire_entry(fd)) == SS_WIRE_FILE) ||
           ((flags & MAP_FIXED) && ss_wire_may_be_mapped((uintptr_t)address, length));
}

static void *__attribute__((noinline))
slow_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    SsWireGuard guard;
    if (!ss_wire_enter(&guard)) {
        return REAL(mmap)(address, length, prot, flags, fd, offset);
    }
    uintptr_t at = (uintptr_t)address;
    bool over = (flags & MAP_FIXED) && ss_wire_is_mapped(at, length);
    errno = guard.error;
    void *result = REAL(mmap)(address, length, prot, flags, fd, offset);
    int error = 0;
    if (result == MAP_FAILED) {
        error = guard.error = errno;
    }
    if (over && !error) {
        ss_wire_unmapped(at, length, 0);
    }
    if (!(flags & MAP_ANONYMOUS)) {
        ss_wire_mapped(fd, (uintptr_t)result, length, (uint64_t)offset, prot, flags, -error);
    }
    ss_wire_leave(&guard);
    return result;
}

SS_EXPORT void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return SS_WIRE_UNLIKELY(concerns_us(address, length, flags, fd))
               ? slow_mmap(address, length, prot, flags, fd, offset)
               : REAL(mmap)(address, length, prot, flags, fd, offset);
}

SS_EXPORT void *mmap64(void *address, size_t length, int prot, int flags, int fd, off64_t offset)
{
    return SS_WIRE_UNLIKELY(concerns_us(address, length, flags, fd))
               ? slow_mmap(address, length, prot, flags, fd, offset)
               : REAL(mmap64)(address, length, prot, flags, fd, offset);
}

static int __attribute__((noinline)) slow_munmap(void *address, size_t length)
{
    SsWireGuard guard;
    if (!ss_wire_enter(&guard)) {
        return REAL(munmap)(address, length);
    }
    bool ours = ss_wire_is_mapped((uintptr_t)address, length);
    errno = guard.error;
    int result = REAL(munmap)(address, length);
    if (result < 0) {
        guard.error = errno;
    }
    if (ours) {
        ss_wire_unmapped((uintptr_t)address, length, result < 0 ? -guard.error : 0);
    }
    ss_wire_leave(&guard);
    return result;
}

SS_EXPORT int munmap(void *address, size_t length)
{
    return SS_WIRE_UNLIKELY(ss_wire_may_be_mapped((uintptr_t)address, length))
               ? slow_munmap(address, length)
               : REAL(munmap)(address, length);
}

SS_EXPORT void *mremap(void *address, size_t length, size_t newlength, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *to = va_arg(more, void *);
    va_end(more);
    SsWireGuard guard;
    if (SS_WIRE_LIKELY(!ss_wire_may_be_mapped((uintptr_t)address, length)) ||
        !ss_wire_enter(&guard)) {
        return REAL(mremap)(address, length, newlength, flags, to);
    }
    bool ours = ss_wire_is_mapped((uintptr_t)address, length);
    errno = guard.error;
    void *result = REAL(mremap)(address, length, newlength, flags, to);
    int error = 0;
    if (result == MAP_FAILED) {
        error = guard.error = errno;
    }
    if (ours) {
        ss_wire_remapped((uintptr_t)address, length, (uintptr_t)result, newlength, -error);
    }
    ss_wire_leave(&guard);
    return result;
}
