/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Devices in a column: ids are as long as somebody likes, and those of devices that have
 * none are paths, which begin alike.
 */
#include "analysis/report/layout.h"
#include "analysis/report/names.h"

/* With more devices than that, those whose names have to be cut are numbered: comparing the
 * names of all would take too long for each row of a table. */
#define MAX_COMPARED 32

static char *full_name(const SsDevice *device)
{
    return ss_device_text(device->id, device->chardev, device->dev, device->vdev);
}

static char *begin_of(const char *name, guint columns)
{
    GString *text = g_string_new(NULL);
    ss_text_cell(text, name, columns, false);
    return g_string_free(text, FALSE);
}

static char *end_of(const char *name, guint columns)
{
    while (*name && ss_text_width(name) + 3 > columns) {
        name = g_utf8_next_char(name);
    }
    return g_strconcat("...", name, NULL);
}

/* Of QEMU's path of a device without an id the part that is its own. */
static char *part_of(const char *name, guint columns)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    guint length = g_strv_length(parts);
    if (length && g_str_equal(parts[length - 1], "virtio-backend")) {
        length--;
    }
    return begin_of(length > 1 && !*parts[0] ? parts[length - 1] : name, columns);
}

/* Whether another device of the process, of another name, is called so as well. */
static bool is_taken(const SsDevice *device, const char *name, const char *label, guint columns,
                     char *(*cut)(const char *, guint))
{
    const GPtrArray *devices = device->process->devices;
    for (guint i = 0; i < devices->len; i++) {
        const SsDevice *other = g_ptr_array_index(devices, i);
        g_autofree char *other_name = full_name(other);
        if (other->absorbed || g_str_equal(other_name, name)) {
            continue;
        }
        g_autofree char *other_label = cut(other_name, columns);
        if (g_str_equal(other_label, label)) {
            return true;
        }
    }
    return false;
}

char *ss_device_label(const SsDevice *device, guint columns)
{
    if (!device) {
        return g_strdup("?");
    }
    g_autofree char *name = full_name(device);
    if (ss_text_width(name) <= columns) {
        return g_steal_pointer(&name);
    }
    static char *(*const cuts[])(const char *, guint) = { part_of, end_of };
    bool few = device->process->devices->len <= MAX_COMPARED;
    for (guint i = 0; few && i < G_N_ELEMENTS(cuts); i++) {
        g_autofree char *label = cuts[i](name, columns);
        if (!is_taken(device, name, label, columns, cuts[i])) {
            return g_steal_pointer(&label);
        }
    }
    guint number = 0;
    (void)g_ptr_array_find(device->process->devices, device, &number);
    g_autofree char *numbered = g_strdup_printf("#%u %s", number + 1, name);
    return begin_of(numbered, columns);
}
