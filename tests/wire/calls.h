/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A program that makes both ends of vhost-user channels itself, by each call there is, and writes
 * down what a recording of it must tell: one event a line, NAME FIELD=VALUE ...
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/wire/stream.h"

/* An event that comes next. Fields that are left out may be anything. */
__attribute__((format(printf, 1, 2))) void expect(const char *format, ...);

/* Ends the program unless @good; errno is part of what is said. */
void must(bool good, const char *what);
#define MUST(expression) must(expression, #expression)

/* Two ends of a main channel. */
typedef struct Pair {
    int front;
    int back;
    int front_conn;
    int back_conn;
    int front_seq; /* sent by the front-end */
    int back_seq;
} Pair;

/* A pair whose front-end has sent GET_FEATURES and got the answer, REPLY_ACK negotiated. */
Pair open_channel(void);
void close_channel(Pair *pair);

/* A back-end channel of it. */
Pair open_backend_channel(Pair *main);

/* Sends or receives a whole message by write() and read(), and expects it. */
void send_message(Pair *pair, bool front, uint32_t request, uint32_t flags, const void *payload,
                  uint32_t size, const int *fds, uint32_t n_fds);
/* Returns the first descriptor that came, -1 without one. */
int receive_message(Pair *pair, bool front, uint32_t request, uint32_t flags, uint32_t size,
                    uint32_t n_fds);

/* Lets @pair's back-end receive a memfd of @size bytes with the message; the number it gets. */
int receive_memfd(Pair *pair, size_t size);

/* "fdev=... ino=..." of a descriptor; valid until the next call but three. */
const char *identity(int fd);

typedef struct Act {
    const char *name;
    void (*run)(void);
} Act;

extern const Act message_acts[];
extern const Act descriptor_acts[];
extern const Act memory_acts[];
extern const Act unseen_acts[];
extern const Act wait_acts[];
extern const Act note_acts[];
