/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "analysis/checks/selection.h"

#include <string.h>

#include "analysis/model/text.h"

/* Of what somebody gave. */
#define MAX_WORD 100
#define MAX_SECONDS (G_GINT64_CONSTANT(1) << 32)
/* A time that is given as it was shown is rounded. */
#define ROUNDED_NS (SS_NS_PER_S / 1000)

static GQuark selection_error_quark(void)
{
    return g_quark_from_static_string("ss-selection-error");
}

static gboolean refuse(GError **error, const char *what, const char *word, const char *why)
{
    g_autofree char *harmless = ss_text_sanitize(word, MAX_WORD);
    g_set_error(error, selection_error_quark(), 0, "Cannot select: %s=\"%s\": %s", what, harmless,
                why);
    return FALSE;
}

static const SsCheck *check_of(const char *id)
{
    for (const SsCheck *const *check = ss_all_checks; *check; check++) {
        if (g_str_equal((*check)->id, id)) {
            return *check;
        }
    }
    return NULL;
}

gboolean ss_selection_checks(SsSelection *selection, char **taken, GError **error)
{
    g_auto(GStrv) words = taken;
    if (!words) {
        return TRUE;
    }
    g_autofree char *joined = g_strjoinv(",", words);
    g_clear_pointer(&selection->checks, g_strfreev);
    selection->checks = g_strsplit(joined, ",", -1);
    for (char **id = selection->checks; *id; id++) {
        if (!check_of(g_strstrip(*id))) {
            return refuse(error, "check", *id, "there is none of that name");
        }
    }
    return TRUE;
}

/* Digits, and up to nine behind a point. */
static bool parse_seconds(const char *text, gint64 *ret_ns)
{
    gint64 seconds = 0, unit = SS_NS_PER_S, rest = 0;
    const char *at = text;
    for (; g_ascii_isdigit(*at); at++) {
        seconds = seconds * 10 + (*at - '0');
        if (seconds > MAX_SECONDS) {
            return false;
        }
    }
    bool any = at > text;
    if (*at == '.') {
        for (at++; g_ascii_isdigit(*at); at++) {
            any = true;
            unit /= 10;
            rest += unit * (*at - '0');
        }
    }
    if (*at || !any) {
        return false;
    }
    *ret_ns = seconds * SS_NS_PER_S + rest;
    return true;
}

gboolean ss_moment_parse(SsMoment *moment, const char *name, const char *text, GError **error)
{
    gint64 ns;
    if (!text) {
        return TRUE;
    }
    if (parse_seconds(text + (*text == '@'), &ns)) {
        *moment = (SsMoment){ .given = true, .absolute = *text == '@', .ns = ns };
        return TRUE;
    }
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(text, zone);
    gint64 seconds = date ? g_date_time_to_unix(date) : -1;
    if (seconds >= 0 && seconds <= MAX_SECONDS) {
        ns = seconds * SS_NS_PER_S + (gint64)g_date_time_get_microsecond(date) * 1000;
        *moment = (SsMoment){ .given = true, .absolute = true, .ns = ns };
        return TRUE;
    }
    return refuse(error, name, text,
                  "it takes seconds after the first event, @SECONDS since the epoch, or a date and "
                  "time like 2026-01-31T12:00:00Z");
}

/* As somebody may give it; the caller frees it. */
static char *moment_text(const SsMoment *moment)
{
    gint64 left = moment->ns % SS_NS_PER_S;
    const char *at = moment->absolute ? "@" : "";
    char *text = g_strdup_printf("%s%" G_GINT64_FORMAT ".%09" G_GINT64_FORMAT, at,
                                 moment->ns / SS_NS_PER_S, ABS(left));
    for (gsize end = strlen(text); text[end - 1] == '0' || text[end - 1] == '.'; end--) {
        bool point = text[end - 1] == '.';
        text[end - 1] = '\0';
        if (point) {
            break;
        }
    }
    return text;
}

gboolean ss_moment_inside(const SsMoment *moment, const char *name, const SsModel *model,
                          GError **error)
{
    gint64 end_ns = model->begin_ns;
    g_autofree char *text = moment_text(moment);
    if (!model->begin_ns) {
        return !moment->absolute || /* else it is the first event of none */
               refuse(error, name, text, "the recording has no event up to then");
    }
    for (guint t = 0; t < model->traces->len; t++) {
        end_ns = MAX(end_ns, ss_model_trace(model, t)->end_ns);
    }
    if (ss_moment_ns(moment, model->begin_ns) > end_ns + ROUNDED_NS) {
        g_autofree char *why = g_strdup_printf("the recording ends at %.6f s",
                                               (double)(end_ns - model->begin_ns) / SS_NS_PER_S);
        return refuse(error, name, text, why);
    }
    return TRUE;
}

gint64 ss_moment_ns(const SsMoment *moment, gint64 first_ns)
{
    return moment->absolute ? moment->ns : first_ns + moment->ns;
}

bool ss_selection_any(const SsSelection *selection)
{
    return selection->checks || selection->devices || selection->vms || selection->begin.given ||
           selection->end.given;
}

gboolean ss_selection_order(const SsSelection *selection, gint64 first_ns, GError **error)
{
    const SsMoment *begin = &selection->begin, *end = &selection->end;
    if (!begin->given || !end->given || (begin->absolute != end->absolute && !first_ns) ||
        ss_moment_ns(begin, first_ns) <= ss_moment_ns(end, first_ns)) {
        return TRUE;
    }
    g_autofree char *text = moment_text(begin);
    g_autofree char *end_text = moment_text(end);
    g_autofree char *why = g_strdup_printf("it is after the end, \"%s\"", end_text);
    return refuse(error, "begin", text, why);
}

static bool is_device(const char *word, const char *id, const char *chardev)
{
    return g_str_equal(word, *id ? id : chardev);
}

static bool any_device(char **words, const char *id, const char *chardev)
{
    for (; *words; words++) {
        if (is_device(*words, id, chardev)) {
            return true;
        }
    }
    return false;
}

static bool has_device(const SsProcess *process, const char *word)
{
    for (guint d = 0; d < process->devices->len; d++) {
        const SsDevice *device = g_ptr_array_index(process->devices, d);
        if (!device->absorbed && is_device(word, device->id, device->chardev)) {
            return true;
        }
    }
    for (guint i = 0; process->peers && i < process->peers->len; i++) {
        const SsPeer *peer = g_ptr_array_index(process->peers, i);
        if (peer->device && is_device(word, peer->device->id, peer->device->chardev)) {
            return true;
        }
    }
    return false;
}

/* The VM itself, or a back-end that is joined to it. */
static bool of_vm(const SsProcess *process, const char *word)
{
    if (g_str_equal(word, process->vm)) {
        return true;
    }
    for (guint i = 0; process->peers && i < process->peers->len; i++) {
        const SsPeer *peer = g_ptr_array_index(process->peers, i);
        if (peer->device && g_str_equal(word, peer->device->process->vm)) {
            return true;
        }
    }
    return false;
}

static bool any_process(char **words, const SsProcess *process,
                        bool (*is)(const SsProcess *process, const char *word))
{
    for (; *words; words++) {
        if (is(process, *words)) {
            return true;
        }
    }
    return false;
}

/* The first of the words that no process has; NULL when there is none. */
static const char *nowhere(const SsModel *model, char **words,
                           bool (*is)(const SsProcess *process, const char *word))
{
    for (; words && *words; words++) {
        bool found = false;
        for (guint p = 0; p < model->processes->len && !found; p++) {
            found = is(g_ptr_array_index(model->processes, p), *words);
        }
        if (!found) {
            return *words;
        }
    }
    return NULL;
}

bool ss_selection_wants(const SsSelection *selection, const SsProcess *process,
                        const SsDevice *device)
{
    return (!selection->vms || any_process(selection->vms, process, of_vm)) &&
           (!selection->devices ||
            (device && any_device(selection->devices, device->id, device->chardev)));
}

static bool wanted(const SsSelection *selection, const SsModel *model, const SsFinding *finding)
{
    if (selection->checks &&
        !g_strv_contains((const char *const *)selection->checks, finding->id)) {
        return false;
    }
    if (!finding->has_process) {
        return true; /* what a check cannot decide it cannot decide of these either */
    }
    if (selection->begin.given &&
        finding->last_ns < ss_moment_ns(&selection->begin, model->begin_ns)) {
        return false;
    }
    const SsProcess *process = ss_finding_process(model, finding);
    if (selection->vms && !any_process(selection->vms, process, of_vm)) {
        return false;
    }
    if (!selection->devices) {
        return true;
    }
    /* What is found of a process, and of no device, may be the device's. */
    return finding->has_device
               ? any_device(selection->devices, finding->device_id, finding->chardev)
               : any_process(selection->devices, process, has_device);
}

static void choose_checks(const SsSelection *selection, SsChecks *checks)
{
    const char *const *ids = (const char *const *)selection->checks;
    for (guint i = checks->undecided->len; ids && i > 0; i--) {
        const SsUndecided *undecided = g_ptr_array_index(checks->undecided, i - 1);
        if (!g_strv_contains(ids, undecided->check)) {
            (void)g_ptr_array_remove_index(checks->undecided, i - 1);
        }
    }
    GPtrArray *const lists[] = { checks->left_out, checks->not_here, checks->alone };
    for (guint l = 0; ids && l < G_N_ELEMENTS(lists); l++) {
        for (guint i = lists[l]->len; i > 0; i--) {
            if (!g_strv_contains(ids, g_ptr_array_index(lists[l], i - 1))) {
                (void)g_ptr_array_remove_index(lists[l], i - 1);
            }
        }
    }
    for (const SsCheck *const *check = ss_all_checks; ids && *check; check++) {
        if (!g_strv_contains(ids, (*check)->id)) {
            g_ptr_array_add(checks->not_asked, (gpointer)(*check)->id);
        }
    }
}

gboolean ss_selection_apply(SsSelection *selection, SsChecks *checks, GError **error)
{
    const SsModel *model = checks->model;
    if (!ss_selection_order(selection, model->begin_ns, error) ||
        (selection->end.given && !model->begin_ns &&
         !ss_moment_inside(&selection->end, "end", model, error))) {
        return FALSE;
    }
    /* What came later was not read. */
    const char *none = selection->end.given ? "there was none of that name by then"
                                            : "the recording has none of that name";
    const char *unknown = nowhere(model, selection->devices, has_device);
    if (unknown) {
        return refuse(error, "device", unknown, none);
    }
    unknown = nowhere(model, selection->vms, of_vm);
    if (unknown) {
        return refuse(error, "vm", unknown, none);
    }
    choose_checks(selection, checks);
    for (guint i = checks->findings->len; i > 0; i--) {
        if (!wanted(selection, model, g_ptr_array_index(checks->findings, i - 1))) {
            (void)g_ptr_array_remove_index(checks->findings, i - 1);
            selection->left_out++;
        }
    }
    return TRUE;
}

static void add_words(GString *text, const char *what, char **words)
{
    if (words) {
        g_autofree char *joined = g_strjoinv(", ", words);
        g_autofree char *harmless = ss_text_sanitize(joined, 0);
        g_string_append_printf(text, "%s%s %s", text->len ? ", " : "", what, harmless);
    }
}

char *ss_selection_text(const SsSelection *selection, const SsModel *model)
{
    GString *text = g_string_new(NULL);
    add_words(text, "by", selection->checks);
    add_words(text, "of device", selection->devices);
    add_words(text, "of vm", selection->vms);
    if (selection->begin.given) {
        gint64 ns = ss_moment_ns(&selection->begin, model->begin_ns) - model->begin_ns;
        g_string_append_printf(text, "%sthat last beyond %.6f s", text->len ? ", " : "",
                               (double)ns / SS_NS_PER_S);
    }
    if (selection->end.given) {
        gint64 ns = ss_moment_ns(&selection->end, model->begin_ns) - model->begin_ns;
        g_string_append_printf(text, "%sas it was at %.6f s", text->len ? ", " : "",
                               (double)ns / SS_NS_PER_S);
    }
    return g_string_free(text, FALSE);
}

void ss_selection_clear(SsSelection *selection)
{
    g_clear_pointer(&selection->checks, g_strfreev);
    g_clear_pointer(&selection->devices, g_strfreev);
    g_clear_pointer(&selection->vms, g_strfreev);
}
