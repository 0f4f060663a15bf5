/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LTTng's session daemon: whose it is, and whether this user may use it. */
#include <errno.h>
#include <grp.h>
#include <lttng/lttng.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "analysis/doctor/parts.h"

#define AREA "daemon"
#define GROUP "tracing"
#define RUN_DIRECTORY "/var/run/lttng"
#define CLIENT_SOCKET "client-lttng-sessiond"
#define START_ROOTS "sudo lttng-sessiond --daemonize --no-kernel"
#define SECONDS_MOST 5
/* One for each stream of each CPU, and some for each process. */
#define FILES_LEAST 4096

static const char *user_name(void)
{
    const struct passwd *entry = getpwuid(getuid());

    return entry && entry->pw_name ? entry->pw_name : "$USER";
}

/* Where LTTng keeps the sockets of this user's own daemon; the caller frees it. */
static char *own_directory(void)
{
    const char *home = g_getenv("LTTNG_HOME");
    const struct passwd *entry = getpwuid(getuid());

    if (!home || !*home) {
        home = g_getenv("HOME");
    }
    if ((!home || !*home) && entry) {
        home = entry->pw_dir;
    }
    return home && *home ? g_build_filename(home, ".lttng", NULL) : NULL;
}

/* Who listens at the socket; FALSE: nobody that this user reaches. */
static gboolean listener(const char *directory, struct ucred *ret_listener)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t length = sizeof(*ret_listener);
    g_autofree char *path = g_build_filename(directory, CLIENT_SOCKET, NULL);
    gboolean found = FALSE;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return FALSE;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        found = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_listener, &length) == 0;
        (void)close(fd);
    }
    return found;
}

static gboolean in_group(gid_t group)
{
    gid_t groups[256];
    int count = getgroups(G_N_ELEMENTS(groups), groups);

    for (int i = 0; i < count; i++) {
        if (groups[i] == group) {
            return TRUE;
        }
    }
    return getegid() == group;
}

static gboolean named_in(const struct group *group)
{
    for (char **member = group->gr_mem; *member; member++) {
        if (g_str_equal(*member, user_name())) {
            return TRUE;
        }
    }
    return FALSE;
}

/* A recording by a daemon of this user's own tells of this user's processes alone. */
static void tell_group(SsDoctor *doctor, gboolean roots)
{
    const struct group *group = getgrnam(GROUP);
    g_autofree char *socket = g_build_filename(RUN_DIRECTORY, CLIENT_SOCKET, NULL);
    const char *text;
    char *mend;

    if (getuid() == 0) {
        ss_doctor_good(doctor, AREA, "group", "root records the programs of all users it sees");
        return;
    }
    if (roots) {
        ss_doctor_good(doctor, AREA, "group",
                       "this user is in the group " GROUP " and records the programs of all users");
        return;
    }
    if (!group) {
        text = "there is no group " GROUP ", whose members may use root's session daemon";
        mend = g_strdup_printf("sudo groupadd --system " GROUP " && sudo usermod -aG " GROUP
                               " %s, log in anew, and restart root's lttng-sessiond",
                               user_name());
    } else if (in_group(group->gr_gid)) {
        text = g_file_test(socket, G_FILE_TEST_EXISTS) ? "root's session daemon does not answer"
                                                       : "root's session daemon does not run";
        mend = g_strdup(START_ROOTS);
    } else if (named_in(group)) {
        text = "this user is in the group " GROUP ", but not since this login began";
        mend = g_strdup("newgrp " GROUP);
    } else {
        text = "this user is not in the group " GROUP ", which may use root's session daemon";
        mend = g_strdup_printf("sudo usermod -aG " GROUP " %s, and log in anew", user_name());
    }
    ss_doctor_limit(doctor, AREA, "group", SS_ALL_RECORDINGS, "only programs of this user", mend,
                    "%s: programs of other users (libvirt's QEMUs) are not recorded", text);
}

/* TRUE when a daemon that `record` starts could make its sockets there. */
static gboolean can_make(const char *directory)
{
    g_autofree char *parent = directory ? g_path_get_dirname(directory) : NULL;

    if (!directory) {
        return FALSE;
    }
    if (g_file_test(directory, G_FILE_TEST_EXISTS)) {
        return access(directory, W_OK | X_OK) == 0;
    }
    return access(parent, W_OK | X_OK) == 0;
}

static void tell_none(SsDoctor *doctor, const char *directory)
{
    g_autofree char *program = g_find_program_in_path("lttng-sessiond");

    if (!program) {
        ss_doctor_fails(doctor, AREA, "session-daemon", SS_ALL_RECORDINGS,
                        g_strdup("sudo apt install lttng-tools"),
                        "no session daemon answers, and lttng-sessiond is not in PATH");
    } else if (!can_make(directory)) {
        ss_doctor_fails(
            doctor, AREA, "session-daemon", SS_ALL_RECORDINGS,
            g_strdup(getuid() == 0
                         ? "make /run writable (in a container: mount -t tmpfs tmpfs /run)"
                         : "export LTTNG_HOME=$(mktemp -d), here and where QEMU runs"),
            "no session daemon answers, and \"%s\" cannot be written to by one that "
            "record would start",
            directory ? directory : "(no home directory)");
    } else {
        ss_doctor_limit(doctor, AREA, "session-daemon", 0, NULL,
                        g_strdup("lttng-sessiond --daemonize --no-kernel"),
                        "none answers; record starts one, which QEMUs that run already find");
    }
}

static void tell_namespace(SsDoctor *doctor, pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/ns/mnt", (int)pid);
    g_autofree char *theirs = g_file_read_link(path, NULL);
    g_autofree char *ours = g_file_read_link("/proc/self/ns/mnt", NULL);

    if (theirs && ours && !g_str_equal(theirs, ours)) {
        ss_doctor_limit(doctor, AREA, "namespace", SS_ALL_RECORDINGS,
                        "if both see the same directory",
                        g_strdup("run record where the session daemon runs, or one of both here"),
                        "the session daemon sees other mounts than this process: it writes the "
                        "recording to a directory of its own");
    }
}

static void tell_files(SsDoctor *doctor, pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/limits", (int)pid);
    g_autofree char *limits = NULL;
    const char *line;
    guint64 files;

    if (!g_file_get_contents(path, &limits, NULL, NULL) ||
        !(line = strstr(limits, "Max open files"))) {
        return;
    }
    files = g_ascii_strtoull(line + strlen("Max open files"), NULL, 10);
    if (files > 0 && files < FILES_LEAST) {
        ss_doctor_limit(
            doctor, AREA, "files", 0, NULL,
            g_strdup_printf("sudo prlimit --pid %d --nofile=65535", (int)pid),
            "the session daemon may open %" G_GUINT64_FORMAT " files: too few for many VMs", files);
    }
}

static void tell_daemon(SsDoctor *doctor, const struct ucred *daemon)
{
    const struct passwd *owner = getpwuid(daemon->uid);
    g_autofree char *whose = g_strdup(owner ? owner->pw_name : "a user without a name");
    const char *const argv[] = { "lttng-sessiond", "--version", NULL };
    g_autofree char *version = ss_doctor_run(argv, NULL, false, SECONDS_MOST);

    if (version) {
        version[strcspn(version, "\n")] = '\0';
    }
    /* Zero: a process of another pid namespace. */
    if (daemon->pid > 0) {
        ss_doctor_good(doctor, AREA, "session-daemon",
                       "process %d of %s answers (lttng-sessiond here is %s)", (int)daemon->pid,
                       whose, version ? version : "not installed");
        tell_namespace(doctor, daemon->pid);
        tell_files(doctor, daemon->pid);
    } else {
        ss_doctor_good(doctor, AREA, "session-daemon",
                       "one of %s answers, from outside of this container", whose);
    }
}

void ss_doctor_daemon(SsDoctor *doctor)
{
    g_autofree char *own = getuid() == 0 ? g_strdup(RUN_DIRECTORY) : own_directory();
    struct ucred daemon = { 0 };
    gboolean roots, answers;

    answers = lttng_session_daemon_alive() == 1;
    /* In the order in which LTTng's library looks. */
    roots = answers && listener(RUN_DIRECTORY, &daemon);
    if (!answers) {
        tell_none(doctor, own);
    } else if (roots || (own && listener(own, &daemon))) {
        tell_daemon(doctor, &daemon);
    } else {
        ss_doctor_good(doctor, AREA, "session-daemon", "one answers");
    }
    tell_group(doctor, roots);
}
