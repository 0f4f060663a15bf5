/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMUs that run: how many of them this process may look into, and what confines them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/doctor/binary.h"
#include "analysis/doctor/parts.h"
#include "analysis/doctor/trial.h"

#define AREA "running"
#define NAMED_MOST 5

#define WIRE_LIBRARY "/libshmemscope-wire.so"

typedef struct Count {
    guint all, refused, confined, untold;
    GString *refused_list; /* owned, as all here */
    GString *confined_list;
    GString *untold_list;
    GHashTable *programs; /* "DEVICE:INODE" to whether it has tracepoints */
} Count;

static void name(GString *list, guint count, int pid)
{
    if (count <= NAMED_MOST) {
        g_string_append_printf(list, "%s%d", count > 1 ? ", " : "", pid);
    } else if (count == NAMED_MOST + 1) {
        g_string_append(list, ", ...");
    }
}

static bool is_qemu(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    g_autofree char *words = NULL;
    g_autofree char *base = NULL;

    if (!g_file_get_contents(path, &words, NULL, NULL) || !*words) {
        return false;
    }
    base = g_path_get_basename(words);
    return g_str_has_prefix(base, "qemu-system-") || g_str_equal(base, "qemu-kvm") ||
           g_str_equal(base, "kvm");
}

/* AppArmor's profile with its mode, or SELinux's label of a confined VM. */
static bool is_confined(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/attr/current", pid);
    g_autofree char *label = ss_doctor_line_of(path);

    return label && (strstr(label, "(enforce)") || strstr(label, ":svirt_t:"));
}

/* Many run the same program, which is read once. */
static bool has_tracepoints(Count *count, int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", pid);
    g_autofree char *key = NULL;
    g_autofree char *reason = NULL;
    g_auto(SsBinary) binary = { 0 };
    struct stat program;
    gpointer known;
    bool has;

    if (stat(path, &program) < 0) {
        return false;
    }
    key = g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)program.st_dev,
                          (guint64)program.st_ino);
    if (g_hash_table_lookup_extended(count->programs, key, NULL, &known)) {
        return GPOINTER_TO_INT(known);
    }
    has = ss_binary_read(&binary, path, &reason) && binary.told_to_ust > ss_binary_expected() / 2;
    (void)g_hash_table_insert(count->programs, g_steal_pointer(&key), GINT_TO_POINTER(has));
    return has;
}

static bool has_library(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid);
    g_autofree char *maps = NULL;

    return g_file_get_contents(path, &maps, NULL, NULL) && strstr(maps, WIRE_LIBRARY);
}

static void look_at(Count *count, int pid)
{
    int reason = ss_trial_process(pid);

    /* It ended meanwhile. */
    if (reason == ESRCH) {
        return;
    }
    count->all++;
    if (reason) {
        name(count->refused_list, ++count->refused, pid);
    } else if (!has_tracepoints(count, pid) && !has_library(pid)) {
        name(count->untold_list, ++count->untold, pid);
    }
    if (is_confined(pid)) {
        name(count->confined_list, ++count->confined, pid);
    }
}

void ss_doctor_running(SsDoctor *doctor)
{
    g_autoptr(GString) refused = g_string_new(NULL);
    g_autoptr(GString) confined = g_string_new(NULL);
    g_autoptr(GString) untold = g_string_new(NULL);
    g_autoptr(GHashTable) programs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Count count = { .refused_list = refused,
                    .confined_list = confined,
                    .untold_list = untold,
                    .programs = programs };
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *entry;

    while (proc && (entry = g_dir_read_name(proc))) {
        int pid = (int)g_ascii_strtoll(entry, NULL, 10);

        if (g_ascii_isdigit(*entry) && pid > 0 && is_qemu(pid)) {
            look_at(&count, pid);
        }
    }
    if (count.confined) {
        ss_doctor_limit(
            doctor, AREA, "confined", 0, NULL, g_strdup("see what is said of AppArmor or SELinux"),
            "%u of the QEMUs that run are confined: process %s", count.confined, confined->str);
    }
    if (count.untold) {
        ss_doctor_limit(doctor, AREA, "untold", 0, NULL,
                        g_strdup("start them by shmemscope record --wire; till then, "
                                 "shmemscope now"),
                        "%u of %u QEMUs that run have neither the tracepoints nor the wire "
                        "library, and cannot be recorded as they run: process %s",
                        count.untold, count.all, untold->str);
    }
    if (count.refused) {
        ss_doctor_limit(doctor, AREA, "qemus", SS_BIT(SS_ABILITY_NOW), "not every QEMU that runs",
                        g_strdup("sudo shmemscope now"),
                        "%u of %u QEMUs that run may not be looked into: process %s", count.refused,
                        count.all, refused->str);
    } else if (count.all) {
        ss_doctor_good(doctor, AREA, "qemus", "%u QEMU%s run%s here and may be looked into",
                       count.all, count.all == 1 ? "" : "s", count.all == 1 ? "s" : "");
    } else {
        ss_doctor_good(doctor, AREA, "qemus", "no QEMU runs here that this user sees");
    }
}
