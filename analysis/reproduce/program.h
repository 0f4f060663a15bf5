/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parts of a reproduction that are the same in all of them: see program/program.c.
 */
#pragma once

extern const char ss_program_head[]; /* up to the types an order is made of */
extern const char ss_program_tail[]; /* what plays it */
