/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks of programs whose stacks are known. */
#include <alloca.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/autopsy/stacks.h"
#include "target.h"

#define NEVER_INLINE __attribute__((noinline))
#define DEATHS 200

static void assert_ends_at_start(const SsStack *stack)
{
    g_assert_cmpstr(stack->why, ==, NULL);
    g_assert_cmpuint(stack->frames->len, >, 2);
}

static const SsStack *only_stack(const SsStacks *stacks)
{
    g_assert_cmpstr(stacks->why, ==, NULL);
    g_assert_cmpuint(stacks->threads->len, ==, 1);
    return g_ptr_array_index(stacks->threads, 0);
}

/* The functions are frames of it, the innermost first, whatever lies between them. */
static void assert_frames(const SsStack *stack, const char *const *functions)
{
    guint next = 0;

    for (guint i = 0; i < stack->frames->len && functions[next]; i++) {
        const SsFrame *frame = g_ptr_array_index(stack->frames, i);
        g_autofree char *text = ss_frame_text(frame);

        g_test_message("#%u %s", i, text);
        if (g_strcmp0(frame->symbol, functions[next]) == 0) {
            next++;
        }
    }
    g_test_message("stopped for %" G_GUINT64_FORMAT " ns%s%s", stack->stopped_ns,
                   stack->why ? "; " : "", stack->why ? stack->why : "");
    g_assert_cmpstr(functions[next], ==, NULL);
}

/* -- where it stands -------------------------------------------------------------------------- */

NEVER_INLINE static int stand_inside(int fd)
{
    char byte;
    int n = (int)read(fd, &byte, 1);

    return n + 1;
}

NEVER_INLINE static int stand(int theirs, SsTargetShared *shared)
{
    return stand_inside(theirs) - 1;
}

static void test_waiting(void)
{
    const char *const functions[] = { "stand_inside", "stand", "ss_target_start",
                                      "test_waiting", "main",  NULL };
    SsTarget target = ss_target_start(stand);
    g_autoptr(SsStacks) stacks = NULL;

    ss_target_await_call(&target, SYS_read);
    stacks = ss_stacks_take(target.pid, 0);
    assert_frames(only_stack(stacks), functions);
    assert_ends_at_start(only_stack(stacks));
    ss_target_kill(&target);
}

/* Its frame is found by a register that the kernel does not tell of a thread that waits. */
NEVER_INLINE static int stand_in_array(int theirs, SsTargetShared *shared)
{
    volatile char *array = alloca((gsize)getpid() % 512 + 64);

    array[0] = 1;
    return stand_inside(theirs) + array[0] - 2;
}

static void test_frame_pointer(void)
{
    const char *const functions[] = { "stand_inside",       "stand_in_array", "ss_target_start",
                                      "test_frame_pointer", "main",           NULL };
    SsTarget target = ss_target_start(stand_in_array);
    g_autoptr(SsStacks) stacks = NULL;

    ss_target_await_call(&target, SYS_read);
    stacks = ss_stacks_take(target.pid, 0);
    assert_frames(only_stack(stacks), functions);
    assert_ends_at_start(only_stack(stacks));
    g_test_message("stopped for %" G_GUINT64_FORMAT " ns", ss_stacks_longest_stop(stacks));
    g_assert_cmpuint(target.shared->returns, ==, 0);
    ss_target_kill(&target);
}

NEVER_INLINE static int run_for_ever(int theirs, SsTargetShared *shared)
{
    volatile guint64 count = 0;

    while (!__atomic_load_n(&shared->word, __ATOMIC_SEQ_CST)) {
        count++;
    }
    return (int)count;
}

static void test_running(void)
{
    const char *const functions[] = { "run_for_ever", "ss_target_start", "test_running", "main",
                                      NULL };
    SsTarget target = ss_target_start(run_for_ever);

    /* Until it has come so far, which nothing announces: then it stays there. */
    for (gboolean there = FALSE; !there;) {
        g_autoptr(SsStacks) stacks = ss_stacks_take(target.pid, 0);
        const SsStack *stack = only_stack(stacks);
        const SsFrame *first = g_ptr_array_index(stack->frames, 0);

        there = g_strcmp0(first->symbol, "run_for_ever") == 0;
        if (there) {
            assert_frames(stack, functions);
            assert_ends_at_start(stack);
            g_assert_cmpuint(stack->stopped_ns, >, 0);
        }
    }
    ss_target_kill(&target);
}

static gpointer wait_named(gpointer data)
{
    SsTargetShared *shared = data;

    prctl(PR_SET_NAME, "second");
    __atomic_store_n(&shared->word, 1, __ATOMIC_SEQ_CST);
    pause();
    return NULL;
}

static int have_two_threads(int theirs, SsTargetShared *shared)
{
    pthread_t thread;

    prctl(PR_SET_NAME, "first");
    g_assert_cmpint(pthread_create(&thread, NULL, wait_named, shared), ==, 0);
    return stand_inside(theirs);
}

static void test_threads(void)
{
    const char *const functions[] = { "wait_named", NULL };
    SsTarget target = ss_target_start(have_two_threads);
    g_autoptr(SsStacks) stacks = NULL;

    while (!__atomic_load_n(&target.shared->word, __ATOMIC_SEQ_CST)) {
        g_thread_yield();
    }
    ss_target_await_call(&target, SYS_read);
    stacks = ss_stacks_take(target.pid, 0);
    g_assert_cmpuint(stacks->threads->len, ==, 2);
    const SsStack *first = g_ptr_array_index(stacks->threads, 0);
    const SsStack *second = g_ptr_array_index(stacks->threads, 1);
    g_assert_cmpint(first->tid, ==, target.pid);
    g_assert_cmpint(second->tid, >, target.pid);
    g_assert_cmpstr(first->comm, ==, "first");
    g_assert_cmpstr(second->comm, ==, "second");
    assert_frames(second, functions);
    assert_ends_at_start(second);
    ss_target_kill(&target);
}

/* -- files ------------------------------------------------------------------------------------ */

/* Starts a copy of sleep from a directory of its own. */
static GPid start_sleep(char **ret_path)
{
    g_autofree char *directory = g_dir_make_tmp("ss-stacks-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "copy", NULL);
    char *copy[] = { "cp", "/usr/bin/sleep", path, NULL };
    char *start[] = { path, "60", NULL };
    SsTarget started = { 0 };
    int status;

    g_assert_true(
        g_spawn_sync(NULL, copy, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_true(g_spawn_async(NULL, start, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                &started.pid, NULL));
    SsTargetShared shared = { 0 };
    started.shared = &shared;
    ss_target_await_call(&started, SYS_clock_nanosleep);
    *ret_path = g_steal_pointer(&path);
    return started.pid;
}

static void end_sleep(GPid pid, const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);

    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    g_assert_cmpint(rmdir(directory), ==, 0);
}

/* A stripped program, whose file is not there any more: it is unwound all the same. */
static void test_deleted(void)
{
    g_autofree char *path = NULL;
    GPid pid = start_sleep(&path);
    g_autofree char *module = g_strconcat(path, " (deleted)", NULL);
    guint of_program = 0;

    g_assert_cmpint(unlink(path), ==, 0);
    g_autoptr(SsStacks) stacks = ss_stacks_take(pid, 0);
    const SsStack *stack = only_stack(stacks);
    for (guint i = 0; i < stack->frames->len; i++) {
        const SsFrame *frame = g_ptr_array_index(stack->frames, i);

        if (g_strcmp0(frame->module, module) == 0) {
            g_autofree char *text = ss_frame_text(frame);
            g_autofree char *wanted =
                g_strdup_printf("copy (deleted)+0x%" G_GINT64_MODIFIER "x", frame->offset);

            of_program++;
            g_assert_cmpstr(frame->symbol, ==, NULL);
            g_assert_cmpstr(text, ==, wanted);
        }
    }
    g_assert_cmpuint(of_program, >, 1);
    assert_ends_at_start(stack);
    /* It waits, and no sanitizer gave its functions frames that take more registers. */
    g_assert_cmpuint(ss_stacks_longest_stop(stacks), ==, 0);
    end_sleep(pid, path);
}

/* Where the file at its path is another one by now, that is not taken for it. */
static void test_replaced(void)
{
    g_autofree char *path = NULL;
    GPid pid = start_sleep(&path);

    g_assert_cmpint(unlink(path), ==, 0);
    g_assert_true(g_file_set_contents(path, "not a program", -1, NULL));
    g_autoptr(SsStacks) stacks = ss_stacks_take(pid, 0);
    assert_ends_at_start(only_stack(stacks));
    g_assert_cmpint(unlink(path), ==, 0);
    end_sleep(pid, path);
}

/* Who is told to ask a server for debug information is not asked by us. */
static void test_asks_nobody(void)
{
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_storage address = { .ss_family = AF_INET };
    socklen_t length = sizeof address;
    g_autofree char *url = NULL;
    g_autofree char *cache = NULL;
    g_autofree char *path = NULL;
    GPid pid;

    g_assert_cmpint(bind(server, (struct sockaddr *)&address, 16), ==, 0);
    g_assert_cmpint(listen(server, 1), ==, 0);
    g_assert_cmpint(getsockname(server, (struct sockaddr *)&address, &length), ==, 0);
    const guint8 *port = (const guint8 *)&address + 2;
    url = g_strdup_printf("http://127.0.0.1:%u", (guint)port[0] << 8 | port[1]);
    g_assert_true(g_setenv("DEBUGINFOD_URLS", url, TRUE));
    g_assert_true(g_setenv("DEBUGINFOD_TIMEOUT", "1", TRUE));
    pid = start_sleep(&path);
    /* Or it might remember an answer of another time. */
    cache = g_strconcat(path, "-cache", NULL);
    g_assert_true(g_setenv("DEBUGINFOD_CACHE_PATH", cache, TRUE));
    g_autoptr(SsStacks) stacks = ss_stacks_take(pid, 0);
    assert_ends_at_start(only_stack(stacks));
    g_assert_cmpint(accept(server, NULL, NULL), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
    g_unsetenv("DEBUGINFOD_URLS");
    close(server);
    g_assert_cmpint(unlink(path), ==, 0);
    end_sleep(pid, path);
}

/* -- what cannot be had ----------------------------------------------------------------------- */

static void test_gone(void)
{
    SsTarget target = ss_target_start(stand);
    pid_t pid = target.pid;

    ss_target_await_call(&target, SYS_read);
    /* Another process has the number: the one that is meant began at another time. */
    g_autoptr(SsStacks) other = ss_stacks_take(pid, 1);
    g_assert_cmpstr(other->why, ==, "the process is not there any more");
    g_assert_cmpuint(other->threads->len, ==, 0);
    ss_target_kill(&target);
    g_autoptr(SsStacks) gone = ss_stacks_take(pid, 0);
    g_assert_cmpstr(gone->why, ==, "the process is not there any more");
}

/* Runs in a child without rights: whose stacks it wants is another user's. */
static gboolean is_denied(pid_t pid)
{
    g_autoptr(SsStacks) stacks = ss_stacks_take(pid, 0);

    return stacks->why && strstr(stacks->why, "CAP_SYS_PTRACE") && stacks->threads->len == 0;
}

static void test_denied(void)
{
    pid_t tester = getpid();
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(2);
        }
        _exit(is_denied(geteuid() == 65534 ? tester : 1) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static gpointer kill_it(gpointer data)
{
    kill(GPOINTER_TO_INT(data), SIGKILL);
    return NULL;
}

/* It dies before, in, and behind each step: there are words or frames, and never a crash. */
static void test_dying(void)
{
    guint with_frames = 0;

    for (guint i = 0; i < DEATHS; i++) {
        SsTarget target = ss_target_start(i % 2 ? run_for_ever : stand);
        GThread *killer = NULL;

        if (i % 4 < 2) {
            killer = g_thread_new("killer", kill_it, GINT_TO_POINTER(target.pid));
        }
        g_autoptr(SsStacks) stacks = ss_stacks_take(target.pid, 0);
        g_assert_true(stacks->why || stacks->threads->len > 0);
        for (guint j = 0; j < stacks->threads->len; j++) {
            const SsStack *stack = g_ptr_array_index(stacks->threads, j);

            g_assert_true(stack->why || stack->frames->len > 0);
            with_frames += stack->frames->len > 0;
        }
        g_clear_pointer(&killer, g_thread_join);
        ss_target_kill(&target);
    }
    g_test_message("%u of %u had frames", with_frames, DEATHS);
    g_assert_cmpuint(with_frames, >=, DEATHS / 2);
}

static guint open_descriptors(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    guint count = 0;

    while (g_dir_read_name(directory)) {
        count++;
    }
    return count;
}

static void test_keeps_nothing_open(void)
{
    SsTarget target = ss_target_start(stand);
    guint before = open_descriptors();

    ss_target_await_call(&target, SYS_read);
    for (guint i = 0; i < 3; i++) {
        g_autoptr(SsStacks) stacks = ss_stacks_take(target.pid, 0);

        assert_ends_at_start(only_stack(stacks));
    }
    g_assert_cmpuint(open_descriptors(), ==, before);
    ss_target_kill(&target);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stacks/waiting", test_waiting);
    g_test_add_func("/stacks/frame-pointer", test_frame_pointer);
    g_test_add_func("/stacks/running", test_running);
    g_test_add_func("/stacks/threads", test_threads);
    g_test_add_func("/stacks/deleted", test_deleted);
    g_test_add_func("/stacks/replaced", test_replaced);
    g_test_add_func("/stacks/asks-nobody", test_asks_nobody);
    g_test_add_func("/stacks/gone", test_gone);
    g_test_add_func("/stacks/denied", test_denied);
    g_test_add_func("/stacks/dying", test_dying);
    g_test_add_func("/stacks/keeps-nothing-open", test_keeps_nothing_open);
    return g_test_run();
}
