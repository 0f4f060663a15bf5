/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reports in the formats of other tools; each returns text that the caller frees.
 */
#pragma once

#include "analysis/report/report.h"

/* SARIF 2.1.0, for viewers of analysis results. */
char *ss_report_sarif(const SsReport *report);
/* JUnit's XML, for what runs tests: a check is a test, and fails by what is at least suspected. */
char *ss_report_junit(const SsReport *report);
/* Chrome's trace events, for Perfetto; of a report with lives. */
char *ss_report_chrome(const SsReport *report);
/* A page for a browser, in one file that asks for nothing else; of a report with lives, or without.
 */
char *ss_report_html(const SsReport *report);
