/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMUs that run: how many of them this process may look into, and what confines them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/doctor/parts.h"
#include "analysis/doctor/trial.h"

#define AREA "running"
#define NAMED_MOST 5

typedef struct Count {
    guint all, refused, confined;
    GString *refused_list;  /* owned */
    GString *confined_list; /* owned */
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
    }
    if (is_confined(pid)) {
        name(count->confined_list, ++count->confined, pid);
    }
}

void ss_doctor_running(SsDoctor *doctor)
{
    g_autoptr(GString) refused = g_string_new(NULL);
    g_autoptr(GString) confined = g_string_new(NULL);
    Count count = { .refused_list = refused, .confined_list = confined };
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
