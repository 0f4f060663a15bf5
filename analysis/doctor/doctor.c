/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/doctor/doctor.h"

#include "analysis/doctor/parts.h"
#include "analysis/model/text.h"

/* Longer names and commands help nobody. */
#define TEXT_MOST 2000

static const char *const names[SS_N_ABILITIES] = {
    [SS_ABILITY_TRACEPOINTS] = "tracepoints", [SS_ABILITY_WIRE] = "wire",
    [SS_ABILITY_BACKEND] = "backend",         [SS_ABILITY_NOW] = "now",
    [SS_ABILITY_REPORT] = "report",
};

const char *ss_ability_name(SsAbility ability)
{
    return ability < SS_N_ABILITIES ? names[ability] : NULL;
}

static void item_free(void *data)
{
    SsDoctorItem *item = data;

    g_free(item->text);
    g_free(item->mend);
    g_free(item);
}

static SsDoctorItem *add(SsDoctor *doctor, const char *area, const char *id, const char *format,
                         va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    SsDoctorItem *item = g_new0(SsDoctorItem, 1);

    item->area = area;
    item->id = id;
    item->text = ss_text_sanitize(text, TEXT_MOST);
    g_ptr_array_add(doctor->items, item);
    return item;
}

void ss_doctor_good(SsDoctor *doctor, const char *area, const char *id, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)add(doctor, area, id, format, arguments);
    va_end(arguments);
}

void ss_doctor_limit(SsDoctor *doctor, const char *area, const char *id, guint takes,
                     const char *only, char *mend, const char *format, ...)
{
    va_list arguments;
    SsDoctorItem *item;

    va_start(arguments, format);
    item = add(doctor, area, id, format, arguments);
    va_end(arguments);
    item->state = SS_ITEM_LIMIT;
    item->takes = takes;
    item->only = only;
    item->mend = mend ? ss_text_sanitize(mend, TEXT_MOST) : NULL;
    g_free(mend);
}

void ss_doctor_fails(SsDoctor *doctor, const char *area, const char *id, guint takes, char *mend,
                     const char *format, ...)
{
    va_list arguments;
    SsDoctorItem *item;

    va_start(arguments, format);
    item = add(doctor, area, id, format, arguments);
    va_end(arguments);
    item->state = SS_ITEM_FAILS;
    item->takes = takes;
    item->mend = mend ? ss_text_sanitize(mend, TEXT_MOST) : NULL;
    g_free(mend);
}

void ss_doctor_look(SsDoctor *doctor)
{
    doctor->items = g_ptr_array_new_with_free_func(item_free);
    ss_doctor_programs(doctor);
    ss_doctor_library(doctor);
    ss_doctor_confinement(doctor);
    ss_doctor_daemon(doctor);
    ss_doctor_room(doctor);
    ss_doctor_kernel(doctor);
    ss_doctor_running(doctor);
    ss_doctor_reading(doctor);
}

void ss_doctor_clear(SsDoctor *doctor)
{
    g_clear_pointer(&doctor->items, g_ptr_array_unref);
}

SsVerdict ss_doctor_verdict(const SsDoctor *doctor, SsAbility ability, const char **ret_why)
{
    SsVerdict verdict = SS_VERDICT_YES;

    *ret_why = NULL;
    for (guint i = 0; i < doctor->items->len; i++) {
        const SsDoctorItem *item = g_ptr_array_index(doctor->items, i);

        if (!(item->takes & SS_BIT(ability))) {
            continue;
        }
        if (item->state == SS_ITEM_FAILS && verdict != SS_VERDICT_NO) {
            verdict = SS_VERDICT_NO;
            *ret_why = NULL;
        } else if (item->state == SS_ITEM_LIMIT && item->only && verdict == SS_VERDICT_YES) {
            verdict = SS_VERDICT_LIMITED;
            *ret_why = item->only;
        }
    }
    return verdict;
}

bool ss_doctor_well(const SsDoctor *doctor)
{
    const char *why;

    for (guint ability = 0; ability < SS_N_ABILITIES; ability++) {
        if ((doctor->asked & SS_BIT(ability)) &&
            ss_doctor_verdict(doctor, ability, &why) == SS_VERDICT_NO) {
            return false;
        }
    }
    return true;
}
