/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * many EVENTS LIVE: tells of a healthy QEMU through LTTng-UST, by a provider generated from the
 * catalogue: LIVE mappings are made, then as often as it takes to come to EVENTS the oldest is
 * unmapped and another one mapped. What QEMU has two threads for is told by two: the main loop,
 * and RCU, which ends the mappings, ten at a time. It first prints its pid and reads a line; at
 * last it prints the number of events it told and of mappings that are live.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <glib.h>

#include "replay.h"

#define DEV G_GUINT64_CONSTANT(0x555500001000)
#define VDEV G_GUINT64_CONSTANT(0x555500002000)
#define LEN G_GUINT64_CONSTANT(0x1000)
#define RECEIVED_FD 15
#define FIRST_FD 20
#define BATCH 10
#define SET_MEM_TABLE 5
#define ADD_MEM_REG 37
#define REM_MEM_REG 38
#define MAP 9
#define UNMAP 10

typedef struct Teller {
    guint64 events, wanted;
    guint64 backend_seq, frontend_seq;
    guint64 places; /* where mappings can be; the oldest makes place for the next */
    guint64 made, removed;
    guint64 ended; /* by RCU */
    GMutex lock;
    GCond turn;
    bool rcu, done;
} Teller;

static guint64 pointer_of(const Teller *teller, guint64 number)
{
    return G_GUINT64_CONSTANT(0x555600000000) + number % teller->places * 0x180;
}

static guint64 offset_of(const Teller *teller, guint64 number)
{
    return number % teller->places * LEN;
}

static guint64 host_of(const Teller *teller, guint64 number)
{
    return G_GUINT64_CONSTANT(0x7f0000000000) + offset_of(teller, number);
}

static gint32 fd_of(const Teller *teller, guint64 number)
{
    return FIRST_FD + (gint32)(number % teller->places);
}

#define TELL(teller, ID, name, ...) tell(teller, ID, &(SsEventPayload){ .name = { __VA_ARGS__ } })

static void tell(Teller *teller, SsEventId id, const SsEventPayload *u)
{
    ss_replay_event(id, u);
    teller->events++;
}

static void front_end_request(Teller *teller, guint32 request)
{
    guint64 seq = ++teller->frontend_seq;
    TELL(teller, SS_EVENT_VHOST_USER_REQUEST, vhost_user_request, .dev = DEV, .seq = seq,
         .request = request, .flags = 9, .size = 40, .fds = 1);
    TELL(teller, SS_EVENT_VHOST_USER_REPLY_READ, vhost_user_reply_read, .dev = DEV, .seq = seq,
         .request = request);
}

static void commit(Teller *teller, guint32 request)
{
    TELL(teller, SS_EVENT_MEMORY_COMMIT_START, memory_commit_start, .pending = 1);
    front_end_request(teller, request);
    TELL(teller, SS_EVENT_MEMORY_COMMIT_END, memory_commit_end, .pending = 1);
}

static void begin(Teller *teller)
{
    TELL(teller, SS_EVENT_VHOST_USER_CHANNEL_OPEN, vhost_user_channel_open, .dev = DEV,
         .chardev = "vu0", .fd = 11);
    TELL(teller, SS_EVENT_VHOST_USER_BACKEND_CHANNEL_OPEN, vhost_user_backend_channel_open,
         .dev = DEV, .fd = 12);
    TELL(teller, SS_EVENT_VIRTIO_SHMEM_REGION, virtio_shmem_region, .vdev = VDEV,
         .size = teller->places * LEN);
    TELL(teller, SS_EVENT_VHOST_USER_START, vhost_user_start, .dev = DEV, .vdev = VDEV);
    front_end_request(teller, SET_MEM_TABLE);
    TELL(teller, SS_EVENT_VHOST_USER_START, vhost_user_start, .dev = DEV, .vdev = VDEV, .phase = 1);
    TELL(teller, SS_EVENT_VHOST_USER_DEVICE, vhost_user_device, .dev = DEV, .vdev = VDEV,
         .vm = "many", .id = "dev0", .virtio_id = 26, .chardev = "vu0", .features = 0x170000000,
         .protocol_features = 0x40ee2b, .started = 1);
}

static void request(Teller *teller, guint32 request, guint64 number)
{
    TELL(teller, SS_EVENT_VHOST_USER_BACKEND_SHMEM, vhost_user_backend_shmem, .dev = DEV,
         .seq = ++teller->backend_seq, .request = request, .header_flags = 9, .fds = request == MAP,
         .shm_offset = offset_of(teller, number), .len = LEN, .flags = request == MAP);
}

static void reply(Teller *teller, guint32 request)
{
    TELL(teller, SS_EVENT_VHOST_USER_BACKEND_REPLY, vhost_user_backend_reply, .dev = DEV,
         .seq = teller->backend_seq, .request = request);
}

static void dispatched(Teller *teller, guint32 request)
{
    TELL(teller, SS_EVENT_VHOST_USER_BACKEND_DISPATCHED, vhost_user_backend_dispatched, .dev = DEV,
         .seq = teller->backend_seq, .request = request);
}

static void map(Teller *teller)
{
    guint64 number = teller->made++;
    guint64 pointer = pointer_of(teller, number);
    request(teller, MAP, number);
    TELL(teller, SS_EVENT_VHOST_USER_BACKEND_FD, vhost_user_backend_fd, .dev = DEV,
         .seq = teller->backend_seq, .fd = RECEIVED_FD, .fdev = 1, .ino = 1000 + number,
         .size = LEN);
    TELL(teller, SS_EVENT_VIRTIO_SHMEM_FD_DUP, virtio_shmem_fd_dup, .mapping = pointer,
         .fd = RECEIVED_FD, .newfd = fd_of(teller, number));
    TELL(teller, SS_EVENT_VIRTIO_SHMEM_MAPPING_ADDED, virtio_shmem_mapping_added,
         .mapping = pointer, .vdev = VDEV, .shm_offset = offset_of(teller, number), .len = LEN,
         .writable = 1, .fd = fd_of(teller, number), .host = host_of(teller, number),
         .gpa = G_GUINT64_CONSTANT(0x800000000) + offset_of(teller, number));
    reply(teller, MAP);
    commit(teller, ADD_MEM_REG);
    TELL(teller, SS_EVENT_VHOST_USER_BACKEND_FD_CLOSE, vhost_user_backend_fd_close, .dev = DEV,
         .seq = teller->backend_seq, .fd = RECEIVED_FD);
    dispatched(teller, MAP);
}

static void unmap(Teller *teller)
{
    guint64 number = teller->removed++;
    request(teller, UNMAP, number);
    reply(teller, UNMAP);
    TELL(teller, SS_EVENT_VIRTIO_SHMEM_MAPPING_REMOVED, virtio_shmem_mapping_removed,
         .mapping = pointer_of(teller, number), .vdev = VDEV,
         .shm_offset = offset_of(teller, number), .len = LEN, .fd = fd_of(teller, number),
         .reason = "unmap");
    commit(teller, REM_MEM_REG);
    dispatched(teller, UNMAP);
}

static void end_mapping(Teller *teller)
{
    guint64 number = teller->ended++;
    TELL(teller, SS_EVENT_VIRTIO_SHMEM_MAPPING_FINALIZED, virtio_shmem_mapping_finalized,
         .mapping = pointer_of(teller, number), .vdev = VDEV,
         .shm_offset = offset_of(teller, number), .len = LEN, .fd = fd_of(teller, number));
    TELL(teller, SS_EVENT_RAM_BLOCK_RECLAIMED, ram_block_reclaimed, .host = host_of(teller, number),
         .len = LEN, .fd = fd_of(teller, number));
}

static gpointer rcu_main(gpointer data)
{
    Teller *teller = data;
    (void)pthread_setname_np(pthread_self(), "rcu");
    g_mutex_lock(&teller->lock);
    while (!teller->done) {
        if (!teller->rcu) {
            g_cond_wait(&teller->turn, &teller->lock);
            continue;
        }
        while (teller->ended < teller->removed) {
            end_mapping(teller);
        }
        teller->rcu = false;
        g_cond_broadcast(&teller->turn);
    }
    g_mutex_unlock(&teller->lock);
    return NULL;
}

/* The other thread ends what was removed; it is waited for. */
static void let_rcu_run(Teller *teller)
{
    teller->rcu = true;
    g_cond_broadcast(&teller->turn);
    while (teller->rcu) {
        g_cond_wait(&teller->turn, &teller->lock);
    }
}

int main(int argc, char **argv)
{
    Teller teller = { .wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 0 };
    guint64 live = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (!teller.wanted || !live || live > 1000000) {
        (void)fprintf(stderr, "Usage: many EVENTS LIVE\n");
        return 2;
    }
    teller.places = live + BATCH;
    g_mutex_init(&teller.lock);
    g_cond_init(&teller.turn);
    (void)printf("%d\n", getpid());
    if (fflush(stdout) != 0 || getchar() == EOF) {
        return 2;
    }
    GThread *rcu = g_thread_new("rcu", rcu_main, &teller);
    g_mutex_lock(&teller.lock);
    begin(&teller);
    while (teller.made < live) {
        map(&teller);
    }
    while (teller.events < teller.wanted) {
        for (guint i = 0; i < BATCH; i++) {
            unmap(&teller);
            map(&teller);
        }
        let_rcu_run(&teller);
    }
    teller.done = true;
    g_cond_broadcast(&teller.turn);
    g_mutex_unlock(&teller.lock);
    (void)g_thread_join(rcu);
    (void)printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", teller.events,
                 teller.made - teller.removed);
    return 0;
}
