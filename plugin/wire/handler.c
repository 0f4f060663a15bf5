/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kernel lays a frame on the stack for a handler, and at its lower end the address to which
 * the handler returns: the restorer, which sigaction() gave it. A stack without any such word has
 * no handler on it.
 */
#include "handler.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

/* Of the main thread; the dynamic loader has it. */
extern void *__libc_stack_end;

#define RESTORERS 4
#define STACK_MOST (8ul << 20) /* bytes that are looked through */
#define HAS_RESTORER 0x04000000ul
#define USER_CODE 0x33 /* code segment of a 64-bit program */

typedef struct KernelAction {
    uintptr_t handler;
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
} KernelAction;

/* Restorers of all handlers there are; how many, -1 when they are too many or have none. */
static int find_restorers(uintptr_t ret_restorers[RESTORERS])
{
    int count = 0;
    for (int number = 1; number <= 64; number++) {
        KernelAction action = { 0 };
        if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof(action.mask)) < 0 ||
            action.handler == (uintptr_t)SIG_DFL || action.handler == (uintptr_t)SIG_IGN) {
            continue;
        }
        int at = 0;
        while (at < count && ret_restorers[at] != action.restorer) {
            at++;
        }
        if (!(action.flags & HAS_RESTORER) || at == RESTORERS) {
            return -1;
        }
        ret_restorers[at] = action.restorer;
        count += at == count;
    }
    return count;
}

typedef struct SsWireSignalFrame {
    uintptr_t restorer;
    ucontext_t context;
} SsWireSignalFrame;

#define BEFORE_REGISTERS \
    (offsetof(SsWireSignalFrame, context.uc_mcontext.gregs) + sizeof(gregset_t))

/* The word may have been left behind by a call of sigaction(): then there is no frame around it. */
#define OURS __attribute__((no_sanitize("address", "thread", "undefined")))
OURS static bool is_frame(const volatile uintptr_t *word, uintptr_t end)
{
    const volatile SsWireSignalFrame *frame = (const volatile SsWireSignalFrame *)word;
    return end - (uintptr_t)word >= BEFORE_REGISTERS && frame->context.uc_flags < 16 &&
           !frame->context.uc_link &&
           (frame->context.uc_mcontext.gregs[REG_CSGSFS] & 0xffff) == USER_CODE &&
           (uintptr_t)frame->context.uc_mcontext.gregs[REG_RSP] <= end;
}

/* Other people's frames, on purpose. */
OURS static bool stack_has(uintptr_t from, uintptr_t end, const uintptr_t *restorers, int count)
{
    for (; from < end; from += sizeof(uintptr_t)) {
        const volatile uintptr_t *word = (const volatile uintptr_t *)from;
        for (int at = 0; at < count; at++) {
            if (*word == restorers[at] && is_frame(word, end)) {
                return true;
            }
        }
    }
    return false;
}

bool ss_wire_in_handler(void)
{
    uintptr_t restorers[RESTORERS];
    int count = find_restorers(restorers);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(sizeof(here) - 1);
    uintptr_t end = (uintptr_t)__libc_stack_end;
    if (count == 0) {
        return false;
    }
    if (count < 0 || here >= end || end - here > STACK_MOST) {
        return true;
    }
    return stack_has(here, end, restorers, count);
}
