/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/autopsy/stack-copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "analysis/autopsy/stop.h"

/* What a function without calls of its own may use below the stack pointer. */
#define RED_ZONE 128
#define PAGE 4096
#define MAX_PAGES 32

typedef enum Standing {
    STANDS, /* in a call, or elsewhere in the kernel */
    RUNS,
    DENIED,
    GONE,
} Standing;

typedef struct Place {
    Standing standing;
    long number; /* of its system call; -1: it is in none */
    guint64 arguments[6];
    guint64 sp;
    guint64 pc;
    char text[256]; /* as the kernel wrote it */
    guint64 switches;
} Place;

static Standing standing_of(const GError *error)
{
    switch (error->code) {
    case G_FILE_ERROR_PERM:
    case G_FILE_ERROR_ACCES:
        return DENIED;
    default:
        return GONE;
    }
}

/* How often it was put on a CPU: while that stays the same it did not run. */
static guint64 switches_of(int pid, int tid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/status", pid, tid);
    g_autofree char *status = NULL;
    guint64 sum = 0;

    if (!g_file_get_contents(path, &status, NULL, NULL)) {
        return 0;
    }
    for (const char *at = status; (at = strstr(at, "_ctxt_switches:")) != NULL;) {
        at += strlen("_ctxt_switches:");
        sum += g_ascii_strtoull(at, NULL, 10);
    }
    return sum;
}

static void look(Place *place, int pid, int tid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/syscall", pid, tid);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    guint64 *arguments = place->arguments;

    memset(place, 0, sizeof *place);
    place->number = -1;
    if (!g_file_get_contents(path, &text, NULL, &error)) {
        place->standing = standing_of(error);
        return;
    }
    g_strlcpy(place->text, text, sizeof place->text);
    place->switches = switches_of(pid, tid);
    if (sscanf(text, "-1 0x%lx 0x%lx", &place->sp, &place->pc) == 2 ||
        sscanf(text, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx", &place->number,
               &arguments[0], &arguments[1], &arguments[2], &arguments[3], &arguments[4],
               &arguments[5], &place->sp, &place->pc) == 9) {
        place->standing = STANDS;
    } else {
        /* "running", or nothing at all of a thread that is about to end. */
        place->standing = *text ? RUNS : GONE;
    }
}

/*
 * Copies upwards from below the stack pointer, page by page: what is not mapped any more ends it.
 * The kernel transfers whole elements only.
 */
static void copy_stack(SsStackCopy *copy, guint64 sp)
{
    struct iovec remote[MAX_PAGES];
    struct iovec local = { copy->bytes, MAX_PAGES * PAGE };
    guint64 at = sp - RED_ZONE;

    copy->begin = at;
    copy->length = 0;
    for (guint i = 0; i < MAX_PAGES; i++) {
        guint64 end = (at & ~(guint64)(PAGE - 1)) + PAGE;

        remote[i] = (struct iovec){ (void *)at, end - at };
        at = end;
    }
    ssize_t n = process_vm_readv(copy->tid, &local, 1, remote, MAX_PAGES, 0);
    copy->length = n > 0 ? (gsize)n : 0;
}

static void copy_stopped(int tid, const struct user_regs_struct *registers, gpointer data)
{
    SsStackCopy *copy = data;
    const guint64 in_order[SS_COPY_REGISTERS] = {
        registers->rax, registers->rdx, registers->rcx, registers->rbx, registers->rsi,
        registers->rdi, registers->rbp, registers->rsp, registers->r8,  registers->r9,
        registers->r10, registers->r11, registers->r12, registers->r13, registers->r14,
        registers->r15, registers->rip,
    };

    memcpy(copy->registers, in_order, sizeof in_order);
    copy->all_known = TRUE;
    copy_stack(copy, registers->rsp);
}

/* TRUE when it did not run from the look that is in `place` to the one that then is. */
static gboolean copy_standing(SsStackCopy *copy, int pid, Place *place)
{
    Place before = *place;

    copy->registers[SS_COPY_RSP] = before.sp;
    copy->registers[SS_COPY_PC] = before.pc;
    copy_stack(copy, before.sp);
    look(place, pid, copy->tid);
    return place->standing == STANDS && place->switches == before.switches &&
           strcmp(place->text, before.text) == 0;
}

SsStackCopy *ss_stack_copy(int pid, int tid, gboolean all_registers)
{
    g_autoptr(SsStackCopy) copy = g_new0(SsStackCopy, 1);
    Place place;

    copy->tid = tid;
    /* Zeroed: no page of it has to be made while a thread stands. */
    copy->bytes = g_malloc0(MAX_PAGES * PAGE);
    look(&place, pid, tid);
    if (place.standing == STANDS && !all_registers && copy_standing(copy, pid, &place)) {
        copy->bytes = g_realloc(copy->bytes, copy->length + 1);
        return g_steal_pointer(&copy);
    }
    if (place.standing == DENIED || place.standing == GONE) {
        copy->why = g_strdup(place.standing == DENIED ? SS_COPY_DENIED : SS_COPY_ENDED);
    } else if (place.standing == STANDS &&
               !ss_stop_is_harmless(tid, place.number, place.arguments)) {
        copy->why = g_strdup("a stop could end its call early");
    } else {
        copy->why = ss_stop_thread(tid, copy_stopped, copy, &copy->stopped_ns);
    }
    copy->bytes = g_realloc(copy->bytes, copy->length + 1);
    return g_steal_pointer(&copy);
}

gboolean ss_stack_copy_read(const SsStackCopy *copy, guint64 address, guint64 *ret_value)
{
    guint64 offset = address - copy->begin;

    if (address < copy->begin || copy->length < sizeof *ret_value ||
        offset > copy->length - sizeof *ret_value) {
        return FALSE;
    }
    memcpy(ret_value, copy->bytes + offset, sizeof *ret_value);
    return TRUE;
}

void ss_stack_copy_free(SsStackCopy *copy)
{
    if (copy) {
        g_free(copy->bytes);
        g_free(copy->why);
        g_free(copy);
    }
}
