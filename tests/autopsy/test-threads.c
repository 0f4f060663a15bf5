/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Threads of this process that stand in each call that matters, as /proc tells of them.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "analysis/autopsy/parts.h"

#define NS_PER_S G_GINT64_CONSTANT(1000000000)

typedef struct Stander {
    void (*stand)(struct Stander *self); /* returns when end[1] is closed */
    int end[2];                          /* what it waits for */
    int epoll;
    int outer; /* an epoll for it */
    pthread_mutex_t mutex;
    gint tid;  /* atomic */
    gint stop; /* atomic */
    GThread *thread;
    gint64 began_ns;
} Stander;

static gpointer run(gpointer data)
{
    Stander *self = data;
    self->began_ns = g_get_real_time() * 1000;
    g_atomic_int_set(&self->tid, (gint)syscall(SYS_gettid));
    self->stand(self);
    return NULL;
}

static SsSeenProcess *look(void)
{
    int dir = ss_proc_open((gint32)getpid());
    SsSeenProcess *process = ss_seen_process_new((gint32)getpid());
    g_assert_true(ss_process_read(dir, process));
    g_autoptr(SsSince) since = ss_since_new();
    ss_fds_read(dir, process);
    ss_maps_read(dir, process);
    ss_threads_read(dir, process, since);
    (void)close(dir);
    return process;
}

/* Until it stands in a call of that name; returns the look in which it does. */
static SsSeenProcess *await_call(Stander *self, const char *name, SsSeenThread **ret_thread)
{
    for (;;) {
        SsSeenProcess *process = look();
        SsSeenThread *thread = ss_seen_thread(process, g_atomic_int_get(&self->tid));
        const char *call = thread && thread->call == SS_CALL_IN ? ss_call_name(thread->nr) : NULL;
        if (g_strcmp0(call, name) == 0) {
            *ret_thread = thread;
            return process;
        }
        ss_seen_process_free(process);
        (void)sched_yield();
    }
}

static Stander *begin(void (*stand)(Stander *self))
{
    Stander *self = g_new0(Stander, 1);
    self->stand = stand;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->end), ==, 0);
    g_assert_cmpint(pthread_mutex_init(&self->mutex, NULL), ==, 0);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->outer = epoll_create1(EPOLL_CLOEXEC);
    g_assert_cmpint(pthread_mutex_lock(&self->mutex), ==, 0);
    self->thread = g_thread_new("stander", run, self);
    return self;
}

static void end(Stander *self)
{
    g_atomic_int_set(&self->stop, 1);
    g_assert_cmpint(pthread_mutex_unlock(&self->mutex), ==, 0);
    g_assert_cmpint(shutdown(self->end[1], SHUT_RDWR), ==, 0);
    g_thread_join(self->thread);
    (void)close(self->end[0]);
    (void)close(self->end[1]);
    (void)close(self->epoll);
    (void)close(self->outer);
    (void)pthread_mutex_destroy(&self->mutex);
    g_free(self);
}

static void stand_in_recvmsg(Stander *self)
{
    char byte;
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    (void)recvmsg(self->end[0], &message, 0);
}

static void stand_in_poll(Stander *self)
{
    struct pollfd set[] = { { .fd = self->end[0], .events = POLLIN }, { .fd = -1 } };
    (void)poll(set, G_N_ELEMENTS(set), 100000);
}

static void stand_in_ppoll(Stander *self)
{
    struct pollfd set = { .fd = self->end[0], .events = POLLIN | POLLPRI };
    (void)ppoll(&set, 1, NULL, NULL);
}

static void stand_in_select(Stander *self)
{
    fd_set in;
    FD_ZERO(&in);
    FD_SET(self->end[0], &in);
    (void)syscall(SYS_select, self->end[0] + 1, &in, NULL, NULL, NULL);
}

static void stand_in_epoll(Stander *self)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = self->end[0] };
    (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->end[0], &event);
    (void)epoll_wait(self->epoll, &event, 1, -1);
}

/* An epoll in an epoll in a poll. */
static void stand_in_nested(Stander *self)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = self->end[0] };
    (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->end[0], &event);
    event.data.fd = self->epoll;
    (void)epoll_ctl(self->outer, EPOLL_CTL_ADD, self->epoll, &event);
    struct pollfd set = { .fd = self->outer, .events = POLLIN };
    (void)poll(&set, 1, -1);
}

static void stand_at_mutex(Stander *self)
{
    (void)pthread_mutex_lock(&self->mutex);
    (void)pthread_mutex_unlock(&self->mutex);
}

static void stand_asleep(Stander *self)
{
    while (!g_atomic_int_get(&self->stop)) {
        struct timespec nap = { .tv_nsec = 300000000 };
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    }
}

static void spin(Stander *self)
{
    while (!g_atomic_int_get(&self->stop)) {
    }
}

static const SsSeenPoll *poll_at(const SsSeenThread *thread, guint i)
{
    g_assert_true(thread->polls_known);
    g_assert_cmpuint(i, <, thread->polls->len);
    return &g_array_index(thread->polls, SsSeenPoll, i);
}

static void test_recvmsg(void)
{
    Stander *self = begin(stand_in_recvmsg);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "recvmsg", &thread);
    gint64 seen_ns = g_get_real_time() * 1000;
    g_assert_cmpint(thread->fd, ==, self->end[0]);
    g_assert_cmpint(thread->state, ==, 'S');
    struct stat file;
    g_assert_cmpint(fstat(self->end[0], &file), ==, 0);
    g_assert_cmpuint(ss_seen_socket_of(process, thread->fd), ==, file.st_ino);
    g_assert_false(thread->polls_known);
    g_assert_false(thread->timeout_known);
    /* Since when: some time later it is still the time at which it came to stand. */
    SsSeenProcess *later = NULL;
    do {
        g_clear_pointer(&later, ss_seen_process_free);
        later = look();
    } while (g_get_real_time() * 1000 < seen_ns + 2 * NS_PER_S);
    const SsSeenThread *same = ss_seen_thread(later, thread->tid);
    g_assert_true(ss_seen_stood(thread, same));
    if (g_file_test("/proc/self/sched", G_FILE_TEST_EXISTS)) {
        g_assert_cmpint(same->last_ran_ns, >, self->began_ns - NS_PER_S / 10);
        g_assert_cmpint(same->last_ran_ns, <, seen_ns + NS_PER_S / 2);
    } else {
        g_assert_cmpint(same->last_ran_ns, ==, 0);
    }
    ss_seen_process_free(later);
    ss_seen_process_free(process);
    end(self);
}

static void test_poll(void)
{
    Stander *self = begin(stand_in_poll);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "poll", &thread);
    g_assert_cmpuint(thread->polls->len, ==, 1);
    g_assert_cmpint(poll_at(thread, 0)->fd, ==, self->end[0]);
    g_assert_cmpuint(poll_at(thread, 0)->events, ==, POLLIN);
    g_assert_true(thread->timeout_known);
    g_assert_cmpint(thread->timeout_ns, ==, 100 * NS_PER_S);
    ss_seen_process_free(process);
    end(self);
}

static void test_ppoll(void)
{
    Stander *self = begin(stand_in_ppoll);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "ppoll", &thread);
    g_assert_cmpuint(poll_at(thread, 0)->events, ==, POLLIN | POLLPRI);
    g_assert_true(thread->timeout_known);
    g_assert_cmpint(thread->timeout_ns, ==, -1);
    ss_seen_process_free(process);
    end(self);
}

static void test_select(void)
{
    Stander *self = begin(stand_in_select);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "select", &thread);
    g_assert_cmpuint(thread->polls->len, ==, 1);
    g_assert_cmpint(poll_at(thread, 0)->fd, ==, self->end[0]);
    g_assert_cmpint(thread->timeout_ns, ==, -1);
    g_assert_true(thread->timeout_known);
    ss_seen_process_free(process);
    end(self);
}

static void test_epoll(void)
{
    Stander *self = begin(stand_in_epoll);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "epoll_wait", &thread);
    g_assert_cmpint(thread->fd, ==, self->epoll);
    g_assert_cmpuint(thread->polls->len, ==, 1);
    g_assert_cmpint(poll_at(thread, 0)->fd, ==, self->end[0]);
    g_assert_cmpuint(poll_at(thread, 0)->events & POLLIN, ==, POLLIN);
    g_assert_true(thread->timeout_known);
    g_assert_cmpint(thread->timeout_ns, ==, -1);
    ss_seen_process_free(process);
    end(self);
}

static void test_nested(void)
{
    Stander *self = begin(stand_in_nested);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "poll", &thread);
    g_assert_cmpuint(thread->polls->len, ==, 1);
    g_assert_cmpint(poll_at(thread, 0)->fd, ==, self->end[0]);
    ss_seen_process_free(process);
    end(self);
}

static void test_mutex(void)
{
    Stander *self = begin(stand_at_mutex);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "futex", &thread);
    g_assert_cmpint(thread->futex_owner, ==, (gint32)syscall(SYS_gettid));
    g_assert_true(thread->timeout_known);
    g_assert_cmpint(thread->timeout_ns, ==, -1);
    ss_seen_process_free(process);
    end(self);
}

static void test_asleep(void)
{
    Stander *self = begin(stand_asleep);
    SsSeenThread *thread;
    SsSeenProcess *process = await_call(self, "clock_nanosleep", &thread);
    g_assert_true(thread->timeout_known);
    g_assert_cmpint(thread->timeout_ns, ==, 300000000);
    /* It moves: when its nap is over it stands in the same call, and is told apart all the same. */
    SsSeenProcess *later = NULL;
    const SsSeenThread *same = NULL;
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    do {
        g_clear_pointer(&later, ss_seen_process_free);
        later = look();
        same = ss_seen_thread(later, thread->tid);
    } while ((same->call != SS_CALL_IN || same->switches == thread->switches) &&
             g_get_monotonic_time() < limit);
    g_assert_cmpstr(ss_call_name(same->nr), ==, "clock_nanosleep");
    g_assert_cmpuint(same->switches, >, thread->switches);
    g_assert_cmpuint(same->cpu_ns, >, thread->cpu_ns);
    g_assert_false(ss_seen_stood(thread, same));
    ss_seen_process_free(later);
    ss_seen_process_free(process);
    end(self);
}

static void test_running(void)
{
    Stander *self = begin(spin);
    SsSeenProcess *process = NULL;
    const SsSeenThread *thread = NULL;
    do {
        g_clear_pointer(&process, ss_seen_process_free);
        process = look();
        thread = ss_seen_thread(process, g_atomic_int_get(&self->tid));
    } while (!thread || thread->call != SS_CALL_RUNNING);
    g_assert_cmpint(thread->state, ==, 'R');
    g_assert_false(ss_seen_stood(thread, thread));
    g_assert_cmpint(thread->last_ran_ns, ==, 0);
    ss_seen_process_free(process);
    end(self);
}

/* Names, start, shared maps, and files. */
static void test_process(void)
{
    int fd = memfd_create("ss-shared", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, 4 << 20), ==, 0);
    void *low = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *high = mmap(NULL, 2 << 20, PROT_READ, MAP_SHARED, fd, 2 << 20);
    g_assert_true(low != MAP_FAILED && high != MAP_FAILED);
    SsSeenProcess *process = look();
    struct stat file;
    g_assert_cmpint(fstat(fd, &file), ==, 0);
    const SsSeenFd *seen = ss_seen_fd(process, fd);
    g_assert_nonnull(seen);
    g_assert_cmpint(seen->kind, ==, SS_FD_FILE);
    g_assert_cmpuint(seen->inode, ==, file.st_ino);
    g_assert_cmpuint(seen->dev, ==, file.st_dev);
    g_assert_cmpuint(seen->size, ==, 4 << 20);
    g_assert_cmpstr(seen->name, ==, "/memfd:ss-shared (deleted)");
    guint found = 0;
    for (guint i = 0; i < process->maps->len; i++) {
        const SsSeenMap *map = g_ptr_array_index(process->maps, i);
        if (map->inode == file.st_ino && map->dev == file.st_dev) {
            found++;
            g_assert_true(map->readable);
            g_assert_true(map->begin == (guintptr)low || map->begin == (guintptr)high);
            g_assert_true(map->writable == (map->begin == (guintptr)low));
            g_assert_cmpuint(map->offset, ==, map->begin == (guintptr)low ? 0 : 2 << 20);
        }
    }
    g_assert_cmpuint(found, ==, 2);
    guint64 dev;
    guint64 inode;
    g_assert_true(ss_maps_largest(process, &dev, &inode));
    g_assert_cmpuint(inode, ==, file.st_ino);
    g_assert_cmpint(process->uid, ==, (gint32)getuid());
    g_assert_cmpint(process->own_pid, ==, getpid());
    g_assert_cmpuint(process->netns, ==, 0);
    g_assert_cmpuint(process->fd_limit, >, 0);
    g_assert_true(g_str_has_suffix(process->exe, "test-threads"));
    gint64 now = g_get_real_time() * 1000;
    g_assert_cmpint(process->start_ns, <=, now);
    g_assert_cmpint(process->start_ns, >, now - 600 * NS_PER_S);
    g_assert_cmpuint(process->denied->len, ==, 0);
    ss_seen_process_free(process);
    (void)munmap(low, 2 << 20);
    (void)munmap(high, 2 << 20);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/threads/recvmsg", test_recvmsg);
    g_test_add_func("/threads/poll", test_poll);
    g_test_add_func("/threads/ppoll", test_ppoll);
    g_test_add_func("/threads/select", test_select);
    g_test_add_func("/threads/epoll", test_epoll);
    g_test_add_func("/threads/epoll-in-poll", test_nested);
    g_test_add_func("/threads/mutex", test_mutex);
    g_test_add_func("/threads/asleep", test_asleep);
    g_test_add_func("/threads/running", test_running);
    g_test_add_func("/process/all", test_process);
    return g_test_run();
}
