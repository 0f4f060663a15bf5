/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/fuzz/bytes.h"

#include <string.h>

#include "analysis/wire/wire.h"

#define AT_FIELDS 3
G_STATIC_ASSERT(AT_FIELDS + SS_MAX_FIELDS <= SS_FUZZ_RECORD);

#define FIRST_PID 100
#define NO_EVENT 0xff

/* Records that are no events. */
enum {
    WHAT_LOSS = 250,
    WHAT_REACHED,
    WHAT_RUN_END,
    WHAT_COMPLETE,
    WHAT_TRACE,
    WHAT_NOTHING
};

static const char *const words[] = {
    "",
    "qemu",
    "unmap",
    "reset",
    "unrealize",
    "web-17",
    "dev0",
    "vu0",
    "no-map",
    "\033[31m",
    "\xff\xfe",
    "\xe2\x80\xae",
    "out-of-range",
    "no-region",
    "overlap",
    "a very long word that no column was made for, and more",
};

static const gint64 origins[] = { SS_FIXTURE_ORIGIN_NS, 1, G_MININT64, G_MAXINT64 - 1000 };

/* which[byte]: the event of that byte, or NO_EVENT. */
static const guint8 *events_by_byte(void)
{
    static guint8 which[256];
    static gsize known;
    if (g_once_init_enter(&known)) {
        memset(which, NO_EVENT, sizeof(which));
        for (guint id = 0; id < SS_N_EVENTS; id++) {
            guint at = g_str_hash(ss_catalogue_events[id].name) % WHAT_LOSS;
            while (which[at] != NO_EVENT) {
                at = (at + 1) % WHAT_LOSS;
            }
            which[at] = (guint8)id;
        }
        g_once_init_leave(&known, 1);
    }
    return which;
}

static guint64 number_of(guint8 byte)
{
    static const guint64 last[] = { G_MAXINT64,  G_MAXINT64 + G_GUINT64_CONSTANT(1),
                                    G_MAXUINT32, G_MAXINT32,
                                    1000,        1000000 };
    if (byte < 0x80) {
        return byte;
    }
    if (byte < 0xc0) {
        return G_GUINT64_CONSTANT(1) << (byte - 0x80);
    }
    if (byte < 0xe8) {
        return (guint64) - (gint64)(byte - 0xc0 + 1);
    }
    guint special = byte - 0xe8;
    return special < G_N_ELEMENTS(last) ? last[special] : 0x3000u * (special - 3);
}

/* What travels as an address; few, and none is another's neighbour. */
static guint64 pointer_of(guint8 byte)
{
    return byte ? G_GUINT64_CONSTANT(0x7f0000000000) + byte * G_GUINT64_CONSTANT(0x1000) : 0;
}

static guint64 value_of(guint8 byte, SsFieldType type)
{
    return type == SS_FIELD_PTR ? pointer_of(byte) : number_of(byte);
}

/* From 1 ns to 18 minutes, in quarters of a power of two; at times backwards. */
static gint64 time_of(guint8 byte)
{
    if (byte >= 0xf0) {
        return -((gint64)1 << ((byte - 0xf0) * 2));
    }
    return byte < 0xa0 ? ((gint64)(4 + byte % 4) << (byte / 4)) / 4 : 0;
}

/* The time after a step, without leaving what a time can be. */
static gint64 later(gint64 ns, gint64 step)
{
    gint64 sum;
    return __builtin_add_overflow(ns, step, &sum) ? ns : sum;
}

static SsEvent event_of(const guint8 *record, guint8 id, guint n_traces, gint64 ns)
{
    guint8 who = record[2];
    const SsEventInfo *info = &ss_catalogue_events[id];
    SsEvent event = { .id = id, .ns = ns, .trace = (who >> 4 & 3) % n_traces };
    event.pid = FIRST_PID * (1 + (who & 3));
    event.tid = event.pid + (who >> 2 & 3);
    event.procname = who >> 6 ? words[(who >> 6) + (who & 3)] : NULL;
    for (guint i = 0; i < info->n_fields; i++) {
        const SsFieldInfo *field = &info->fields[i];
        guint8 byte = record[AT_FIELDS + i];
        if (field->type == SS_FIELD_STR) {
            const char **at = (gpointer)((guint8 *)&event.u + field->offset);
            *at = words[byte % G_N_ELEMENTS(words)];
        } else {
            ss_event_set_integer(&event, field, value_of(byte, field->type));
        }
    }
    return event;
}

static void take_other(SsModel *model, const guint8 *record, guint *n_traces, gint64 ns)
{
    guint trace = (record[2] >> 4 & 3) % *n_traces;
    gint64 to = later(ns, time_of(record[3]));
    switch (record[0]) {
    case WHAT_LOSS:
        ss_model_add_loss(model, trace, ns, record[5] & 1 ? G_MAXINT64 : to, number_of(record[4]));
        break;
    case WHAT_REACHED:
        ss_model_reached(model, trace, to);
        break;
    case WHAT_RUN_END:
        ss_model_set_run_end(model, FIRST_PID * (1 + (record[2] & 3)),
                             SS_END_ALIVE + record[4] % (SS_END_SIGNAL - SS_END_ALIVE + 1),
                             (gint32)number_of(record[5]), record[6] & 1 ? 0 : to);
        break;
    case WHAT_COMPLETE:
        ss_model_set_complete(model, trace, record[4] & 1 ? ns : 0, record[4] & 2 ? to : 0,
                              record[5] & 3);
        break;
    case WHAT_TRACE:
        if (*n_traces < 3) {
            guint added = ss_model_add_trace(model, "more", words[record[4] % 8],
                                             record[5] & 1 ? "host" : words[record[5] % 16]);
            for (guint id = 0; id < SS_N_EVENTS; id++) {
                if (!(record[6] & 1) || ss_model_trace(model, 0)->recorded[id]) {
                    ss_model_set_recorded(model, added, id);
                }
            }
            (*n_traces)++;
        }
        break;
    default:
        break;
    }
}

guint64 ss_fuzz_feed(const guint8 *data, gsize size, SsModel *model)
{
    const guint8 *which = events_by_byte();
    guint n_traces = 1;
    g_autoptr(SsWire) wire = ss_wire_new(model);
    guint trace = ss_model_add_trace(model, "bytes", "00000000-0000", "host");
    guint left_out = size >= SS_FUZZ_RECORD ? data[0] | (guint)data[1] << 8 : 0;
    gint64 ns = size >= SS_FUZZ_RECORD ? origins[data[2] % G_N_ELEMENTS(origins)] : 0;
    bool out[SS_N_CLASSES];
    for (guint class = 0; class < SS_N_CLASSES; class ++) {
        out[class] = left_out >> class & 1;
    }
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (!out[ss_catalogue_events[id].event_class]) {
            ss_model_set_recorded(model, trace, id);
        }
    }
    guint64 events = 0;
    for (gsize at = SS_FUZZ_RECORD; at + SS_FUZZ_RECORD <= size; at += SS_FUZZ_RECORD) {
        const guint8 *record = data + at;
        ns = later(ns, time_of(record[1]));
        guint8 id = record[0] < WHAT_LOSS ? which[record[0]] : NO_EVENT;
        if (id == NO_EVENT) {
            take_other(model, record, &n_traces, ns);
        } else if (!out[ss_catalogue_events[id].event_class]) {
            SsEvent event = event_of(record, id, n_traces, ns);
            ss_wire_event(wire, &event);
            events++;
        }
    }
    ss_wire_finish(wire);
    ss_model_finish(model);
    return events;
}

static guint8 byte_of_number(guint64 value)
{
    guint8 best = 0;
    for (guint byte = 0; byte < 256; byte++) {
        guint64 by_this = number_of((guint8)byte), by_best = number_of(best);
        guint64 off = MAX(by_this, value) - MIN(by_this, value);
        if (off < MAX(by_best, value) - MIN(by_best, value)) {
            best = (guint8)byte;
        }
    }
    return best;
}

static guint8 byte_of_time(gint64 step)
{
    guint8 best = 0;
    for (guint byte = 0; byte < 256; byte++) {
        if (ABS(time_of((guint8)byte) - step) < ABS(time_of(best) - step)) {
            best = (guint8)byte;
        }
    }
    return best;
}

static guint8 byte_of_word(const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(words[i], word)) {
            return (guint8)i;
        }
    }
    return (guint8)(g_str_hash(word) % G_N_ELEMENTS(words));
}

/* The same small number for the same value, in order of appearance, from `first` on. */
static guint8 numbered(GHashTable *known, guint64 value, guint first)
{
    gpointer number = g_hash_table_lookup(known, &value);
    if (!number) {
        number = GUINT_TO_POINTER(first + g_hash_table_size(known));
        g_hash_table_insert(known, g_memdup2(&value, sizeof(value)), number);
    }
    return (guint8)GPOINTER_TO_UINT(number);
}

static guint64 get_integer(const SsEvent *event, const SsFieldInfo *field)
{
    gconstpointer at = (const guint8 *)&event->u + field->offset;
    switch (field->type) {
    case SS_FIELD_U8:
        return *(const guint8 *)at;
    case SS_FIELD_U16:
        return *(const guint16 *)at;
    case SS_FIELD_U32:
        return *(const guint32 *)at;
    case SS_FIELD_I32:
        return (guint64)(gint64) * (const gint32 *)at;
    case SS_FIELD_STR:
        return 0;
    default:
        return *(const guint64 *)at;
    }
}

static guint8 byte_of_event(SsEventId id)
{
    const guint8 *which = events_by_byte();
    guint byte = 0;
    while (which[byte] != id) {
        byte++;
    }
    return (guint8)byte;
}

/* Those that begin until then; the number of the next one. */
static guint encode_losses(GByteArray *bytes, const SsFixture *fixture, guint next, gint64 until_ns,
                           gint64 *ns)
{
    for (; next < fixture->losses->len; next++) {
        const SsLoss *loss = &g_array_index(fixture->losses, SsLoss, next);
        guint8 record[SS_FUZZ_RECORD] = { WHAT_LOSS, byte_of_time(loss->begin_ns - *ns) };
        if (loss->begin_ns > until_ns) {
            break;
        }
        *ns = later(*ns, time_of(record[1]));
        record[3] = byte_of_time(loss->end_ns - loss->begin_ns);
        record[4] = byte_of_number(loss->events);
        g_byte_array_append(bytes, record, sizeof(record));
    }
    return next;
}

GByteArray *ss_fuzz_encode(const SsFixture *fixture)
{
    g_autoptr(GHashTable) pointers =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GHashTable) pids = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    GByteArray *bytes = g_byte_array_new();
    guint8 record[SS_FUZZ_RECORD] = { 0 };
    gint64 ns = SS_FIXTURE_ORIGIN_NS;
    for (guint class = 0; class < SS_N_CLASSES; class ++) {
        bool any = false;
        for (guint id = 0; id < SS_N_EVENTS; id++) {
            any |= ss_catalogue_events[id].event_class == class && fixture->recorded[id];
        }
        record[class / 8] |= (guint8)(!any << class % 8);
    }
    record[3] = (guint8)(g_str_hash(fixture->path) >> 5);
    g_byte_array_append(bytes, record, sizeof(record));
    guint next_loss = 0;
    for (guint i = 0; i < fixture->events->len; i++) {
        const SsEvent *event = &g_array_index(fixture->events, SsEvent, i);
        const SsEventInfo *info = &ss_catalogue_events[event->id];
        next_loss = encode_losses(bytes, fixture, next_loss, event->ns, &ns);
        memset(record, 0, sizeof(record));
        record[0] = byte_of_event(event->id);
        record[1] = byte_of_time(event->ns - ns);
        ns = later(ns, time_of(record[1]));
        record[2] = (guint8)(numbered(pids, (guint64)event->pid, 0) % 4 | 1 << 6 |
                             MIN(ABS(event->tid - event->pid), 3) << 2);
        for (guint f = 0; f < info->n_fields; f++) {
            const SsFieldInfo *field = &info->fields[f];
            guint8 *byte = &record[AT_FIELDS + f];
            guint64 value = get_integer(event, field);
            if (field->type == SS_FIELD_STR) {
                *byte =
                    byte_of_word(*(const char *const *)((const guint8 *)&event->u + field->offset));
            } else if (field->type == SS_FIELD_PTR) {
                *byte = value ? numbered(pointers, value, 1) : 0;
            } else {
                *byte = byte_of_number(value);
            }
        }
        g_byte_array_append(bytes, record, sizeof(record));
    }
    for (guint i = 0; i < fixture->process_ends->len; i++) {
        const SsFixtureEnd *end = &g_array_index(fixture->process_ends, SsFixtureEnd, i);
        memset(record, 0, sizeof(record));
        record[0] = WHAT_RUN_END;
        record[2] = numbered(pids, (guint64)end->pid, 0) % 4;
        record[4] = (guint8)(end->end - SS_END_ALIVE);
        record[5] = byte_of_number((guint64)end->code);
        record[6] = !end->ns;
        g_byte_array_append(bytes, record, sizeof(record));
    }
    return bytes;
}
