/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "watch.h"

void ss_wire_watch_wanted(void)
{
}

void ss_wire_watch_wait(void)
{
}

void ss_wire_watch_forked(void)
{
}

void ss_wire_watch_dump(void)
{
}
