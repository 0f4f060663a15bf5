/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plugin `shmemscope` of babeltrace2: what its component classes are called, and their help.
 */
#include <babeltrace2/babeltrace.h>

#include "analysis/babeltrace/lifetimes.h"
#include "analysis/babeltrace/report.h"
#include "analysis/decode/mip.h"

static bt_component_class_get_supported_mip_versions_method_status
add_versions(bt_integer_range_set_unsigned *versions)
{
    return bt_integer_range_set_unsigned_add_range(versions, 0, SS_MIP_MAX) ==
                   BT_INTEGER_RANGE_SET_ADD_RANGE_STATUS_OK
               ? BT_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD_STATUS_OK
               : BT_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD_STATUS_MEMORY_ERROR;
}

static bt_component_class_get_supported_mip_versions_method_status
sink_versions(bt_self_component_class_sink *self, const bt_value *params, void *data,
              bt_logging_level level, bt_integer_range_set_unsigned *versions)
{
    return add_versions(versions);
}

static bt_component_class_get_supported_mip_versions_method_status
filter_versions(bt_self_component_class_filter *self, const bt_value *params, void *data,
                bt_logging_level level, bt_integer_range_set_unsigned *versions)
{
    return add_versions(versions);
}

BT_PLUGIN_MODULE();

BT_PLUGIN(shmemscope);
BT_PLUGIN_DESCRIPTION("QEMU's vhost-user shared memory: what happened, and what is wrong");
BT_PLUGIN_LICENSE("GPL-2.0-or-later");
BT_PLUGIN_VERSION(SS_PLUGIN_MAJOR, SS_PLUGIN_MINOR, SS_PLUGIN_PATCH, NULL);

BT_PLUGIN_SINK_COMPONENT_CLASS(report, ss_report_sink_consume);
BT_PLUGIN_SINK_COMPONENT_CLASS_INITIALIZE_METHOD(report, ss_report_sink_initialize);
BT_PLUGIN_SINK_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD(report, sink_versions);
BT_PLUGIN_SINK_COMPONENT_CLASS_FINALIZE_METHOD(report, ss_report_sink_finalize);
BT_PLUGIN_SINK_COMPONENT_CLASS_GRAPH_IS_CONFIGURED_METHOD(report, ss_report_sink_configured);
BT_PLUGIN_SINK_COMPONENT_CLASS_DESCRIPTION(
    report, "Tell what happened to shared memory mappings, and what is wrong.");
BT_PLUGIN_SINK_COMPONENT_CLASS_HELP(
    report,
    "What `shmemscope report` says of the same messages; the last one that comes ends it.\n"
    "\n"
    "Parameters, all of which may be left out:\n"
    "\n"
    "  format=\"text\"        text, json, html, sarif, junit or chrome\n"
    "  output=\"PATH\"        where to write; standard output if not given\n"
    "  fail-on=\"suspected\"  end the graph with an error for findings of this certainty or a\n"
    "                       higher one: observed, suspected, hazard, unknown or never.\n"
    "                       The error ends other sinks of the graph, too.\n"
    "  checks=\"ID,...\"      findings of these checks only\n"
    "  begin=TIME           findings that last beyond this time; what was before is read, too\n"
    "  end=TIME             read no further than this\n"
    "  device=\"ID\"          findings of this device, or of several: [\"ID\", ...]\n"
    "  vm=\"NAME\"            findings of this VM, or of several\n"
    "\n"
    "TIME is seconds after the first event (1.5), since the epoch (\"@1700000000.5\"), or a date\n"
    "and time (\"2026-01-31T12:00:00Z\").\n"
    "\n"
    "See shmemscope-report(1).");

BT_PLUGIN_FILTER_COMPONENT_CLASS(lifetimes, ss_lifetimes_next);
BT_PLUGIN_FILTER_COMPONENT_CLASS_INITIALIZE_METHOD(lifetimes, ss_lifetimes_initialize);
BT_PLUGIN_FILTER_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD(lifetimes, filter_versions);
BT_PLUGIN_FILTER_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(
    lifetimes, ss_lifetimes_iterator_initialize);
BT_PLUGIN_FILTER_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(
    lifetimes, ss_lifetimes_iterator_finalize);
BT_PLUGIN_FILTER_COMPONENT_CLASS_DESCRIPTION(
    lifetimes, "Add an event for each life of a shared memory mapping, and for each finding.");
BT_PLUGIN_FILTER_COMPONENT_CLASS_HELP(
    lifetimes,
    "All messages pass. A trace of its own is added, named shmemscope, with one stream:\n"
    "\n"
    "  shmemscope:mapping_life  at a mapping's end: its place, its descriptor and inode, its\n"
    "                           state, and when it was requested, replied to, born, visible,\n"
    "                           removed, finalized and closed\n"
    "  shmemscope:finding       at the end: what `shmemscope report` finds\n"
    "\n"
    "Their times are in ns since the Unix epoch; 0 means not seen. What is alive when the last\n"
    "message comes is told then.\n"
    "\n"
    "With `-c sink.ctf.fs` after it a trace comes of it that any viewer of CTF shows;\n"
    "babeltrace2 2.1 writes CTF 2, unless it is given --params='ctf-version=\"1\"'.\n"
    "\n"
    "There are no parameters.");
