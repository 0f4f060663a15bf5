/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The libraries that are preloaded: whether they are there, and can be in a program. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/doctor/parts.h"
#include "preload.h"
#include "program.h"

#define AREA "library"
#define FORK_LIBRARY "liblttng-ust-fork.so.1"
#define SECONDS_MOST 5
/* A program that every host has, for what holds of them all. */
#define ANY_PROGRAM "/bin/sh"

/* Without the part that repeats which program it is about. */
static const char *reason_of(const GError *error)
{
    const char *behind = strstr(error->message, "\": ");
    const char *runs = strstr(error->message, "\"): ");

    if (runs) {
        return runs + strlen("\"): ");
    }
    return behind ? behind + strlen("\": ") : error->message;
}

/* What mends a fault of that kind; the caller frees it. */
static char *mend_of(const GError *error, const char *path)
{
    g_autofree char *quoted = g_shell_quote(path);

    switch ((SsPreloadFault)error->code) {
    case SS_PRELOAD_NO_LIBRARY:
        return g_strdup("meson install -C BUILD, or export SHMEMSCOPE_WIRE=/path/to/"
                        "libshmemscope-wire.so");
    case SS_PRELOAD_LIBRARY_PATH:
        return g_strdup("cp libshmemscope-wire.so where the path has no space or colon, and export "
                        "SHMEMSCOPE_WIRE");
    case SS_PRELOAD_LIBRARY_KIND:
        return g_strdup("unset SHMEMSCOPE_WIRE");
    case SS_PRELOAD_SECURE:
        return g_strdup_printf("install -m 755 %s ./traced, and record that copy", quoted);
    case SS_PRELOAD_MACHINE:
        return g_strdup("build this project for that architecture, or record the other side");
    case SS_PRELOAD_STATIC:
        return g_strdup("link it dynamically, or record the other side");
    case SS_PRELOAD_LIBC:
        return g_strdup("build it for glibc, or record the other side");
    case SS_PRELOAD_LOADER:
        if (strstr(error->message, "liblttng-ust")) {
            return g_strdup("sudo apt install liblttng-ust1");
        }
        if (strstr(error->message, "version `")) {
            return g_strdup("build this project on a system as old as that one");
        }
        return g_strdup_printf("ldd %s tells what it misses; name the script that starts it, if "
                               "there is one",
                               quoted);
    case SS_PRELOAD_OTHER:
        break;
    }
    return g_strdup("record the other side");
}

/* The loader that a program names is run to ask it: only one that its owner alone could change. */
static bool is_safe(const SsProgram *program)
{
    struct stat status;

    return !program->interpreter || stat(program->interpreter, &status) < 0 ||
           ((status.st_uid == 0 || status.st_uid == getuid()) &&
            !(status.st_mode & (S_IWGRP | S_IWOTH)));
}

void ss_doctor_preload(SsDoctor *doctor, const char *area, const char *path, guint takes)
{
    static const char id[] = "preload";
    g_autoptr(GError) error = NULL;
    g_auto(SsProgram) program = { 0 };

    if (ss_program_find(&program, path) && !is_safe(&program)) {
        ss_doctor_fails(
            doctor, area, id, takes, g_strdup("record a program whose loader only root can change"),
            "its loader \"%s\" can be changed by others, and was not asked", program.interpreter);
        return;
    }
    if (ss_preload_check(path, NULL, &error)) {
        ss_doctor_good(doctor, area, id, "the wire library can be loaded into %s",
                       program.script ? "what its script runs, if that passes LD_PRELOAD on"
                                      : "it");
        return;
    }
    /* Told once, by the area of the library. */
    if (error->code == SS_PRELOAD_NO_LIBRARY || error->code == SS_PRELOAD_LIBRARY_PATH ||
        error->code == SS_PRELOAD_LIBRARY_KIND) {
        return;
    }
    if (takes) {
        ss_doctor_fails(doctor, area, id, takes, mend_of(error, path),
                        "the wire library cannot be loaded into it: %s", reason_of(error));
    } else {
        ss_doctor_limit(doctor, area, id, 0, NULL, mend_of(error, path),
                        "the wire library cannot be loaded into it: %s", reason_of(error));
    }
}

static void look_for_wire(SsDoctor *doctor)
{
    g_autofree char *library = NULL;
    g_autoptr(GError) error = NULL;

    if (ss_preload_check(ANY_PROGRAM, &library, &error)) {
        ss_doctor_good(doctor, AREA, "wire", "the wire library loads: \"%s\"", library);
    } else {
        ss_doctor_fails(doctor, AREA, "wire", SS_BIT(SS_ABILITY_WIRE) | SS_BIT(SS_ABILITY_BACKEND),
                        mend_of(error, ANY_PROGRAM), "%s%s",
                        library ? "the wire library does not load: " : "",
                        library ? reason_of(error) : error->message);
    }
}

/* What LTTng needs in a process that forks: the loader is asked, and nothing is started. */
static void look_for_fork_helper(SsDoctor *doctor)
{
    g_auto(SsProgram) program = { 0 };
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "LD_PRELOAD", FORK_LIBRARY, TRUE);
    const char *argv[] = { NULL, "--list", NULL, NULL };
    g_autofree char *output = NULL;

    if (!ss_program_find(&program, ANY_PROGRAM) || !program.interpreter) {
        return;
    }
    argv[0] = program.interpreter;
    argv[2] = program.path;
    output = ss_doctor_run(argv, environment, true, SECONDS_MOST);
    if (output && strstr(output, FORK_LIBRARY " => /")) {
        ss_doctor_good(doctor, AREA, "fork", "%s is there, for QEMUs with -daemonize",
                       FORK_LIBRARY);
    } else {
        ss_doctor_limit(doctor, AREA, "fork", 0, NULL, g_strdup("sudo apt install liblttng-ust1"),
                        "%s does not load: a QEMU with -daemonize tells nothing after its fork",
                        FORK_LIBRARY);
    }
}

void ss_doctor_library(SsDoctor *doctor)
{
    look_for_wire(doctor);
    look_for_fork_helper(doctor);
}
