/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "analysis/autopsy/fields.h"
#include "analysis/autopsy/stacks.h"

static void save_hex(JsonBuilder *out, guint64 value)
{
    char text[24];
    (void)g_snprintf(text, sizeof text, "0x%" G_GINT64_MODIFIER "x", value);
    json_builder_add_string_value(out, text);
}

static void save_field(JsonBuilder *out, const SsField *field, const void *place)
{
    switch (field->kind) {
    case SS_FIELD_STRING:
        json_builder_add_string_value(out, *(const char *const *)place);
        break;
    case SS_FIELD_BOOL:
        json_builder_add_boolean_value(out, *(const bool *)place);
        break;
    case SS_FIELD_LETTER: {
        char text[2] = { *(const char *)place, '\0' };
        json_builder_add_string_value(out, g_ascii_isprint(text[0]) ? text : "");
        break;
    }
    case SS_FIELD_I32:
        json_builder_add_int_value(out, *(const gint32 *)place);
        break;
    case SS_FIELD_U32:
        json_builder_add_int_value(out, *(const guint32 *)place);
        break;
    case SS_FIELD_I64:
        json_builder_add_int_value(out, *(const gint64 *)place);
        break;
    case SS_FIELD_U64:
        json_builder_add_int_value(out, (gint64)MIN(*(const guint64 *)place, G_MAXINT64));
        break;
    case SS_FIELD_HEX:
        save_hex(out, *(const guint64 *)place);
        break;
    case SS_FIELD_WORD:
        json_builder_add_string_value(out, field->words[*(const guint32 *)place]);
        break;
    }
}

static void save_fields(JsonBuilder *out, const SsField *fields, const void *object)
{
    for (const SsField *field = fields; field->name; field++) {
        json_builder_set_member_name(out, field->name);
        save_field(out, field, (const char *)object + field->offset);
    }
}

/* An array of objects that have nothing but fields. */
static void save_all(JsonBuilder *out, const char *name, const SsField *fields,
                     const GPtrArray *objects)
{
    json_builder_set_member_name(out, name);
    json_builder_begin_array(out);
    for (guint i = 0; i < objects->len; i++) {
        json_builder_begin_object(out);
        save_fields(out, fields, g_ptr_array_index(objects, i));
        json_builder_end_object(out);
    }
    json_builder_end_array(out);
}

static void save_thread(JsonBuilder *out, const SsSeenThread *thread)
{
    json_builder_begin_object(out);
    save_fields(out, ss_fields_thread, thread);
    json_builder_set_member_name(out, "args");
    json_builder_begin_array(out);
    for (guint i = 0; i < G_N_ELEMENTS(thread->args); i++) {
        save_hex(out, thread->args[i]);
    }
    json_builder_end_array(out);
    json_builder_set_member_name(out, "polls");
    json_builder_begin_array(out);
    for (guint i = 0; i < thread->polls->len; i++) {
        const SsSeenPoll *poll = &g_array_index(thread->polls, SsSeenPoll, i);
        json_builder_begin_array(out);
        json_builder_add_int_value(out, poll->fd);
        json_builder_add_int_value(out, poll->events);
        json_builder_end_array(out);
    }
    json_builder_end_array(out);
    json_builder_end_object(out);
}

static void save_process(JsonBuilder *out, const SsSeenProcess *process)
{
    json_builder_begin_object(out);
    save_fields(out, ss_fields_process, process);
    json_builder_set_member_name(out, "argv");
    json_builder_begin_array(out);
    for (guint i = 0; i < process->argv->len; i++) {
        json_builder_add_string_value(out, g_ptr_array_index(process->argv, i));
    }
    json_builder_end_array(out);
    json_builder_set_member_name(out, "threads");
    json_builder_begin_array(out);
    for (guint i = 0; i < process->threads->len; i++) {
        save_thread(out, g_ptr_array_index(process->threads, i));
    }
    json_builder_end_array(out);
    save_all(out, "fds", ss_fields_fd, process->fds);
    save_all(out, "maps", ss_fields_map, process->maps);
    save_all(out, "denied", ss_fields_denied, process->denied);
    json_builder_end_object(out);
}

static void save_socket(JsonBuilder *out, const SsSeenSocket *socket)
{
    json_builder_begin_object(out);
    save_fields(out, ss_fields_socket, socket);
    json_builder_set_member_name(out, "holders");
    json_builder_begin_array(out);
    for (guint i = 0; i < socket->holders->len; i++) {
        const SsSeenHolder *holder = &g_array_index(socket->holders, SsSeenHolder, i);
        json_builder_begin_array(out);
        json_builder_add_int_value(out, holder->pid);
        json_builder_add_int_value(out, holder->fd);
        json_builder_end_array(out);
    }
    json_builder_end_array(out);
    g_autoptr(GString) hex = g_string_new(NULL);
    for (guint i = 0; i < socket->peeked->len; i++) {
        g_string_append_printf(hex, "%02x", socket->peeked->data[i]);
    }
    json_builder_set_member_name(out, "peeked");
    json_builder_add_string_value(out, hex->str);
    json_builder_end_object(out);
}

static gint compare_sockets(gconstpointer a, gconstpointer b)
{
    const SsSeenSocket *one = a;
    const SsSeenSocket *other = b;
    return (one->inode > other->inode) - (one->inode < other->inode);
}

static void save_look(JsonBuilder *out, const SsLook *look)
{
    json_builder_begin_object(out);
    save_fields(out, ss_fields_look, look);
    json_builder_set_member_name(out, "processes");
    json_builder_begin_array(out);
    for (guint i = 0; i < look->processes->len; i++) {
        save_process(out, g_ptr_array_index(look->processes, i));
    }
    json_builder_end_array(out);
    save_all(out, "channels", ss_fields_channel, look->channels);
    json_builder_set_member_name(out, "sockets");
    json_builder_begin_array(out);
    g_autoptr(GList) sockets = g_list_sort(g_hash_table_get_values(look->sockets), compare_sockets);
    for (const GList *at = sockets; at; at = at->next) {
        save_socket(out, at->data);
    }
    json_builder_end_array(out);
    save_all(out, "denied", ss_fields_denied, look->denied);
    json_builder_end_object(out);
}

static gboolean write_text(const char *path, const char *text, gsize length, GError **error)
{
    struct stat file;
    if (stat(path, &file) != 0 || S_ISREG(file.st_mode)) {
        /* Command lines and addresses of other people's processes. */
        return g_file_set_contents_full(path, text, (gssize)length, G_FILE_SET_CONTENTS_CONSISTENT,
                                        0600, error);
    }
    /* A pipe, or /dev/null: that is written to, and never put another file in the place of. */
    FILE *out = fopen(path, "we");
    bool good = out && fwrite(text, 1, length, out) == length;
    int failed = errno;
    if (out && fclose(out) != 0 && good) {
        good = false;
        failed = errno;
    }
    if (!good) {
        g_set_error_literal(error, G_FILE_ERROR, (gint)g_file_error_from_errno(failed),
                            g_strerror(failed));
    }
    return good;
}

gboolean ss_evidence_save(const SsEvidence *evidence, const char *path, GError **error)
{
    g_autoptr(JsonBuilder) out = json_builder_new();
    json_builder_begin_object(out);
    json_builder_set_member_name(out, "format");
    json_builder_add_string_value(out, SS_EVIDENCE_FORMAT);
    json_builder_set_member_name(out, "version");
    json_builder_add_int_value(out, SS_EVIDENCE_VERSION);
    save_fields(out, ss_fields_evidence, evidence);
    json_builder_set_member_name(out, "looks");
    json_builder_begin_array(out);
    for (guint i = 0; i < evidence->looks->len; i++) {
        save_look(out, g_ptr_array_index(evidence->looks, i));
    }
    json_builder_end_array(out);
    if (evidence->stacks) {
        json_builder_set_member_name(out, "stacks");
        json_builder_begin_array(out);
        for (guint i = 0; i < evidence->stacks->len; i++) {
            ss_stacks_save(g_ptr_array_index(evidence->stacks, i), out);
        }
        json_builder_end_array(out);
    }
    json_builder_end_object(out);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(out);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    json_generator_set_indent(generator, 1);
    gsize length;
    g_autofree char *text = json_generator_to_data(generator, &length);
    g_autoptr(GError) cause = NULL;
    if (!write_text(path, text, length, &cause)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Cannot write evidence: path=\"%s\": %s",
                    path, cause->message);
        return FALSE;
    }
    return TRUE;
}
