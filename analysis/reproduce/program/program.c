/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All parts of a reproduction, in their order. `shmemscope waits --reproduce` writes them into
 * one file, with what it makes of a finding in the place of order.h.
 */
#include "base.c"

#include "order-types.c"

#include "order.h"

#include "vhost-user.c"

#include "qemu.c"

#include "guest.c"

#include "play.c"
