/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ---- what an order of messages is made of ----------------------------------------------- */

enum kind {
    START,            /* QEMU begins to start the back-end, */
    STOP,             /* or to stop it, */
    RESET,            /* to reset the device, */
    UNREALIZE,        /* to unplug it */
    READ,             /* QEMU reads the back-end's request `number` */
    REPLY,            /* and has sent its reply */
    COMMIT,           /* QEMU begins the memory commit that this request caused */
    FRONTEND_REQUEST, /* QEMU sends a request on the main channel */
    FRONTEND_WAITS,   /* and waits for its reply */
    BACKEND_REQUEST,  /* the back-end sends a request on the back-end channel */
    BACKEND_WAITS,    /* and waits for its reply */
};

/* A part of a shared memory region, and of the file it is mapped from; in bytes. */
struct range {
    uint8_t shmid;
    bool writable;
    uint64_t offset; /* in the region */
    uint64_t length;
    uint64_t fd_offset; /* in the file */
    uint64_t file_size;
};

struct region {
    uint8_t shmid;
    uint64_t size;
};

struct device {
    const char *name;
    unsigned virtio_id;
    uint64_t features;
    uint64_t protocol_features;
    bool started; /* before the first step */
    unsigned region_count;
    const struct region *regions;
    unsigned mapped_count;
    const struct range *mapped; /* before the first step */
};

struct step {
    enum kind kind;
    unsigned device;
    uint32_t request;
    unsigned number; /* of a back-end request: counted from 1 */
    bool need_reply;
    struct range range;
};
