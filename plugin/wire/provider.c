/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The provider's probes, generated from the catalogue.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "ss-wire-provider.h"
