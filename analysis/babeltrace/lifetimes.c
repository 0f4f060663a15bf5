/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A life is told when it ends: at the message that ends it, whose time is the event's. What is
 * still alive, and findings, whose certainty is known when all has been read, come at the end.
 */
#include "analysis/babeltrace/lifetimes.h"

#include "analysis/babeltrace/added.h"
#include "analysis/babeltrace/parameters.h"
#include "analysis/decode/reader.h"

#define INPUT "in"
#define OUTPUT "out"

typedef struct Iterator {
    bt_self_message_iterator *self; /* weak */
    bt_message_iterator *upstream;  /* a reference */
    SsModel *model;                 /* owned */
    SsChecks *checks;               /* owned */
    GPtrArray *diagnostics;         /* owned, of char * */
    SsDecodeOptions options;
    SsReader *reader;            /* owned */
    SsAdded *added;              /* owned; NULL until a message tells the clock */
    const bt_clock_class *clock; /* weak; of that message, whose trace the reader keeps */
    guint64 cycles;              /* by that clock: the time of the last message */
    GQueue queue;                /* of messages, references, to be passed on */
    bool finished, failed;
} Iterator;

static const SsParameter parameters[] = { { NULL, SS_PARAMETER_TEXT } };

bt_component_class_initialize_method_status
ss_lifetimes_initialize(bt_self_component_filter *self,
                        bt_self_component_filter_configuration *configuration,
                        const bt_value *params, void *data)
{
    g_autofree char *fault = ss_parameters_fault(parameters, params);
    if (fault) {
        BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(
            bt_self_component_filter_as_self_component(self), "%s", fault);
        return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
    }
    bt_self_component_add_port_status added =
        bt_self_component_filter_add_input_port(self, INPUT, NULL, NULL);
    if (added == BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
        added = bt_self_component_filter_add_output_port(self, OUTPUT, NULL, NULL);
    }
    /* The values are the same in both. */
    return (bt_component_class_initialize_method_status)added;
}

static void put_message(gpointer message)
{
    bt_message_put_ref(message);
}

static void iterator_free(Iterator *iterator)
{
    g_queue_clear_full(&iterator->queue, put_message);
    ss_added_free(iterator->added);
    ss_reader_free(iterator->reader);
    ss_checks_free(iterator->checks);
    ss_model_free(iterator->model);
    g_ptr_array_unref(iterator->diagnostics);
    bt_message_iterator_put_ref(iterator->upstream);
    g_free(iterator);
}

/* NULL is a message for which there was no memory. */
static void push(Iterator *iterator, const bt_message *message_taken)
{
    if (message_taken) {
        g_queue_push_tail(&iterator->queue, (gpointer)message_taken);
    } else {
        iterator->failed = true;
    }
}

static void on_life(SsModel *model, const SsMapping *mapping, gpointer user_data)
{
    Iterator *iterator = user_data;
    if (iterator->added) {
        push(iterator, ss_added_life(iterator->added, mapping, iterator->cycles));
    }
}

bt_message_iterator_class_initialize_method_status
ss_lifetimes_iterator_initialize(bt_self_message_iterator *self,
                                 bt_self_message_iterator_configuration *configuration,
                                 bt_self_component_port_output *port)
{
    bt_self_component_filter *component =
        (bt_self_component_filter *)bt_self_message_iterator_borrow_component(self);
    Iterator *iterator = g_new0(Iterator, 1);
    iterator->self = self;
    iterator->diagnostics = g_ptr_array_new_with_free_func(g_free);
    bt_message_iterator_create_from_message_iterator_status status =
        bt_message_iterator_create_from_message_iterator(
            self, bt_self_component_filter_borrow_input_port_by_name(component, INPUT),
            &iterator->upstream);
    if (status != BT_MESSAGE_ITERATOR_CREATE_FROM_MESSAGE_ITERATOR_STATUS_OK) {
        iterator_free(iterator);
        return (bt_message_iterator_class_initialize_method_status)status;
    }
    iterator->model = ss_model_new();
    iterator->checks = ss_checks_new(iterator->model);
    ss_model_set_life(iterator->model, on_life, iterator);
    iterator->reader =
        ss_reader_new(iterator->model, &iterator->options, NULL, iterator->diagnostics);
    g_queue_init(&iterator->queue);
    bt_self_message_iterator_set_data(self, iterator);
    return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void ss_lifetimes_iterator_finalize(bt_self_message_iterator *self)
{
    Iterator *iterator = bt_self_message_iterator_get_data(self);
    if (iterator) {
        iterator_free(iterator);
    }
}

/* By the clock of the added trace; of one with another clock the time is made one of that. */
static guint64 cycles_of(const Iterator *iterator, const bt_clock_snapshot *snapshot)
{
    gint64 ns, origin_ns;
    if (bt_clock_snapshot_borrow_clock_class_const(snapshot) == iterator->clock) {
        return bt_clock_snapshot_get_value(snapshot);
    }
    if (bt_clock_snapshot_get_ns_from_origin(snapshot, &ns) !=
            BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK ||
        bt_clock_class_cycles_to_ns_from_origin(iterator->clock, 0, &origin_ns) !=
            BT_CLOCK_CLASS_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK ||
        ns < origin_ns) {
        bt_current_thread_clear_error();
        return iterator->cycles;
    }
    return (guint64)((double)(ns - origin_ns) *
                     ((double)bt_clock_class_get_frequency(iterator->clock) / SS_NS_PER_S));
}

/* The time of an event or of a packet's beginning; NULL: the message has none. */
static const bt_clock_snapshot *snapshot_of(const bt_message *message)
{
    const bt_stream_class *stream_class;
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_EVENT:
        stream_class = bt_event_class_borrow_stream_class_const(
            bt_event_borrow_class_const(bt_message_event_borrow_event_const(message)));
        return bt_stream_class_borrow_default_clock_class_const(stream_class)
                   ? bt_message_event_borrow_default_clock_snapshot_const(message)
                   : NULL;
    case BT_MESSAGE_TYPE_PACKET_BEGINNING:
        stream_class = bt_stream_borrow_class_const(bt_packet_borrow_stream_const(
            bt_message_packet_beginning_borrow_packet_const(message)));
        return bt_stream_class_packets_have_beginning_default_clock_snapshot(stream_class)
                   ? bt_message_packet_beginning_borrow_default_clock_snapshot_const(message)
                   : NULL;
    default:
        return NULL;
    }
}

/* The first message that tells a time makes the added trace. */
static void take_time(Iterator *iterator, const bt_message *message)
{
    const bt_clock_snapshot *snapshot = snapshot_of(message);
    if (!snapshot) {
        return;
    }
    if (!iterator->clock) {
        iterator->clock = bt_clock_snapshot_borrow_clock_class_const(snapshot);
    }
    iterator->cycles = MAX(iterator->cycles, cycles_of(iterator, snapshot));
    if (!iterator->added) {
        SsAdded *added = ss_added_new(iterator->self, iterator->clock);
        iterator->added = added;
        push(iterator, added ? ss_added_stream_beginning(added) : NULL);
        push(iterator, added ? ss_added_packet_beginning(added, iterator->cycles) : NULL);
    }
}

static void finish(Iterator *iterator)
{
    iterator->finished = true;
    ss_reader_finish(iterator->reader);
    ss_model_finish(iterator->model);
    ss_checks_finish(iterator->checks);
    const GPtrArray *findings = iterator->checks->findings;
    for (guint i = 0; iterator->added && i < findings->len; i++) {
        push(iterator,
             ss_added_finding(iterator->added, g_ptr_array_index(findings, i), iterator->cycles));
    }
    if (iterator->added) {
        push(iterator, ss_added_packet_end(iterator->added, iterator->cycles));
        push(iterator, ss_added_stream_end(iterator->added));
    }
}

static bt_message_iterator_class_next_method_status fail(const Iterator *iterator, const char *why)
{
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_MESSAGE_ITERATOR(iterator->self, "%s", why);
    return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_ERROR;
}

/* Takes what comes next, and puts it and what is to be added into the queue. */
static bt_message_iterator_class_next_method_status take(Iterator *iterator)
{
    bt_message_array_const messages;
    uint64_t count = 0;
    bt_message_iterator_next_status status =
        bt_message_iterator_next(iterator->upstream, &messages, &count);
    if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_END) {
        finish(iterator);
        return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK;
    }
    for (uint64_t i = 0; status == BT_MESSAGE_ITERATOR_NEXT_STATUS_OK && i < count; i++) {
        take_time(iterator, messages[i]);
        push(iterator, messages[i]); /* with its reference */
        (void)ss_reader_take(iterator->reader, messages[i]);
    }
    /* AGAIN and the errors have the same values in both. */
    return (bt_message_iterator_class_next_method_status)status;
}

bt_message_iterator_class_next_method_status ss_lifetimes_next(bt_self_message_iterator *self,
                                                               bt_message_array_const messages,
                                                               uint64_t capacity,
                                                               uint64_t *ret_count)
{
    Iterator *iterator = bt_self_message_iterator_get_data(self);
    uint64_t count = 0;
    while (g_queue_is_empty(&iterator->queue)) {
        if (iterator->finished) {
            return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
        }
        bt_message_iterator_class_next_method_status status = take(iterator);
        if (status != BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK) {
            return status;
        }
        if (ss_reader_error(iterator->reader)) {
            g_autofree char *why =
                g_strdup_printf("Cannot read trace: %s", ss_reader_error(iterator->reader));
            return fail(iterator, why);
        }
        if (iterator->failed) {
            return fail(iterator, "Cannot add an event: there is no memory left");
        }
    }
    while (count < capacity && !g_queue_is_empty(&iterator->queue)) {
        messages[count++] = g_queue_pop_head(&iterator->queue);
    }
    *ret_count = count;
    return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK;
}
