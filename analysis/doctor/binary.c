/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/doctor/binary.h"

#include <string.h>

#include "analysis/doctor/elf-file.h"
#include "ss-catalogue.h"

#define QEMU_PREFIX "qemu:"
#define VERSION_PREFIX "QEMU emulator version "
#define VERSION_MOST 200
#define FEATURE "VHOST_USER_PROTOCOL_F_SHMEM"

static const char *const backend_names[SS_N_BACKENDS] = {
    [SS_BACKEND_UST] = "ust",       [SS_BACKEND_LOG] = "log",       [SS_BACKEND_DTRACE] = "dtrace",
    [SS_BACKEND_SIMPLE] = "simple", [SS_BACKEND_FTRACE] = "ftrace",
};

const char *ss_trace_backend_name(SsTraceBackend backend)
{
    return backend_names[backend];
}

void ss_binary_clear(SsBinary *binary)
{
    g_clear_pointer(&binary->version, g_free);
    g_clear_pointer(&binary->untold, g_ptr_array_unref);
    g_clear_pointer(&binary->needed, g_ptr_array_unref);
}

const char *ss_binary_needs(const SsBinary *binary, const char *prefix)
{
    for (guint i = 0; binary->needed && i < binary->needed->len; i++) {
        const char *name = g_ptr_array_index(binary->needed, i);

        if (g_str_has_prefix(name, prefix)) {
            return name;
        }
    }
    return NULL;
}

static bool is_ours(guint event)
{
    return g_str_has_prefix(ss_catalogue_events[event].name, QEMU_PREFIX);
}

guint ss_binary_expected(void)
{
    guint count = 0;

    for (guint i = 0; i < SS_N_EVENTS; i++) {
        count += is_ours(i);
    }
    return count;
}

/* A whole word: what is before and behind it ends and begins another string. */
static bool has_word(const SsPart *part, const char *word)
{
    const gsize length = strlen(word) + 1; /* its end, too */
    const char *at = part->bytes;

    while ((at = ss_part_find(part, at, word, length))) {
        if (at == part->bytes || at[-1] == '\0') {
            return true;
        }
        at++;
    }
    return false;
}

/* Providers keep names and tracepoints in sections that LTTng-UST reads; older ones call them so
 * that the linker knows no begin and end of them. */
static void read_tracepoints(SsBinary *binary, SsElfFile *file)
{
    g_auto(SsPart) strings = { 0 };

    if (!ss_elf_section(file, "lttng_ust_tracepoints_strings", &strings)) {
        (void)ss_elf_section(file, "__tracepoints_strings", &strings);
    }
    binary->backends[SS_BACKEND_UST] = strings.bytes && has_word(&strings, "qemu");
    binary->untold = g_ptr_array_new();
    for (guint i = 0; i < SS_N_EVENTS; i++) {
        const char *name = ss_catalogue_events[i].name + strlen(QEMU_PREFIX);

        if (!is_ours(i)) {
            continue;
        }
        if (binary->backends[SS_BACKEND_UST] && has_word(&strings, name)) {
            binary->told_to_ust++;
        } else {
            g_ptr_array_add(binary->untold, (gpointer)name);
        }
    }
}

static bool in_any(const GPtrArray *parts, const char *text)
{
    for (guint i = 0; i < parts->len; i++) {
        const SsPart *part = g_ptr_array_index(parts, i);

        if (ss_part_find(part, part->bytes, text, strlen(text))) {
            return true;
        }
    }
    return false;
}

static bool word_in_any(const GPtrArray *parts, const char *word)
{
    for (guint i = 0; i < parts->len; i++) {
        if (has_word(g_ptr_array_index(parts, i), word)) {
            return true;
        }
    }
    return false;
}

static char *find_version(const GPtrArray *parts)
{
    for (guint i = 0; i < parts->len; i++) {
        const SsPart *part = g_ptr_array_index(parts, i);
        const char *at = ss_part_find(part, part->bytes, VERSION_PREFIX, strlen(VERSION_PREFIX));

        if (at) {
            gsize length;

            at += strlen(VERSION_PREFIX);
            length = MIN((gsize)(part->bytes + part->size - at), VERSION_MOST);
            return g_strndup(at, strcspn(at, "\n") < length ? strcspn(at, "\n") : length);
        }
    }
    return NULL;
}

/* QEMU's table of features, which `info virtio` shows, has the number before the text. */
static int feature_bit(SsElfFile *file, const GPtrArray *parts)
{
    for (guint i = 0; i < parts->len; i++) {
        const SsPart *part = g_ptr_array_index(parts, i);
        const char *at = ss_part_find(part, part->bytes, FEATURE ":", strlen(FEATURE ":"));
        guint32 number;

        if (at &&
            ss_elf_before_pointer(file, part->address + (guint64)(at - part->bytes), &number) &&
            number < 64) {
            return (int)number;
        }
    }
    return -1;
}

/* Words that only this backend's code has; "breakpoint_insert" is an event of every QEMU. */
static void read_backends(SsBinary *binary, SsElfFile *file, const GPtrArray *parts)
{
    binary->backends[SS_BACKEND_LOG] = in_any(parts, "breakpoint_insert cpu=%d");
    binary->backends[SS_BACKEND_DTRACE] = ss_elf_has_section(file, ".note.stapsdt");
    binary->backends[SS_BACKEND_SIMPLE] = in_any(parts, "Trace file \"%s\" %s.");
    binary->backends[SS_BACKEND_FTRACE] = in_any(parts, "tracing/trace_marker");
}

bool ss_binary_read(SsBinary *binary, const char *path, char **ret_reason)
{
    g_autoptr(SsElfFile) file = ss_elf_open(path, ret_reason);
    g_autoptr(GPtrArray) parts = NULL;

    *binary = (SsBinary){ .feature_bit = -1 };
    if (!file) {
        return false;
    }
    parts = ss_elf_constant_parts(file);
    binary->needed = ss_elf_needed(file);
    binary->is_go =
        ss_elf_has_section(file, ".go.buildinfo") || ss_elf_has_section(file, ".note.go.buildid");
    binary->version = find_version(parts);
    if (!binary->version) {
        return true;
    }
    binary->has_feature = in_any(parts, FEATURE);
    binary->feature_bit = binary->has_feature ? feature_bit(file, parts) : -1;
    binary->has_test_device = word_in_any(parts, "vhost-user-test-device");
    read_tracepoints(binary, file);
    read_backends(binary, file, parts);
    binary->named = binary->told_to_ust;
    for (guint i = 0; i < SS_N_EVENTS && !binary->told_to_ust; i++) {
        binary->named +=
            is_ours(i) && word_in_any(parts, ss_catalogue_events[i].name + strlen(QEMU_PREFIX));
    }
    return true;
}
