/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tests/analysis/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/wire/wire.h"

static void thread_free(gpointer data)
{
    SsFixtureThread *thread = data;
    g_free(thread->name);
    g_free(thread);
}

void ss_fixture_free(SsFixture *fixture)
{
    if (!fixture) {
        return;
    }
    g_free(fixture->path);
    g_free(fixture->host);
    g_array_unref(fixture->events);
    g_array_unref(fixture->losses);
    g_array_unref(fixture->tracers);
    g_array_unref(fixture->process_ends);
    g_ptr_array_unref(fixture->threads);
    g_ptr_array_unref(fixture->strings);
    g_free(fixture);
}

static gint64 to_ns(const char *seconds)
{
    return SS_FIXTURE_ORIGIN_NS + (gint64)(g_ascii_strtod(seconds, NULL) * 1e9 + 0.5);
}

static bool to_number(const char *text, guint64 *ret_value)
{
    char *end = NULL;
    errno = 0;
    *ret_value =
        *text == '-' ? (guint64)g_ascii_strtoll(text, &end, 0) : g_ascii_strtoull(text, &end, 0);
    return end != text && *end == '\0' && errno == 0;
}

static const char *keep(SsFixture *fixture, char *owned)
{
    g_ptr_array_add(fixture->strings, owned);
    return owned;
}

static char *unquote(const char *value)
{
    gsize length = strlen(value);
    if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
        g_autofree char *inner = g_strndup(value + 1, length - 2);
        return g_strcompress(inner);
    }
    return g_strdup(value);
}

static const SsEventInfo *find_event(const char *name)
{
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (g_str_equal(ss_catalogue_events[id].name, name)) {
            return &ss_catalogue_events[id];
        }
    }
    return NULL;
}

static const SsFieldInfo *find_field(const SsEventInfo *info, const char *name, gsize length)
{
    for (guint i = 0; i < info->n_fields; i++) {
        if (strlen(info->fields[i].name) == length &&
            strncmp(info->fields[i].name, name, length) == 0) {
            return &info->fields[i];
        }
    }
    return NULL;
}

/* "field=value" words, where a quoted value may hold blanks. */
static char *next_word(char **at)
{
    char *start = *at;
    while (*start == ' ') {
        start++;
    }
    if (!*start) {
        return NULL;
    }
    char *end = start;
    bool quoted = false;
    for (; *end && (quoted || *end != ' '); end++) {
        if (*end == '\\' && quoted && end[1]) {
            end++;
        } else if (*end == '"') {
            quoted = !quoted;
        }
    }
    *at = *end ? end + 1 : end;
    *end = '\0';
    return start;
}

static const char *name_of(const SsFixture *fixture, gint32 pid, gint32 tid)
{
    for (guint i = 0; i < fixture->threads->len; i++) {
        const SsFixtureThread *thread = g_ptr_array_index(fixture->threads, i);
        if (thread->pid == pid && thread->tid == tid) {
            return thread->name;
        }
    }
    return "qemu";
}

static const char *parse_event(SsFixture *fixture, char *line)
{
    char *at = line + 1;
    const char *time = next_word(&at);
    const char *pid = next_word(&at);
    const char *tid = next_word(&at);
    const char *name = next_word(&at);
    const SsEventInfo *info = name ? find_event(name) : NULL;
    if (!info) {
        return "no such event in the catalogue";
    }
    SsEvent event = { .id = info - ss_catalogue_events, .ns = to_ns(time) };
    event.pid = atoi(pid);
    event.tid = atoi(tid);
    event.procname = name_of(fixture, event.pid, event.tid);
    for (guint i = 0; i < info->n_fields; i++) {
        if (info->fields[i].type == SS_FIELD_STR) {
            *(const char **)((guint8 *)&event.u + info->fields[i].offset) = "";
        }
    }
    for (char *word = next_word(&at); word; word = next_word(&at)) {
        const char *equals = strchr(word, '=');
        const SsFieldInfo *field = equals ? find_field(info, word, equals - word) : NULL;
        guint64 value;
        if (!field) {
            return "no such field";
        }
        if (field->type == SS_FIELD_STR) {
            *(const char **)((guint8 *)&event.u + field->offset) =
                keep(fixture, unquote(equals + 1));
        } else if (to_number(equals + 1, &value)) {
            ss_event_set_integer(&event, field, value);
        } else {
            return "not a number";
        }
    }
    g_array_append_val(fixture->events, event);
    return NULL;
}

static const char *parse_not_recorded(SsFixture *fixture, char *at)
{
    for (const char *word = next_word(&at); word; word = next_word(&at)) {
        bool any = false;
        for (guint id = 0; id < SS_N_EVENTS; id++) {
            const SsEventInfo *info = &ss_catalogue_events[id];
            if (g_str_equal(info->name, word) ||
                g_str_equal(ss_catalogue_classes[info->event_class], word)) {
                fixture->recorded[id] = false;
                any = true;
            }
        }
        if (!any) {
            return "neither an event nor a class of the catalogue";
        }
    }
    return NULL;
}

static const char *parse_apart(SsFixture *fixture, char *at)
{
    const char *pid = next_word(&at);
    fixture->apart_pid = pid ? atoi(pid) : 0;
    for (const char *word = next_word(&at); word; word = next_word(&at)) {
        for (guint id = 0; id < SS_N_EVENTS; id++) {
            guint event_class = ss_catalogue_events[id].event_class;
            fixture->apart[id] |= g_str_equal(ss_catalogue_classes[event_class], word);
        }
    }
    return fixture->apart_pid ? NULL : "no process";
}

static const char *parse_header(SsFixture *fixture, char *line)
{
    char *at = line;
    const char *key = next_word(&at);
    if (g_str_equal(key, "recorded-apart")) {
        return parse_apart(fixture, at);
    }
    if (g_str_equal(key, "not-recorded")) {
        return parse_not_recorded(fixture, at);
    }
    const char *first = next_word(&at);
    const char *second = next_word(&at);
    const char *third = next_word(&at);
    const char *fourth = next_word(&at);
    if (g_str_equal(key, "host") && first) {
        g_free(fixture->host);
        fixture->host = unquote(first);
    } else if (g_str_equal(key, "thread") && third) {
        SsFixtureThread *thread = g_new0(SsFixtureThread, 1);
        thread->pid = atoi(first);
        thread->tid = atoi(second);
        thread->name = unquote(third);
        g_ptr_array_add(fixture->threads, thread);
    } else if (g_str_equal(key, "loss") && third) {
        SsLoss loss = { to_ns(first), to_ns(second), g_ascii_strtoull(third, NULL, 0) };
        g_array_append_val(fixture->losses, loss);
    } else if (g_str_equal(key, "tracer-begins") && second) {
        SsFixtureTracer tracer = { atoi(first), to_ns(second) };
        g_array_append_val(fixture->tracers, tracer);
    } else if (g_str_equal(key, "end") && first) {
        fixture->end_ns = to_ns(first);
    } else if (g_str_equal(key, "fd-limit") && second) {
        fixture->limit_pid = atoi(first);
        fixture->limit = g_ascii_strtoull(second, NULL, 0);
    } else if (g_str_equal(key, "process-end") && second) {
        SsFixtureEnd end = { .pid = atoi(first), .code = third ? atoi(third) : -1 };
        end.ns = fourth ? to_ns(fourth) : 0;
        end.end = g_str_equal(second, "alive")    ? SS_END_ALIVE
                  : g_str_equal(second, "exited") ? SS_END_EXITED
                                                  : SS_END_SIGNAL;
        g_array_append_val(fixture->process_ends, end);
    } else {
        return "not a line of a fixture";
    }
    return NULL;
}

SsFixture *ss_fixture_load(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error)) {
        return NULL;
    }
    g_autoptr(SsFixture) fixture = g_new0(SsFixture, 1);
    fixture->path = g_path_get_basename(path);
    fixture->host = g_strdup("host");
    fixture->events = g_array_new(FALSE, FALSE, sizeof(SsEvent));
    fixture->losses = g_array_new(FALSE, FALSE, sizeof(SsLoss));
    fixture->tracers = g_array_new(FALSE, FALSE, sizeof(SsFixtureTracer));
    fixture->process_ends = g_array_new(FALSE, FALSE, sizeof(SsFixtureEnd));
    fixture->threads = g_ptr_array_new_with_free_func(thread_free);
    fixture->strings = g_ptr_array_new_with_free_func(g_free);
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        fixture->recorded[id] = true;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        char *line = lines[i];
        if (!*line || *line == '#') {
            continue;
        }
        const char *why = *line == '+' ? parse_event(fixture, line) : parse_header(fixture, line);
        if (why) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: %s", path, i + 1, why);
            return NULL;
        }
    }
    return g_steal_pointer(&fixture);
}

static void feed_losses(const SsFixture *fixture, SsModel *model, guint *next, gint64 until_ns)
{
    for (; *next < fixture->losses->len; (*next)++) {
        const SsLoss *loss = &g_array_index(fixture->losses, SsLoss, *next);
        if (loss->begin_ns > until_ns) {
            return;
        }
        for (guint t = 0; t < model->traces->len; t++) {
            ss_model_add_loss(model, t, loss->begin_ns, loss->end_ns, t ? 0 : loss->events);
        }
    }
}

/* The recording that one process has of its own. */
static guint add_apart(const SsFixture *fixture, SsModel *model)
{
    guint trace = ss_model_add_trace(model, "apart", "00000000-0001", fixture->host);
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (fixture->apart[id]) {
            ss_model_set_recorded(model, trace, id);
        }
    }
    return trace;
}

static void feed_tracers(const SsFixture *fixture, SsModel *model, guint trace, guint *next,
                         gint64 until_ns)
{
    for (; *next < fixture->tracers->len; (*next)++) {
        const SsFixtureTracer *tracer = &g_array_index(fixture->tracers, SsFixtureTracer, *next);
        if (tracer->ns > until_ns) {
            return;
        }
        ss_model_tracer_begins(model, trace, tracer->pid, tracer->ns);
    }
}

void ss_fixture_feed(const SsFixture *fixture, SsModel *model)
{
    guint trace = ss_model_add_trace(model, fixture->path, "00000000-0000", fixture->host);
    guint apart = fixture->apart_pid ? add_apart(fixture, model) : trace;
    guint next_loss = 0, next_tracer = 0;
    g_autoptr(SsWire) wire = ss_wire_new(model);
    for (guint id = 0; id < SS_N_EVENTS; id++) {
        if (fixture->recorded[id]) {
            ss_model_set_recorded(model, trace, id);
        }
    }
    if (fixture->complete_ns) {
        ss_model_set_complete(model, trace, fixture->complete_ns, 0, 0);
    }
    if (fixture->limit) {
        ss_model_set_fd_limit(model, fixture->limit_pid, fixture->limit);
    }
    for (guint i = 0; i < fixture->process_ends->len; i++) {
        const SsFixtureEnd *end = &g_array_index(fixture->process_ends, SsFixtureEnd, i);
        ss_model_set_run_end(model, end->pid, end->end, end->code, end->ns);
    }
    for (guint i = 0; i < fixture->events->len; i++) {
        if ((i >= fixture->without_from && i < fixture->without_to) ||
            (fixture->dropped && fixture->dropped[i])) {
            continue;
        }
        SsEvent event = g_array_index(fixture->events, SsEvent, i);
        /* That a stream has ended is seen when it has. */
        if (fixture->ragged_ns && event.ns > fixture->ragged_ns) {
            ss_model_ragged(model, trace, fixture->ragged_ns);
        }
        bool own = fixture->apart_pid && event.pid == fixture->apart_pid;
        if (own ? !fixture->apart[event.id] : !fixture->recorded[event.id]) {
            continue; /* what is not recorded is not in the trace either */
        }
        event.trace = own ? apart : trace;
        feed_losses(fixture, model, &next_loss, event.ns);
        feed_tracers(fixture, model, trace, &next_tracer, event.ns);
        ss_wire_event(wire, &event);
    }
    feed_losses(fixture, model, &next_loss, G_MAXINT64);
    if (fixture->ragged_ns) {
        ss_model_ragged(model, trace, fixture->ragged_ns);
    }
    if (fixture->end_ns) {
        ss_model_reached(model, trace, fixture->end_ns);
        ss_model_reached(model, apart, fixture->end_ns);
    }
    ss_wire_finish(wire);
    ss_model_finish(model);
}
