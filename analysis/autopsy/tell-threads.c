/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What threads wait for, and whether they may do anything else.
 */
#include <poll.h>
#include <sys/syscall.h>

#include "analysis/autopsy/tell-parts.h"

/* A wait for one socket polls it and at most what wakes the loop up. */
#define MOST_POLLED 2

bool ss_tell_stood(const SsTell *tell, const SsSeenProcess *process, const SsSeenThread *thread)
{
    const SsSeenThread *before = ss_tell_before(tell, process, thread);
    return before && thread->call == SS_CALL_IN && ss_seen_stood(before, thread);
}

const SsSeenThread *ss_tell_before(const SsTell *tell, const SsSeenProcess *process,
                                   const SsSeenThread *thread)
{
    const SsSeenProcess *before = tell->before ? ss_look_process(tell->before, process->pid) : NULL;
    return before && ss_seen_same(before, process) ? ss_seen_thread(before, thread->tid) : NULL;
}

static bool reads(const SsSeenThread *thread)
{
    switch (thread->nr) {
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
        return thread->call == SS_CALL_IN && thread->fd >= 0;
    default:
        return false;
    }
}

static bool timed(const SsSeenThread *thread)
{
    return thread->timeout_known && thread->timeout_ns >= 0;
}

/* A stop ended its call, which goes on: poll(), a sleep, or a wait for a lock with a time-out.
 * Which one, and until when, nobody is told; so it may end by itself. */
static bool resumed(const SsSeenThread *thread)
{
    return thread->call == SS_CALL_IN && thread->nr == SYS_restart_syscall;
}

/* The call ends when somebody of the same process, or nobody, ends it. */
static bool is_lock(const SsSeenThread *thread)
{
    return thread->call == SS_CALL_IN && thread->nr == SYS_futex;
}

static bool sleeps_for_ever(const SsSeenThread *thread)
{
    return thread->call == SS_CALL_IN &&
           (thread->nr == SYS_pause || thread->nr == SYS_rt_sigsuspend);
}

/* Index of the socket in what is polled for input; -1 when it is not. */
static int polled(const SsSeenProcess *process, const SsSeenThread *thread, guint64 inode)
{
    for (guint i = 0; inode && i < thread->polls->len; i++) {
        const SsSeenPoll *poll = &g_array_index(thread->polls, SsSeenPoll, i);
        if ((poll->events & (POLLIN | POLLRDNORM)) &&
            ss_seen_socket_of(process, poll->fd) == inode) {
            return (int)i;
        }
    }
    return -1;
}

bool ss_tell_blocks_on(const SsSeenProcess *process, const SsSeenThread *thread, guint64 inode)
{
    if (!inode || timed(thread) || resumed(thread)) {
        return false;
    }
    if (reads(thread)) {
        return ss_seen_socket_of(process, thread->fd) == inode;
    }
    return thread->polls_known && thread->polls->len <= MOST_POLLED &&
           polled(process, thread, inode) >= 0;
}

bool ss_tell_attends(const SsSeenProcess *process, const SsSeenThread *thread, guint64 inode)
{
    return inode && ((reads(thread) && ss_seen_socket_of(process, thread->fd) == inode) ||
                     polled(process, thread, inode) >= 0);
}

SsSeen ss_tell_seen(const SsTell *tell, const SsSeenProcess *process, const SsSeenThread *thread)
{
    if (thread->call == SS_CALL_UNKNOWN || !thread->counts_known) {
        return SS_SEEN_NOT;
    }
    if (!ss_tell_stood(tell, process, thread) || timed(thread) || resumed(thread)) {
        return SS_SEEN_MOVES;
    }
    return is_lock(thread) && thread->timeout_known ? SS_SEEN_LOCKED : SS_SEEN_STANDS;
}

gint64 ss_tell_since(const SsTell *tell, const SsSeenThread *thread, bool *ret_at_least)
{
    bool known = thread->last_ran_ns && thread->last_ran_ns <= tell->begin_ns;
    *ret_at_least = !known;
    return known ? thread->last_ran_ns : tell->begin_ns;
}

/* What another thread of a back-end may do about a request, beginning with the least. */
typedef enum Reach {
    REACH_WAITS,  /* waits for the front-end itself */
    REACH_LOCKED, /* for another thread of its process, for ever */
    REACH_AWAY,   /* for descriptors that the request does not come by; did not move */
    REACH_AROUND, /* the same, and it moved, or has a time-out */
    REACH_ASIDE,  /* in a call of its own that may end */
    REACH_UNSEEN,
    REACH_LIVES, /* runs, sleeps for a time, or is there to read */
} Reach;

/* It waits for the same front-end, over any of the process's back-end channels. */
static bool waits_itself(const SsTell *tell, const SsSeenProcess *process, const SsPeer *peer,
                         const SsSeenThread *thread)
{
    for (guint i = 0; i < peer->process->peers->len; i++) {
        const SsPeer *other = g_ptr_array_index(peer->process->peers, i);
        bool same =
            other->device && peer->device && other->device->process == peer->device->process;
        if (same && ss_tell_stood(tell, process, thread) &&
            ss_tell_blocks_on(process, thread, other->backend_sock)) {
            return true;
        }
    }
    return false;
}

static Reach reach_of(const SsTell *tell, const SsSeenProcess *process, const SsPeer *peer,
                      const SsSeenThread *thread, guint64 inode)
{
    bool stood = ss_tell_stood(tell, process, thread);
    if (waits_itself(tell, process, peer, thread)) {
        return REACH_WAITS;
    }
    if (thread->call == SS_CALL_UNKNOWN || !thread->counts_known) {
        return REACH_UNSEEN;
    }
    if (thread->call != SS_CALL_IN || ss_tell_attends(process, thread, inode)) {
        return REACH_LIVES;
    }
    if (is_lock(thread) || sleeps_for_ever(thread)) {
        bool ever = sleeps_for_ever(thread) || (thread->timeout_known && !timed(thread));
        return stood && ever ? REACH_LOCKED : stood || timed(thread) ? REACH_ASIDE : REACH_LIVES;
    }
    if (thread->polls_known) {
        return stood && !timed(thread) && thread->timeout_known ? REACH_AWAY : REACH_AROUND;
    }
    return stood && (reads(thread) || thread->nr == SYS_accept || thread->nr == SYS_accept4) &&
                   !timed(thread)
               ? REACH_ASIDE
               : REACH_LIVES;
}

/* How likely the thread is to answer. What lies unread nobody answers who does not look there;
 * what was read may be answered by anybody who waits for something that can come. */
static SsAnswers answers_of(Reach reach, bool read)
{
    switch (reach) {
    case REACH_WAITS:
    case REACH_LOCKED:
        return SS_ANSWERS_NOBODY;
    case REACH_AWAY:
        return read ? SS_ANSWERS_DOUBTFUL : SS_ANSWERS_NOBODY;
    case REACH_AROUND:
    case REACH_ASIDE:
        return read ? SS_ANSWERS_LIVES : SS_ANSWERS_DOUBTFUL;
    case REACH_UNSEEN:
        return SS_ANSWERS_DOUBTFUL;
    case REACH_LIVES:
        break;
    }
    return SS_ANSWERS_LIVES;
}

char *ss_tell_stands(const SsTell *tell, const SsSeenProcess *process, const SsSeenThread *thread,
                     const char *who)
{
    const char *call = thread->call == SS_CALL_IN ? ss_call_name(thread->nr) : NULL;
    bool stood = ss_tell_stood(tell, process, thread);
    if (thread->call == SS_CALL_UNKNOWN || !thread->counts_known) {
        return g_strdup_printf("what its %s does could not be seen", who);
    }
    if (thread->call == SS_CALL_RUNNING || thread->call == SS_CALL_OUTSIDE || !call) {
        return g_strdup_printf("its %s %s", who,
                               thread->call == SS_CALL_RUNNING ? "runs" : "does something else");
    }
    if (resumed(thread)) {
        return g_strdup_printf("its %s %s in a call that was stopped and goes on (%s), whose "
                               "time-out is not known",
                               who, stood ? "stands" : "moves, and was", call);
    }
    return g_strdup_printf("its %s %s in %s%s", who, stood ? "stands" : "moves, and was", call,
                           timed(thread) ? ", which has a time-out" : "");
}

static char *does_text(const SsTell *tell, const SsSeenProcess *process, const SsPeer *peer,
                       const SsSeenThread *thread, Reach reach)
{
    g_autofree char *who = ss_peer_thread_text(peer, thread->tid);
    if (reach != REACH_WAITS) {
        return ss_tell_stands(tell, process, thread, who);
    }
    const char *front = peer->device ? peer->device->process->called : NULL;
    return g_strdup_printf("its %s waits for %s's reply", who, front ? front : "QEMU");
}

/* Another process that has the socket open as well may read it. */
static gint32 shared_with(const SsTell *tell, const SsSeenProcess *process, guint64 inode)
{
    const SsSeenSocket *socket = ss_look_socket(tell->now, inode);
    for (guint i = 0; socket && i < socket->holders->len; i++) {
        const SsSeenHolder *holder = &g_array_index(socket->holders, SsSeenHolder, i);
        if (holder->pid != process->pid) {
            return holder->pid;
        }
    }
    return 0;
}

void ss_tell_answers(const SsTell *tell, const SsSeenProcess *process, SsPeer *peer, guint64 inode,
                     bool read)
{
    const SsSeenThread *who = NULL;
    Reach most = REACH_WAITS;
    SsAnswers answers = SS_ANSWERS_NOBODY;
    guint unseen = 0;
    for (guint i = 0; i < process->threads->len; i++) {
        const SsSeenThread *thread = g_ptr_array_index(process->threads, i);
        Reach reach = reach_of(tell, process, peer, thread, inode);
        unseen += reach == REACH_UNSEEN;
        answers = MIN(answers, answers_of(reach, read));
        if (!who || reach > most) {
            who = thread;
            most = reach;
        }
    }
    gint32 other = shared_with(tell, process, inode);
    if (!process->threads->len || unseen == process->threads->len) {
        answers = SS_ANSWERS_UNSEEN;
    } else if (other && answers == SS_ANSWERS_NOBODY) {
        answers = SS_ANSWERS_DOUBTFUL;
        peer->doubt = g_strdup_printf("process %d has its socket, too", other);
    } else if (answers != SS_ANSWERS_NOBODY || !peer->waits[0].seq) {
        peer->doubt = does_text(tell, process, peer, who, most);
    }
    peer->answers = answers;
    peer->n_seen = process->threads->len;
}
