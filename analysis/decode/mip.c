/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/decode/mip.h"

#include <stdbool.h>

#include "analysis/decode/trace-set.h"

char *ss_mip_trace_uuid(const bt_trace *trace)
{
#if SS_MIP_MAX >= 1
    if (bt_trace_class_get_graph_mip_version(bt_trace_borrow_class_const(trace)) >= 1) {
        const char *uid = bt_trace_get_uid(trace);
        return g_strdup(uid ? uid : "");
    }
#endif
    bt_uuid bytes = bt_trace_get_uuid(trace);
    return bytes ? ss_uuid_text(bytes) : g_strdup("");
}

static void copy_version_0(bt_clock_class *copy, const bt_clock_class *clock)
{
    bt_uuid uuid = bt_clock_class_get_uuid(clock);
    bt_clock_class_set_precision(copy, bt_clock_class_get_precision(clock));
    bt_clock_class_set_origin_is_unix_epoch(copy, bt_clock_class_origin_is_unix_epoch(clock));
    if (uuid) {
        bt_clock_class_set_uuid(copy, uuid);
    }
}

#if SS_MIP_MAX >= 1
static bool copy_origin(bt_clock_class *copy, const bt_clock_class *clock)
{
    if (!bt_clock_class_origin_is_known(clock)) {
        bt_clock_class_set_origin_unknown(copy);
        return true;
    }
    if (bt_clock_class_origin_is_unix_epoch(clock)) {
        bt_clock_class_set_origin_unix_epoch(copy);
        return true;
    }
    return bt_clock_class_set_origin(copy, bt_clock_class_get_origin_namespace(clock),
                                     bt_clock_class_get_origin_name(clock),
                                     bt_clock_class_get_origin_uid(clock)) ==
           BT_CLOCK_CLASS_SET_ORIGIN_STATUS_OK;
}

static bool copy_version_1(bt_clock_class *copy, const bt_clock_class *clock)
{
    uint64_t cycles;
    const char *space = bt_clock_class_get_namespace(clock);
    const char *uid = bt_clock_class_get_uid(clock);
    if (bt_clock_class_get_opt_precision(clock, &cycles) == BT_PROPERTY_AVAILABILITY_AVAILABLE) {
        bt_clock_class_set_precision(copy, cycles);
    }
    if (bt_clock_class_get_accuracy(clock, &cycles) == BT_PROPERTY_AVAILABILITY_AVAILABLE) {
        bt_clock_class_set_accuracy(copy, cycles);
    }
    return copy_origin(copy, clock) &&
           (!space ||
            bt_clock_class_set_namespace(copy, space) == BT_CLOCK_CLASS_SET_NAMESPACE_STATUS_OK) &&
           (!uid || bt_clock_class_set_uid(copy, uid) == BT_CLOCK_CLASS_SET_UID_STATUS_OK);
}
#endif

static bool copy_properties(bt_clock_class *copy, const bt_clock_class *clock)
{
    int64_t seconds;
    uint64_t cycles;
    const char *name = bt_clock_class_get_name(clock);
    bt_clock_class_get_offset(clock, &seconds, &cycles);
    bt_clock_class_set_frequency(copy, bt_clock_class_get_frequency(clock));
    bt_clock_class_set_offset(copy, seconds, cycles);
    if (name && bt_clock_class_set_name(copy, name) != BT_CLOCK_CLASS_SET_NAME_STATUS_OK) {
        return false;
    }
#if SS_MIP_MAX >= 1
    if (bt_clock_class_get_graph_mip_version(clock) >= 1) {
        return copy_version_1(copy, clock);
    }
#endif
    copy_version_0(copy, clock);
    return true;
}

bt_clock_class *ss_mip_copy_clock(bt_self_component *component, const bt_clock_class *clock)
{
    bt_clock_class *copy = bt_clock_class_create(component);
    if (copy && !copy_properties(copy, clock)) {
        bt_clock_class_put_ref(copy);
        return NULL;
    }
    return copy;
}
