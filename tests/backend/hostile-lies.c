/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hostile-lies.h"

#include "channel.h"

#include <string.h>

#define SET_MEM_TABLE 5
#define ADD_MEM_REG 37
#define REM_MEM_REG 38
/* Where the driver's guest has RAM; the window lies above. */
#define RAM_END (UINT64_C(64) * 1024 * 1024)
/* One answer in so many is false. */
#define ODDS 8

struct SsHostileLies {
    GRand *random; /* owned */
    uint64_t told;
    gboolean stopped;
};

typedef struct {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
} Header;

typedef struct {
    Header header;
    uint8_t payload[256];
} Answer;

SsHostileLies *ss_hostile_lies_new(uint64_t seed)
{
    SsHostileLies *lies = g_new0(SsHostileLies, 1);

    lies->random = g_rand_new_with_seed((guint32)seed);
    return lies;
}

void ss_hostile_lies_free(SsHostileLies *lies)
{
    if (lies == NULL) {
        return;
    }
    g_rand_free(lies->random);
    g_free(lies);
}

static void falsify(SsHostileLies *lies, Answer *answer)
{
    switch (g_rand_int_range(lies->random, 0, 5)) {
    case 0: /* refused */
        answer->payload[0] = 1;
        break;
    case 1: /* to another request */
        answer->header.request = (uint32_t)g_rand_int_range(lies->random, 0, 64);
        break;
    case 2: /* too long */
        answer->header.size = (uint32_t)g_rand_int_range(lies->random, 9, sizeof(answer->payload));
        break;
    case 3: /* too short */
        answer->header.size = (uint32_t)g_rand_int_range(lies->random, 0, 8);
        break;
    default: /* no reply by its flags; the front-end reads no payload after those */
        answer->header.flags = g_rand_int(lies->random) & ~SS_CHANNEL_REPLY;
        answer->header.size = 0;
        break;
    }
    lies->told++;
}

/* Guest address, size, user address, offset: of a memory region on the wire. */
#define REGION_SIZE (4 * sizeof(uint64_t))

/* Whether a request of the front-end is about the window; `message` has all of it. */
static gboolean is_about_window(const Header *header, const uint8_t *message)
{
    const uint8_t *region = message + sizeof(*header) + sizeof(uint64_t);
    uint32_t count = 1;

    if (header->request == SET_MEM_TABLE) {
        memcpy(&count, message + sizeof(*header), sizeof(count));
    } else if (header->request != ADD_MEM_REG && header->request != REM_MEM_REG) {
        return FALSE;
    }
    for (uint32_t i = 0; sizeof(uint64_t) + (i + 1) * REGION_SIZE <= header->size && i < count;
         i++) {
        uint64_t address;

        memcpy(&address, region + i * REGION_SIZE, sizeof(address));
        if (address >= RAM_END) {
            return TRUE;
        }
    }
    return FALSE;
}

gboolean ss_hostile_lies_answer(int sock, const uint8_t *message, size_t length, void *data)
{
    SsHostileLies *lies = data;
    uint8_t payload[512];
    Answer answer = { 0 };
    Header asked;

    memcpy(&asked, message, sizeof(asked));
    if (asked.size > sizeof(payload) || length < sizeof(asked) + asked.size ||
        !is_about_window(&asked, message)) {
        return FALSE;
    }
    (void)ss_channel_read_bytes(sock, &asked, sizeof(asked), NULL);
    (void)ss_channel_read_bytes(sock, payload, asked.size, NULL);
    if ((asked.flags & SS_CHANNEL_NEED_REPLY) == 0) {
        return TRUE;
    }
    answer.header = (Header){
        .request = asked.request,
        .flags = SS_CHANNEL_VERSION | SS_CHANNEL_REPLY,
        .size = sizeof(uint64_t),
    };
    if (!lies->stopped && g_rand_int_range(lies->random, 0, ODDS) == 0) {
        falsify(lies, &answer);
    }
    (void)ss_channel_send_bytes(sock, (const uint8_t *)&answer, sizeof(Header) + answer.header.size,
                                NULL, 0, NULL);
    return TRUE;
}

void ss_hostile_lies_stop(SsHostileLies *lies)
{
    lies->stopped = TRUE;
}

uint64_t ss_hostile_lies_told(const SsHostileLies *lies)
{
    return lies->told;
}
