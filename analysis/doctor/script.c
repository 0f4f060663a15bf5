/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/doctor/script.h"

#include <string.h>

#include "analysis/doctor/parts.h"
#include "ss-catalogue.h"

#define SECONDS_MOST 5
#define QEMU_PREFIX "qemu:"
#define VERSION_PREFIX "QEMU emulator version "

void ss_script_clear(SsScript *script)
{
    g_clear_pointer(&script->version, g_free);
}

static guint count_events(const char *help)
{
    g_auto(GStrv) lines = g_strsplit(help, "\n", -1);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    guint count = 0;

    for (char **line = lines; *line; line++) {
        (void)g_hash_table_add(names, *line);
    }
    for (guint i = 0; i < SS_N_EVENTS; i++) {
        const char *name = ss_catalogue_events[i].name;

        count += g_str_has_prefix(name, QEMU_PREFIX) &&
                 g_hash_table_contains(names, name + strlen(QEMU_PREFIX));
    }
    return count;
}

bool ss_script_ask(SsScript *script, const char *path)
{
    const char *const ask_version[] = { path, "-version", NULL };
    const char *const ask_events[] = { path, "-trace", "help", NULL };
    const char *const ask_devices[] = { path, "-device", "help", NULL };
    g_autofree char *version = ss_doctor_run(ask_version, NULL, false, SECONDS_MOST);
    g_autofree char *events = NULL;
    g_autofree char *devices = NULL;

    if (!version || !g_str_has_prefix(version, VERSION_PREFIX)) {
        script->reason = version ? "it tells no version of QEMU" : "it does not start, or not end";
        return false;
    }
    script->version = g_strndup(version + strlen(VERSION_PREFIX),
                                strcspn(version + strlen(VERSION_PREFIX), "\n"));
    events = ss_doctor_run(ask_events, NULL, false, SECONDS_MOST);
    script->told = events ? count_events(events) : 0;
    devices = ss_doctor_run(ask_devices, NULL, false, SECONDS_MOST);
    script->has_test_device = devices && strstr(devices, "\"vhost-user-test-device\"");
    return true;
}
