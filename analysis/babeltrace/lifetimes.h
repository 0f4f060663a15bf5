/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filter.shmemscope.lifetimes: passes all messages on, and adds those of ss_added_*().
 */
#pragma once

#include <babeltrace2/babeltrace.h>

bt_component_class_initialize_method_status
ss_lifetimes_initialize(bt_self_component_filter *self,
                        bt_self_component_filter_configuration *configuration,
                        const bt_value *params, void *data);
bt_message_iterator_class_initialize_method_status
ss_lifetimes_iterator_initialize(bt_self_message_iterator *self,
                                 bt_self_message_iterator_configuration *configuration,
                                 bt_self_component_port_output *port);
void ss_lifetimes_iterator_finalize(bt_self_message_iterator *self);
bt_message_iterator_class_next_method_status ss_lifetimes_next(bt_self_message_iterator *self,
                                                               bt_message_array_const messages,
                                                               uint64_t capacity,
                                                               uint64_t *ret_count);
