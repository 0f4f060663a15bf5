/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is the same of the same trouble in another run, or of another build: no number of a
 * process, thread, descriptor or address, no time, and no directory. Those that are equal in one
 * report are numbered.
 */
#include <string.h>

#include "analysis/report/fingerprint.h"

static const char *const units[] = {
    "ns", "us", "ms", "s", "min", "h", "d", "byte", "bytes", "B", "KiB", "MiB", "GiB", "TiB",
};

static bool is_unit(const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        if (g_str_equal(word, units[i])) {
            return true;
        }
    }
    return false;
}

static char *bare(const char *word)
{
    gsize length = strlen(word);
    while (length && !g_ascii_isalnum(word[length - 1]) && word[length - 1] > 0) {
        length--;
    }
    while (length && !g_ascii_isalnum(*word) && *word > 0) {
        word++;
        length--;
    }
    return g_strndup(word, length);
}

/* "4 mappings are" is "1 mapping is". */
static const char *singular(char *word, bool counted)
{
    gsize length = strlen(word);
    if (g_str_equal(word, "are")) {
        return "is";
    }
    if (g_str_equal(word, "were")) {
        return "was";
    }
    if (counted && length > 2 && word[length - 1] == 's') {
        word[length - 1] = '\0';
    }
    return word;
}

/* The words of a sentence that are no numbers, nor of one: neither units nor places. */
static void add_words(GString *text, const char *sentence)
{
    g_auto(GStrv) words = g_strsplit_set(sentence, " \t\n", -1);
    bool counted = false;
    g_string_append_c(text, '\n');
    for (char **each = words; *each; each++) {
        g_autofree char *word = bare(*each);
        bool number = strpbrk(word, "0123456789") != NULL;
        if (*word && !number && !(counted && is_unit(word)) && !strchr(word, '/')) {
            g_string_append_printf(text, "%s ", singular(word, counted));
        }
        counted = number;
    }
}

/* Of a device without an id its chardev, which from outside is the path of a socket. */
static char *device_name(const SsFinding *finding)
{
    if (!finding->has_device) {
        return g_strdup("");
    }
    return *finding->device_id ? g_strdup(finding->device_id)
                               : g_path_get_basename(finding->chardev);
}

static void add_order(GString *text, const SsOrder *order)
{
    for (guint i = 0; i < order->steps->len; i++) {
        const SsOrderStep *step = &g_array_index(order->steps, SsOrderStep, i);
        g_autofree char *request = ss_order_request_text(step);
        g_string_append_printf(text, "\n%d %s", (int)step->kind, request ? request : "");
    }
}

char *ss_fingerprint(const SsFinding *finding)
{
    g_autofree char *device = device_name(finding);
    g_autoptr(GString) text = g_string_new(finding->id);
    g_string_append_printf(text, "\n%s\n%u", device, finding->virtio_id);
    if (finding->order) {
        add_order(text, finding->order);
    } else if (finding->hazard) {
        g_string_append_printf(text, "\n%u|%s|%u", finding->hazard->frontend_request,
                               finding->hazard->inside, finding->hazard->backend_request);
    } else if (finding->place) {
        g_string_append_printf(text, "\n%s|%s", finding->place,
                               finding->place_reason ? finding->place_reason : "");
    } else {
        add_words(text, finding->summary);
    }
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, -1);
}

char *ss_fingerprint_number(GHashTable *seen, char *sum_taken)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(seen, sum_taken)) + 1;
    char *numbered = number > 1 ? g_strdup_printf("%s:%u", sum_taken, number) : g_strdup(sum_taken);
    g_hash_table_replace(seen, sum_taken, GUINT_TO_POINTER(number));
    return numbered;
}
