/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the page is made of.
 */
#pragma once

#include "analysis/report/report.h"

/* Of analysis/report/page, put together at build time; the data stands between the two. */
extern const char ss_page_begin[], ss_page_end[];

/* html-data.c: what the page needs and JSON does not have, as JSON; the caller frees each. */
/* Losses, titles of the findings, and whose the lives are. */
char *ss_html_more(const SsReport *report);
/* Of each life an array, its members in the order of "fields" of the other. */
char *ss_html_lives(const SsReport *report);
