/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Labels of files, by the header that back-ends have.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "plugin/wire/include/shmemscope.h"

#define MEGABYTE (1024 * 1024)

static int handled_fd;

static int make_file(void)
{
    int fd = memfd_create("calls-note", MFD_CLOEXEC);
    MUST(fd >= 0);
    return fd;
}

/* Nothing of it is seen by who calls. */
static void note(int fd, const char *label)
{
    errno = EXDEV;
    shmemscope_note(fd, label);
    MUST(errno == EXDEV);
}

static void handler(int number)
{
    (void)number;
    note(handled_fd, "handled");
}

static char *repeated(char letter, size_t count, const char *end)
{
    char *text = malloc(count + strlen(end) + 1);
    MUST(text);
    memset(text, letter, count);
    strcpy(text + count, end);
    return text;
}

/* As many bytes as fit, and never a part of a character. */
static void note_long(int fd)
{
    static const struct {
        size_t letters;
        const char *end;
        size_t kept;
        int cut;
    } cases[] = {
        { SHMEMSCOPE_LABEL_BYTES, "", SHMEMSCOPE_LABEL_BYTES, 0 },
        { SHMEMSCOPE_LABEL_BYTES + 1, "", SHMEMSCOPE_LABEL_BYTES, 1 },
        { MEGABYTE, "", SHMEMSCOPE_LABEL_BYTES, 1 },
        { SHMEMSCOPE_LABEL_BYTES - 1, "\303\251", SHMEMSCOPE_LABEL_BYTES - 1, 1 },
        { SHMEMSCOPE_LABEL_BYTES - 2, "\342\202\254", SHMEMSCOPE_LABEL_BYTES - 2, 1 },
        { SHMEMSCOPE_LABEL_BYTES - 3, "\360\237\222\241x", SHMEMSCOPE_LABEL_BYTES - 3, 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *label = repeated('a', cases[i].letters, cases[i].end);
        char *kept = repeated('a', cases[i].kept, "");
        note(fd, label);
        expect("note fd=%d %s again=0 cut=%d label=%s", fd, identity(fd), cases[i].cut, kept);
        free(label);
        free(kept);
    }
}

static void run_notes(void)
{
    int fds[2], status;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    int one = make_file(), other = make_file();
    note(one, "one");
    expect("note fd=%d %s again=0 cut=0 label=one", one, identity(one));
    int duplicate = dup(one);
    note(duplicate, "renamed");
    expect("note fd=%d %s again=0 cut=0 label=renamed", duplicate, identity(one));
    note(-1, "nobody's");
    note(4000, "nobody's");
    note(one, NULL);
    expect("note fd=%d %s again=0 cut=0 label=", one, identity(one));
    note(other, "");
    expect("note fd=%d %s again=0 cut=0 label=", other, identity(other));
    note_long(other);
    /* The number is another file's now. */
    int next = make_file();
    MUST(dup2(next, one) == one && close(next) == 0);
    next = one;
    note(next, "next");
    expect("note fd=%d %s again=0 cut=0 label=next", next, identity(next));
    handled_fd = other;
    MUST(signal(SIGUSR1, handler) != SIG_ERR && raise(SIGUSR1) == 0);
    expect("note fd=%d %s again=0 cut=0 label=handled", other, identity(other));
    /* A child that shares the memory, and one that does not: neither is heard of. */
    pid_t child = vfork();
    if (child == 0) {
        shmemscope_note(other, "of a child");
        _exit(0);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    child = fork();
    if (child == 0) {
        shmemscope_note(other, "of a child");
        _exit(0);
    }
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    note(other, "parent");
    expect("note fd=%d %s again=0 cut=0 label=parent", other, identity(other));
}

/* What was noted before anybody listened, and is not taken back, is told then. */
static void run_notes_before(void)
{
    int fds[2], number;
    sigset_t goes_on;
    sigemptyset(&goes_on);
    sigaddset(&goes_on, SIGUSR1);
    MUST(sigprocmask(SIG_BLOCK, &goes_on, NULL) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    int kept = make_file(), renamed = make_file(), taken = make_file(), closed = make_file();
    note(kept, "kept");
    note(renamed, "first");
    note(renamed, "second");
    note(taken, "taken");
    note(taken, NULL);
    note(closed, "closed");
    expect("note fd=-1 %s again=1 cut=0 label=kept", identity(kept));
    expect("note fd=-1 %s again=1 cut=0 label=second", identity(renamed));
    /* Whoever it was sent to may have it still. */
    expect("note fd=-1 %s again=1 cut=0 label=closed", identity(closed));
    MUST(close(closed) == 0);
    expect("listen");
    fflush(NULL);
    MUST(sigwait(&goes_on, &number) == 0);
    note(kept, "now");
    expect("note fd=%d %s again=0 cut=0 label=now", kept, identity(kept));
}

const Act note_acts[] = {
    { "notes", run_notes },
    { "notes-before", run_notes_before },
    { NULL, NULL },
};
