/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "analysis/autopsy/unwind.h"

#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FRAMES 256
#define VDSO "[vdso]"
#define DELETED " (deleted)"

/* A file of which code is mapped: all its neighbouring ranges as one. */
typedef struct Module {
    guint64 begin;
    guint64 end;
    guint64 first_end; /* of the first range: its name in map_files */
    guint64 inode;
    gboolean has_code;
    char *path; /* owned */
} Module;

struct SsUnwind {
    int pid;
    GPtrArray *modules; /* Module, in order of address; owned */
    Dwfl *dwfl;
    Elf *own;                /* of this program: tells libdwfl the machine; owned */
    int own_fd;              /* owned */
    const SsStackCopy *copy; /* that is unwound now; weak */
};

/* What one unwinding is about. */
typedef struct Walk {
    SsUnwind *unwind;  /* weak */
    GPtrArray *frames; /* weak */
    guint first;
} Walk;

static void module_free(gpointer data)
{
    Module *module = data;

    g_free(module->path);
    g_free(module);
}

/* -- what is mapped --------------------------------------------------------------------------- */

static void add_range(GPtrArray *modules, const char *line)
{
    guint64 begin, end, inode;
    char permissions[8];
    int path_at = 0;
    Module *last = modules->len ? g_ptr_array_index(modules, modules->len - 1) : NULL;

    if (sscanf(line, "%lx-%lx %7s %*x %*s %lu %n", &begin, &end, permissions, &inode, &path_at) <
            4 ||
        path_at == 0) {
        return;
    }
    const char *path = line + path_at;
    if (*path != '/' && strcmp(path, VDSO) != 0) {
        return;
    }
    if (!last || last->inode != inode || strcmp(last->path, path) != 0) {
        last = g_new0(Module, 1);
        last->begin = begin;
        last->first_end = end;
        last->inode = inode;
        last->path = g_strdup(path);
        g_ptr_array_add(modules, last);
    }
    last->end = end;
    last->has_code |= permissions[2] == 'x';
}

static GPtrArray *modules_of(const char *maps)
{
    g_autoptr(GPtrArray) modules = g_ptr_array_new_with_free_func(module_free);
    g_auto(GStrv) lines = g_strsplit(maps, "\n", -1);

    for (char **line = lines; *line; line++) {
        add_range(modules, *line);
    }
    for (guint i = modules->len; i-- > 0;) {
        const Module *module = g_ptr_array_index(modules, i);

        if (!module->has_code) {
            g_ptr_array_remove_index(modules, i);
        }
    }
    return g_steal_pointer(&modules);
}

static const Module *module_at(const SsUnwind *unwind, guint64 address)
{
    for (guint i = 0; i < unwind->modules->len; i++) {
        const Module *module = g_ptr_array_index(unwind->modules, i);

        if (address >= module->begin && address < module->end) {
            return module;
        }
    }
    return NULL;
}

/* -- files ------------------------------------------------------------------------------------ */

/* A regular file and nothing else: opening a pipe or a device of someone's may have effects. */
static int open_file(int directory, const char *path, guint64 resolve, guint64 inode)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = resolve };
    int place = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    struct stat status;
    int fd = -1;

    if (place >= 0) {
        if (fstat(place, &status) == 0 && S_ISREG(status.st_mode) &&
            (inode == 0 || status.st_ino == inode)) {
            g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", place);

            fd = open(self, O_RDONLY | O_CLOEXEC);
        }
        close(place);
    }
    return fd;
}

/* The path is one of the process's mount namespace, and may lie below a root of its own. */
static int open_below_root(const SsUnwind *unwind, const char *path, guint64 inode)
{
    g_autofree char *root_path = g_strdup_printf("/proc/%d/root", unwind->pid);
    int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;

    if (root >= 0) {
        fd = open_file(root, path, RESOLVE_IN_ROOT, inode);
        close(root);
    }
    return fd >= 0 ? fd : open_file(AT_FDCWD, path, 0, inode);
}

/*
 * The file that was mapped: the kernel's own link to it, where that is permitted; else its path,
 * which after an upgrade may be that of another file. The inode tells, but for file systems whose
 * maps have other numbers than their stat: there a path that was not deleted does.
 */
static int open_module(const SsUnwind *unwind, const Module *module)
{
    g_autofree char *link = g_strdup_printf("/proc/%d/map_files/%lx-%lx", unwind->pid,
                                            module->begin, module->first_end);
    int fd = open_file(AT_FDCWD, link, 0, 0);

    if (fd < 0) {
        fd = open_below_root(unwind, module->path, module->inode);
    }
    if (fd < 0) {
        g_autofree char *exe = g_strdup_printf("/proc/%d/exe", unwind->pid);

        fd = open_file(AT_FDCWD, exe, 0, module->inode);
    }
    if (fd < 0 && !g_str_has_suffix(module->path, DELETED)) {
        fd = open_below_root(unwind, module->path, 0);
    }
    return fd;
}

/* This process has the same one: the kernel has one for all programs of a machine. */
static Elf *own_vdso(void)
{
    g_autofree char *maps = NULL;
    g_autoptr(GPtrArray) modules = NULL;

    if (!g_file_get_contents("/proc/self/maps", &maps, NULL, NULL)) {
        return NULL;
    }
    modules = modules_of(maps);
    for (guint i = 0; i < modules->len; i++) {
        const Module *module = g_ptr_array_index(modules, i);

        if (strcmp(module->path, VDSO) == 0) {
            return elf_memory((char *)module->begin, module->end - module->begin);
        }
    }
    return NULL;
}

static int find_elf(Dwfl_Module *dwfl_module, void **userdata, const char *name, Dwarf_Addr base,
                    char **ret_path, Elf **ret_elf)
{
    const SsUnwind *unwind = *userdata;
    const Module *module = module_at(unwind, base);

    if (!module) {
        return -1;
    }
    if (strcmp(module->path, VDSO) == 0) {
        *ret_elf = own_vdso();
        return -1;
    }
    int fd = open_module(unwind, module);
    if (fd >= 0) {
        /* libdwfl frees it. */
        *ret_path = strdup(module->path);
    }
    return fd;
}

/*
 * By build ID, and by the name that the file has for it, below /usr/lib/debug of the process and
 * of this host. libdwfl's standard search is not used: it asks debuginfod servers.
 */
static int find_debuginfo(Dwfl_Module *dwfl_module, void **userdata, const char *name,
                          Dwarf_Addr base, const char *file, const char *debug_link,
                          GElf_Word debug_link_crc, char **ret_path)
{
    const SsUnwind *unwind = *userdata;
    g_autoptr(GString) path = g_string_new("/usr/lib/debug/.build-id/");
    const unsigned char *bits;
    GElf_Addr address;
    int length = dwfl_module_build_id(dwfl_module, &bits, &address);
    int fd = -1;

    if (length > 2) {
        for (int i = 0; i < length; i++) {
            g_string_append_printf(path, "%02x%s", bits[i], i == 0 ? "/" : "");
        }
        g_string_append(path, ".debug");
        fd = open_below_root(unwind, path->str, 0);
    }
    if (fd < 0 && length <= 0 && file && *file == '/' && debug_link && !strchr(debug_link, '/')) {
        g_autofree char *directory = g_path_get_dirname(file);

        g_string_printf(path, "/usr/lib/debug%s/%s", directory, debug_link);
        fd = open_below_root(unwind, path->str, 0);
    }
    if (fd >= 0) {
        *ret_path = strdup(path->str);
    }
    return fd;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_elf,
    .find_debuginfo = find_debuginfo,
};

static gboolean is_x86_64(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", pid);
    g_autofree Elf64_Ehdr *header = g_new0(Elf64_Ehdr, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gboolean is = fd >= 0 && read(fd, header, sizeof *header) == sizeof *header &&
                  memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
                  header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == EM_X86_64;

    if (fd >= 0) {
        close(fd);
    }
    return is;
}

/* -- unwinding -------------------------------------------------------------------------------- */

static pid_t next_thread(Dwfl *dwfl, void *data, void **argument)
{
    const SsUnwind *unwind = data;

    if (*argument) {
        return 0;
    }
    *argument = data;
    return unwind->copy->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *data, void **argument)
{
    *argument = data;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret_word, void *data)
{
    const SsUnwind *unwind = data;
    guint64 value;

    if (!ss_stack_copy_read(unwind->copy, address, &value)) {
        return false;
    }
    *ret_word = value;
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *data)
{
    const SsUnwind *unwind = data;
    const guint64 *registers = unwind->copy->registers;

    if (unwind->copy->all_known) {
        return dwfl_thread_state_registers(thread, 0, SS_COPY_REGISTERS, registers);
    }
    return dwfl_thread_state_registers(thread, SS_COPY_RSP, 1, &registers[SS_COPY_RSP]) &&
           dwfl_thread_state_registers(thread, SS_COPY_PC, 1, &registers[SS_COPY_PC]);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

/* `looked_up` lies inside the call of which `address` is where it returns to. */
static SsFrame *frame_new(const SsUnwind *unwind, guint64 address, guint64 looked_up)
{
    SsFrame *frame = g_new0(SsFrame, 1);
    const Module *module = module_at(unwind, looked_up);
    Dwfl_Module *dwfl_module = dwfl_addrmodule(unwind->dwfl, looked_up);
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name;

    frame->address = address;
    if (!module) {
        return frame;
    }
    frame->module = g_strdup(module->path);
    frame->offset = address - module->begin;
    if (!dwfl_module) {
        return frame;
    }
    name = dwfl_module_addrinfo(dwfl_module, looked_up, &offset, &symbol, NULL, NULL, NULL);
    /* What lies behind a symbol's end is some function that the table does not have. */
    if (name && *name && offset < symbol.st_size) {
        /* Without its version: "recvmsg@@GLIBC_2.2.5". */
        frame->symbol = g_strndup(name, strcspn(name, "@"));
        frame->offset = offset + (address - looked_up);
    }
    return frame;
}

static int add_frame(Dwfl_Frame *state, void *data)
{
    Walk *walk = data;
    Dwarf_Addr address;
    bool is_activation;

    if (!dwfl_frame_pc(state, &address, &is_activation)) {
        return DWARF_CB_ABORT;
    }
    if (walk->frames->len - walk->first == MAX_FRAMES) {
        return DWARF_CB_ABORT + 1;
    }
    g_ptr_array_add(walk->frames, frame_new(walk->unwind, address,
                                            is_activation || address == 0 ? address : address - 1));
    return DWARF_CB_OK;
}

/* Whether its code says that nobody called it: as that does which a thread begins with. */
static gboolean is_outermost(const SsUnwind *unwind, const SsFrame *frame)
{
    guint64 inside = frame->address ? frame->address - 1 : 0;
    Dwfl_Module *module = dwfl_addrmodule(unwind->dwfl, inside);
    Dwarf_Addr bias, start, end;
    Dwarf_CFI *cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
    Dwarf_Frame *rules;
    Dwarf_Op place[3];
    Dwarf_Op *operations = NULL;
    size_t count = 0;
    bool is_signal;

    if (!cfi || dwarf_cfi_addrframe(cfi, inside - bias, &rules) != 0) {
        return FALSE;
    }
    int caller = dwarf_frame_info(rules, &start, &end, &is_signal);
    int result = dwarf_frame_register(rules, caller, place, &operations, &count);
    free(rules);
    /* That is how libdw tells a register without any rule from one that keeps its value. */
    return caller >= 0 && result == 0 && operations == place && count == 0;
}

char *ss_unwind(SsUnwind *unwind, const SsStackCopy *copy, GPtrArray *frames)
{
    Walk walk = { .unwind = unwind, .frames = frames, .first = frames->len };
    guint64 pc = copy->registers[SS_COPY_PC];
    int result;

    unwind->copy = copy;
    result = dwfl_getthread_frames(unwind->dwfl, copy->tid, add_frame, &walk);
    unwind->copy = NULL;
    if (frames->len == walk.first) {
        g_ptr_array_add(frames, frame_new(unwind, pc, pc));
    }
    /* It also ends so, without an error, where a register is not known. */
    if (result == 0) {
        return is_outermost(unwind, g_ptr_array_index(frames, frames->len - 1))
                   ? NULL
                   : g_strdup("the caller is not known");
    }
    if (result > 0 && frames->len - walk.first == MAX_FRAMES) {
        return g_strdup_printf("there are more than %d frames", MAX_FRAMES);
    }
    return g_strdup_printf("the caller is not known: %s", dwfl_errmsg(-1));
}

/* -- life ------------------------------------------------------------------------------------- */

static gboolean attach(SsUnwind *unwind)
{
    dwfl_report_begin(unwind->dwfl);
    for (guint i = 0; i < unwind->modules->len; i++) {
        const Module *module = g_ptr_array_index(unwind->modules, i);
        Dwfl_Module *reported =
            dwfl_report_module(unwind->dwfl, module->path, module->begin, module->end);
        void **userdata;

        if (reported) {
            dwfl_module_info(reported, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
            *userdata = unwind;
        }
    }
    return dwfl_report_end(unwind->dwfl, NULL, NULL) == 0 && unwind->own &&
           dwfl_attach_state(unwind->dwfl, unwind->own, unwind->pid, &thread_callbacks, unwind);
}

SsUnwind *ss_unwind_new(int pid, char **ret_why)
{
    g_autoptr(SsUnwind) unwind = g_new0(SsUnwind, 1);
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid);
    g_autofree char *maps = NULL;
    g_autoptr(GError) error = NULL;

    unwind->pid = pid;
    unwind->own_fd = -1;
    if (!g_file_get_contents(path, &maps, NULL, &error)) {
        *ret_why = g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES) ||
                           g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_PERM)
                       ? g_strdup(SS_COPY_DENIED)
                       : g_strdup(SS_COPY_ENDED);
        return NULL;
    }
    if (!is_x86_64(pid)) {
        *ret_why = g_strdup("it is no 64-bit x86 program, or has ended");
        return NULL;
    }
    unwind->modules = modules_of(maps);
    elf_version(EV_CURRENT);
    unwind->own_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    unwind->own = elf_begin(unwind->own_fd, ELF_C_READ_MMAP, NULL);
    unwind->dwfl = dwfl_begin(&callbacks);
    if (!unwind->dwfl || !attach(unwind)) {
        *ret_why = g_strdup_printf("its code cannot be read: %s", dwfl_errmsg(-1));
        return NULL;
    }
    return g_steal_pointer(&unwind);
}

void ss_unwind_free(SsUnwind *unwind)
{
    if (!unwind) {
        return;
    }
    if (unwind->dwfl) {
        dwfl_end(unwind->dwfl);
    }
    elf_end(unwind->own);
    if (unwind->own_fd >= 0) {
        close(unwind->own_fd);
    }
    g_clear_pointer(&unwind->modules, g_ptr_array_unref);
    g_free(unwind);
}
