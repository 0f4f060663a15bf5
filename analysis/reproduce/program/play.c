/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ---- the order is played ---------------------------------------------------------------- */
#define DEFAULT_SECONDS 3
#define FREED_MS 10000

static unsigned position; /* of the step that is next */
static bool serves_both;  /* the control: the back-end serves while it waits */
static bool frees;        /* what hangs is freed before it is ended */
static bool judging;

static bool is_phase(enum kind kind)
{
    return kind == START || kind == STOP || kind == RESET || kind == UNREALIZE;
}

static const char *phase_name(enum kind kind)
{
    return kind == START ? "start" : kind == STOP ? "stop" : kind == RESET ? "reset" : "unrealize";
}

/* What stands around the wait of the front-end, from the outside in. A device that is not the
 * one waited for is told behind an '@'. */
static void print_inside(unsigned waited_for)
{
    const char *between = "";

    for (unsigned i = 0; i < STEP_COUNT && order[i].kind != FRONTEND_WAITS; i++) {
        if (is_phase(order[i].kind)) {
            (void)printf("%s%s", between, phase_name(order[i].kind));
        } else if (order[i].kind == COMMIT) {
            (void)printf("%scommit", between);
            if (order[i].number != 0) {
                (void)printf("/%s/%u", back_end_name(order[i].request), order[i].number);
            }
        } else {
            continue;
        }
        if (order[i].device != waited_for) {
            (void)printf("@%u", order[i].device);
        }
        between = ">";
    }
}

/* The last two of the order: who waits for what. */
static const struct step *last_of(enum kind kind)
{
    const struct step *found = NULL;

    for (unsigned i = 0; i < STEP_COUNT; i++) {
        if (order[i].kind == kind) {
            found = &order[i];
        }
    }
    return found;
}

static void print_pair(void)
{
    const struct step *front = last_of(FRONTEND_WAITS);
    const struct step *back = last_of(BACKEND_WAITS);

    (void)printf("front-end=%s inside=", front_end_name(front->request));
    print_inside(front->device);
    (void)printf(" back-end=%s/%u", back_end_name(back->request), back->number);
}

static void say_step(const struct step *step)
{
    static const char *const texts[] = {
        [START] = "QEMU starts the back-end",
        [STOP] = "QEMU stops the back-end",
        [RESET] = "QEMU resets the device",
        [UNREALIZE] = "QEMU unplugs the device",
        [READ] = "QEMU reads",
        [REPLY] = "QEMU has replied to",
        [COMMIT] = "QEMU begins the commit of",
        [FRONTEND_REQUEST] = "QEMU asks",
        [FRONTEND_WAITS] = "QEMU waits for the reply to",
        [BACKEND_REQUEST] = "back-end asks",
        [BACKEND_WAITS] = "back-end waits for the reply to",
    };
    const struct range *range = &step->range;

    (void)printf("  %s: %s", devices[step->device].name, texts[step->kind]);
    if (step->kind == FRONTEND_REQUEST || step->kind == FRONTEND_WAITS) {
        (void)printf(" %s", front_end_name(step->request));
    } else if (step->number != 0) {
        (void)printf(" %s #%u", back_end_name(step->request), step->number);
    }
    if (step->kind == BACKEND_REQUEST && range->length != 0) {
        (void)printf(" region %u, 0x%llx+0x%llx", range->shmid, (unsigned long long)range->offset,
                     (unsigned long long)range->length);
    }
    (void)printf("\n");
}

/* Takes the reply to a back-end's request, if it has come. */
static void take_reply(unsigned index)
{
    struct backend *backend = &backends[index];
    char byte;
    uint64_t value;

    if (!backend->asked || recv(backend->channel_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return;
    }
    value = read_reply(backend);
    if (!playing) {
        if (value != 0) {
            could_not("QEMU refuses to map what was mapped: %llu", (unsigned long long)value);
        }
    } else if (judging) {
        not_hung("reason=replied back-end=%s value=%llu", back_end_name(backend->asking),
                 (unsigned long long)value);
    } else if (order[position].kind != REPLY || order[position].device != index) {
        not_hung("reason=replied-early back-end=%s", back_end_name(backend->asking));
    } else if (value != 0) {
        not_hung("reason=refused back-end=%s", back_end_name(backend->asking));
    }
}

/* What QEMU replied before something else that has come is there by now. */
static void take_replies(void)
{
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        take_reply(i);
    }
}

/* The guest does what makes QEMU begin a phase. */
static void begin_phase(const struct step *step)
{
    switch (step->kind) {
    case START:
        write_status(step->device,
                     STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
        break;
    case STOP:
    case RESET:
        /* By either the back-end is stopped first, and the device is reset then. */
        write_status(step->device, 0);
        break;
    default:
        tell_power_off(step->device);
        break;
    }
}

/* Whether the commit is one that nothing in the order causes. The guest does, when it takes
 * the device's memory out of its address space, or puts it back. */
static bool is_guests_commit(const struct step *step)
{
    return step == &order[0] && step->kind == COMMIT && step->number == 0;
}

static bool adds_memory(void)
{
    return last_of(FRONTEND_WAITS)->request == ADD_MEM_REG;
}

/* Whether the step has happened, or is made to. */
static bool play_step(const struct step *step)
{
    struct backend *backend = &backends[step->device];
    bool goes_on = position + 1 < STEP_COUNT;

    switch (step->kind) {
    case START:
    case STOP:
    case RESET:
    case UNREALIZE:
        /* One phase inside another comes by itself. */
        if (position == 0 || !is_phase(order[position - 1].kind)) {
            begin_phase(step);
        }
        return true;
    case COMMIT:
        if (is_guests_commit(step)) {
            tell_decoding(step->device, adds_memory());
        }
        return true;
    case REPLY:
        return !backend->asked;
    case FRONTEND_REQUEST:
        /* Without its channel the back-end could not ask anything either. */
        if (backend->channel_fd < 0 || peek(backend) != step->request) {
            return false;
        }
        take_replies();
        if (goes_on && order[position + 1].kind == FRONTEND_WAITS) {
            backend->holds = true;
        } else {
            serve(step->device);
        }
        return true;
    case BACKEND_REQUEST:
        ask(step->device, step->request, step->need_reply, &step->range);
        return true;
    default:
        return true; /* happens inside QEMU, or follows from what was before */
    }
}

/* As many steps as can be. */
static void play_steps(void)
{
    while (playing && position < STEP_COUNT && play_step(&order[position])) {
        say_step(&order[position++]);
    }
}

/* A request of the front-end has come, or the channel was closed. */
static void main_channel(unsigned index)
{
    struct backend *backend = &backends[index];
    char byte;
    ssize_t got = recv(backend->main_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        channel_closed("the main channel");
    }
    take_replies();
    play_steps();
    if (!backend->holds && peek(backend) != 0) {
        serve(index);
    }
}

/* One round: takes what has come. False when nothing came until the deadline. */
static bool take_all(int64_t deadline)
{
    struct pollfd polled[2 + 2 * DEVICE_COUNT] = { { .fd = qtest.fd, .events = POLLIN },
                                                   { .fd = monitor.fd, .events = POLLIN } };
    int64_t left = deadline - now_ms();

    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        const struct backend *backend = &backends[i];

        /* A negative one is passed over. */
        polled[2 + 2 * i].fd = backend->asked ? backend->channel_fd : -1;
        polled[2 + 2 * i].events = POLLIN;
        polled[3 + 2 * i].fd = backend->holds ? -1 : backend->main_fd;
        polled[3 + 2 * i].events = POLLIN;
    }
    if (poll(polled, 2 + 2 * DEVICE_COUNT, left > 0 ? (int)left : 0) < 0 && errno != EINTR) {
        could_not("waiting for QEMU: %s", strerror(errno));
    }
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        if (polled[2 + 2 * i].revents != 0) {
            take_reply(i);
        }
        if (polled[3 + 2 * i].revents != 0) {
            main_channel(i);
        }
    }
    if (polled[0].revents != 0) {
        receive_lines(&qtest);
    }
    if (polled[1].revents != 0) {
        receive_lines(&monitor);
    }
    play_steps();
    return now_ms() < deadline;
}

static void go_on(int64_t deadline, const char *what)
{
    if (!take_all(deadline)) {
        could_not("waited too long for %s", what);
    }
}

/* Brings the devices to where the order begins. */
static void prepare(void)
{
    unsigned greeted = tell_monitor("qmp_capabilities", "");

    if (order[0].kind == FRONTEND_REQUEST) {
        return; /* nothing comes before it: QEMU asks this when it makes the device */
    }
    await_monitor(greeted);
    find_devices();
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        bool starts = false;

        for (unsigned j = 0; j < STEP_COUNT; j++) {
            starts |= order[j].kind == START && order[j].device == i;
        }
        prepare_device(i);
        if (!starts) {
            add_status(&functions[i], STATUS_DRIVER_OK);
        }
        for (unsigned j = 0; j < devices[i].mapped_count; j++) {
            ask(i, SHMEM_MAP, true, &devices[i].mapped[j]);
            while (backends[i].asked) {
                go_on(now_ms() + PATIENCE_MS, "the reply to SHMEM_MAP");
            }
        }
    }
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        if (order[i].kind == UNREALIZE) {
            request_unplug(order[i].device);
        }
    }
    if (is_guests_commit(&order[0]) && adds_memory()) {
        tell_decoding(order[0].device, false);
    }
    /* QEMU replies first and commits then: it answers the monitor when that is done. */
    await_monitor(tell_monitor("query-status", ""));
}

/* Closes the channels, as the end of a back-end does, and tells whether QEMU goes on then. */
static void free_qemu(unsigned question)
{
    int64_t deadline = now_ms() + FREED_MS;
    bool answered = false;

    freeing = true;
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        (void)close(backends[i].main_fd);
        (void)close(backends[i].channel_fd);
    }
    while (!answered && now_ms() < deadline) {
        struct pollfd polled = { .fd = monitor.fd, .events = POLLIN };

        if (poll(&polled, 1, (int)(deadline - now_ms())) == 1) {
            receive_lines(&monitor);
        }
        answered = monitor_answered(question);
    }
    (void)printf("  the end of the back-end %s QEMU\n", answered ? "frees" : "does not free");
}

/* Everything has been sent. Does QEMU stand still for so long? */
static void judge(unsigned seconds)
{
    const struct step *front = last_of(FRONTEND_WAITS);
    struct backend *backend = &backends[front->device];
    unsigned question = tell_monitor("query-status", "");
    int64_t deadline = now_ms() + (int64_t)seconds * 1000;

    judging = true;
    if (serves_both) {
        backend->holds = false;
    }
    do {
        if (monitor_answered(question)) {
            not_hung("reason=monitor-answers");
        }
    } while (take_all(deadline));
    if (peek(backend) != front->request) {
        not_hung("reason=not-waiting front-end=%s", front_end_name(front->request));
    }
    (void)printf("HUNG ");
    print_pair();
    (void)printf(" seconds=%u\n", seconds);
    (void)fflush(stdout);
    if (frees) {
        free_qemu(question);
    }
}

static int usage(const char *program, int status)
{
    (void)fprintf(status == 0 ? stdout : stderr,
                  "Usage: %s QEMU [OPTION...]\n"
                  "Starts QEMU, a qemu-system-x86_64 with a vhost-user device that has shared\n"
                  "memory regions, brings the messages about in their order, and ends it.\n"
                  "  --device DRIVER[,PROPERTY=VALUE...]\n"
                  "               another device than vhost-user-test-device-pci\n"
                  "  --seconds N  how long a hang has to last (%d)\n"
                  "  --serve      the back-end serves its main channel while it waits for its\n"
                  "               own reply: QEMU must not hang then\n"
                  "  --free       ends the back-end before QEMU, and tells whether that goes on\n"
                  "Exit status: 0 it hung as predicted, 1 it did not, 2 it could not be tried.\n",
                  program, DEFAULT_SECONDS);
    return status;
}

int main(int argc, char **argv)
{
    const char *device_option = NULL;
    unsigned seconds = DEFAULT_SECONDS;
    const struct sigaction action = { .sa_handler = on_signal,
                                      .sa_flags = (int)SA_RESETHAND | SA_NODEFER };
    const int ending[] = { SIGINT, SIGTERM, SIGHUP };
    int64_t deadline;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(argv[0], EXIT_HUNG);
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--serve") == 0) {
            serves_both = true;
        } else if (strcmp(argv[i], "--free") == 0) {
            frees = true;
        } else if (strcmp(argv[i], "--device") == 0 && i + 1 < argc) {
            device_option = argv[++i];
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            return usage(argv[0], EXIT_COULD_NOT);
        }
    }
    if (argc < 2 || argv[1][0] == '-' || seconds == 0 || seconds > 3600) {
        return usage(argv[0], EXIT_COULD_NOT);
    }
    for (unsigned i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        (void)sigaction(ending[i], &action, NULL);
    }
    start_qemu(argv[1], device_option);
    prepare();
    playing = true;
    deadline = now_ms() + PATIENCE_MS;
    play_steps();
    while (position < STEP_COUNT) {
        if (!take_all(deadline)) {
            (void)printf("Does not come:\n");
            say_step(&order[position]);
            not_hung("reason=order-ended step=%u", position + 1);
        }
    }
    judge(seconds);
    end_qemu();
    return EXIT_HUNG;
}
