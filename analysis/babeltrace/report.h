/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sink.shmemscope.report: the report of `shmemscope report`, of the messages of any graph.
 */
#pragma once

#include <babeltrace2/babeltrace.h>

bt_component_class_initialize_method_status
ss_report_sink_initialize(bt_self_component_sink *self,
                          bt_self_component_sink_configuration *configuration,
                          const bt_value *params, void *data);
void ss_report_sink_finalize(bt_self_component_sink *self);
bt_component_class_sink_graph_is_configured_method_status
ss_report_sink_configured(bt_self_component_sink *self);
bt_component_class_sink_consume_method_status ss_report_sink_consume(bt_self_component_sink *self);
