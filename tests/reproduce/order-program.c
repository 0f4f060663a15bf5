/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * order-program FILE: the program that `shmemscope waits --reproduce` would write for a finding
 * with the order of messages in the file. A line is a device, what it has mapped, or a step:
 *
 *   device NAME PROTOCOL-FEATURES SHMID:SIZE...   (PROTOCOL-FEATURES "-": not known)
 *   mapped SHMID OFFSET LENGTH rw|ro
 *   DEVICE KIND [REQUEST [NUMBER [SHMID OFFSET LENGTH rw|ro]]]
 *
 * The last is a line of ss_order_shape() with a range. Numbers are as strtoull() reads them.
 */
#include <stdio.h>
#include <string.h>

#include "analysis/report/names.h"
#include "analysis/reproduce/reproduce.h"

static guint64 number(const char *word)
{
    return g_ascii_strtoull(word, NULL, 0);
}

static SsOrderRange range_of(char **words)
{
    return (SsOrderRange){ .shmid = (guint32)number(words[0]),
                           .shm_offset = number(words[1]),
                           .len = number(words[2]),
                           .file_size = number(words[2]),
                           .writable = g_str_equal(words[3], "rw") };
}

static void add_device(SsOrder *order, char **words, guint count)
{
    SsDevice device = { .id = words[1],
                        .virtio_id = 26,
                        .features_known = !g_str_equal(words[2], "-"),
                        .protocol_features = number(words[2]),
                        .started = true,
                        .regions = g_array_new(FALSE, FALSE, sizeof(SsRegion)) };
    for (guint i = 3; i < count; i++) {
        g_auto(GStrv) parts = g_strsplit(words[i], ":", 2);
        SsRegion region = { .shmid = (guint32)number(parts[0]), .size = number(parts[1]) };
        g_array_append_val(device.regions, region);
    }
    /* Told by nobody who could be named a second time. */
    ss_order_device_at(order, ss_order_device(order, &device))->told_by = NULL;
    g_array_unref(device.regions);
}

static guint32 request_of(const char *name, const char *(*name_of)(guint32))
{
    for (guint32 i = 0; i < SS_MAX_REQUEST; i++) {
        if (g_strcmp0(name_of(i), name) == 0) {
            return i;
        }
    }
    return 0;
}

static bool add_step(SsOrder *order, char **words, guint count)
{
    SsOrderStep step = { .kind = SS_ORDER_N_KINDS, .device = (guint)number(words[0]) };
    for (guint i = 0; i < SS_ORDER_N_KINDS; i++) {
        if (g_str_equal(words[1], ss_order_kind_name(i))) {
            step.kind = i;
        }
    }
    if (step.kind == SS_ORDER_N_KINDS || step.device >= order->devices->len) {
        return false;
    }
    if (count > 2) {
        bool front = step.kind == SS_ORDER_FRONTEND_REQUEST || step.kind == SS_ORDER_FRONTEND_WAITS;
        step.request =
            request_of(words[2], front ? ss_frontend_request_name : ss_backend_request_name);
        step.need_reply =
            step.kind == SS_ORDER_FRONTEND_REQUEST || step.kind == SS_ORDER_BACKEND_REQUEST;
    }
    step.number = count > 3 ? (guint)number(words[3]) : 0;
    step.has_range = count > 7;
    if (step.has_range) {
        step.range = range_of(words + 4);
    }
    (void)ss_order_add(order, &step);
    return true;
}

static bool add_line(SsOrder *order, char **words, guint count)
{
    if (count > 3 && g_str_equal(words[0], "device")) {
        add_device(order, words, count);
        return true;
    }
    if (count == 5 && g_str_equal(words[0], "mapped") && order->devices->len > 0) {
        SsOrderRange range = range_of(words + 1);
        g_array_append_val(ss_order_device_at(order, order->devices->len - 1)->mapped, range);
        return true;
    }
    return count > 1 && add_step(order, words, count);
}

static SsOrder *load(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error)) {
        return NULL;
    }
    g_autoptr(SsOrder) order = ss_order_new();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]);
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        if (*line && *line != '#' && !add_line(order, words, g_strv_length(words))) {
            g_set_error(error, SS_REPRODUCE_ERROR, 0, "line %u: \"%s\"", i + 1, line);
            return NULL;
        }
    }
    return g_steal_pointer(&order);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 2) {
        (void)fprintf(stderr, "Usage: order-program FILE\n");
        return 2;
    }
    SsFinding *finding = ss_finding_new();
    finding->id = "nested-wait";
    finding->order = load(argv[1], &error);
    g_autofree char *program = finding->order ? ss_reproduce_program(finding, &error) : NULL;
    ss_finding_free(finding);
    if (!program) {
        (void)fprintf(stderr, "Cannot reproduce: path=\"%s\": %s\n", argv[1], error->message);
        return 2;
    }
    (void)fputs(program, stdout);
    return 0;
}
