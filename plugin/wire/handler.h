/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#pragma once

#include <stdbool.h>

/*
 * Whether the calling thread, the program's only one, may be in a signal handler: true as well
 * when it cannot be told. Keeps nothing of errno.
 */
bool ss_wire_in_handler(void);
