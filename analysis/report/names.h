/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The protocol's own names. Results are static.
 */
#pragma once

#include "analysis/model/types.h"

/* NULL when the specification has no such request. */
const char *ss_backend_request_name(guint32 request);
const char *ss_frontend_request_name(guint32 request);
/* "SHMEM_MAP" or "request 77"; the caller frees it. */
char *ss_backend_request_text(guint32 request);
char *ss_frontend_request_text(guint32 request);
