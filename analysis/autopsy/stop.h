/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of another process is stopped for as long as something takes, and goes on.
 *
 * With ptrace's SEIZE and INTERRUPT: no signal is sent, and when this program is killed meanwhile
 * the kernel lets the thread go on. What the thread is in:
 *
 * - Most calls that wait are begun again by the kernel itself (poll, ppoll, select, futex, accept,
 *   a receive without a time-out, nanosleep): their caller notices nothing.
 * - Some return EINTR after any stop, a debugger's too: epoll_wait, a receive with a time-out
 *   (SO_RCVTIMEO), sigtimedwait, semop, KVM_RUN. Before such a thread goes on, its result is made
 *   the one with which the kernel begins a call again, unless a signal is handled first
 *   (ERESTARTNOHAND). Its time-out then begins anew.
 * - A call that has done a part of its work returns that part: a write that blocks, a receive with
 *   MSG_WAITALL. Nothing can mend that. So a caller stops no thread that stands in one.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>
#include <sys/user.h>

/* Called while the thread stands, in a thread of its own: nothing slow. */
typedef void (*SsStoppedFunc)(int tid, const struct user_regs_struct *registers, gpointer data);

/*
 * Stops thread `tid`, calls `stopped`, lets it go on. Returns NULL when that was done, or why it
 * was not, to be freed. `ret_stopped_ns` is set in any case: from when it was last seen not to
 * stand until it had been told to go on; 0 when it did not stop. A thread that does not stop within
 * 0.5 s (it is in an uninterruptible wait) is let go.
 */
char *ss_stop_thread(int tid, SsStoppedFunc stopped, gpointer data, guint64 *ret_stopped_ns);

/*
 * Whether thread `tid` that stands in call `number` with these arguments (six; of the kernel's
 * x86_64 table) loses nothing by being stopped: the kernel begins the call again, or it is made to.
 */
gboolean ss_stop_is_harmless(int tid, long number, const guint64 *arguments);
