/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/decode/event-class.h"

#include <string.h>

const SsEventInfo *ss_event_info_find(const char *name)
{
    for (guint id = 0; name && id < SS_N_EVENTS; id++) {
        if (g_str_equal(ss_catalogue_events[id].name, name)) {
            return &ss_catalogue_events[id];
        }
    }
    return NULL;
}

static const char *kind_name(bool string)
{
    return string ? "a string" : "an integer";
}

/* Finds a member of the wanted sort; tells why not. */
static bool find_member(const bt_field_class *structure, const char *name, bool string,
                        SsMember *ret_member, char **ret_why)
{
    guint64 count = structure ? bt_field_class_structure_get_member_count(structure) : 0;
    for (guint64 i = 0; i < count; i++) {
        const bt_field_class_structure_member *member =
            bt_field_class_structure_borrow_member_by_index_const(structure, i);
        if (!g_str_equal(bt_field_class_structure_member_get_name(member), name)) {
            continue;
        }
        bt_field_class_type type = bt_field_class_get_type(
            bt_field_class_structure_member_borrow_field_class_const(member));
        ret_member->index = i;
        if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER) && !string) {
            ret_member->kind = SS_VALUE_UNSIGNED;
        } else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER) && !string) {
            ret_member->kind = SS_VALUE_SIGNED;
        } else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_STRING) && string) {
            ret_member->kind = SS_VALUE_STRING;
        } else {
            *ret_why = g_strdup_printf("field \"%s\" is not %s", name, kind_name(string));
            return false;
        }
        return true;
    }
    *ret_why = g_strdup_printf("field \"%s\" is missing", name);
    return false;
}

static void find_context(const bt_stream_class *stream_class, SsContextLayout *context)
{
    const bt_field_class *structure =
        bt_stream_class_borrow_event_common_context_field_class_const(stream_class);
    char *why = NULL;
    if (!find_member(structure, "vpid", false, &context->vpid, &why)) {
        context->missing = "vpid";
    } else if (!find_member(structure, "vtid", false, &context->vtid, &why)) {
        context->missing = "vtid";
    }
    g_clear_pointer(&why, g_free);
    context->has_procname = find_member(structure, "procname", true, &context->procname, &why);
    g_free(why);
}

SsEventLayout *ss_event_layout_new(const bt_event_class *event_class, char **ret_diagnostic)
{
    SsEventLayout *layout = g_new0(SsEventLayout, 1);
    const char *name = bt_event_class_get_name(event_class);
    layout->event_class = event_class;
    bt_event_class_get_ref(event_class);
    layout->info = ss_event_info_find(name);
    layout->tracer_begins = g_strcmp0(name, SS_TRACER_BEGINS) == 0;
    if (!layout->info && !layout->tracer_begins) {
        return layout;
    }
    find_context(bt_event_class_borrow_stream_class_const(event_class), &layout->context);
    if (!layout->info) {
        layout->tracer_begins = !layout->context.missing;
        return layout;
    }
    layout->id = layout->info - ss_catalogue_events;
    const bt_field_class *payload = bt_event_class_borrow_payload_field_class_const(event_class);
    for (guint i = 0; i < layout->info->n_fields; i++) {
        const SsFieldInfo *field = &layout->info->fields[i];
        g_autofree char *why = NULL;
        if (!find_member(payload, field->name, field->type == SS_FIELD_STR, &layout->members[i],
                         &why)) {
            *ret_diagnostic = g_strdup_printf("Cannot use event: name=\"%s\": %s", name, why);
            layout->info = NULL;
            return layout;
        }
    }
    return layout;
}

void ss_event_layout_free(SsEventLayout *layout)
{
    if (!layout) {
        return;
    }
    bt_event_class_put_ref(layout->event_class);
    g_free(layout);
}

static guint64 read_integer(const bt_field *structure, const SsMember *member)
{
    const bt_field *field =
        bt_field_structure_borrow_member_field_by_index_const(structure, member->index);
    return member->kind == SS_VALUE_UNSIGNED ? bt_field_integer_unsigned_get_value(field)
                                             : (guint64)bt_field_integer_signed_get_value(field);
}

static const char *read_string(const bt_field *structure, const SsMember *member)
{
    const bt_field *field =
        bt_field_structure_borrow_member_field_by_index_const(structure, member->index);
    /* babeltrace2 reuses fields, and an empty string leaves the text of an earlier one in it */
    return bt_field_string_get_length(field) ? bt_field_string_get_value(field) : "";
}

gint32 ss_event_layout_pid(const SsEventLayout *layout, const bt_event *event)
{
    return (gint32)read_integer(bt_event_borrow_common_context_field_const(event),
                                &layout->context.vpid);
}

const char *ss_event_layout_procname(const SsEventLayout *layout, const bt_event *event)
{
    return layout->context.has_procname
               ? read_string(bt_event_borrow_common_context_field_const(event),
                             &layout->context.procname)
               : NULL;
}

void ss_event_layout_read(const SsEventLayout *layout, const bt_event *event, SsEvent *ret_event)
{
    const SsContextLayout *context = &layout->context;
    const bt_field *common = bt_event_borrow_common_context_field_const(event);
    const bt_field *payload = bt_event_borrow_payload_field_const(event);
    ret_event->id = layout->id;
    ret_event->pid = (gint32)read_integer(common, &context->vpid);
    ret_event->tid = (gint32)read_integer(common, &context->vtid);
    ret_event->procname = NULL;
    for (guint i = 0; i < layout->info->n_fields; i++) {
        const SsFieldInfo *field = &layout->info->fields[i];
        if (field->type == SS_FIELD_STR) {
            const char **at = (gpointer)((guint8 *)&ret_event->u + field->offset);
            *at = read_string(payload, &layout->members[i]);
        } else {
            ss_event_set_integer(ret_event, field, read_integer(payload, &layout->members[i]));
        }
    }
}
