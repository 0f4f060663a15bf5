/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/reproduce/reproduce.h"

#include <string.h>

#include "analysis/report/names.h"
#include "analysis/reproduce/program.h"

#define PROTOCOL_BIT(bit) (G_GUINT64_CONSTANT(1) << (bit))
/* What the program can play: MQ, REPLY_ACK, BACKEND_REQ, CONFIG, BACKEND_SEND_FD,
 * RESET_DEVICE, CONFIGURE_MEM_SLOTS, STATUS, SHMEM. */
#define PLAYABLE \
    (PROTOCOL_BIT(0) | PROTOCOL_BIT(3) | PROTOCOL_BIT(5) | PROTOCOL_BIT(9) | PROTOCOL_BIT(10) | \
     PROTOCOL_BIT(13) | PROTOCOL_BIT(15) | PROTOCOL_BIT(16) | PROTOCOL_BIT(22))
/* Without these no request of a back-end is answered, and nobody waits. */
#define NEEDED \
    (PROTOCOL_BIT(0) | PROTOCOL_BIT(3) | PROTOCOL_BIT(5) | PROTOCOL_BIT(10) | PROTOCOL_BIT(22))
#define CONFIGURE_MEM_SLOTS PROTOCOL_BIT(15)
/* PROTOCOL_FEATURES and VERSION_1: no more is needed of a device without a real driver. */
#define FEATURES (PROTOCOL_BIT(30) | PROTOCOL_BIT(32))

#define LAST_BACKEND_REQUEST SS_REQUEST_SHMEM_UNMAP
#define REQUEST_ADD_MEM_REG 37
#define REQUEST_REM_MEM_REG 38
#define VIRTIO_ID_OF_TESTS 26
#define MAX_DEVICES 8
#define MAX_SHMID 256
#define PAGE 4096

static const char *const constants[] = {
    [SS_ORDER_START] = "START",
    [SS_ORDER_STOP] = "STOP",
    [SS_ORDER_RESET] = "RESET",
    [SS_ORDER_UNREALIZE] = "UNREALIZE",
    [SS_ORDER_READ] = "READ",
    [SS_ORDER_REPLY] = "REPLY",
    [SS_ORDER_COMMIT] = "COMMIT",
    [SS_ORDER_FRONTEND_REQUEST] = "FRONTEND_REQUEST",
    [SS_ORDER_FRONTEND_WAITS] = "FRONTEND_WAITS",
    [SS_ORDER_BACKEND_REQUEST] = "BACKEND_REQUEST",
    [SS_ORDER_BACKEND_WAITS] = "BACKEND_WAITS",
};

G_STATIC_ASSERT(G_N_ELEMENTS(constants) == SS_ORDER_N_KINDS);

G_DEFINE_QUARK(ss - reproduce - error - quark, ss_reproduce_error)

static const SsOrderStep *step_at(const SsOrder *order, guint index)
{
    return &g_array_index(order->steps, SsOrderStep, index);
}

/* The names under which the findings that have an order can be asked for. */
static char *known_names(const SsChecks *checks)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(checks->findings, i);
        guint number = GPOINTER_TO_UINT(g_hash_table_lookup(counts, finding->id)) + 1;
        g_hash_table_insert(counts, (gpointer)finding->id, GUINT_TO_POINTER(number));
        if (finding->order) {
            g_string_append_printf(text, "%s%s:%u", text->len ? ", " : "", finding->id, number);
        }
    }
    return g_string_free(text, FALSE);
}

/* Splits "ID:N"; `ret_number` is 0 when there is no N. */
static bool parse_name(const char *name, char **ret_id, guint64 *ret_number)
{
    const char *colon = strchr(name, ':');
    *ret_number = 0;
    *ret_id = g_strndup(name, colon ? (gsize)(colon - name) : strlen(name));
    return !colon || g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT, ret_number, NULL);
}

static const SsFinding *refuse(const SsChecks *checks, GError **error, const char *reason)
{
    g_autofree char *names = known_names(checks);
    g_set_error(error, SS_REPRODUCE_ERROR, 0, "%s; %s%s", reason,
                *names ? "there is: " : "no finding of this recording has an order of messages",
                names);
    return NULL;
}

const SsFinding *ss_reproduce_find(const SsChecks *checks, const char *name, GError **error)
{
    g_autofree char *id = NULL;
    guint64 number;
    if (!parse_name(name, &id, &number)) {
        return refuse(checks, error, "what follows the colon is no number");
    }
    const SsFinding *found = NULL;
    guint count = 0;
    for (guint i = 0; i < checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(checks->findings, i);
        if (g_str_equal(finding->id, id) && ++count == MAX(number, 1)) {
            found = finding;
        }
    }
    if (!found) {
        return refuse(checks, error, "no such finding");
    }
    if (number == 0 && count > 1) {
        return refuse(checks, error, "there are several");
    }
    if (!found->order) {
        return refuse(checks, error, "it has no order of messages");
    }
    return found;
}

static bool cannot(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool cannot(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SS_REPRODUCE_ERROR, 0, reason);
    return false;
}

static bool is_phase(SsOrderKind kind)
{
    return kind == SS_ORDER_START || kind == SS_ORDER_STOP || kind == SS_ORDER_RESET ||
           kind == SS_ORDER_UNREALIZE;
}

/* What QEMU asks a back-end whose channels it has when the device is made. */
static bool is_asked_at_realize(guint32 request)
{
    static const guint32 asked[] = { 1, 3, 15, 16, 17, 21, 24, 36, 44 };
    for (guint i = 0; i < G_N_ELEMENTS(asked); i++) {
        if (asked[i] == request) {
            return true;
        }
    }
    return false;
}

/* Whether the program can play it. */
static bool check_order(const SsOrder *order, GError **error)
{
    bool front = false, back = false;
    if (order->devices->len == 0 || order->devices->len > MAX_DEVICES) {
        return cannot(error, "%u devices take part, and 1 to %d can", order->devices->len,
                      MAX_DEVICES);
    }
    for (guint i = 0; i < order->steps->len; i++) {
        const SsOrderStep *step = step_at(order, i);
        bool begins = i == 0 || !is_phase(step_at(order, i - 1)->kind);
        front |= step->kind == SS_ORDER_FRONTEND_WAITS;
        back |= step->kind == SS_ORDER_BACKEND_WAITS;
        /* Alone, it is one that the guest causes; then it needs a mapping to cause it with. */
        if (step->kind == SS_ORDER_COMMIT && step->number == 0 && begins &&
            (i > 0 || ss_order_device_at(order, step->device)->mapped->len == 0)) {
            return cannot(error, "what caused the memory commit is not known");
        }
        if (i == 0 && step->kind == SS_ORDER_FRONTEND_REQUEST &&
            !is_asked_at_realize(step->request)) {
            g_autofree char *request = ss_order_request_text(step);
            return cannot(error, "what makes QEMU send %s is not known", request);
        }
        if (step->kind == SS_ORDER_BACKEND_REQUEST &&
            (step->request == 0 || step->request > LAST_BACKEND_REQUEST)) {
            g_autofree char *request = ss_order_request_text(step);
            return cannot(error, "the payload of %s is not known", request);
        }
        if (step->has_range && step->range.shmid >= MAX_SHMID) {
            return cannot(error, "region %u cannot be", step->range.shmid);
        }
    }
    if (!front || !back) {
        return cannot(error, "nobody waits at its end");
    }
    return true;
}

/* A name from a recording, fit for a C string: what is not plain becomes '_'. */
static char *plain(const char *name)
{
    char *copy = g_strdup(name);
    for (char *place = copy; *place; place++) {
        if (!g_ascii_isalnum(*place) && !strchr("./_-", *place)) {
            *place = '_';
        }
    }
    return copy;
}

static guint64 page_up(guint64 bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* The regions as they were told; and those that a range names and nobody told. */
static GArray *all_regions(const SsOrder *order, guint index)
{
    const SsOrderDevice *device = ss_order_device_at(order, index);
    GArray *regions = g_array_copy(device->regions);
    for (guint i = 0; i < order->steps->len; i++) {
        const SsOrderStep *step = step_at(order, i);
        bool known = !step->has_range || step->device != index;
        for (guint j = 0; j < regions->len && !known; j++) {
            known = g_array_index(regions, SsRegion, j).shmid == step->range.shmid;
        }
        if (!known) {
            SsRegion region = { .shmid = step->range.shmid,
                                .size = page_up(step->range.shm_offset + step->range.len) };
            g_array_append_val(regions, region);
        }
    }
    return regions;
}

static void add_range(GString *text, const SsOrderRange *range)
{
    g_string_append_printf(
        text,
        "{ .shmid = %u, .writable = %s, .offset = 0x%" G_GINT64_MODIFIER
        "x,\n      .length = 0x%" G_GINT64_MODIFIER "x, .fd_offset = 0x%" G_GINT64_MODIFIER
        "x, .file_size = 0x%" G_GINT64_MODIFIER "x }",
        range->shmid, range->writable ? "true" : "false", range->shm_offset, range->len,
        range->fd_offset, MAX(range->file_size, range->fd_offset + range->len));
}

/* Negotiated in the recording; where that was not seen, what the order cannot be without. */
static guint64 protocol_features(const SsOrder *order, guint index)
{
    const SsOrderDevice *device = ss_order_device_at(order, index);
    guint64 features = NEEDED;
    if (device->features_known) {
        return (device->protocol_features & PLAYABLE) | NEEDED;
    }
    for (guint i = 0; i < order->steps->len; i++) {
        const SsOrderStep *step = step_at(order, i);
        if (step->kind == SS_ORDER_FRONTEND_REQUEST && step->device == index &&
            (step->request == REQUEST_ADD_MEM_REG || step->request == REQUEST_REM_MEM_REG)) {
            features |= CONFIGURE_MEM_SLOTS;
        }
    }
    return features;
}

static void add_regions(GString *text, const SsOrder *order, guint index)
{
    const SsOrderDevice *device = ss_order_device_at(order, index);
    g_autoptr(GArray) regions = all_regions(order, index);
    g_string_append_printf(text, "static const struct region regions_%u[] = {\n", index);
    for (guint i = 0; i < regions->len; i++) {
        const SsRegion *region = &g_array_index(regions, SsRegion, i);
        g_string_append_printf(text, "    { .shmid = %u, .size = 0x%" G_GINT64_MODIFIER "x },\n",
                               region->shmid, region->size);
    }
    g_string_append(text, "};\n\n");
    if (device->mapped->len == 0) {
        return;
    }
    g_string_append_printf(text, "static const struct range mapped_%u[] = {\n", index);
    for (guint i = 0; i < device->mapped->len; i++) {
        g_string_append(text, "    ");
        add_range(text, &g_array_index(device->mapped, SsOrderRange, i));
        g_string_append(text, ",\n");
    }
    g_string_append(text, "};\n\n");
}

static void add_devices(GString *text, const SsOrder *order)
{
    g_string_append_printf(text, "#define DEVICE_COUNT %u\n\n", order->devices->len);
    for (guint i = 0; i < order->devices->len; i++) {
        add_regions(text, order, i);
    }
    g_string_append(text, "static const struct device devices[] = {\n");
    for (guint i = 0; i < order->devices->len; i++) {
        const SsOrderDevice *device = ss_order_device_at(order, i);
        g_autofree char *name = *device->id ? plain(device->id) : g_strdup_printf("device-%u", i);
        g_string_append_printf(text,
                               "    { .name = \"%s\",\n      .virtio_id = %u,\n"
                               "      .features = 0x%" G_GINT64_MODIFIER "x,\n"
                               "      .protocol_features = 0x%" G_GINT64_MODIFIER "x,\n"
                               "      .region_count = sizeof(regions_%u) / sizeof(regions_%u[0]),\n"
                               "      .regions = regions_%u",
                               name, device->virtio_id ? device->virtio_id : VIRTIO_ID_OF_TESTS,
                               FEATURES, protocol_features(order, i), i, i, i);
        if (device->mapped->len > 0) {
            g_string_append_printf(text, ",\n      .mapped_count = %u,\n      .mapped = mapped_%u",
                                   device->mapped->len, i);
        }
        g_string_append(text, " },\n");
    }
    g_string_append(text, "};\n\n");
}

static void add_step(GString *text, const SsOrderStep *step)
{
    g_autofree char *request = ss_order_request_text(step);
    if (request) {
        g_string_append_printf(text, "    /* %s */\n", request);
    }
    g_string_append_printf(text, "    { .kind = %s, .device = %u", constants[step->kind],
                           step->device);
    if (step->request) {
        g_string_append_printf(text, ", .request = %u", step->request);
    }
    if (step->number) {
        g_string_append_printf(text, ", .number = %u", step->number);
    }
    if (step->need_reply) {
        g_string_append(text, ", .need_reply = true");
    }
    if (step->has_range && step->kind == SS_ORDER_BACKEND_REQUEST) {
        g_string_append(text, ",\n      .range = ");
        add_range(text, &step->range);
    }
    g_string_append(text, " },\n");
}

static void add_names(GString *text, const char *table, const char *(*name_of)(guint32))
{
    g_string_append_printf(text, "static const char *const %s[] = {\n", table);
    for (guint32 request = 0; request < SS_MAX_REQUEST; request++) {
        const char *name = name_of(request);
        if (name) {
            g_string_append_printf(text, "    [%u] = \"%s\",\n", request, name);
        }
    }
    g_string_append(text, "};\n");
}

static void add_comment(GString *text, const SsFinding *finding)
{
    g_string_append_printf(
        text,
        "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
        "/*\n"
        " * Does a QEMU hang by the order of messages below? Made by shmemscope from a finding\n"
        " * of %s in a recording. It plays the vhost-user back-end and the guest's\n"
        " * driver (by qtest) against a QEMU that it starts and ends, and needs libc only:\n"
        " *\n"
        " *     cc -Wall -Wextra -o repro FILE.c\n"
        " *     ./repro /path/to/qemu-system-x86_64\n"
        " *\n"
        " * Exit status: 0 that QEMU hung as predicted, 1 it did not, 2 it could not be tried\n"
        " * (stderr says why). ./repro --help has the options; --serve is the control.\n"
        " *\n"
        " * It hung when, for some seconds, a request of QEMU stands unanswered on the main\n"
        " * channel, the back-end's own request is not answered either, and the monitor is\n"
        " * silent. The order and what it begins with are the first part; then comes what plays\n"
        " * any such order.\n"
        " */\n",
        finding->id);
}

char *ss_reproduce_program(const SsFinding *finding, GError **error)
{
    const SsOrder *order = finding->order;
    if (!check_order(order, error)) {
        return NULL;
    }
    GString *text = g_string_new(NULL);
    add_comment(text, finding);
    g_string_append(text, ss_program_head);
    g_string_append(
        text,
        "\n/* ---- the order, and the devices it begins with: from the finding ------ */\n\n");
    add_devices(text, order);
    g_string_append_printf(text, "#define STEP_COUNT %u\n\n", order->steps->len);
    g_string_append(text, "static const struct step order[] = {\n");
    for (guint i = 0; i < order->steps->len; i++) {
        add_step(text, step_at(order, i));
    }
    g_string_append(text, "};\n\n");
    add_names(text, "front_end_names", ss_frontend_request_name);
    g_string_append_c(text, '\n');
    add_names(text, "back_end_names", ss_backend_request_name);
    g_string_append_c(text, '\n');
    g_string_append(text, ss_program_tail);
    return g_string_free(text, FALSE);
}
