/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the files of the JSON renderer share among themselves.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "analysis/report/report.h"

/* json-write.c: a member of the object that is being built. NULL counts as "". */
void ss_json_string(JsonBuilder *json, const char *name, const char *value);
void ss_json_string_or_null(JsonBuilder *json, const char *name, const char *value);
void ss_json_int(JsonBuilder *json, const char *name, guint64 value);
void ss_json_signed(JsonBuilder *json, const char *name, gint64 value);
void ss_json_bool(JsonBuilder *json, const char *name, bool value);
void ss_json_hex(JsonBuilder *json, const char *name, guint64 value);
void ss_json_time(JsonBuilder *json, const SsReport *report, const char *name, gint64 ns);
void ss_json_begin_array(JsonBuilder *json, const char *name);
void ss_json_begin_object(JsonBuilder *json, const char *name);
/* Ends the outermost object. Takes the builder; the caller frees the text. */
char *ss_json_end(JsonBuilder *json_taken, bool pretty);

/* json.c: a document of that schema, with what all have; to be ended by ss_json_end(). */
JsonBuilder *ss_json_document(const SsReport *report, const char *schema);

/* json-records.c */
void ss_json_span(JsonBuilder *json, const char *name, const SsSpan *span);
/* "waits" of the whole recording, and "device_waits" of each device. */
void ss_json_waits(JsonBuilder *json, const SsReport *report);
/* "mappings", "descriptors" or "open_waits" of all processes, at most `limit` of them, and
 * their total. */
void ss_json_mappings(JsonBuilder *json, const SsReport *report, guint limit);
void ss_json_descriptors(JsonBuilder *json, const SsReport *report, guint limit);
void ss_json_open_waits(JsonBuilder *json, const SsReport *report, guint limit);

/* json-worth.c: "hazard" of a finding or null, and "worth" of the report. */
void ss_json_hazard(JsonBuilder *json, const SsHazard *hazard);
void ss_json_worth(JsonBuilder *json, const SsReport *report);

/* json-order.c: null without an order. */
void ss_json_order(JsonBuilder *json, const char *name, const SsOrder *order);
