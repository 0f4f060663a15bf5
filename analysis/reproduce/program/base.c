/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ---- the base: what is included, time, and how this program ends ------------------------ */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_HUNG = 0,
    EXIT_NOT_HUNG = 1,
    EXIT_COULD_NOT = 2,
};

/* The child that is QEMU, 0 while there is none, and the file its output goes to. */
static volatile pid_t qemu_pid;
static int qemu_output = -1;

/* The devices are as they are before the first step: what goes wrong now is QEMU's answer. */
static bool playing;

/* QEMU hung, and is being freed. */
static bool freeing;

/* Milliseconds of a clock that is never set. */
static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Ends QEMU, whatever it is doing. Calls only what a signal's handler may. */
static void end_qemu(void)
{
    pid_t pid = qemu_pid;

    if (pid > 0) {
        qemu_pid = 0;
        (void)kill(-pid, SIGKILL);
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static void on_signal(int number)
{
    end_qemu();
    (void)raise(number); /* which now does what it usually does */
}

/* What QEMU said last, for whoever has to find out why it did not run. */
static void show_qemu_output(void)
{
    char text[2048];
    off_t size = qemu_output >= 0 ? lseek(qemu_output, 0, SEEK_END) : 0;
    off_t from = size > (off_t)sizeof(text) ? size - (off_t)sizeof(text) : 0;
    ssize_t got = size > 0 ? pread(qemu_output, text, sizeof(text), from) : 0;

    if (got > 0) {
        (void)fprintf(stderr, "QEMU said:\n%.*s\n", (int)got, text);
    }
}

/* Ends this program: it could not be found out whether QEMU hangs. */
__attribute__((noreturn, format(printf, 1, 2))) static void could_not(const char *format, ...)
{
    va_list arguments;

    (void)fflush(stdout);
    (void)fprintf(stderr, "Cannot tell whether QEMU hangs: ");
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n");
    end_qemu();
    show_qemu_output();
    exit(EXIT_COULD_NOT);
}

/* Ends this program: QEMU ran, and did not hang as predicted. */
__attribute__((noreturn, format(printf, 1, 2))) static void not_hung(const char *format, ...)
{
    va_list arguments;

    (void)printf("NOT-HUNG ");
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
    (void)fflush(stdout);
    end_qemu();
    exit(EXIT_NOT_HUNG);
}

/* A channel was closed: QEMU has ended, or gives up the device. */
__attribute__((noreturn)) static void channel_closed(const char *name)
{
    if (freeing) {
        (void)printf("  the end of the back-end ends QEMU\n");
        end_qemu();
        show_qemu_output();
        exit(EXIT_HUNG);
    }
    if (playing) {
        show_qemu_output();
        not_hung("reason=channel-closed");
    }
    could_not("QEMU ended, or closed %s", name);
}

static void write_all(int fd, const char *text, size_t size, const char *whose)
{
    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            channel_closed(whose);
        }
        if (sent < 0 && errno != EINTR) {
            could_not("writing to %s: %s", whose, strerror(errno));
        }
        if (sent > 0) {
            text += sent;
            size -= (size_t)sent;
        }
    }
}
