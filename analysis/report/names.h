/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The protocol's own names, and those of devices.
 */
#pragma once

#include "analysis/model/types.h"

/* NULL when the specification has no such request. */
const char *ss_backend_request_name(guint32 request);
const char *ss_frontend_request_name(guint32 request);
/* "SHMEM_MAP" or "request 77"; the caller frees it. */
char *ss_backend_request_text(guint32 request);
char *ss_frontend_request_text(guint32 request);
/* The same of a kind of waits, where 0 stands for all that are none of the protocol's. */
char *ss_wait_kind_text(guint32 request);
/* The device's id, or what else is known of it; the caller frees it. */
char *ss_device_text(const char *id, const char *chardev, guint64 dev, guint64 vdev);
/* The same as it is called elsewhere: without the word before that of a chardev. */
char *ss_device_name(const char *id, const char *chardev, guint64 dev, guint64 vdev);
/* The device's name in at most so many columns: another one of the process is never called
 * the same, unless it has the same name. NULL gives "?"; the caller frees it. */
char *ss_device_label(const SsDevice *device, guint columns);
