/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/babeltrace/added.h"

#include <string.h>

#include "analysis/decode/mip.h"
#include "analysis/report/names.h"
#include "analysis/report/report.h"

#define TRACE_NAME "shmemscope"
#define STREAM_NAME "lifetimes"
/* Where there is none. Not "": babeltrace2 2.0.4, reading that from a file, shows what was there in
 * an event before. */
#define NO_TEXT "-"

typedef enum Kind {
    UNSIGNED,
    HEX,
    SIGNED,
    TEXT,
} Kind;

typedef struct Field {
    const char *name; /* NULL ends them */
    Kind kind;
} Field;

/* Times are in ns since the Unix epoch; 0: not seen. */
static const Field life_fields[] = {
    { "vm", TEXT },          { "pid", SIGNED },       { "device", TEXT },   { "shmid", UNSIGNED },
    { "shm_offset", HEX },   { "len", HEX },          { "fd_offset", HEX }, { "fd", SIGNED },
    { "ino", UNSIGNED },     { "mapping", HEX },      { "seq", UNSIGNED },  { "state", TEXT },
    { "requested", SIGNED }, { "replied", SIGNED },   { "born", SIGNED },   { "visible", SIGNED },
    { "removed", SIGNED },   { "finalized", SIGNED }, { "closed", SIGNED }, { "label", TEXT },
    { NULL, TEXT },
};
static const Field finding_fields[] = {
    { "id", TEXT },      { "certainty", TEXT }, { "summary", TEXT }, { "condition", TEXT },
    { "vm", TEXT },      { "pid", SIGNED },     { "device", TEXT },  { "count", UNSIGNED },
    { "first", SIGNED }, { "last", SIGNED },    { "labels", TEXT },  { NULL, TEXT },
};

struct SsAdded {
    bt_self_message_iterator *iterator; /* weak */
    bt_trace_class *trace_class;        /* references, all of them */
    bt_clock_class *clock;
    bt_stream_class *stream_class;
    bt_event_class *life, *finding;
    bt_trace *trace;
    bt_stream *stream;
    bt_packet *packet; /* all is in one */
};

/* Fills fields in the order of their table. */
typedef struct Writer {
    bt_field *structure; /* weak */
    guint64 next;
    bool failed;
} Writer;

static bt_field_class *field_class(bt_trace_class *trace_class, Kind kind)
{
    bt_field_class *made;
    switch (kind) {
    case TEXT:
        return bt_field_class_string_create(trace_class);
    case SIGNED:
        return bt_field_class_integer_signed_create(trace_class);
    default:
        made = bt_field_class_integer_unsigned_create(trace_class);
        if (made && kind == HEX) {
            bt_field_class_integer_set_preferred_display_base(
                made, BT_FIELD_CLASS_INTEGER_PREFERRED_DISPLAY_BASE_HEXADECIMAL);
        }
        return made;
    }
}

static bool add_fields(bt_trace_class *trace_class, bt_field_class *payload, const Field *fields)
{
    for (; fields->name; fields++) {
        bt_field_class *field = field_class(trace_class, fields->kind);
        bool added =
            field && bt_field_class_structure_append_member(payload, fields->name, field) ==
                         BT_FIELD_CLASS_STRUCTURE_APPEND_MEMBER_STATUS_OK;
        bt_field_class_put_ref(field);
        if (!added) {
            return false;
        }
    }
    return true;
}

static bt_event_class *event_class(SsAdded *added, const char *name, const Field *fields)
{
    bt_event_class *made = bt_event_class_create(added->stream_class);
    bt_field_class *payload = bt_field_class_structure_create(added->trace_class);
    bool whole = made && payload && add_fields(added->trace_class, payload, fields) &&
                 bt_event_class_set_name(made, name) == BT_EVENT_CLASS_SET_NAME_STATUS_OK &&
                 bt_event_class_set_payload_field_class(made, payload) ==
                     BT_EVENT_CLASS_SET_FIELD_CLASS_STATUS_OK;
    bt_field_class_put_ref(payload);
    if (!whole) {
        bt_event_class_put_ref(made);
        return NULL;
    }
    return made;
}

static bool make_classes(SsAdded *added, bt_self_component *component, const bt_clock_class *clock)
{
    added->trace_class = bt_trace_class_create(component);
    added->clock = ss_mip_copy_clock(component, clock);
    added->stream_class = added->trace_class ? bt_stream_class_create(added->trace_class) : NULL;
    if (!added->stream_class || !added->clock ||
        bt_stream_class_set_default_clock_class(added->stream_class, added->clock) !=
            BT_STREAM_CLASS_SET_DEFAULT_CLOCK_CLASS_STATUS_OK ||
        bt_stream_class_set_name(added->stream_class, STREAM_NAME) !=
            BT_STREAM_CLASS_SET_NAME_STATUS_OK) {
        return false;
    }
    /* With times: babeltrace2 2.1 writes CTF 2 of a packet without them that it cannot read. */
    bt_stream_class_set_supports_packets(added->stream_class, BT_TRUE, BT_TRUE, BT_TRUE);
    added->life = event_class(added, "shmemscope:mapping_life", life_fields);
    added->finding = event_class(added, "shmemscope:finding", finding_fields);
    return added->life && added->finding;
}

static bool make_stream(SsAdded *added)
{
    added->trace = bt_trace_create(added->trace_class);
    if (!added->trace ||
        bt_trace_set_name(added->trace, TRACE_NAME) != BT_TRACE_SET_NAME_STATUS_OK) {
        return false;
    }
    added->stream = bt_stream_create(added->stream_class, added->trace);
    added->packet = added->stream ? bt_packet_create(added->stream) : NULL;
    return added->packet &&
           bt_stream_set_name(added->stream, STREAM_NAME) == BT_STREAM_SET_NAME_STATUS_OK;
}

SsAdded *ss_added_new(bt_self_message_iterator *iterator, const bt_clock_class *clock)
{
    SsAdded *added = g_new0(SsAdded, 1);
    added->iterator = iterator;
    if (!make_classes(added, bt_self_message_iterator_borrow_component(iterator), clock) ||
        !make_stream(added)) {
        ss_added_free(added);
        return NULL;
    }
    return added;
}

void ss_added_free(SsAdded *added)
{
    if (!added) {
        return;
    }
    bt_packet_put_ref(added->packet);
    bt_stream_put_ref(added->stream);
    bt_trace_put_ref(added->trace);
    bt_event_class_put_ref(added->life);
    bt_event_class_put_ref(added->finding);
    bt_stream_class_put_ref(added->stream_class);
    bt_clock_class_put_ref(added->clock);
    bt_trace_class_put_ref(added->trace_class);
    g_free(added);
}

static bt_field *next_field(Writer *writer)
{
    return bt_field_structure_borrow_member_field_by_index(writer->structure, writer->next++);
}

static void write_text(Writer *writer, const char *text)
{
    writer->failed |=
        bt_field_string_set_value(next_field(writer), text && *text ? text : NO_TEXT) !=
        BT_FIELD_STRING_SET_VALUE_STATUS_OK;
}

static void write_unsigned(Writer *writer, guint64 value)
{
    bt_field_integer_unsigned_set_value(next_field(writer), value);
}

static void write_signed(Writer *writer, gint64 value)
{
    bt_field_integer_signed_set_value(next_field(writer), value);
}

static bt_message *event_message(SsAdded *added, const bt_event_class *of, guint64 cycles,
                                 Writer *writer)
{
    bt_message *message = bt_message_event_create_with_packet_and_default_clock_snapshot(
        added->iterator, of, added->packet, cycles);
    if (message) {
        *writer = (Writer){ .structure = bt_event_borrow_payload_field(
                                bt_message_event_borrow_event(message)) };
    }
    return message;
}

static const bt_message *written(bt_message *message, const Writer *writer)
{
    if (writer->failed) {
        bt_message_put_ref(message);
        return NULL;
    }
    return message;
}

static const char *device_name(const char *id, const char *chardev)
{
    return *id ? id : chardev;
}

const bt_message *ss_added_life(SsAdded *added, const SsMapping *mapping, guint64 cycles)
{
    const SsDevice *device = mapping->device;
    Writer writer;
    bt_message *message = event_message(added, added->life, cycles, &writer);
    if (!message) {
        return NULL;
    }
    g_autofree char *state =
        mapping->closed_ns ? g_strdup("closed") : ss_mapping_state_text(mapping);
    write_text(&writer, mapping->process->vm);
    write_signed(&writer, mapping->process->pid);
    write_text(&writer, device ? device_name(device->id, device->chardev) : "");
    write_unsigned(&writer, mapping->shmid);
    write_unsigned(&writer, mapping->shm_offset);
    write_unsigned(&writer, mapping->len);
    write_unsigned(&writer, mapping->fd_offset);
    write_signed(&writer, mapping->fd);
    write_unsigned(&writer, mapping->ino);
    write_unsigned(&writer, mapping->pointer);
    write_unsigned(&writer, mapping->seq);
    write_text(&writer, state);
    write_signed(&writer, mapping->request_ns);
    write_signed(&writer, mapping->reply_ns);
    write_signed(&writer, mapping->birth_seen ? mapping->birth_ns : 0);
    write_signed(&writer, mapping->visible_ns);
    write_signed(&writer, mapping->removed_ns);
    write_signed(&writer, mapping->finalized_ns);
    write_signed(&writer, mapping->closed_ns);
    write_text(&writer, ss_mapping_label(mapping));
    return written(message, &writer);
}

const bt_message *ss_added_finding(SsAdded *added, const SsFinding *finding, guint64 cycles)
{
    Writer writer;
    bt_message *message = event_message(added, added->finding, cycles, &writer);
    if (!message) {
        return NULL;
    }
    write_text(&writer, finding->id);
    write_text(&writer, ss_certainty_name(finding->certainty));
    write_text(&writer, finding->summary);
    write_text(&writer, finding->condition);
    write_text(&writer, finding->vm);
    write_signed(&writer, finding->pid);
    g_autofree char *device =
        finding->has_device
            ? ss_device_name(finding->device_id, finding->chardev, finding->dev, finding->vdev)
            : g_strdup("");
    write_text(&writer, device);
    write_unsigned(&writer, finding->count);
    write_signed(&writer, finding->first_ns);
    write_signed(&writer, finding->last_ns);
    g_autofree char *labels = ss_finding_labels_text(finding);
    write_text(&writer, labels);
    return written(message, &writer);
}

const bt_message *ss_added_stream_beginning(SsAdded *added)
{
    return bt_message_stream_beginning_create(added->iterator, added->stream);
}

const bt_message *ss_added_packet_beginning(SsAdded *added, guint64 cycles)
{
    return bt_message_packet_beginning_create_with_default_clock_snapshot(added->iterator,
                                                                          added->packet, cycles);
}

const bt_message *ss_added_packet_end(SsAdded *added, guint64 cycles)
{
    return bt_message_packet_end_create_with_default_clock_snapshot(added->iterator, added->packet,
                                                                    cycles);
}

const bt_message *ss_added_stream_end(SsAdded *added)
{
    return bt_message_stream_end_create(added->iterator, added->stream);
}
