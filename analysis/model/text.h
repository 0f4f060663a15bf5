/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Strings of a trace come from guests' owners and foreign processes.
 */
#pragma once

#include <glib.h>

/* A copy that no terminal, log or page can take for anything but text: control, format
 * and private characters and broken UTF-8 appear as \xNN or \u{N}. At most `max_bytes`
 * of the input are taken, with "..." after them when there is more; 0 is no limit.
 * NULL gives "". */
char *ss_text_sanitize(const char *text, gsize max_bytes);
