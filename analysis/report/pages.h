/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The pages of docs/findings, as they were when this was built.
 */
#pragma once

typedef struct SsPage {
    const char *id; /* of the check; NULL ends them */
    const char *text;
} SsPage;

extern const SsPage ss_pages[];
