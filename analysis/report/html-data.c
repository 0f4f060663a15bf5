/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the page shows over time. The lives are many, so each is an array without names; a figure
 * that a browser's numbers cannot hold is a string of hexadecimal digits.
 */
#include "analysis/model/lives.h"
#include "analysis/report/html.h"
#include "analysis/report/json.h"

/* Whole numbers up to here are exact as double. */
#define MAX_EXACT (G_GUINT64_CONSTANT(1) << 53)

static const char *const fields[] = { "owner",   "seq",       "shmid",    "offset", "len",
                                      "fd",      "ino",       "fdOffset", "gpa",    "writable",
                                      "request", "reply",     "birth",    "added",  "visible",
                                      "removed", "finalized", "closed",   "reason", "label" };

/* One of lives with the same device of the same process. */
typedef struct Owner {
    const SsProcess *process; /* weak */
    const char *device;       /* weak */
} Owner;

static guint owner_hash(gconstpointer key)
{
    const Owner *owner = key;
    return g_direct_hash(owner->process) ^ g_str_hash(owner->device);
}

static gboolean owner_equal(gconstpointer a, gconstpointer b)
{
    const Owner *oa = a, *ob = b;
    return oa->process == ob->process && g_str_equal(oa->device, ob->device);
}

/* Their places by their values; those who want them in that order give an array for it, weak. */
static GHashTable *places_of(const SsReport *report, GPtrArray *owners)
{
    GHashTable *places = g_hash_table_new_full(owner_hash, owner_equal, g_free, NULL);
    for (guint i = 0; report->lives && i < report->lives->len; i++) {
        const SsLife *life = g_ptr_array_index(report->lives, i);
        Owner owner = { life->process, ss_life_device(life) };
        if (!g_hash_table_contains(places, &owner)) {
            Owner *kept = g_memdup2(&owner, sizeof owner);
            g_hash_table_insert(places, kept, GUINT_TO_POINTER(g_hash_table_size(places)));
            if (owners) {
                g_ptr_array_add(owners, kept);
            }
        }
    }
    return places;
}

static void add_owners(JsonBuilder *json, const SsReport *report)
{
    g_autoptr(GPtrArray) owners = g_ptr_array_new();
    g_autoptr(GHashTable) places = places_of(report, owners);
    ss_json_begin_array(json, "owners");
    g_assert(g_hash_table_size(places) == owners->len);
    for (guint i = 0; i < owners->len; i++) {
        const Owner *owner = g_ptr_array_index(owners, i);
        json_builder_begin_object(json);
        ss_json_signed(json, "pid", owner->process->pid);
        ss_json_string(json, "vm", owner->process->vm);
        ss_json_string(json, "name", owner->process->name);
        ss_json_string(json, "device", owner->device);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_losses(JsonBuilder *json, const SsReport *report)
{
    const SsModel *model = report->model;
    g_autoptr(GPtrArray) traces = ss_model_traces(model); /* as the report's own array has them */
    ss_json_begin_array(json, "losses");
    for (guint t = 0; t < traces->len; t++) {
        const SsTraceInfo *trace = g_ptr_array_index(traces, t);
        for (guint i = 0; i < trace->losses->len; i++) {
            const SsLoss *loss = &g_array_index(trace->losses, SsLoss, i);
            json_builder_begin_object(json);
            ss_json_int(json, "trace", t);
            ss_json_signed(json, "begin_t_ns", loss->begin_ns - model->begin_ns);
            ss_json_signed(json, "end_t_ns", loss->end_ns - model->begin_ns);
            ss_json_int(json, "events", loss->events);
            json_builder_end_object(json);
        }
    }
    json_builder_end_array(json);
    /* Where some streams tell and others not yet, or no more. */
    ss_json_begin_array(json, "ragged");
    for (guint t = 0; t < traces->len; t++) {
        const SsTraceInfo *trace = g_ptr_array_index(traces, t);
        json_builder_begin_object(json);
        ss_json_int(json, "trace", t);
        ss_json_time(json, report, "complete_t_ns", trace->complete_ns);
        ss_json_time(json, report, "ragged_t_ns", trace->ragged_ns);
        ss_json_int(json, "missing_streams", trace->missing);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

char *ss_html_more(const SsReport *report)
{
    JsonBuilder *json = json_builder_new();
    json_builder_begin_object(json);
    ss_json_bool(json, "has_lives", report->lives != NULL);
    ss_json_begin_array(json, "fields");
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        json_builder_add_string_value(json, fields[i]);
    }
    json_builder_end_array(json);
    add_owners(json, report);
    add_losses(json, report);
    ss_json_begin_array(json, "titles");
    for (guint i = 0; i < report->checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(report->checks->findings, i);
        json_builder_add_string_value(json, finding->title);
    }
    json_builder_end_array(json);
    return ss_json_end(json, false);
}

static void add_number(GString *out, guint64 value)
{
    const char *form = value > MAX_EXACT ? ",\"0x%" G_GINT64_MODIFIER "x\"" : ",%" G_GUINT64_FORMAT;
    g_string_append_printf(out, form, value);
}

static void add_time(GString *out, const SsReport *report, gint64 ns)
{
    if (ns) {
        g_string_append_printf(out, ",%" G_GINT64_FORMAT, ns - report->model->begin_ns);
    } else {
        g_string_append(out, ",null");
    }
}

/* The reason is one of the catalogue's words, or came from the trace, harmless. */
static void add_word(GString *out, const char *word)
{
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), word);
    g_autofree char *text = json_to_string(node, false);
    g_string_append_printf(out, ",%s", *word ? text : "null");
}

static void add_life(GString *out, const SsReport *report, const SsLife *life, guint owner)
{
    const gint64 times[] = {
        life->request_ns, life->reply_ns,   life->birth_ns,     life->added_ns,
        life->visible_ns, life->removed_ns, life->finalized_ns, life->closed_ns
    };
    g_string_append_printf(out, "[%u", owner);
    add_number(out, life->seq);
    add_number(out, life->shmid);
    add_number(out, life->shm_offset);
    add_number(out, life->len);
    g_string_append_printf(out, ",%d", life->fd);
    add_number(out, life->ino);
    if (life->details) {
        add_number(out, life->fd_offset);
    } else {
        g_string_append(out, ",null");
    }
    if (life->gpa == G_MAXUINT64) {
        g_string_append(out, ",null");
    } else {
        g_string_append_printf(out, ",\"0x%" G_GINT64_MODIFIER "x\"", life->gpa);
    }
    g_string_append(out, !life->details ? ",null" : life->writable ? ",true" : ",false");
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        add_time(out, report, times[i]);
    }
    add_word(out, life->reason);
    add_word(out, life->label ? life->label : "");
    g_string_append_c(out, ']');
}

char *ss_html_lives(const SsReport *report)
{
    g_autoptr(GHashTable) places = places_of(report, NULL);
    GString *out = g_string_new("[");
    for (guint i = 0; report->lives && i < report->lives->len; i++) {
        const SsLife *life = g_ptr_array_index(report->lives, i);
        Owner owner = { life->process, ss_life_device(life) };
        g_string_append(out, i ? ",\n" : "\n");
        add_life(out, report, life, GPOINTER_TO_UINT(g_hash_table_lookup(places, &owner)));
    }
    g_string_append(out, "]\n");
    return g_string_free(out, FALSE);
}
