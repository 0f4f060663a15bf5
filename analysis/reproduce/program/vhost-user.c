/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ---- the back-end: what the vhost-user specification has it say ------------------------- */

#define FLAG_VERSION 1u
#define FLAG_REPLY (1u << 2)
#define FLAG_NEED_REPLY (1u << 3)

/* Requests of the front-end that are answered with more than "done". */
enum {
    GET_FEATURES = 1,
    GET_VRING_BASE = 11,
    GET_PROTOCOL_FEATURES = 15,
    GET_QUEUE_NUM = 17,
    SET_BACKEND_REQ_FD = 21,
    GET_CONFIG = 24,
    GET_MAX_MEM_SLOTS = 36,
    ADD_MEM_REG = 37,
    SET_STATUS = 39,
    GET_STATUS = 40,
    GET_SHMEM_CONFIG = 44,
};

/* Requests of the back-end that have a payload made here. */
enum {
    SHMEM_MAP = 9,
    SHMEM_UNMAP = 10,
};

#define MAP_WRITABLE 1u
#define MEM_SLOTS 509
#define MAX_REGIONS 256
#define MAX_FDS 32

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* bytes of payload */
};

struct shmem_config {
    uint32_t nregions;
    uint32_t padding;
    uint64_t sizes[MAX_REGIONS]; /* bytes */
};

struct shmem_payload {
    uint8_t shmid;
    uint8_t padding[7];
    uint64_t fd_offset;
    uint64_t shm_offset;
    uint64_t len;
    uint64_t flags;
};

struct backend {
    int main_fd;     /* the front-end asks here */
    int channel_fd;  /* the back-end asks here; -1 until the front-end has handed it over */
    uint8_t status;  /* as SET_STATUS last told */
    bool holds;      /* it leaves what the front-end asks where it is */
    bool asked;      /* a request of the back-end was sent, and its reply has not come */
    uint32_t asking; /* which */
};

static struct backend backends[DEVICE_COUNT];

static const char *name_of(const char *const *names, size_t count, uint32_t request)
{
    return request < count && names[request] != NULL ? names[request] : "UNKNOWN";
}

static const char *front_end_name(uint32_t request)
{
    return name_of(front_end_names, sizeof(front_end_names) / sizeof(char *), request);
}

static const char *back_end_name(uint32_t request)
{
    return name_of(back_end_names, sizeof(back_end_names) / sizeof(char *), request);
}

static void receive_all(int fd, void *data, size_t size)
{
    char *place = data;

    while (size > 0) {
        ssize_t got = recv(fd, place, size, MSG_WAITALL);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            channel_closed("a vhost-user channel");
        }
        if (got > 0) {
            place += got;
            size -= (size_t)got;
        }
    }
}

/* Reads a header and the descriptors that come with it; returns how many these are. */
static int receive_header(int fd, struct header *header, int *fds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        struct cmsghdr align;
    } control;
    struct iovec part = { header, sizeof(*header) };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    ssize_t got;
    int count = 0;

    do {
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        channel_closed("a vhost-user channel");
    }
    for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of != NULL;
         part_of = CMSG_NXTHDR(&message, part_of)) {
        if (part_of->cmsg_level == SOL_SOCKET && part_of->cmsg_type == SCM_RIGHTS) {
            count = (int)((part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(part_of), sizeof(int) * (size_t)count);
        }
    }
    receive_all(fd, (char *)header + got, sizeof(*header) - (size_t)got);
    return count;
}

static void send_message(int fd, const struct header *header, const void *payload, int with_fd,
                         const char *whose)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec parts[] = { { (void *)header, sizeof(*header) },
                             { (void *)payload, header->size } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

    if (with_fd >= 0) {
        struct cmsghdr *part;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(part), &with_fd, sizeof(int));
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)(sizeof(*header) + header->size)) {
        channel_closed(whose);
    }
}

static uint32_t make_config(const struct device *device, struct shmem_config *config)
{
    memset(config, 0, sizeof(*config));
    for (unsigned i = 0; i < device->region_count; i++) {
        config->sizes[device->regions[i].shmid] = device->regions[i].size;
        config->nregions++;
    }
    return sizeof(*config);
}

/* Makes the answer in `payload`, which holds what was asked; returns its size, 0 for "done". */
static uint32_t make_answer(const struct device *device, const struct backend *backend,
                            const struct header *header, void *payload)
{
    uint64_t *number = payload;
    uint32_t *words = payload;

    switch (header->request) {
    case GET_FEATURES:
        *number = device->features;
        return sizeof(*number);
    case GET_PROTOCOL_FEATURES:
        *number = device->protocol_features;
        return sizeof(*number);
    case GET_QUEUE_NUM:
        *number = 1;
        return sizeof(*number);
    case GET_MAX_MEM_SLOTS:
        *number = MEM_SLOTS;
        return sizeof(*number);
    case GET_STATUS:
        *number = backend->status;
        return sizeof(*number);
    case GET_VRING_BASE:
        words[1] = 0; /* the ring's index stays in front of it */
        return 2 * sizeof(*words);
    case GET_CONFIG:
        return header->size;
    case GET_SHMEM_CONFIG:
        return make_config(device, payload);
    default:
        return 0;
    }
}

/* Takes one request of the front-end from the main channel, and answers it. */
static void serve(unsigned index)
{
    static union {
        uint64_t align;
        unsigned char bytes[65536];
        struct shmem_config config;
    } payload;
    struct backend *backend = &backends[index];
    struct header header;
    int fds[MAX_FDS];
    int count = receive_header(backend->main_fd, &header, fds);
    uint32_t size;

    if (header.size > sizeof(payload)) {
        could_not("the front-end's %s has %u bytes", front_end_name(header.request), header.size);
    }
    memset(&payload, 0, sizeof(payload));
    receive_all(backend->main_fd, &payload, header.size);
    for (int i = 0; i < count; i++) {
        if (header.request == SET_BACKEND_REQ_FD && i == 0) {
            if (backend->channel_fd >= 0) {
                (void)close(backend->channel_fd);
            }
            backend->channel_fd = fds[i];
        } else {
            (void)close(fds[i]);
        }
    }
    if (header.request == SET_STATUS) {
        backend->status = payload.bytes[0];
    }
    size = make_answer(&devices[index], backend, &header, &payload);
    if (size == 0 && (header.flags & FLAG_NEED_REPLY) != 0) {
        memset(&payload, 0, sizeof(payload));
        size = sizeof(uint64_t);
    }
    if (size > 0) {
        header.flags = FLAG_VERSION | FLAG_REPLY;
        header.size = size;
        send_message(backend->main_fd, &header, &payload, -1, "the main channel");
    }
}

/* The request that waits to be read on the main channel, 0 when there is none. It stays. */
static uint32_t peek(const struct backend *backend)
{
    struct header header;
    ssize_t got = recv(backend->main_fd, &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);

    return got == (ssize_t)sizeof(header) ? header.request : 0;
}

/* A file of the back-end's that a SHMEM_MAP can name a part of. */
static int make_file(uint64_t size)
{
    int fd = memfd_create("mapped", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
        could_not("making a file of %llu bytes: %s", (unsigned long long)size, strerror(errno));
    }
    return fd;
}

/* Bytes of payload by VhostUserBackendRequest. Only that of a mapping has more than zeroes. */
static const uint32_t payload_sizes[] = { 0, 32, 0, 24, 8, 8, 16, 16, 16, 40, 40 };

/* Sends a request of the back-end, and waits for nothing. */
static void ask(unsigned index, uint32_t request, bool need_reply, const struct range *range)
{
    struct backend *backend = &backends[index];
    bool is_map = request == SHMEM_MAP;
    struct shmem_payload payload = { .shmid = range->shmid,
                                     .fd_offset = range->fd_offset,
                                     .shm_offset = range->offset,
                                     .len = range->length,
                                     .flags = is_map && range->writable ? MAP_WRITABLE : 0 };
    struct header header = { .request = request,
                             .flags = FLAG_VERSION | (need_reply ? FLAG_NEED_REPLY : 0),
                             .size = payload_sizes[request] };
    int file = is_map ? make_file(range->file_size) : -1;

    if (request != SHMEM_MAP && request != SHMEM_UNMAP) {
        memset(&payload, 0, sizeof(payload));
    }
    if (backend->channel_fd < 0) {
        not_hung("reason=no-back-end-channel");
    }
    send_message(backend->channel_fd, &header, &payload, file, "the back-end channel");
    if (file >= 0) {
        (void)close(file);
    }
    if (need_reply) {
        backend->asked = true;
        backend->asking = request;
    }
}

/* Reads the reply to the back-end's request, and returns its value: 0 is success. */
static uint64_t read_reply(struct backend *backend)
{
    struct header header;
    uint64_t value = 0;

    receive_all(backend->channel_fd, &header, sizeof(header));
    if (header.request != backend->asking || header.size != sizeof(value)) {
        could_not("the reply to %s is one to %s, of %u bytes", back_end_name(backend->asking),
                  back_end_name(header.request), header.size);
    }
    receive_all(backend->channel_fd, &value, sizeof(value));
    backend->asked = false;
    return value;
}
