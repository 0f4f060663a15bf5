/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `now` needs of the kernel, and of this process's rights. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "analysis/doctor/parts.h"
#include "analysis/doctor/trial.h"

#define AREA "now"
#define NOW SS_BIT(SS_ABILITY_NOW)
#define PTRACE_SCOPE "/proc/sys/kernel/yama/ptrace_scope"
#define MEND_SUDO "sudo shmemscope now"
/* The inodes of the first namespaces, which are fixed. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"
#define FIRST_USER_NAMESPACE "user:[4026531837]"

static void tell_descriptors(SsDoctor *doctor, int reason)
{
    if (reason == ENOSYS) {
        ss_doctor_fails(doctor, AREA, "descriptors", NOW,
                        g_strdup("use Linux 5.6 or later; in a container, a seccomp profile that "
                                 "allows pidfd_getfd"),
                        "pidfd_getfd, by which sockets are looked into, is not there");
    } else if (reason) {
        ss_doctor_fails(doctor, AREA, "descriptors", NOW,
                        g_strdup("run it outside of the container, or with a seccomp profile that "
                                 "allows pidfd_getfd"),
                        "pidfd_getfd, by which sockets are looked into, is refused even of this "
                        "process itself: %s",
                        g_strerror(reason));
    } else {
        ss_doctor_good(doctor, AREA, "descriptors", "pidfd_getfd works (tried)");
    }
}

static void tell_sockets(SsDoctor *doctor)
{
    int reason = ss_trial_sockets();

    if (reason) {
        ss_doctor_fails(doctor, AREA, "sockets", NOW,
                        g_strdup(reason == ENOENT ? "sudo modprobe unix_diag"
                                                  : "run it where a netlink socket is allowed"),
                        "unix socket diagnostics (unix_diag), which tell who is at the other end, "
                        "do not work: %s",
                        g_strerror(reason));
    } else {
        ss_doctor_good(doctor, AREA, "sockets", "unix socket diagnostics work (tried)");
    }
}

/* Who may be looked at: the trials tell, and Yama's setting tells why. */
static void tell_rights(SsDoctor *doctor, bool available)
{
    g_autofree char *line = ss_doctor_line_of(PTRACE_SCOPE);
    int scope = line ? (int)g_ascii_strtoll(line, NULL, 10) : 0;
    g_autofree char *yama =
        line ? g_strdup_printf("kernel.yama.ptrace_scope is %d", scope) : g_strdup("no Yama");
    g_autofree char *users = g_file_read_link("/proc/self/ns/user", NULL);
    bool capable = ss_doctor_capable(CAP_SYS_PTRACE);
    int peer = available ? ss_trial_peer() : 0;

    if (!available) {
        return;
    }
    if (peer && scope >= 3) {
        ss_doctor_fails(doctor, AREA, "rights", NOW,
                        g_strdup("sudo sysctl --pattern yama --system after a change of "
                                 "/etc/sysctl.d, and a reboot: it cannot be lowered before"),
                        "%s: nobody may look into processes", yama);
    } else if (peer) {
        ss_doctor_fails(doctor, AREA, "rights", NOW,
                        g_strdup(line && scope == 1 ? MEND_SUDO
                                     ", or sudo sysctl kernel.yama.ptrace_scope=0"
                                                    : MEND_SUDO),
                        "%s, and this user has no CAP_SYS_PTRACE: no other process may be looked "
                        "into (%s)",
                        yama, g_strerror(peer));
    } else if (!capable) {
        ss_doctor_limit(doctor, AREA, "rights", NOW, "only programs of this user",
                        g_strdup(MEND_SUDO),
                        "this user has no CAP_SYS_PTRACE: only programs of this user may be "
                        "looked into (%s)",
                        yama);
    } else if (users && !g_str_equal(users, FIRST_USER_NAMESPACE)) {
        ss_doctor_limit(doctor, AREA, "rights", NOW, "only programs of this container",
                        g_strdup("run it on the host, as root"),
                        "CAP_SYS_PTRACE holds for this user namespace alone: programs outside of "
                        "it may not be looked into (%s)",
                        yama);
    } else {
        ss_doctor_good(doctor, AREA, "rights",
                       "CAP_SYS_PTRACE: programs of all users may be looked into (%s)", yama);
    }
    if (capable && ss_trial_namespace()) {
        ss_doctor_limit(doctor, AREA, "namespaces", 0, NULL,
                        g_strdup("run it with CAP_SYS_ADMIN (as root outside of containers)"),
                        "network namespaces cannot be entered: of a QEMU in one of its own the "
                        "channels are not told");
    }
    if (!peer && ss_trial_memory()) {
        ss_doctor_limit(doctor, AREA, "memory", 0, NULL,
                        g_strdup("run it outside of the container, or with a seccomp profile that "
                                 "allows process_vm_readv"),
                        "memory of other processes cannot be read (%s): which descriptors a "
                        "thread polls is not told",
                        g_strerror(ss_trial_memory()));
    }
}

/* The value of /proc's mount option, or NULL; the caller frees it. */
static char *hidepid(void)
{
    g_autofree char *mounts = NULL;
    g_auto(GStrv) lines = NULL;
    char *found = NULL;

    if (!g_file_get_contents("/proc/self/mounts", &mounts, NULL, NULL)) {
        return NULL;
    }
    lines = g_strsplit(mounts, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 5);
        const char *option;

        if (g_strv_length(words) < 4 || !g_str_equal(words[1], "/proc")) {
            continue;
        }
        /* The last one mounted is the one that is seen. */
        g_clear_pointer(&found, g_free);
        option = strstr(words[3], "hidepid=");
        if (option) {
            option += strlen("hidepid=");
            found = g_strndup(option, strcspn(option, ","));
        }
    }
    return found;
}

static void tell_proc(SsDoctor *doctor)
{
    g_autofree char *hidden = hidepid();
    g_autofree char *namespace = g_file_read_link("/proc/self/ns/pid", NULL);

    if (!namespace) {
        ss_doctor_fails(doctor, AREA, "proc", NOW, g_strdup("sudo mount -t proc proc /proc"),
                        "/proc is not there");
        return;
    }
    if (hidden && !g_str_equal(hidden, "0") && !g_str_equal(hidden, "off") &&
        !ss_doctor_capable(CAP_SYS_PTRACE)) {
        ss_doctor_limit(doctor, AREA, "proc", NOW, "only programs of this user",
                        g_strdup(MEND_SUDO ", or sudo mount -o remount,hidepid=0 /proc"),
                        "/proc is mounted with hidepid=%s: programs of other users are not seen",
                        hidden);
    } else {
        ss_doctor_good(doctor, AREA, "proc", "/proc shows all processes of this pid namespace");
    }
    if (!g_str_equal(namespace, FIRST_PID_NAMESPACE)) {
        ss_doctor_limit(doctor, AREA, "container", NOW | SS_ALL_RECORDINGS,
                        "only programs of this container", g_strdup("run it on the host"),
                        "this is a pid namespace of its own, as containers have: programs outside "
                        "of it are not seen");
    }
}

static void tell_calls(SsDoctor *doctor)
{
    if (access("/proc/self/syscall", F_OK) < 0) {
        ss_doctor_fails(doctor, AREA, "calls", NOW,
                        g_strdup("use a kernel with CONFIG_HAVE_ARCH_TRACEHOOK (all of Debian's)"),
                        "/proc/PID/syscall is not there: which call a thread stands in is not "
                        "told");
    }
    if (access("/proc/self/sched", F_OK) < 0) {
        ss_doctor_limit(doctor, AREA, "since", 0, NULL,
                        g_strdup("use a kernel with CONFIG_SCHED_DEBUG"),
                        "/proc/PID/sched is not there: since when a thread stands is told only as "
                        "\"at least since the look began\"");
    } else {
        ss_doctor_good(doctor, AREA, "since", "/proc/PID/sched tells since when a thread stands");
    }
}

void ss_doctor_kernel(SsDoctor *doctor)
{
    int reason = ss_trial_descriptor();

    tell_proc(doctor);
    tell_descriptors(doctor, reason);
    tell_sockets(doctor);
    tell_rights(doctor, reason == 0);
    tell_calls(doctor);
}
