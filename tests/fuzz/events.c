/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fuzzer: any events in any order, through the model, all checks and all renderers.
 */
#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/report.h"
#include "analysis/reproduce/reproduce.h"
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/fuzz.h"

/* In the head of the bytes. */
#define AT_RENDERER 3

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "fuzz-events: %s\n", what);
        abort();
    }
}

static bool is_text(const char *text)
{
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c != '\n' && g_unichar_iscntrl(c)) {
            return false;
        }
    }
    return true;
}

/* All of them would be most of what is done: the input says which. */
static void render(const SsReport *report, guint which)
{
    static char *(*const renderers[])(const SsReport *) = {
        ss_report_text, ss_report_json, ss_mappings_text, ss_mappings_json,
        ss_fds_text,    ss_fds_json,    ss_waits_text,    ss_waits_json,
    };
    g_autofree char *text = renderers[which % G_N_ELEMENTS(renderers)](report);
    must(g_utf8_validate(text, -1, NULL) && is_text(text), "what is rendered is no text");
    if (which & 1) {
        g_autoptr(JsonParser) parser = json_parser_new();
        must(json_parser_load_from_data(parser, text, -1, NULL), "what is rendered is no JSON");
    }
}

static void reproduce(const SsChecks *checks)
{
    for (guint i = 0; i < checks->findings->len; i++) {
        const SsFinding *finding = g_ptr_array_index(checks->findings, i);
        if (finding->order) {
            g_autoptr(GError) error = NULL;
            g_autofree char *program = ss_reproduce_program(finding, &error);
            must(program || error, "neither a program nor a reason");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SsModel) model = ss_model_new();
    g_autoptr(SsChecks) checks = ss_checks_new(model);
    guint64 events = ss_fuzz_feed(data, size, model);
    ss_checks_finish(checks);
    must(model->events == events, "events are missing");
    SsReport report = { .model = model, .checks = checks, .version = "test" };
    render(&report, size > AT_RENDERER ? data[AT_RENDERER] : 0);
    reproduce(checks);
    return 0;
}

/* Moves, repeats and drops whole records; changes within one are the library's. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    gsize n = size / SS_FUZZ_RECORD, most = max_size / SS_FUZZ_RECORD;
    if (n < 2) {
        size = LLVMFuzzerMutate(data, size, max_size);
        return MAX(size, MIN(max_size, SS_FUZZ_RECORD * 2));
    }
    guint8 *from = data + (1 + seed / 16 % (n - 1)) * SS_FUZZ_RECORD;
    guint8 *to = data + (1 + seed / 1009 % (n - 1)) * SS_FUZZ_RECORD;
    guint8 *end = data + n * SS_FUZZ_RECORD;
    guint8 kept[SS_FUZZ_RECORD];
    memcpy(kept, from, sizeof(kept));
    switch (seed % 16) {
    case 0: /* drop */
        if (n > 2) {
            memmove(from, from + SS_FUZZ_RECORD, (gsize)(end - from) - SS_FUZZ_RECORD);
            n--;
        }
        break;
    case 1:
    case 2: /* repeat elsewhere, perhaps a little changed */
        if (n < most) {
            memmove(to + SS_FUZZ_RECORD, to, (gsize)(end - to));
            memcpy(to, kept, sizeof(kept));
            n++;
        }
        if (seed % 16 == 2) {
            (void)LLVMFuzzerMutate(to, SS_FUZZ_RECORD, SS_FUZZ_RECORD);
        }
        break;
    case 3: /* swap */
        memcpy(from, to, sizeof(kept));
        memcpy(to, kept, sizeof(kept));
        break;
    case 4: /* one value from another record: what meets */
        to[3 + seed / 7 % 10] = from[3 + seed / 77 % 10];
        break;
    case 5: /* cut */
        n = MAX(2, (gsize)(from - data) / SS_FUZZ_RECORD);
        break;
    case 6: /* the head */
        (void)LLVMFuzzerMutate(data, AT_RENDERER + 1, AT_RENDERER + 1);
        break;
    case 7: /* another time */
        from[1] = (guint8)(seed >> 24);
        break;
    default:
        (void)LLVMFuzzerMutate(from, SS_FUZZ_RECORD, SS_FUZZ_RECORD);
        break;
    }
    return n * SS_FUZZ_RECORD;
}

/* The begin of one, the rest of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned int seed)
{
    gsize of_a = a_size / SS_FUZZ_RECORD, of_b = b_size / SS_FUZZ_RECORD;
    gsize first = of_a ? seed % of_a + 1 : 0, second = of_b ? seed / 991 % of_b : 0;
    gsize bytes_a = MIN(first * SS_FUZZ_RECORD, max_size);
    gsize bytes_b = MIN(second * SS_FUZZ_RECORD, max_size - bytes_a);
    memcpy(out, a, bytes_a);
    memcpy(out + bytes_a, b + (of_b - second) * SS_FUZZ_RECORD, bytes_b);
    return bytes_a + bytes_b;
}
