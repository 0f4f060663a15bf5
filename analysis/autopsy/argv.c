/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a front-end's command line tells: its name, and what it connects to by vhost-user.
 */
#include <string.h>

#include <json-glib/json-glib.h>

#include "analysis/autopsy/parts.h"
#include "analysis/input/json-input.h"

/* The value of a key in "implied,key=value,..." (a comma in a value is doubled) or in a JSON
 * object. Owned; NULL when it is not there. */
static char *option(const char *text, const char *key, bool is_implied)
{
    gsize len = strlen(key);
    bool is_first = true;
    for (const char *at = text; *at;) {
        g_autoptr(GString) word = g_string_new(NULL);
        for (; *at && (*at != ',' || at[1] == ','); at++) {
            g_string_append_c(word, *at);
            at += *at == ',';
        }
        at += *at == ',';
        if (strncmp(word->str, key, len) == 0 && word->str[len] == '=') {
            return g_strdup(word->str + len + 1);
        }
        if (is_first && is_implied && !strchr(word->str, '=')) {
            return g_string_free(g_steal_pointer(&word), FALSE);
        }
        is_first = false;
    }
    return NULL;
}

static char *json_option(JsonObject *object, const char *key)
{
    JsonNode *node = json_object_get_member(object, key);
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_dup_string(node)
               : NULL;
}

/* One option's value, in either form. */
typedef struct SsOption {
    const char *text; /* weak */
    bool is_json;
    JsonNode *root; /* owned; NULL: it is not JSON, or none that is understood */
} SsOption;

static SsOption option_of(const char *text)
{
    SsOption self = { .text = text };
    if (*text == '{') {
        self.is_json = true;
        self.root = ss_json_input(text, strlen(text), NULL);
    }
    return self;
}

static char *option_get(const SsOption *self, const char *key, bool is_implied)
{
    char *value = NULL;
    if (self->root) {
        value = json_option(json_node_get_object(self->root), key);
    } else if (!self->is_json) {
        value = option(self->text, key, is_implied);
    }
    return value ? value : g_strdup("");
}

static void option_clear(SsOption *self)
{
    g_clear_pointer(&self->root, json_node_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SsOption, option_clear)

/* "device" of "-device" and of "--device"; NULL: no option. */
static const char *option_name(const char *word)
{
    if (word[0] != '-' || !word[1]) {
        return NULL;
    }
    return word[1] == '-' ? word + 2 : word + 1;
}

static const char *word_at(const SsSeenProcess *process, guint i)
{
    return i < process->argv->len ? g_ptr_array_index(process->argv, i) : "";
}

static char *base_name(const char *path)
{
    g_autofree char *name = g_strdup(path);
    char *deleted = strstr(name, " (deleted)");
    if (deleted) {
        *deleted = '\0';
    }
    const char *slash = strrchr(name, '/');
    return g_strdup(slash ? slash + 1 : name);
}

bool ss_argv_is_qemu(const SsSeenProcess *process)
{
    const char *names[] = { process->exe, word_at(process, 0) };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = base_name(names[i]);
        if (g_str_has_prefix(name, "qemu-system-") || g_str_equal(name, "qemu-kvm") ||
            g_str_equal(name, "qemu")) {
            return true;
        }
    }
    return false;
}

static void device_free(gpointer data)
{
    SsArgvDevice *device = data;
    g_free(device->device);
    g_free(device->driver);
    g_free(device->chardev);
    g_free(device->path);
    g_free(device);
}

/* The chardev's socket; false when there is no such socket. */
static bool find_chardev(const SsSeenProcess *process, SsArgvDevice *device)
{
    for (guint i = 1; i + 1 < process->argv->len; i++) {
        const char *name = option_name(word_at(process, i));
        if (!name || !g_str_equal(name, "chardev")) {
            continue;
        }
        g_auto(SsOption) chardev = option_of(word_at(process, i + 1));
        g_autofree char *id = option_get(&chardev, "id", false);
        g_autofree char *backend = option_get(&chardev, "backend", true);
        if (!g_str_equal(id, device->chardev) || !g_str_equal(backend, "socket")) {
            continue;
        }
        g_autofree char *path = option_get(&chardev, "path", false);
        g_autofree char *abstract = option_get(&chardev, "abstract", false);
        g_autofree char *fd = option_get(&chardev, "fd", false);
        g_autofree char *server = option_get(&chardev, "server", false);
        bool is_abstract = *abstract && !g_str_equal(abstract, "off");
        g_free(device->path);
        device->path = is_abstract ? g_strconcat("@", path, NULL) : g_steal_pointer(&path);
        device->fd = g_ascii_isdigit(*fd) ? (gint32)g_ascii_strtoll(fd, NULL, 10) : -1;
        /* "server" alone is an older way to say "server=on". */
        device->is_server = *server ? !g_str_equal(server, "off")
                                    : strstr(word_at(process, i + 1), ",server,") ||
                                          g_str_has_suffix(word_at(process, i + 1), ",server");
        return true;
    }
    return false;
}

static void qemu_device(const SsSeenProcess *process, guint i, GPtrArray *devices)
{
    const char *name = option_name(word_at(process, i));
    const char *key = !name                         ? NULL
                      : g_str_equal(name, "device") ? "driver"
                      : g_str_equal(name, "netdev") ? "type"
                      : g_str_equal(name, "object") ? "qom-type"
                                                    : NULL;
    if (!key) {
        return;
    }
    g_auto(SsOption) words = option_of(word_at(process, i + 1));
    g_autofree char *driver = option_get(&words, key, true);
    if (!strstr(driver, "vhost-user")) {
        return;
    }
    SsArgvDevice *device = g_new0(SsArgvDevice, 1);
    device->driver = g_steal_pointer(&driver);
    device->device = option_get(&words, "id", false);
    device->chardev = option_get(&words, "chardev", false);
    device->path = g_strdup("");
    device->fd = -1;
    if (*device->chardev && find_chardev(process, device)) {
        g_ptr_array_add(devices, device);
    } else {
        device_free(device);
    }
}

/* Other VMMs name the socket in the option of the device: "--fs tag=share,socket=/run/fs.sock". */
static void other_device(const SsSeenProcess *process, guint i, GPtrArray *devices)
{
    static const char *const not_vhost[] = { "vsock", "serial", "console", "api-socket", NULL };
    const char *name = option_name(word_at(process, i));
    if (!name || g_strv_contains(not_vhost, name)) {
        return;
    }
    /* Several devices may follow one option. */
    for (guint j = i + 1; j < process->argv->len && !option_name(word_at(process, j)); j++) {
        g_autofree char *path = option(word_at(process, j), "socket", false);
        if (path && *path) {
            g_autofree char *id = option(word_at(process, j), "id", false);
            SsArgvDevice *device = g_new0(SsArgvDevice, 1);
            device->device = id ? g_steal_pointer(&id) : g_strdup("");
            device->driver = g_strdup(name);
            device->chardev = g_strdup("");
            device->path = g_steal_pointer(&path);
            device->fd = -1;
            g_ptr_array_add(devices, device);
        }
    }
}

GPtrArray *ss_argv_devices(const SsSeenProcess *process)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func(device_free);
    for (guint i = 1; i + 1 < process->argv->len; i++) {
        if (process->is_qemu) {
            qemu_device(process, i, devices);
        } else {
            other_device(process, i, devices);
        }
    }
    return devices;
}

/* systemd escapes what it does not like in a unit's name: "\x2d". */
static char *unescape(const char *text, gsize len)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (gsize i = 0; i < len; i++) {
        if (text[i] == '\\' && i + 3 < len && text[i + 1] == 'x' && g_ascii_isxdigit(text[i + 2]) &&
            g_ascii_isxdigit(text[i + 3])) {
            int code = g_ascii_xdigit_value(text[i + 2]) * 16 + g_ascii_xdigit_value(text[i + 3]);
            g_string_append_c(out, (char)code);
            i += 3;
        } else {
            g_string_append_c(out, text[i]);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* "/machine.slice/machine-qemu\x2d1\x2dweb\x2d17.scope": the machine qemu-1-web-17. */
static char *machine_of(const char *cgroup)
{
    const char *begin = strstr(cgroup, "/machine-");
    const char *end = begin ? strstr(begin, ".scope") : NULL;
    if (!end || memchr(begin, '\n', (gsize)(end - begin))) {
        return g_strdup("");
    }
    begin += strlen("/machine-");
    g_autofree char *machine = unescape(begin, (gsize)(end - begin));
    const char *name = machine;
    if (g_str_has_prefix(name, "qemu-")) {
        name += strlen("qemu-");
        const char *digits = name;
        while (g_ascii_isdigit(*digits)) {
            digits++;
        }
        name = digits > name && *digits == '-' ? digits + 1 : name;
    }
    return ss_evidence_string(name, strlen(name), 256);
}

/* As the last option that has one says: the guest's name, else its UUID. */
char *ss_argv_vm(const SsSeenProcess *process, const char *cgroup)
{
    const char *uuid = NULL;
    for (guint i = process->argv->len; process->is_qemu && i-- > 2;) {
        const char *name = option_name(word_at(process, i - 1));
        if (name && g_str_equal(name, "name")) {
            g_auto(SsOption) words = option_of(word_at(process, i));
            g_autofree char *guest = option_get(&words, "guest", true);
            if (*guest) {
                return g_steal_pointer(&guest);
            }
        } else if (name && !uuid && g_str_equal(name, "uuid")) {
            uuid = word_at(process, i);
        }
    }
    g_autofree char *machine = machine_of(cgroup ? cgroup : "");
    return *machine || !uuid ? g_steal_pointer(&machine)
                             : ss_evidence_string(uuid, strlen(uuid), 256);
}
