/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What confines the QEMUs that libvirt starts: then they may load no library, nor reach LTTng. */
#include <string.h>

#include "analysis/doctor/parts.h"
#include "preload.h"

#define AREA "confinement"
#define APPARMOR "/sys/module/apparmor/parameters/enabled"
#define APPARMOR_RULES "/etc/apparmor.d/abstractions/libvirt-qemu"
#define APPARMOR_LOCAL "local/abstractions/libvirt-qemu"
#define SELINUX "/sys/fs/selinux/enforce"
#define ANY_PROGRAM "/bin/sh"

/* The rules that are missing are added where the distribution's own are not changed, if those
 * look there. */
static char *mend_apparmor(const char *rules, const char *library)
{
    const char *local =
        strstr(rules, APPARMOR_LOCAL) ? "/etc/apparmor.d/" APPARMOR_LOCAL : APPARMOR_RULES;
    g_autofree char *directory = g_path_get_dirname(library);
    g_autofree char *lines =
        g_strdup_printf("%s mr,\\n%s/" SS_PRELOAD_PROVIDER " mr,\\n/{,var/}run/lttng/** rw,\\n"
                        "/dev/shm/lttng-ust-* rw,\\n",
                        library, directory);
    g_autofree char *quoted = g_shell_quote(lines);

    return g_strdup_printf("printf %s | sudo tee -a %s, and start the VM anew", quoted, local);
}

/* In the rules themselves, or in those that they include for a host's own. */
static bool allowed(const char *rules, const char *library)
{
    g_autofree char *name = g_path_get_basename(library);
    g_autofree char *own = NULL;

    if (!strstr(rules, APPARMOR_LOCAL) ||
        !g_file_get_contents("/etc/apparmor.d/" APPARMOR_LOCAL, &own, NULL, NULL)) {
        own = g_strdup("");
    }
    return (strstr(rules, name) || strstr(own, name)) &&
           (strstr(rules, SS_PRELOAD_PROVIDER) || strstr(own, SS_PRELOAD_PROVIDER));
}

static void look_at_apparmor(SsDoctor *doctor, bool *ret_any)
{
    g_autofree char *enabled = ss_doctor_line_of(APPARMOR);
    g_autofree char *rules = NULL;
    g_autofree char *library = NULL;

    if (!enabled || enabled[0] != 'Y' || !g_file_get_contents(APPARMOR_RULES, &rules, NULL, NULL)) {
        return;
    }
    *ret_any = true;
    (void)ss_preload_check(ANY_PROGRAM, &library, NULL);
    if (!library) {
        library = g_strdup("/usr/local/lib/**/libshmemscope-wire.so");
    }
    if (allowed(rules, library)) {
        ss_doctor_good(doctor, AREA, "apparmor",
                       "AppArmor confines libvirt's QEMUs, with rules for the wire library");
        return;
    }
    ss_doctor_limit(doctor, AREA, "apparmor", SS_ALL_RECORDINGS, "not libvirt's QEMUs",
                    mend_apparmor(rules, library),
                    "AppArmor confines the QEMUs that libvirt starts: they may not reach the "
                    "session daemon, nor load a library from outside of /usr/lib");
}

static void look_at_selinux(SsDoctor *doctor, bool *ret_any)
{
    g_autofree char *enforcing = ss_doctor_line_of(SELINUX);

    if (!enforcing) {
        return;
    }
    *ret_any = true;
    if (enforcing[0] == '1') {
        ss_doctor_limit(doctor, AREA, "selinux", SS_ALL_RECORDINGS, "not libvirt's QEMUs",
                        g_strdup("sudo semanage permissive -a svirt_t (-d takes it back)"),
                        "SELinux enforces: the QEMUs that libvirt starts (svirt_t) may not reach "
                        "the session daemon");
    } else {
        ss_doctor_good(doctor, AREA, "selinux", "SELinux is permissive");
    }
}

void ss_doctor_confinement(SsDoctor *doctor)
{
    bool any = false;

    look_at_apparmor(doctor, &any);
    look_at_selinux(doctor, &any);
    if (!any) {
        ss_doctor_good(doctor, AREA, "profiles",
                       "no AppArmor or SELinux profile confines libvirt's QEMUs");
    }
}
