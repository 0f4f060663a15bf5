/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a command's program is, as the kernel and the dynamic loader will take it. */
#pragma once

#include <glib.h>

typedef struct SsProgram {
    char *path;        /* of what is executed first: of a script its interpreter; owned */
    char *script;      /* the script that it runs, or NULL; owned */
    char *interpreter; /* dynamic loader that the program names; NULL: it is static; owned */
    guint machine;     /* e_machine of its ELF header */
    guint elf_class;   /* ELFCLASS32 or ELFCLASS64 */
} SsProgram;

/*
 * Finds what `name` runs, in PATH when it has no slash. Returns FALSE and sets errno when there
 * is no such program or it cannot be read: then whoever executes it will tell.
 */
gboolean ss_program_find(SsProgram *program, const char *name);

/*
 * Why the kernel starts the program in a mode where the loader ignores LD_PRELOAD (set-user-ID,
 * set-group-ID, capabilities of its file), for this process as it is. NULL when it does not.
 */
const char *ss_program_secure_reason(const SsProgram *program);

/* The machine and class of an ELF file; FALSE when it is none. */
gboolean ss_program_machine(const char *path, guint *ret_machine, guint *ret_class);

void ss_program_clear(SsProgram *program);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SsProgram, ss_program_clear)
