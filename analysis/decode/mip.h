/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What differs by the version of babeltrace2's message interchange protocol. babeltrace2 2.1 has
 * version 1, in which its sink.ctf.fs wants to be asked when it writes CTF 2, as it does unless
 * told not to; 2.0 has version 0 alone. Asking by the other version's functions is not allowed.
 */
#pragma once

#include <babeltrace2/babeltrace.h>
#include <glib.h>

/* The versions from 0 to this can be had; SS_MIP_MAX comes from the build. */
#if SS_MIP_MAX != 0 && SS_MIP_MAX != 1
#error "the build tells SS_MIP_MAX"
#endif

/* "5ab0e1f6-...": the UUID, or what stands for it; "" if there is none. Owned by the caller. */
char *ss_mip_trace_uuid(const bt_trace *trace);
/* With the same identity: times by it may be compared with those by the other. A reference of the
 * caller's; NULL: no memory. */
bt_clock_class *ss_mip_copy_clock(bt_self_component *component, const bt_clock_class *clock);
