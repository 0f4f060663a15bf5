/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-file.h"

#include "scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PLAIN_SIZE (UINT64_C(256) * 1024)
#define HUGE_PAGE (UINT64_C(2) * 1024 * 1024)

static int open_memfd(uint64_t size, unsigned flags)
{
    int fd = memfd_create("shmemscope-hostile", MFD_CLOEXEC | flags);

    if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* The same file again, with other rights. */
static int reopen(int fd, int flags)
{
    char path[64];
    int again;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, flags | O_CLOEXEC);
    (void)close(fd);
    return again;
}

static int open_sealed(int seals)
{
    int fd = open_memfd(PLAIN_SIZE, MFD_ALLOW_SEALING);

    if (fd >= 0 && fcntl(fd, F_ADD_SEALS, seals) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* One end; nobody needs the other one. */
static int open_pipe(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    (void)close(ends[1]);
    return ends[0];
}

static int open_socket(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -1;
    }
    (void)close(ends[1]);
    return ends[0];
}

static int open_on_disk(void)
{
    int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 && ftruncate(fd, (off_t)PLAIN_SIZE) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* One page of it, or as little as it can be mapped in; nothing of it is touched. */
static gboolean maps(const SsHostileFile *file, int protection)
{
    void *address = mmap(NULL, file->page_size, protection, MAP_SHARED, file->fd, 0);

    if (address == MAP_FAILED) {
        return FALSE;
    }
    (void)munmap(address, file->page_size);
    return TRUE;
}

static gboolean add(GArray *files, const char *name, int fd, gboolean is_plain, GError **error)
{
    SsHostileFile file = { .name = name, .fd = fd, .is_plain = is_plain };
    struct statfs system;
    struct stat status;
    off_t end;

    if (fd < 0 || fstat(fd, &status) != 0) {
        g_set_error(error, SS_SCENARIO_ERROR, 0, "Cannot open file: kind=\"%s\": %s", name,
                    g_strerror(errno));
        return FALSE;
    }
    file.ino = status.st_ino;
    file.is_directory = S_ISDIR(status.st_mode);
    end = lseek(fd, 0, SEEK_END);
    file.has_end = end >= 0;
    file.end = end >= 0 ? (uint64_t)end : 0;
    file.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    if (fstatfs(fd, &system) == 0 && system.f_type == HUGETLBFS_MAGIC) {
        file.page_size = (uint64_t)system.f_bsize;
    }
    file.readable = maps(&file, PROT_READ);
    file.writable = maps(&file, PROT_READ | PROT_WRITE);
    g_array_append_val(files, file);
    return TRUE;
}

static void close_file(void *data)
{
    (void)close(((SsHostileFile *)data)->fd);
}

GArray *ss_hostile_files_open(GError **error)
{
    g_autoptr(GArray) files = g_array_new(FALSE, TRUE, sizeof(SsHostileFile));
    int huge = memfd_create("shmemscope-hostile", MFD_CLOEXEC | MFD_HUGETLB);

    g_array_set_clear_func(files, close_file);
    if (!add(files, "memfd", open_memfd(PLAIN_SIZE, 0), TRUE, error) ||
        !add(files, "large", open_memfd(UINT64_C(4) * 1024 * 1024, 0), TRUE, error) ||
        !add(files, "on-disk", open_on_disk(), TRUE, error) ||
        !add(files, "empty", open_memfd(0, 0), FALSE, error) ||
        !add(files, "one-byte", open_memfd(1, 0), FALSE, error) ||
        !add(files, "one-page", open_memfd(4096, 0), FALSE, error) ||
        !add(files, "odd-size", open_memfd(4096 + 2048, 0), FALSE, error) ||
        !add(files, "directory", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), FALSE, error) ||
        !add(files, "path", reopen(open_memfd(PLAIN_SIZE, 0), O_PATH), FALSE, error) ||
        !add(files, "pipe", open_pipe(), FALSE, error) ||
        !add(files, "socket", open_socket(), FALSE, error) ||
        !add(files, "eventfd", eventfd(0, EFD_CLOEXEC), FALSE, error) ||
        !add(files, "epoll", epoll_create1(EPOLL_CLOEXEC), FALSE, error) ||
        !add(files, "null", open("/dev/null", O_RDWR | O_CLOEXEC), FALSE, error) ||
        !add(files, "zero", open("/dev/zero", O_RDWR | O_CLOEXEC), FALSE, error) ||
        !add(files, "sysfs", open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC), FALSE,
             error) ||
        !add(files, "procfs", open("/proc/self/maps", O_RDONLY | O_CLOEXEC), FALSE, error) ||
        !add(files, "read-only", reopen(open_memfd(PLAIN_SIZE, 0), O_RDONLY), FALSE, error) ||
        !add(files, "write-only", reopen(open_memfd(PLAIN_SIZE, 0), O_WRONLY), FALSE, error) ||
        !add(files, "sealed-write", open_sealed(F_SEAL_WRITE), FALSE, error) ||
        !add(files, "sealed-future-write", open_sealed(F_SEAL_FUTURE_WRITE), FALSE, error) ||
        !add(files, "sealed-size", open_sealed(F_SEAL_GROW | F_SEAL_SHRINK), FALSE, error)) {
        if (huge >= 0) {
            (void)close(huge);
        }
        return NULL;
    }
    /* Not every kernel has huge pages; one that has need not have any to give. */
    if (huge >= 0 &&
        (ftruncate(huge, (off_t)HUGE_PAGE) != 0 || !add(files, "huge-pages", huge, FALSE, error))) {
        return NULL;
    }
    return g_steal_pointer(&files);
}

SsHostileFile ss_hostile_file_on_paper(uint64_t size)
{
    return (SsHostileFile){
        .name = "paper",
        .fd = -1,
        .has_end = TRUE,
        .end = size,
        .page_size = 4096,
        .readable = TRUE,
        .writable = TRUE,
        .is_plain = TRUE,
    };
}
