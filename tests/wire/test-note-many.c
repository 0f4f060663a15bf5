/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Labels as several processes and threads give them.
 */
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "note-heard.h"

/* ---- children ---- */

/* -1: any of them. */
static void await(pid_t child)
{
    int status = -1;
    pid_t ended = waitpid(child, &status, 0);
    g_assert_cmpint(ended, >, 0);
    g_assert_cmpint(status, ==, 0);
}

static void test_child(void)
{
    int fd = make_file(), other = make_file(), own = make_file();
    shmemscope_note(fd, "parent's");
    shmemscope_note(other, "other");
    n_told = 0;
    pid_t child = fork();
    if (child == 0) {
        /* Its tracer is not there yet. */
        shmemscope_note(own, "child's");
        g_assert_cmpuint(n_told, ==, 0);
        tell_again();
        g_assert_cmpuint(n_told, ==, 1);
        g_assert_cmpstr(kept(own), ==, "child's");
        shmemscope_note(fd, "changed");
        assert_told(fd, "changed", FALSE);
        g_assert_cmpstr(kept(fd), ==, "changed");
        g_assert_null(kept(other));
        shmemscope_note(other, NULL);
        assert_told(other, "", FALSE);
        _exit(0);
    }
    await(child);
    g_assert_cmpstr(kept(fd), ==, "parent's");
    g_assert_cmpstr(kept(other), ==, "other");
    g_assert_null(kept(own));
    close_file(fd);
    close_file(other);
    close_file(own);
}

/* It alone knows what its parent noted, as of a server that went into the background. */
static void test_orphan(void)
{
    int fd = make_file(), own = make_file(), go[2];
    char byte = 0;
    g_assert_cmpint(pipe(go), ==, 0);
    g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), ==, 0);
    shmemscope_note(fd, "grandparent's");
    pid_t child = fork();
    if (child == 0) {
        shmemscope_note(own, "parent's");
        if (fork() == 0) {
            g_assert_cmpint(read(go[0], &byte, 1), ==, 1);
            g_assert_cmpstr(kept(fd), ==, "grandparent's");
            g_assert_cmpstr(kept(own), ==, "parent's");
        }
        _exit(0);
    }
    await(child); /* from then on it is no longer the other one's parent */
    g_assert_cmpint(write(go[1], &byte, 1), ==, 1);
    await(-1);
    n_told = 0;
    close(go[0]);
    close(go[1]);
    close_file(fd);
    close_file(own);
}

static pthread_barrier_t barrier;

static void *use_for_long(void *data)
{
    SsWireGuard guard;
    g_assert_true(ss_wire_enter(&guard));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    ss_wire_leave(&guard);
    return data;
}

/* The label that somebody was about to write may be half of one and half of another. */
static void test_child_of_busy(void)
{
    int fd = make_file();
    pthread_t other;
    shmemscope_note(fd, "parent's");
    g_assert_cmpint(pthread_barrier_init(&barrier, NULL, 2), ==, 0);
    g_assert_cmpint(pthread_create(&other, NULL, use_for_long, NULL), ==, 0);
    pthread_barrier_wait(&barrier);
    pid_t child = fork();
    if (child == 0) {
        ss_wire_forked_from = 0; /* as if the parent had ended */
        g_assert_null(kept(fd));
        shmemscope_note(fd, "child's");
        assert_told(fd, "child's", FALSE);
        g_assert_cmpstr(kept(fd), ==, "child's");
        _exit(0);
    }
    pthread_barrier_wait(&barrier);
    g_assert_cmpint(pthread_join(other, NULL), ==, 0);
    await(child);
    n_told = 0;
    g_assert_cmpstr(kept(fd), ==, "parent's");
    close_file(fd);
}

/* ---- many at once ---- */

#define THREADS 8
#define NOTES 1000
static int shared_fd;

typedef struct Noter {
    pthread_t thread;
    guint number;
    int fd;
    guint last; /* what was told of it */
} Noter;

/* It is told, or the library has let go on whom others kept waiting for a second. */
static gboolean note_in_turn(int fd, const char *label)
{
    guint before = n_letters;
    guint64 begin = ss_wire_now();
    shmemscope_note(fd, label);
    gboolean is_told = n_letters == before + 1;
    g_assert_true(is_told || (n_letters == before && ss_wire_now() - begin >= 1000000000));
    return is_told;
}

static void *note_many(void *data)
{
    Noter *noter = data;
    char text[SHMEMSCOPE_LABEL_BYTES + 1];
    hears = HEARS_LETTERS;
    for (guint i = 0; i < NOTES; i++) {
        write_letters(text, noter->number + i);
        noter->last = note_in_turn(noter->fd, text) ? noter->number + i : noter->last;
        (void)note_in_turn(shared_fd, i % 16 ? text : NULL);
    }
    return NULL;
}

/* Those who begin to listen, and children, find whole labels at any time. */
static void test_many_at_once(void)
{
    Noter noters[THREADS];
    char text[SHMEMSCOPE_LABEL_BYTES + 1];
    shared_fd = make_file();
    hears = HEARS_LETTERS;
    for (guint i = 0; i < THREADS; i++) {
        noters[i] = (Noter){ .number = i, .fd = make_file() };
        g_assert_cmpint(pthread_create(&noters[i].thread, NULL, note_many, &noters[i]), ==, 0);
    }
    for (guint i = 0; i < 20; i++) {
        ss_wire_dump(NULL, NULL);
        pid_t child = fork();
        if (child == 0) {
            ss_wire_forked_from = 0; /* as if the parent had ended */
            ss_wire_dump(NULL, NULL);
            _exit(0);
        }
        await(child);
    }
    for (guint i = 0; i < THREADS; i++) {
        g_assert_cmpint(pthread_join(noters[i].thread, NULL), ==, 0);
    }
    hears = HEARS_ALL;
    for (guint i = 0; i < THREADS; i++) {
        write_letters(text, noters[i].last);
        g_assert_cmpstr(kept(noters[i].fd), ==, text);
        close_file(noters[i].fd);
    }
    close_file(shared_fd);
}

void add_tests_of_many(void)
{
    g_test_add_func("/wire/note/child", test_child);
    g_test_add_func("/wire/note/orphan", test_orphan);
    g_test_add_func("/wire/note/child-of-busy", test_child_of_busy);
    g_test_add_func("/wire/note/many-at-once", test_many_at_once);
}
