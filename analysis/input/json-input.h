/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * JSON that somebody else has written: evidence, records of runs, command lines.
 */
#pragma once

#include <json-glib/json-glib.h>

/* The object that the `length` bytes of `data` are. Owned; NULL with an error that says what is
 * wrong, in UTF-8. The parser of json-glib alone would take several values in a row, and lose (and
 * leak) all but the last; of members of one name the last; comments; and as many levels as the
 * stack bears. None of that is taken here. */
JsonNode *ss_json_input(const char *data, gsize length, GError **error);
