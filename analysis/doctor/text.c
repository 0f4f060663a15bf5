/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict first, then what is in the way with what mends it, then limits, then the rest. */
#include <string.h>

#include "analysis/doctor/doctor.h"
#include "analysis/report/layout.h"

#define AREA_COLUMNS 12

static const char *const questions[SS_N_ABILITIES] = {
    [SS_ABILITY_TRACEPOINTS] = "record a patched QEMU, from inside",
    [SS_ABILITY_WIRE] = "record any QEMU, through the wire library",
    [SS_ABILITY_BACKEND] = "record this back-end, through the wire library",
    [SS_ABILITY_NOW] = "look at a VM that hangs, without a recording",
    [SS_ABILITY_REPORT] = "read recordings",
};

static const char *const headings[SS_N_ITEM_STATES] = {
    [SS_ITEM_FAILS] = "In the way:",
    [SS_ITEM_LIMIT] = "To be known:",
    [SS_ITEM_GOOD] = "As it should be:",
};

static const char *question(const SsDoctor *doctor, SsAbility ability)
{
    if (ability == SS_ABILITY_TRACEPOINTS && doctor->qemu) {
        return "record this QEMU, from inside";
    }
    if (ability == SS_ABILITY_WIRE && doctor->qemu) {
        return "record this QEMU, through the wire library";
    }
    return questions[ability];
}

static void add_verdict(GString *out, const SsDoctor *doctor)
{
    g_string_append(out, "This host can:\n");
    for (guint ability = 0; ability < SS_N_ABILITIES; ability++) {
        g_autofree char *line = NULL;
        const char *why;
        SsVerdict verdict = ss_doctor_verdict(doctor, ability, &why);

        /* Of any back-end it is the same as of any QEMU. */
        if (ability == SS_ABILITY_BACKEND && !doctor->backend) {
            continue;
        }
        line = g_strdup_printf("  %s: %s", question(doctor, ability),
                               verdict == SS_VERDICT_YES  ? "yes"
                               : verdict == SS_VERDICT_NO ? "NO"
                                                          : why);
        ss_text_wrap(out, 0, 6, line);
    }
}

static void add_item(GString *out, const SsDoctorItem *item)
{
    g_string_append(out, "  ");
    ss_text_cell(out, item->area, AREA_COLUMNS, true);
    g_string_append_c(out, ' ');
    ss_text_wrap(out, AREA_COLUMNS + 3, AREA_COLUMNS + 3, item->text);
    if (item->mend) {
        /* Not broken into lines: it is to be copied. */
        g_string_append_printf(out, "%*s%s\n", AREA_COLUMNS + 3, "-> ", item->mend);
    }
}

char *ss_doctor_text(const SsDoctor *doctor)
{
    GString *out = g_string_new(NULL);

    add_verdict(out, doctor);
    for (int state = SS_N_ITEM_STATES - 1; state >= 0; state--) {
        gboolean begun = FALSE;

        for (guint i = 0; i < doctor->items->len; i++) {
            const SsDoctorItem *item = g_ptr_array_index(doctor->items, i);

            if ((int)item->state != state) {
                continue;
            }
            if (!begun) {
                g_string_append_printf(out, "\n%s\n", headings[state]);
                begun = TRUE;
            }
            add_item(out, item);
        }
    }
    return g_string_free(out, FALSE);
}
