/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Threads, and children that share the memory.
 *
 * What the tracer keeps of a thread is allocated when it is used first, if its library was not
 * there from the start. A handler may use it first, in the middle of malloc(): so each thread
 * does at its begin.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "hooks.h"
#include "load.h"
#include "real.h"
#include "state.h"

typedef struct SsWireThread {
    void *(*routine)(void *);
    void *data;
} SsWireThread;

static void *begin_thread(void *data)
{
    SsWireThread thread = *(SsWireThread *)data;
    free(data);
    ss_wire_teller->init_thread();
    return thread.routine(thread.data);
}

SS_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                             void *(*routine)(void *), void *data)
{
    ss_wire_load_for_thread();
    SsWireThread *begin = ss_wire_loaded_late() ? malloc(sizeof(*begin)) : NULL;
    if (!begin) {
        return REAL(pthread_create)(thread, attributes, routine, data);
    }
    *begin = (SsWireThread){ .routine = routine, .data = data };
    int error = REAL(pthread_create)(thread, attributes, begin_thread, begin);
    if (error) {
        free(begin);
    }
    return error;
}

/* ---- children that share the memory ---- */

SS_EXPORT int clone(int (*function)(void *), void *stack, int flags, void *data, ...)
{
    va_list more;
    va_start(more, data);
    void *parent_tid = va_arg(more, void *);
    void *local = va_arg(more, void *);
    void *child_tid = va_arg(more, void *);
    va_end(more);
    if ((flags & CLONE_VM) && !(flags & CLONE_THREAD)) {
        ss_wire_state_lent_for_long();
    }
    return REAL(clone)(function, stack, flags, data, parent_tid, local, child_tid);
}

#ifdef SS_WIRE_NOTES_VFORK
__attribute__((visibility("hidden"))) int ss_wire_vfork_failed(int error);

int ss_wire_vfork_failed(int error)
{
    errno = error;
    return -1;
}

/*
 * The child returns to the caller first, and what it calls there takes the place of this call's
 * return address: so that is kept in a register, as each of both has its own. So is what
 * ss_wire_lent was before; the child leaves it set, and the parent sets it back.
 */
__asm__(".pushsection .text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "    .cfi_startproc\n"
        "    endbr64\n"
        "    pop %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_register %rip, %rdi\n"
        "    mov ss_wire_lent@gottpoff(%rip), %rsi\n"
        "    mov %fs:(%rsi), %edx\n"
        "    movl $1, %fs:(%rsi)\n"
        "    mov $58, %eax\n" /* SYS_vfork */
        "    syscall\n"
        "    push %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_offset %rip, -8\n"
        "    test %eax, %eax\n"
        "    jz 1f\n"
        "    mov %edx, %fs:(%rsi)\n"
        "    js 2f\n"
        "1:  ret\n"
        "2:  mov %eax, %edi\n"
        "    neg %edi\n"
        "    jmp ss_wire_vfork_failed\n"
        "    .cfi_endproc\n"
        ".size vfork, . - vfork\n"
        ".popsection\n");
#endif
