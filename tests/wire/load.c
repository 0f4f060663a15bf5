/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usage: load ACT...
 *
 * Does each ACT, and tells after it whether LTTng is in the process. What the acts' own calls
 * return, errno and the signals that are held off must be as they are without the library.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}
#define MUST(expression) must(expression, #expression)

/* In the kernel's own words, which no loader has to be asked for. */
static bool has(const char *library)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    MUST(maps);
    while (!found && fgets(line, sizeof(line), maps)) {
        found = strstr(line, library);
    }
    MUST(fclose(maps) == 0);
    return found;
}

static void tell(const char *act)
{
    bool provider = has("/libshmemscope-wire-provider.so");
    MUST(provider == has("/liblttng-ust.so"));
    printf("%s %s\n", act, provider ? "yes" : "no");
    MUST(fflush(stdout) == 0);
}

static void internet(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(fd >= 0 && close(fd) == 0);
}

static void unix_stream(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && close(fd) == 0);
}

static void unix_pair(void)
{
    int fds[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    MUST(close(fds[0]) == 0 && close(fds[1]) == 0);
}

static void *do_nothing(void *data)
{
    return data;
}

static char acts_done[1];

static void thread(void)
{
    pthread_t other;
    void *result;
    MUST(pthread_create(&other, NULL, do_nothing, acts_done) == 0);
    MUST(pthread_join(other, &result) == 0 && result == acts_done);
}

/* ---- in a handler, where nothing may be loaded ---- */

static void handle(int number)
{
    unix_stream();
    tell("in-handler");
}

static void handle_by(int flags)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = flags };
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST(raise(SIGUSR1) == 0);
}

static void handler(void)
{
    handle_by(0);
}

static void handler_nodefer(void)
{
    handle_by(SA_NODEFER);
}

static void handler_elsewhere(void)
{
    stack_t stack = { .ss_sp = malloc(1 << 18), .ss_size = 1 << 18 };
    MUST(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
    handle_by(SA_ONSTACK);
}

/* What the kernel has of a handler lies on the stack, and so does the address it returns to: no
 * handler for all that. */
static void with_handlers(void)
{
    volatile uintptr_t kernel_action[8] = { 0 };
    struct sigaction action = { .sa_handler = handle };
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        MUST(sigaction(number, &action, NULL) == 0);
    }
    MUST(syscall(SYS_rt_sigaction, SIGRTMIN, NULL, kernel_action, 8) == 0);
    MUST(kernel_action[0] == (uintptr_t)handle && kernel_action[2]);
    unix_stream();
}

/* ---- children ---- */

static void await(pid_t child)
{
    int status;
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void in_vfork(void)
{
    pid_t child = vfork();
    if (child == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(fd < 0);
    }
    await(child);
}

static void in_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        unix_stream();
        tell("in-child");
        _exit(0);
    }
    await(child);
}

/* ---- a constructor that waits for a thread which makes a socket ---- */

static void constructor(void)
{
    MUST(dlopen(getenv("LOAD_MODULE"), RTLD_NOW));
}

/* ---- other places ---- */

static void elsewhere(void)
{
    MUST(chdir("/") == 0);
}

static void other_root(void)
{
    MUST(getuid() == 0 || unshare(CLONE_NEWUSER) == 0);
    int back = dup(0); /* what is asked of the kernel afterwards needs /proc */
    MUST(back >= 0 && fchdir(back) == 0);
    MUST(chroot(getenv("LOAD_ROOT")) == 0);
}

static void back_to_root(void)
{
    MUST(chroot(".") == 0);
}

static const struct {
    const char *name;
    void (*act)(void);
    bool quiet; /* nothing can be said after it */
} acts[] = {
    { "start", tzset, false },
    { "internet", internet, false },
    { "unix", unix_stream, false },
    { "pair", unix_pair, false },
    { "thread", thread, false },
    { "handler", handler, false },
    { "handler-nodefer", handler_nodefer, false },
    { "handler-elsewhere", handler_elsewhere, false },
    { "with-handlers", with_handlers, false },
    { "vfork", in_vfork, false },
    { "fork", in_fork, false },
    { "constructor", constructor, false },
    { "elsewhere", elsewhere, true },
    { "other-root", other_root, true },
    { "unix-there", unix_stream, true },
    { "back", back_to_root, false },
};

static void perform(const char *name)
{
    sigset_t before, after;
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(acts[i].name, name) == 0) {
            MUST(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
            errno = ENOTTY;
            acts[i].act();
            MUST(errno == ENOTTY);
            MUST(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
            for (int number = 1; number < SIGRTMAX; number++) {
                MUST(sigismember(&before, number) == sigismember(&after, number));
            }
            if (!acts[i].quiet) {
                tell(name);
            }
            return;
        }
    }
    fprintf(stderr, "load: no act \"%s\"\n", name);
    _exit(2);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        perform(argv[i]);
    }
    return 0;
}
