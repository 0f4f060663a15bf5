/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-config.h"

#include "channel.h"
#include "control.h"
#include "device.h"
#include "hostile-model.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GET_SHMEM_CONFIG 44
#define CONFIG_SIZE SS_HOSTILE_MAX_PAYLOAD
#define REPLY_FLAGS (SS_CHANNEL_VERSION | SS_CHANNEL_REPLY)
#define ALL SS_HOSTILE_REGIONS

#define P SS_HOSTILE_PAGE
#define M (UINT64_C(1) << 20)
#define T (UINT64_C(1) << 40)
/* In the table, where 0 means the usual: a real 0. */
#define NONE (UINT32_MAX - 1)

typedef struct {
    const char *name;
    gboolean works; /* a device can have these regions */
    uint32_t nregions;
    struct {
        unsigned from;
        unsigned to; /* exclusive */
        uint64_t size;
    } sizes[3];
    /* Where the message itself is another one; 0: as it should be, NONE: 0. */
    uint32_t request;
    uint32_t flags;
    uint32_t size;
    unsigned sent; /* bytes of header and payload, then the channel is closed */
    unsigned fds;
} Config;

static const Config configs[] = {
    { "good", TRUE, 1, { { 0, 1, M } } },
    { "no-regions", TRUE, 0, { { 0 } } },
    { "last-id", TRUE, 1, { { 255, 256, P } } },
    { "no-power-of-two", TRUE, 1, { { 0, 1, 3 * P } } },
    { "at-the-limit", TRUE, 1, { { 0, 1, T } } },
    { "length-of-the-array", TRUE, 256, { { 0, 1, M } } },
    { "one-less-than-the-array", TRUE, 255, { { 0, 1, M } } },
    { "told-one-has-none", TRUE, 1, { { 0 } } },
    { "descriptors-with-it", TRUE, 1, { { 0, 1, M } }, .fds = 3 },
    { "many-descriptors-with-it", TRUE, 1, { { 0, 1, M } }, .fds = SS_CHANNEL_MAX_FDS },
    { "told-none-has-one", FALSE, 0, { { 0, 1, M } } },
    { "told-255-has-the-last", FALSE, 255, { { 255, 256, M } } },
    { "told-257", FALSE, 257, { { 0, 1, M } } },
    { "told-2^32-1", FALSE, UINT32_MAX, { { 0, 1, M } } },
    /* Behind a root port, the PCI configuration space has room for one. */
    { "two-of-odd-sum", FALSE, 2, { { 0, 1, P }, { 9, 10, 2 * P } } },
    { "256-regions", FALSE, 256, { { 0, ALL, P } } },
    { "255-regions", FALSE, 255, { { 0, 255, P } } },
    { "size-1", FALSE, 1, { { 0, 1, 1 } } },
    { "size-page-less-1", FALSE, 1, { { 0, 1, P - 1 } } },
    { "size-page-and-1", FALSE, 1, { { 0, 1, P + 1 } } },
    { "odd-second", FALSE, 2, { { 0, 1, M }, { 1, 2, M + 2048 } } },
    { "beyond-the-limit", FALSE, 1, { { 0, 1, T + P } } },
    { "beyond-the-limit-in-sum", FALSE, 2, { { 0, 1, T }, { 1, 2, P } } },
    { "size-2^62", FALSE, 1, { { 0, 1, UINT64_C(1) << 62 } } },
    { "size-2^63", FALSE, 1, { { 0, 1, UINT64_C(1) << 63 } } },
    { "size-2^64-page", FALSE, 1, { { 0, 1, 0 - P } } },
    { "size-2^64-1", FALSE, 1, { { 0, 1, UINT64_MAX } } },
    { "sum-overflows", FALSE, 2, { { 0, 2, UINT64_C(1) << 63 } } },
    { "sum-overflows-to-a-page", FALSE, 3, { { 0, 2, UINT64_C(1) << 63 }, { 2, 3, P } } },
    { "256-of-2^62", FALSE, 256, { { 0, ALL, UINT64_C(1) << 62 } } },
    { "other-request", FALSE, 1, { { 0, 1, M } }, .request = 43 },
    { "request-0", FALSE, 1, { { 0, 1, M } }, .request = NONE },
    { "request-2^32-1", FALSE, 1, { { 0, 1, M } }, .request = UINT32_MAX },
    { "reply-without-payload", FALSE, 1, { { 0, 1, M } }, .size = NONE },
    { "reply-of-8", FALSE, 1, { { 0, 1, M } }, .size = 8 },
    { "reply-one-short", FALSE, 1, { { 0, 1, M } }, .size = CONFIG_SIZE - 1 },
    { "reply-one-long", FALSE, 1, { { 0, 1, M } }, .size = CONFIG_SIZE + 1 },
    { "reply-of-2^31", FALSE, 1, { { 0, 1, M } }, .size = UINT32_C(1) << 31 },
    { "reply-of-2^32-1", FALSE, 1, { { 0, 1, M } }, .size = UINT32_MAX },
    { "no-reply-by-its-flags", FALSE, 1, { { 0, 1, M } }, .flags = SS_CHANNEL_VERSION },
    { "version-2", FALSE, 1, { { 0, 1, M } }, .flags = 2 | SS_CHANNEL_REPLY },
    { "wants-a-reply", FALSE, 1, { { 0, 1, M } }, .flags = REPLY_FLAGS | SS_CHANNEL_NEED_REPLY },
    { "half-a-header-and-end", FALSE, 1, { { 0, 1, M } }, .sent = 6 },
    { "header-and-end", FALSE, 1, { { 0, 1, M } }, .sent = SS_CHANNEL_HEADER_SIZE },
    { "half-a-payload-and-end", FALSE, 1, { { 0, 1, M } }, .sent = 1000 },
    { "nothing-and-end", FALSE, 1, { { 0, 1, M } }, .sent = NONE },
};

typedef struct {
    SsLog *log;            /* weak */
    SsScenario *announced; /* owned; has no regions: the answers are given here */
    SsDevice *device;      /* owned */
    SsControl *control;    /* owned, NULL: not needed */
    const Config *config;  /* weak: the one to answer with */
    int wake;              /* owned */
    gboolean answered;
    gboolean broken_off; /* the channel is to be closed */
} Run;

static uint32_t chosen(uint32_t told, uint32_t usual)
{
    return told == 0 ? usual : told == NONE ? 0 : told;
}

static size_t write_down(const Config *config, uint8_t *bytes)
{
    const uint32_t header[3] = {
        chosen(config->request, GET_SHMEM_CONFIG),
        chosen(config->flags, REPLY_FLAGS),
        chosen(config->size, CONFIG_SIZE),
    };
    uint64_t *sizes = g_new0(uint64_t, SS_HOSTILE_REGIONS);

    for (unsigned i = 0; i < G_N_ELEMENTS(config->sizes); i++) {
        for (unsigned id = config->sizes[i].from; id < config->sizes[i].to; id++) {
            sizes[id] = config->sizes[i].size;
        }
    }
    memcpy(bytes, header, sizeof(header));
    memcpy(bytes + sizeof(header), &config->nregions, sizeof(config->nregions));
    memcpy(bytes + sizeof(header) + 8, sizes, SS_HOSTILE_REGIONS * sizeof(*sizes));
    g_free(sizes);
    if (config->sent != 0) {
        return chosen(config->sent, 0);
    }
    return SS_CHANNEL_HEADER_SIZE + MIN(header[2], CONFIG_SIZE);
}

/* For the device: answers GET_SHMEM_CONFIG. */
static gboolean answer(int sock, const uint8_t *message, size_t length, void *data)
{
    Run *run = data;
    uint8_t bytes[SS_CHANNEL_HEADER_SIZE + CONFIG_SIZE] = { 0 };
    int fds[SS_CHANNEL_MAX_FDS];
    uint32_t request;
    uint8_t header[SS_CHANNEL_HEADER_SIZE];

    memcpy(&request, message, sizeof(request));
    if (request != GET_SHMEM_CONFIG) {
        return FALSE;
    }
    for (unsigned i = 0; i < run->config->fds; i++) {
        fds[i] = run->wake;
    }
    (void)ss_channel_read_bytes(sock, header, sizeof(header), NULL);
    (void)ss_channel_send_bytes(sock, bytes, write_down(run->config, bytes), fds, run->config->fds,
                                NULL);
    run->answered = TRUE;
    run->broken_off = run->config->sent != 0;
    return TRUE;
}

/*
 * Serves one connection until the front-end leaves it, or `until_started` the device starts.
 * What libvhost-user makes of a connection that ends is no failure.
 */
static gboolean serve(Run *run, gboolean until_started, gboolean *ret_started, GError **error)
{
    g_autoptr(GError) end = NULL;
    SsServeResult result = SS_SERVE_DONE;

    run->answered = FALSE;
    run->broken_off = FALSE;
    ss_device_disconnect(run->device);
    if (!ss_device_accept(run->device, error)) {
        return FALSE;
    }
    while (result != SS_SERVE_CLOSED && !run->broken_off &&
           !(until_started && ss_device_started(run->device))) {
        if (!ss_device_serve(run->device, -1, FALSE, &result, &end)) {
            break;
        }
    }
    *ret_started = ss_device_started(run->device);
    return TRUE;
}

static void log_config(Run *run)
{
    SsLogLine *line = ss_log_begin(run->log, "main", "config", 0);

    ss_log_string(line, "name", run->config->name);
    ss_log_boolean(line, "works", run->config->works);
    ss_log_boolean(line, "answered", run->answered);
    ss_log_end(line);
}

static gboolean add_devices(Run *run, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        g_autofree char *told =
            g_strdup_printf("%s %s", configs[i].name, configs[i].works ? "works" : "fails");
        gboolean started;

        run->config = &configs[i];
        if (!ss_control_tell(told, error) || !serve(run, FALSE, &started, error)) {
            return FALSE;
        }
        log_config(run);
        if (!run->answered) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "%s: nobody asked for the regions",
                        run->config->name);
            return FALSE;
        }
        ss_device_disconnect(run->device);
    }
    return ss_control_tell("done", error);
}

static gboolean has_same_regions(const Config *config)
{
    const Config *good = &configs[0];

    return config->works && memcmp(config->sizes, good->sizes, sizeof(good->sizes)) == 0;
}

/* Serves the device meanwhile: the driver may not be done with it. */
static gboolean await_go(Run *run, GError **error)
{
    gboolean ended = FALSE;
    SsServeResult result;

    while (!ss_control_take(run->control, "go", &ended)) {
        if (ended) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "the input ended before \"go\"");
            return FALSE;
        }
        if (!ss_device_serve(run->device, -1, FALSE, &result, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean reconnect(Run *run, GError **error)
{
    gboolean started;

    run->config = &configs[0];
    if (!serve(run, TRUE, &started, error) || !ss_control_tell("started", error) ||
        !await_go(run, error)) {
        return FALSE;
    }
    /* And the first one again at the end. */
    for (unsigned i = 1; i <= G_N_ELEMENTS(configs); i++) {
        run->config = &configs[i % G_N_ELEMENTS(configs)];
        if (!serve(run, TRUE, &started, error)) {
            return FALSE;
        }
        log_config(run);
        if (started != has_same_regions(run->config)) {
            g_set_error(error, SS_SCENARIO_ERROR, 0, "%s: the front-end %s", run->config->name,
                        started ? "takes it" : "leaves");
            return FALSE;
        }
    }
    return ss_control_tell("done", error) && await_go(run, error);
}

static void ignore_start(void *data)
{
}

gboolean ss_hostile_configs(gboolean reconnects, SsLog *log, int listener, GError **error)
{
    Run run = { .log = log, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    gboolean good;
    SsLogLine *line;

    run.announced = ss_scenario_new("hostile");
    run.announced->reply_ack = TRUE;
    run.announced->mem_slots = TRUE;
    run.announced->shmem_bit = SS_PROTOCOL_SHMEM;
    run.device = ss_device_new(run.announced, log, listener, run.wake, ignore_start, NULL);
    ss_device_set_answer(run.device, answer, &run);
    run.control = ss_control_new(STDIN_FILENO, run.wake, error);
    good = run.control != NULL && (reconnects ? reconnect(&run, error) : add_devices(&run, error));
    line = ss_log_begin(log, "main", "end", 0);
    ss_log_boolean(line, "ok", good);
    ss_log_end(line);
    ss_device_free(run.device);
    ss_control_free(run.control);
    ss_scenario_free(run.announced);
    (void)close(run.wake);
    return good;
}
