/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMU and the back-end that are asked about: which they are, and what of ours is in them. */
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "analysis/doctor/binary.h"
#include "analysis/doctor/parts.h"
#include "analysis/doctor/script.h"
#include "program.h"

#define QEMU "qemu"
#define BACKEND "back-end"
/* The bit of the protocol feature in the specification. */
#define FEATURE_BIT 22

#define MEND_SERIES \
    "build one with tracepoints/qemu/10.0 and --enable-trace-backends=ust, or record --wire"

#define MEND_PROGRAM "shmemscope doctor --qemu PROGRAM, with the one that runs VMs"
#define MEND_READ "name a program of this machine that this user may read"

/* What a QEMU is called, where nobody named one; the caller frees it. */
static char *find_qemu(void)
{
    const char *const places[] = { "qemu-kvm", "kvm", "/usr/libexec/qemu-kvm" };
    struct utsname host;
    char *found = NULL;

    if (uname(&host) == 0) {
        g_autofree char *name = g_strdup_printf("qemu-system-%s", host.machine);

        found = g_find_program_in_path(name);
    }
    for (guint i = 0; i < G_N_ELEMENTS(places) && !found; i++) {
        found = g_find_program_in_path(places[i]);
    }
    return found;
}

/* A program that is named, with what is wrong with the name told as an item of that area. */
static char *find_named(SsDoctor *doctor, const char *area, const char *name, guint takes)
{
    g_autofree char *path = g_find_program_in_path(name);
    struct stat status;

    if (path && stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        return g_steal_pointer(&path);
    }
    if (stat(name, &status) < 0) {
        ss_doctor_fails(doctor, area, "file", takes, g_strdup("give the path of the program"),
                        "\"%s\" is no file that this user can reach, nor a program in PATH", name);
    } else if (!S_ISREG(status.st_mode)) {
        ss_doctor_fails(doctor, area, "file", takes, g_strdup("give the path of the program"),
                        "\"%s\" is no file", name);
    } else {
        g_autofree char *quoted = g_shell_quote(name);

        ss_doctor_fails(doctor, area, "file", takes, g_strdup_printf("chmod +x %s", quoted),
                        "\"%s\" is no program: it cannot be executed", name);
    }
    return NULL;
}

static char *backend_list(const SsBinary *binary)
{
    g_autoptr(GString) list = g_string_new(NULL);

    for (guint i = 0; i < SS_N_BACKENDS; i++) {
        if (binary->backends[i]) {
            g_string_append_printf(list, "%s%s", list->len ? ", " : "", ss_trace_backend_name(i));
        }
    }
    return g_string_free(g_steal_pointer(&list), FALSE);
}

/* Without the feature there is nothing to see, in whichever way. */
static void tell_feature(SsDoctor *doctor, const SsBinary *binary, bool asked)
{
    const char *device = binary->has_test_device ? "; has vhost-user-test-device" : "";

    if (!binary->has_feature) {
        char *mend = g_strdup("use QEMU 11.1 or later");
        const char *text = "does not know VHOST_USER_PROTOCOL_F_SHMEM: back-ends can map nothing "
                           "into its guests";

        if (asked) {
            ss_doctor_fails(doctor, QEMU, "feature", SS_OF_QEMU, mend, "%s", text);
        } else {
            ss_doctor_limit(doctor, QEMU, "feature", 0, NULL, mend, "%s", text);
        }
    } else if (binary->feature_bit >= 0 && binary->feature_bit != FEATURE_BIT) {
        ss_doctor_limit(doctor, QEMU, "feature", 0, NULL, g_strdup("use QEMU 11.1 or later"),
                        "knows VHOST_USER_PROTOCOL_F_SHMEM as bit %d; back-ends of the "
                        "specification call it bit %d%s",
                        binary->feature_bit, FEATURE_BIT, device);
    } else {
        g_autofree char *bit = binary->feature_bit >= 0
                                   ? g_strdup_printf(", bit %d", binary->feature_bit)
                                   : g_strdup("");

        ss_doctor_good(doctor, QEMU, "feature", "knows VHOST_USER_PROTOCOL_F_SHMEM%s%s", bit,
                       device);
    }
}

static void tell_no_tracepoints(SsDoctor *doctor, bool asked, const char *text)
{
    if (asked) {
        ss_doctor_fails(doctor, QEMU, "tracepoints", SS_BIT(SS_ABILITY_TRACEPOINTS),
                        g_strdup(MEND_SERIES), "%s", text);
    } else {
        ss_doctor_limit(doctor, QEMU, "tracepoints", 0, NULL, g_strdup(MEND_SERIES), "%s", text);
    }
}

/* A few of the names are those of QEMU's own events, which any QEMU has. */
static bool has_series(guint events)
{
    return events > ss_binary_expected() / 2;
}

static void tell_tracepoints(SsDoctor *doctor, const SsBinary *binary, bool asked)
{
    g_autofree char *backends = backend_list(binary);
    const char *ust = ss_binary_needs(binary, "liblttng-ust.so");
    g_autofree char *text = NULL;

    if (binary->told_to_ust == ss_binary_expected()) {
        ss_doctor_good(doctor, QEMU, "tracepoints",
                       "has all %u tracepoints for LTTng-UST (%s; trace backends %s)",
                       binary->told_to_ust, ust ? ust : "its library is loaded later", backends);
    } else if (has_series(binary->told_to_ust)) {
        g_autofree char *first = g_strdup(g_ptr_array_index(binary->untold, 0));

        ss_doctor_limit(doctor, QEMU, "tracepoints", SS_BIT(SS_ABILITY_TRACEPOINTS),
                        "in part: it has not all tracepoints", g_strdup(MEND_SERIES),
                        "has %u of %u tracepoints for LTTng-UST; the first one missing is %s",
                        binary->told_to_ust, ss_binary_expected(), first);
    } else if (has_series(binary->named)) {
        text = g_strdup_printf("has the tracepoints, but not LTTng-UST's trace backend (trace "
                               "backends: %s)",
                               *backends ? backends : "none that is known");
        tell_no_tracepoints(doctor, asked, text);
    } else {
        text = g_strdup_printf("has not the tracepoints of the feature (trace backends: %s)",
                               *backends ? backends : "none that is known");
        tell_no_tracepoints(doctor, asked, text);
    }
}

/* A script is asked, for there is nothing to read. */
static void tell_script(SsDoctor *doctor, const char *path, bool asked)
{
    g_auto(SsScript) script = { 0 };

    if (!ss_script_ask(&script, path)) {
        if (asked) {
            ss_doctor_fails(doctor, QEMU, "program", SS_OF_QEMU, g_strdup(MEND_PROGRAM),
                            "\"%s\" is a script that does not answer as a QEMU: %s", path,
                            script.reason);
        }
        return;
    }
    ss_doctor_good(doctor, QEMU, "program", "\"%s\" is a script that runs QEMU %s", path,
                   script.version);
    if (script.has_test_device) {
        ss_doctor_good(doctor, QEMU, "feature",
                       "has vhost-user-test-device; the rest cannot be read of a script");
    } else {
        ss_doctor_limit(
            doctor, QEMU, "feature", 0, NULL,
            g_strdup("shmemscope doctor --qemu PROGRAM, with the one that the script runs"),
            "cannot be read of a script");
    }
    if (script.told == ss_binary_expected()) {
        ss_doctor_limit(
            doctor, QEMU, "tracepoints", SS_BIT(SS_ABILITY_TRACEPOINTS),
            "if it has the ust backend",
            g_strdup("shmemscope doctor --qemu PROGRAM, with the one that the script runs"),
            "has all %u tracepoints; whether for LTTng-UST cannot be read of a script",
            script.told);
    } else {
        tell_no_tracepoints(doctor, asked,
                            has_series(script.told) ? "has not all tracepoints of the feature"
                                                    : "has not the tracepoints of the feature");
    }
}

static bool is_script(const char *path)
{
    g_auto(SsProgram) program = { 0 };

    return ss_program_find(&program, path) && program.script;
}

static void tell_qemu(SsDoctor *doctor, const char *path, bool asked)
{
    g_auto(SsBinary) binary = { 0 };
    g_autofree char *reason = NULL;

    if (is_script(path)) {
        tell_script(doctor, path, asked);
    } else if (!ss_binary_read(&binary, path, &reason)) {
        ss_doctor_fails(doctor, QEMU, "program", asked ? SS_OF_QEMU : 0, g_strdup(MEND_READ),
                        "\"%s\" cannot be read: %s", path, reason);
        return;
    } else if (!binary.version) {
        ss_doctor_fails(doctor, QEMU, "program", asked ? SS_OF_QEMU : 0, g_strdup(MEND_PROGRAM),
                        "\"%s\" is a program, but no QEMU that emulates a system", path);
        return;
    } else {
        ss_doctor_good(doctor, QEMU, "program", "\"%s\" is QEMU %s", path, binary.version);
        tell_feature(doctor, &binary, asked);
        tell_tracepoints(doctor, &binary, asked);
    }
    ss_doctor_preload(doctor, QEMU, path, asked ? SS_BIT(SS_ABILITY_WIRE) : 0);
}

static void tell_backend(SsDoctor *doctor, const char *path)
{
    g_auto(SsBinary) binary = { 0 };
    g_autofree char *reason = NULL;
    const char *seccomp;

    ss_doctor_good(doctor, BACKEND, "program", "\"%s\"", path);
    if (!is_script(path) && !ss_binary_read(&binary, path, &reason)) {
        ss_doctor_fails(doctor, BACKEND, "program", SS_BIT(SS_ABILITY_BACKEND), g_strdup(MEND_READ),
                        "\"%s\" cannot be read: %s", path, reason);
        return;
    }
    if (binary.is_go) {
        ss_doctor_fails(doctor, BACKEND, "calls", SS_BIT(SS_ABILITY_BACKEND),
                        g_strdup("record QEMU's side instead: shmemscope record --wire -- QEMU"),
                        "is built by Go, which calls the kernel itself: a preloaded library sees "
                        "nothing of it");
    }
    seccomp = ss_binary_needs(&binary, "libseccomp.so");
    if (seccomp) {
        ss_doctor_limit(doctor, BACKEND, "sandbox", SS_BIT(SS_ABILITY_BACKEND),
                        "if its sandbox lets the library",
                        g_strdup("start it without its sandbox (virtiofsd: --seccomp none)"),
                        "can restrict its own calls (%s); its filter may end it where LTTng's "
                        "threads call",
                        seccomp);
    }
    ss_doctor_preload(doctor, BACKEND, path, SS_BIT(SS_ABILITY_BACKEND));
}

void ss_doctor_programs(SsDoctor *doctor)
{
    g_autofree char *qemu =
        doctor->qemu ? find_named(doctor, QEMU, doctor->qemu, SS_OF_QEMU) : find_qemu();
    g_autofree char *backend = NULL;

    if (qemu) {
        tell_qemu(doctor, qemu, doctor->qemu);
    } else if (!doctor->qemu) {
        ss_doctor_limit(doctor, QEMU, "program", 0, NULL,
                        g_strdup("shmemscope doctor --qemu PROGRAM"),
                        "no QEMU is in PATH, so none was looked at");
    }
    if (doctor->backend) {
        backend = find_named(doctor, BACKEND, doctor->backend, SS_BIT(SS_ABILITY_BACKEND));
    }
    if (backend) {
        tell_backend(doctor, backend);
    }
}
