/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Command lines of front-ends, as administrators and libvirt write them.
 */
#include <string.h>

#include "analysis/autopsy/parts.h"

#define UUID "6a0c4d3e-8f1b-4c52-9d7a-0b3f5e2d1c48"

static SsSeenProcess *process_of(const char *const *words)
{
    SsSeenProcess *process = ss_seen_process_new(1);
    for (guint i = 0; words[i]; i++) {
        g_ptr_array_add(process->argv, g_strdup(words[i]));
    }
    process->is_qemu = ss_argv_is_qemu(process);
    return process;
}

typedef struct Named {
    const char *words[8];
    const char *cgroup;
    const char *vm;
} Named;

static void test_names(void)
{
    static const Named cases[] = {
        { { "qemu-system-x86_64", "-name", "guest=web-17,debug-threads=on", NULL }, "", "web-17" },
        { { "/usr/bin/qemu-system-x86_64", "--name", "web,,17", NULL }, "", "web,17" },
        { { "qemu-kvm", "-name", "web", "-name", "debug-threads=on", NULL }, "", "web" },
        { { "qemu-kvm", "-name", "debug-threads=on,guest=db", NULL }, "", "db" },
        { { "qemu-kvm", "-name", "{\"guest\":\"a, b\"}", NULL }, "", "a, b" },
        { { "qemu-kvm", "-m", "64M", NULL }, "", "" },
        { { "qemu-kvm", "-name", "guest=a", "-name", "debug-threads=on", NULL }, "", "a" },
        { { "qemu-kvm", "-uuid", UUID, NULL }, "", UUID },
        { { "qemu-kvm", "--uuid", "x", "-uuid", UUID, "-name", "db", NULL }, "", "db" },
        { { "qemu-kvm", "-name", "process=p", "-uuid", UUID, NULL }, "", UUID },
        { { "qemu-kvm", "-uuid", UUID, NULL }, "0::/a/machine-mail.scope\n", "mail" },
        { { "not-qemu", "-uuid", UUID, NULL }, "", "" },
        { { "qemu-kvm", NULL },
          "0::/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d17.scope/libvirt/emulator\n",
          "web-17" },
        { { "cloud-hypervisor", NULL }, "0::/machine.slice/machine-mail.scope\n", "mail" },
        { { "qemu-kvm", NULL }, "0::/user.slice/machine-no\n1::/other.scope\n", "" },
        { { "not-qemu", "-name", "guest=x", NULL }, "", "" },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        SsSeenProcess *process = process_of(cases[i].words);
        g_autofree char *vm = ss_argv_vm(process, cases[i].cgroup);
        g_assert_cmpstr(vm, ==, cases[i].vm);
        ss_seen_process_free(process);
    }
}

static void test_is_qemu(void)
{
    static const struct {
        const char *exe, *word;
        bool is_qemu;
    } cases[] = {
        { "/usr/bin/qemu-system-aarch64", "anything", true },
        { "/usr/bin/qemu-system-x86_64 (deleted)", "", true },
        { "/usr/libexec/qemu-kvm", "", true },
        { "", "/opt/qemu-system-x86_64", true },
        { "/usr/bin/qemu-img", "qemu-img", false },
        { "/usr/bin/qemu-ga", "", false },
        { "/usr/bin/vim", "vim", false },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *words[] = { cases[i].word, NULL };
        SsSeenProcess *process = process_of(words);
        g_free(process->exe);
        process->exe = g_strdup(cases[i].exe);
        g_assert_true(ss_argv_is_qemu(process) == cases[i].is_qemu);
        ss_seen_process_free(process);
    }
}

static void check(const SsArgvDevice *device, const char *driver, const char *id,
                  const char *chardev, const char *path, bool is_server)
{
    g_assert_cmpstr(device->driver, ==, driver);
    g_assert_cmpstr(device->device, ==, id);
    g_assert_cmpstr(device->chardev, ==, chardev);
    g_assert_cmpstr(device->path, ==, path);
    g_assert_true(device->is_server == is_server);
}

static void test_devices(void)
{
    static const char *const words[] = {
        "qemu-system-x86_64",
        "-chardev",
        "socket,id=chr-vu-fs0,path=/var/lib/libvirt/fs,,0.sock",
        "-device",
        "{\"driver\":\"vhost-user-fs-pci\",\"id\":\"fs0\",\"chardev\":\"chr-vu-fs0\"}",
        "-chardev",
        "socket,id=net,path=/run/ovs,server=on,wait=off",
        "-netdev",
        "{\"type\":\"vhost-user\",\"chardev\":\"net\",\"id\":\"hostnet0\"}",
        "-chardev",
        "socket,id=old,path=/run/old,server,nowait",
        "--device",
        "vhost-user-gpu-pci,chardev=old,id=gpu",
        "-chardev",
        "socket,id=name,path=hidden,abstract=on",
        "-device",
        "vhost-user-blk-pci,chardev=name",
        "-chardev",
        "socket,id=given,fd=27",
        "-object",
        "cryptodev-vhost-user,id=crypto,chardev=given",
        /* Not these. */
        "-chardev",
        "socket,id=mon,path=/run/mon,server=on",
        "-mon",
        "chardev=mon,mode=control",
        "-device",
        "virtio-net-pci,netdev=hostnet0",
        "-device",
        "vhost-user-rng-pci,chardev=gone",
        "-device",
        "{\"driver\":\"vhost-user-i2c-pci\",\"chardev\":[1]}",
        "-device",
        "{not json",
        "-chardev",
        "pty,id=tty",
        "-device",
        "vhost-user-vsock-pci,chardev=tty",
        "-chardev",
        NULL,
    };
    SsSeenProcess *process = process_of(words);
    g_autoptr(GPtrArray) devices = ss_argv_devices(process);
    g_assert_cmpuint(devices->len, ==, 5);
    check(g_ptr_array_index(devices, 0), "vhost-user-fs-pci", "fs0", "chr-vu-fs0",
          "/var/lib/libvirt/fs,0.sock", false);
    check(g_ptr_array_index(devices, 1), "vhost-user", "hostnet0", "net", "/run/ovs", true);
    check(g_ptr_array_index(devices, 2), "vhost-user-gpu-pci", "gpu", "old", "/run/old", true);
    check(g_ptr_array_index(devices, 3), "vhost-user-blk-pci", "", "name", "@hidden", false);
    check(g_ptr_array_index(devices, 4), "cryptodev-vhost-user", "crypto", "given", "", false);
    g_assert_cmpint(((SsArgvDevice *)g_ptr_array_index(devices, 4))->fd, ==, 27);
    g_assert_cmpint(((SsArgvDevice *)g_ptr_array_index(devices, 3))->fd, ==, -1);
    ss_seen_process_free(process);
}

/* QEMU itself refuses such; whoever calls himself QEMU can write what he likes. */
static void test_nested_without_end(void)
{
    g_autofree char *braces = g_strnfill(120000, '[');
    g_autofree char *nested = g_strdup_printf("{\"driver\":%s", braces);
    const char *const words[] = {
        "qemu-system-x86_64",
        "-device",
        nested,
        "-name",
        "{\"guest\":\"a\"} {\"guest\":\"b\"}",
        "-chardev",
        "socket,id=net,path=/run/ovs",
        "-device",
        "{\"driver\":\"vhost-user-gpu-pci\",\"driver\":\"vhost-user-rng-pci\",\"chardev\":\"net\"}",
        NULL,
    };
    SsSeenProcess *process = process_of(words);
    g_autoptr(GPtrArray) devices = ss_argv_devices(process);
    g_assert_cmpuint(devices->len, ==, 0);
    g_autofree char *vm = ss_argv_vm(process, "");
    g_assert_cmpstr(vm, ==, "");
    ss_seen_process_free(process);
}

static void test_other_vmm(void)
{
    static const char *const words[] = {
        "cloud-hypervisor",
        "--api-socket",
        "path=/run/api,socket=/run/no",
        "--fs",
        "tag=a,socket=/run/a.sock",
        "tag=b,id=_fs1,socket=/run/b.sock",
        "--vsock",
        "cid=3,socket=/run/vsock",
        "--disk",
        "path=/images/x",
        NULL,
    };
    SsSeenProcess *process = process_of(words);
    g_autoptr(GPtrArray) devices = ss_argv_devices(process);
    g_assert_cmpuint(devices->len, ==, 2);
    check(g_ptr_array_index(devices, 0), "fs", "", "", "/run/a.sock", false);
    check(g_ptr_array_index(devices, 1), "fs", "_fs1", "", "/run/b.sock", false);
    ss_seen_process_free(process);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/argv/names", test_names);
    g_test_add_func("/argv/is-qemu", test_is_qemu);
    g_test_add_func("/argv/devices", test_devices);
    g_test_add_func("/argv/nested-without-end", test_nested_without_end);
    g_test_add_func("/argv/other-vmm", test_other_vmm);
    return g_test_run();
}
