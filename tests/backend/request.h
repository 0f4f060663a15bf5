/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and numbers of the vhost-user protocol, from its specification, that do not depend
 * on the version of libvhost-user the back-end is built with.
 */
#pragma once

#include <stdint.h>

/* Requests of the front-end are numbered below this. */
#define SS_REQUEST_MAX 64

enum {
    SS_BACKEND_SHMEM_MAP = 9,
    SS_BACKEND_SHMEM_UNMAP = 10,
};

/* "SET_MEM_TABLE" for 5; NULL for a number that has no name. The string is static. */
const char *ss_request_name(uint32_t request);

/* The number of a front-end request by its name, 0 when there is none. */
uint32_t ss_request_number(const char *name);
