/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The provider's probes, generated from the catalogue, and the table by which the library tells
 * through them. A shared object of its own: with it LTTng's threads come into a process.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "ss-wire-provider.h"

#include <dlfcn.h>
#include <lttng/ust-thread.h>

#define SS_WIRE_TELLER_DEFINE
#include "hooks.h"
#include "load.h"

/*
 * LTTng-UST begins each state dump with an event of its own; a probe on it is how a program joins
 * in. The tracer's library with the function for it is loaded by every traced program, not linked.
 */
static void join_dumps(void (*probe)(void *data, void *session))
{
    typedef int (*Register)(const char *provider, const char *event, void (*probe)(void),
                            void *data, const char *signature);
    void *library = dlopen("liblttng-ust-tracepoint.so.1", RTLD_NOW);
    Register function =
        library ? (Register)dlsym(library, "lttng_ust_tracepoint_provider_register") : NULL;
    if (function) {
        (void)function("lttng_ust_statedump", "start", (void (*)(void))probe, NULL,
                       "struct lttng_ust_session *, session");
    }
}

SS_EXPORT const SsWireTeller ss_wire_provider = { .size = sizeof(SsWireTeller),
                                                  .init_thread = lttng_ust_init_thread,
                                                  .join_dumps = join_dumps,
                                                  SS_WIRE_TELLER_ENTRIES };
