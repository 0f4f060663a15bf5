/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ---- QEMU: its command line, its monitor, and its qtest --------------------------------- */

/* A channel of lines. What lies in `text` has come and was not looked at. */
struct lines {
    const char *name;
    int fd;
    size_t size;
    char text[65536];
};

static struct lines qtest = { .name = "qtest" };
static struct lines monitor = { .name = "the monitor" };

/* Where a firmware would be: qtest runs no guest, but QEMU wants a file. */
#define FIRMWARE_SIZE 65536
#define MEMORY "64M"
#define MAX_ARGUMENTS 64

/* Lets something happen: what has come is taken, and the back-ends serve. */
static void go_on(int64_t deadline, const char *what);

/* QEMU has this much time for what it does without waiting for anybody. */
#define PATIENCE_MS 30000

/* One socket for each channel, QEMU's end of it inherited: nothing is left in a directory. */
static int make_channel(int *ret_ours)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0) {
        could_not("making a socket: %s", strerror(errno));
    }
    *ret_ours = ends[0];
    return ends[1];
}

__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) {
        could_not("no memory");
    }
    va_end(arguments);
    return text;
}

static void become_qemu(char **arguments)
{
    (void)setpgid(0, 0);
    /* Whatever ends this program ends its QEMU. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(qemu_output, STDOUT_FILENO);
    (void)dup2(qemu_output, STDERR_FILENO);
    (void)execvp(arguments[0], arguments);
    (void)dprintf(qemu_output, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

/* Whether a device is to be unplugged: then each sits behind a port of its own. */
static bool has_unplug(void)
{
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        if (order[i].kind == UNREALIZE) {
            return true;
        }
    }
    return false;
}

/* Starts QEMU with one vhost-user device for each back-end. */
static void start_qemu(const char *program, const char *device_option)
{
    char *arguments[MAX_ARGUMENTS + 6 * DEVICE_COUNT];
    int theirs[DEVICE_COUNT + 3];
    unsigned n = 0;
    unsigned open = 0;
    char *ports[DEVICE_COUNT] = { NULL };
    pid_t pid;

    arguments[n++] = text_of("%s", program);
#define ADD(...) arguments[n++] = text_of(__VA_ARGS__)
    ADD("-nodefaults");
    ADD("-no-user-config");
    ADD("-display"), ADD("none");
    ADD("-machine"), ADD("q35,memory-backend=ram");
    ADD("-accel"), ADD("qtest");
    ADD("-m"), ADD(MEMORY);
    ADD("-object"), ADD("memory-backend-memfd,id=ram,size=" MEMORY ",share=on");
    theirs[open] = make_file(FIRMWARE_SIZE);
    if (fcntl(theirs[open], F_SETFD, 0) < 0) {
        could_not("keeping a file open: %s", strerror(errno));
    }
    ADD("-bios"), ADD("/proc/self/fd/%d", theirs[open++]);
    theirs[open] = make_channel(&qtest.fd);
    ADD("-chardev"), ADD("socket,id=qtest,fd=%d", theirs[open++]);
    ADD("-qtest"), ADD("chardev:qtest");
    ADD("-qtest-log"), ADD("none");
    theirs[open] = make_channel(&monitor.fd);
    ADD("-chardev"), ADD("socket,id=monitor,fd=%d", theirs[open++]);
    ADD("-mon"), ADD("chardev=monitor,mode=control");
    if (has_unplug()) {
        ADD("-global"), ADD("ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
    }
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        const char *bus = "";

        if (has_unplug()) {
            ADD("-device"), ADD("pcie-root-port,id=port%u,chassis=%u,slot=%u", i, i + 1, i + 1);
            bus = ports[i] = text_of(",bus=port%u", i);
        }
        backends[i].channel_fd = -1;
        theirs[open] = make_channel(&backends[i].main_fd);
        ADD("-chardev"), ADD("socket,id=vu%u,fd=%d", i, theirs[open++]);
        ADD("-device");
        if (device_option != NULL) {
            ADD("%s,id=dev%u,chardev=vu%u%s", device_option, i, i, bus);
        } else {
            ADD("vhost-user-test-device-pci,virtio-id=%u,num_vqs=1,vq_size=64,id=dev%u,"
                "chardev=vu%u%s",
                devices[i].virtio_id, i, i, bus);
        }
    }
#undef ADD
    arguments[n] = NULL;
    qemu_output = make_file(0);
    pid = fork();
    if (pid < 0) {
        could_not("starting a process: %s", strerror(errno));
    }
    if (pid == 0) {
        become_qemu(arguments);
    }
    qemu_pid = pid;
    for (unsigned i = 0; i < open; i++) {
        (void)close(theirs[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        free(arguments[i]);
    }
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        free(ports[i]);
    }
}

/* Takes what has come. */
static void receive_lines(struct lines *lines)
{
    ssize_t got;

    if (lines->size == sizeof(lines->text)) {
        could_not("%s sends more than a line", lines->name);
    }
    got = recv(lines->fd, lines->text + lines->size, sizeof(lines->text) - lines->size, 0);
    if (got > 0) {
        lines->size += (size_t)got;
    } else if (got == 0 || errno != EINTR) {
        channel_closed(lines->name);
    }
}

/* Takes one line into `line`; false when no whole one has come. */
static bool take_line(struct lines *lines, char *line, size_t room)
{
    char *end = memchr(lines->text, '\n', lines->size);
    size_t length;

    if (end == NULL) {
        return false;
    }
    length = (size_t)(end - lines->text);
    (void)snprintf(line, room, "%.*s", (int)length, lines->text);
    lines->size -= length + 1;
    memmove(lines->text, end + 1, lines->size);
    return true;
}

static unsigned monitor_asked;

/* Sends a command to the monitor, and returns the number its answer will have. */
static unsigned tell_monitor(const char *command, const char *arguments)
{
    char *line = text_of("{\"execute\": \"%s\", \"arguments\": {%s}, \"id\": \"answer-%u\"}\n",
                         command, arguments, ++monitor_asked);

    write_all(monitor.fd, line, strlen(line), monitor.name);
    free(line);
    return monitor_asked;
}

/* Whether the answer of that number has come; answers to others and events are dropped. */
static bool monitor_answered(unsigned number)
{
    static char line[sizeof(monitor.text) + 1];
    char *wanted = text_of("\"answer-%u\"", number);
    bool answered = false;

    while (!answered && take_line(&monitor, line, sizeof(line))) {
        answered = strstr(line, wanted) != NULL;
        if (answered && strstr(line, "\"error\"") != NULL) {
            could_not("the monitor refuses: %s", line);
        }
    }
    free(wanted);
    return answered;
}

/* Lets QEMU answer the command of that number, while the back-ends do their part. */
static void await_monitor(unsigned number)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    while (!monitor_answered(number)) {
        go_on(deadline, "the monitor to answer");
    }
}

static void send_qtest(const char *format, va_list arguments)
{
    char line[256];
    int length = vsnprintf(line, sizeof(line) - 1, format, arguments);

    line[length] = '\n';
    write_all(qtest.fd, line, (size_t)length + 1, qtest.name);
}

/* Tells qtest something, and does not wait for its OK. */
__attribute__((format(printf, 1, 2))) static void tell_qtest(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send_qtest(format, arguments);
    va_end(arguments);
}

/* Asks qtest, and returns the number it answers, 0 when it answers none. */
__attribute__((format(printf, 1, 2))) static uint64_t ask_qtest(const char *format, ...)
{
    int64_t deadline = now_ms() + PATIENCE_MS;
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    send_qtest(format, arguments);
    va_end(arguments);
    for (;;) {
        if (!take_line(&qtest, line, sizeof(line))) {
            go_on(deadline, "qtest to answer");
        } else if (strncmp(line, "OK", 2) == 0) {
            return line[2] == ' ' ? strtoull(line + 3, NULL, 0) : 0;
        } else if (strncmp(line, "IRQ", 3) != 0) {
            could_not("qtest refuses: %s", line);
        }
    }
}
