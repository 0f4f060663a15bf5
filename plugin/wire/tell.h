/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The events, through the provider that is generated from tracepoints/catalogue.
 */
#pragma once

#include <stdatomic.h>

#include "ss-wire-provider.h"
#include "state.h"

/* True when somebody records the event: only then is found out what is costly. */
#define SS_WIRE_ON(event) \
    (lttng_ust_tracepoint_enabled(shmemscope_wire, event) && \
     atomic_load_explicit(&ss_wire_telling, memory_order_relaxed))

#define SS_WIRE_TELL(event, ...) \
    do { \
        if (SS_WIRE_ON(event)) { \
            lttng_ust_do_tracepoint(shmemscope_wire, event, __VA_ARGS__); \
        } \
    } while (0)
