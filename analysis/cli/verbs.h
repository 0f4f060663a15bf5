/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The verbs: argv[0] is the verb. Each returns the tool's exit status.
 */
#pragma once

enum {
    SS_EXIT_CLEAN = 0,    /* nothing found */
    SS_EXIT_FINDINGS = 1, /* findings at or above --fail-on */
    SS_EXIT_USAGE = 2,
    SS_EXIT_TRACE = 3, /* the trace cannot be read */
};

int ss_verb_record(int argc, char **argv);
int ss_verb_now(int argc, char **argv);
int ss_verb_report(int argc, char **argv);
int ss_verb_mappings(int argc, char **argv);
int ss_verb_fds(int argc, char **argv);
int ss_verb_waits(int argc, char **argv);
int ss_verb_why(int argc, char **argv);
int ss_verb_doctor(int argc, char **argv);
