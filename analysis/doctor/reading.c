/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reads recordings, and the versions of all. */
#include <babeltrace2/babeltrace.h>
#include <sys/utsname.h>

#include "analysis/doctor/parts.h"

#define AREA "report"

void ss_doctor_reading(SsDoctor *doctor)
{
    const bt_plugin *ctf = NULL;
    const bool found = bt_plugin_find("ctf", BT_TRUE, BT_TRUE, BT_TRUE, BT_TRUE, BT_FALSE, &ctf) ==
                       BT_PLUGIN_FIND_STATUS_OK;
    struct utsname host = { 0 };

    if (found && bt_plugin_borrow_source_component_class_by_name_const(ctf, "fs")) {
        ss_doctor_good(doctor, AREA, "babeltrace", "libbabeltrace2 %u.%u.%u reads recordings",
                       bt_version_get_major(), bt_version_get_minor(), bt_version_get_patch());
    } else {
        ss_doctor_fails(doctor, AREA, "babeltrace", SS_BIT(SS_ABILITY_REPORT),
                        g_strdup("sudo apt install --reinstall libbabeltrace2-0"),
                        "libbabeltrace2 %u.%u.%u does not find its plugin for CTF, which reads "
                        "recordings",
                        bt_version_get_major(), bt_version_get_minor(), bt_version_get_patch());
    }
    bt_plugin_put_ref(ctf);
    (void)uname(&host);
    ss_doctor_good(doctor, AREA, "versions", "shmemscope %s, %s %s on %s", SS_VERSION, host.sysname,
                   host.release, host.machine);
}
