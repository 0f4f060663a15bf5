/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which socketpair() a descriptor that is sent belongs to.
 */
#include "conn.h"
#include "file.h"

#define PAIRS 256u

static struct {
    uint64_t ino[2];
    int fd[2];
} pairs[PAIRS];
static uint32_t next_pair;

void ss_wire_pair(int one, int other)
{
    SsWireIdentity ends[2];
    if (!ss_wire_identify(one, &ends[0]) || !ss_wire_identify(other, &ends[1])) {
        return;
    }
    uint32_t at = next_pair++ % PAIRS;
    for (int i = 0; i < 2; i++) {
        pairs[at].ino[i] = ends[i].ino;
        pairs[at].fd[i] = i ? other : one;
    }
}

int ss_wire_pair_of(uint64_t ino)
{
    for (uint32_t at = 0; at < PAIRS; at++) {
        for (int i = 0; i < 2; i++) {
            SsWireIdentity now;
            if (pairs[at].ino[i] == ino && ino && ss_wire_identify(pairs[at].fd[!i], &now) &&
                now.ino == pairs[at].ino[!i]) {
                return pairs[at].fd[!i];
            }
        }
    }
    return -1;
}
