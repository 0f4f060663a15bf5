/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where the files of a trace are, as its messages tell: source.ctf.fs names each stream by the
 * first of its files. Other sources give other names, or none.
 */
#pragma once

#include <babeltrace2/babeltrace.h>
#include <glib.h>

/* The path without links and dots, or as it is where it leads nowhere; the caller frees it. */
char *ss_origin_path(const char *path);
/* The directories of the streams' first files, of char * in order of name, without links; empty
 * when they are not known. The caller unrefs it. */
GPtrArray *ss_origin_directories(const bt_trace *trace);
/* Orders pointers to paths by name. */
gint ss_origin_compare(gconstpointer a, gconstpointer b);
