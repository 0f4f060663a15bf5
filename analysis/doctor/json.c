/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same as JSON; doctor.schema.json is its contract. */
#include <json-glib/json-glib.h>

#include "analysis/doctor/doctor.h"
#include "analysis/report/json.h"

static const char *const verdicts[] = {
    [SS_VERDICT_YES] = "yes",
    [SS_VERDICT_LIMITED] = "limited",
    [SS_VERDICT_NO] = "no",
};

static const char *const states[SS_N_ITEM_STATES] = {
    [SS_ITEM_GOOD] = "good",
    [SS_ITEM_LIMIT] = "limit",
    [SS_ITEM_FAILS] = "fails",
};

static void add_verdicts(JsonBuilder *json, const SsDoctor *doctor)
{
    ss_json_begin_object(json, "can");
    for (guint ability = 0; ability < SS_N_ABILITIES; ability++) {
        const char *why;
        SsVerdict verdict = ss_doctor_verdict(doctor, ability, &why);

        ss_json_begin_object(json, ss_ability_name(ability));
        ss_json_string(json, "verdict", verdicts[verdict]);
        ss_json_string_or_null(json, "limited_to", why);
        ss_json_bool(json, "asked", doctor->asked & SS_BIT(ability));
        json_builder_end_object(json);
    }
    json_builder_end_object(json);
}

static void add_item(JsonBuilder *json, const SsDoctorItem *item)
{
    json_builder_begin_object(json);
    ss_json_string(json, "area", item->area);
    ss_json_string(json, "id", item->id);
    ss_json_string(json, "state", states[item->state]);
    ss_json_begin_array(json, "affects");
    for (guint ability = 0; ability < SS_N_ABILITIES; ability++) {
        if (item->takes & SS_BIT(ability)) {
            json_builder_add_string_value(json, ss_ability_name(ability));
        }
    }
    json_builder_end_array(json);
    ss_json_string(json, "text", item->text);
    ss_json_string_or_null(json, "mend", item->mend);
    json_builder_end_object(json);
}

char *ss_doctor_json(const SsDoctor *doctor)
{
    g_autoptr(JsonBuilder) json = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_object(json);
    ss_json_string(json, "schema", "shmemscope-doctor");
    ss_json_string(json, "schema_version", "1.0");
    ss_json_string(json, "tool_version", SS_VERSION);
    ss_json_bool(json, "well", ss_doctor_well(doctor));
    add_verdicts(json, doctor);
    ss_json_begin_array(json, "items");
    for (guint i = 0; i < doctor->items->len; i++) {
        add_item(json, g_ptr_array_index(doctor->items, i));
    }
    json_builder_end_array(json);
    json_builder_end_object(json);
    root = json_builder_get_root(json);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}
