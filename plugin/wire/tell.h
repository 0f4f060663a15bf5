/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The events, through the provider that is generated from tracepoints/catalogue.
 */
#pragma once

#include <stdatomic.h>

#include "load.h"
#include "state.h"

/* True when somebody records the event: only then is found out what is costly. */
#define SS_WIRE_ON(event) \
    (__atomic_load_n(atomic_load_explicit(&ss_wire_teller, memory_order_acquire)->event##_on, \
                     __ATOMIC_RELAXED) && \
     atomic_load_explicit(&ss_wire_telling, memory_order_relaxed))

#define SS_WIRE_TELL(event, ...) \
    do { \
        if (SS_WIRE_UNLIKELY(SS_WIRE_ON(event))) { \
            atomic_load_explicit(&ss_wire_teller, memory_order_acquire)->event(__VA_ARGS__); \
        } \
    } while (0)

/* True when anybody records any event. */
static inline bool ss_wire_listened(void)
{
#define SS_WIRE_OR_ON(event) || SS_WIRE_ON(event)
    return false SS_WIRE_TELLER_EACH(SS_WIRE_OR_ON);
#undef SS_WIRE_OR_ON
}
