/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "load.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>

#include "handler.h"
#include "real.h"
#include "state.h"

#define PROVIDER "libshmemscope-wire-provider.so"

typedef enum SsWireLoading {
    BEFORE, /* the constructor has not run */
    NOT_YET,
    PUT_OFF, /* there is a socket, and it could not be at that time */
    LOADING,
    LOADED,
    NEVER,
} SsWireLoading;

typedef struct SsWirePlace {
    uint64_t dev;
    uint64_t ino;
} SsWirePlace;

static _Atomic int loading; /* SsWireLoading */
static char path[PATH_MAX];
static SsWirePlace provider, root;
static bool from_start;
static __thread bool forked_alone __attribute__((tls_model("initial-exec")));

static const int off;
#define NOTHING(event) .event##_on = &off,
static const SsWireTeller nobody = { SS_WIRE_TELLER_EACH(NOTHING) };
const SsWireTeller *_Atomic ss_wire_teller = &nobody;

static bool find_place(const char *name, SsWirePlace *ret_place)
{
    struct stat status;
    if (stat(name, &status) < 0) {
        return false;
    }
    *ret_place = (SsWirePlace){ .dev = status.st_dev, .ino = status.st_ino };
    return true;
}

static bool is_at(const char *name, const SsWirePlace *place)
{
    SsWirePlace now;
    return find_place(name, &now) && now.dev == place->dev && now.ino == place->ino;
}

/* Beside this library's own file; the current directory is another one later. */
static bool find_provider(void)
{
    Dl_info self;
    if (!dladdr((void *)find_provider, &self) || !realpath(self.dli_fname, path)) {
        return false;
    }
    char *name = strrchr(path, '/') + 1;
    if ((size_t)(name - path) + sizeof(PROVIDER) > sizeof(path)) {
        return false;
    }
    memcpy(name, PROVIDER, sizeof(PROVIDER));
    return find_place(path, &provider) && find_place("/", &root);
}

static bool is_unix_socket(int fd)
{
    int domain = 0;
    socklen_t length = sizeof(domain);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

/* Standard output and error are where a program speaks to its supervisor, who may have a socket
 * there. True too when it cannot be told. */
static bool inherited_socket(void)
{
    DIR *directory = opendir("/proc/self/fd");
    bool found = !directory;
    const struct dirent *entry;
    while (directory && !found && (entry = readdir(directory))) {
        int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
        found = fd >= 0 && fd != STDOUT_FILENO && fd != STDERR_FILENO && is_unix_socket(fd);
    }
    if (directory) {
        (void)closedir(directory);
    }
    return found;
}

static const SsWireTeller *present_provider(void)
{
    return dlsym(RTLD_DEFAULT, SS_WIRE_PROVIDER_SYMBOL);
}

/* Never out of another root: what has our names there may be anybody's. */
static const SsWireTeller *open_provider(void)
{
    const SsWireTeller *table = present_provider();
    if (!table && is_at("/", &root) && is_at(path, &provider)) {
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        table = handle ? dlsym(handle, SS_WIRE_PROVIDER_SYMBOL) : NULL;
    }
    return table && table->size == sizeof(*table) ? table : NULL;
}

static void load(void)
{
    int was = atomic_load(&loading), cancel, error = errno;
    if ((was != NOT_YET && was != PUT_OFF) ||
        !atomic_compare_exchange_strong(&loading, &was, LOADING)) {
        return;
    }
    /* A handler that leaves by siglongjmp() would leave the loader's lock held. The C library's
     * own two signals are not held off: threads that wait for an answer to one come into being. */
    uint64_t all = ~(3ull << (__SIGRTMIN - 1)), signals = 0;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &signals, sizeof(signals));
    const SsWireTeller *table = open_provider();
    if (table) {
        table->init_thread();
        atomic_store(&ss_wire_teller, table);
        atomic_store(&ss_wire_telling, true);
        table->join_dumps(ss_wire_dump);
    }
    atomic_store(&loading, table ? LOADED : NEVER);
    if (table) {
        /* A recording that was there first has had its state dump. */
        ss_wire_dump(NULL, NULL);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &signals, NULL, sizeof(signals));
    (void)pthread_setcancelstate(cancel, NULL);
    errno = error;
}

void ss_wire_load_begin(void)
{
    from_start = present_provider();
    bool found = find_provider() || from_start;
    atomic_store(&loading, found ? NOT_YET : NEVER);
    if (found && (from_start || !__libc_single_threaded || inherited_socket())) {
        load();
    }
}

bool ss_wire_loaded(void)
{
    return atomic_load_explicit(&loading, memory_order_acquire) == LOADED;
}

bool ss_wire_loaded_late(void)
{
    return ss_wire_loaded() && !from_start;
}

void ss_wire_load_for_socket(void)
{
    int is = atomic_load_explicit(&loading, memory_order_relaxed), error = errno;
    if (SS_WIRE_LIKELY(is != NOT_YET && is != PUT_OFF)) {
        return;
    }
    if (ss_wire_own_process()) {
        if (__libc_single_threaded && !ss_wire_in_handler()) {
            load();
        } else {
            (void)atomic_compare_exchange_strong(&loading, &is, PUT_OFF);
        }
    }
    errno = error;
}

void ss_wire_load_put_off(void)
{
    if (SS_WIRE_UNLIKELY(atomic_load_explicit(&loading, memory_order_relaxed) == PUT_OFF)) {
        ss_wire_load_for_socket();
    }
}

void ss_wire_load_for_thread(void)
{
    int is = atomic_load_explicit(&loading, memory_order_relaxed);
    /* Which no handler may do. */
    if ((is == NOT_YET || is == PUT_OFF) && __libc_single_threaded && ss_wire_own_process()) {
        load();
    }
}

void ss_wire_load_before_fork(void)
{
    forked_alone = __libc_single_threaded;
}

void ss_wire_load_forked(void)
{
    int is = atomic_load(&loading);
    if (is == LOADING || ((is == NOT_YET || is == PUT_OFF) && !forked_alone)) {
        atomic_store(&loading, NEVER);
    }
}
