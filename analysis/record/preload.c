/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preload.h"

#include <string.h>
#include <unistd.h>

#include "program.h"
#include "session.h"

#define WIRE_LIBRARY "libshmemscope-wire.so"
/* Of a program where it was built: its directory ends so, and the library's is this. */
#define BUILT_PROGRAM "/analysis/cli"
#define BUILT_LIBRARY "../../plugin/wire"
#define FORK_LIBRARY "liblttng-ust-fork.so.1"

/* Where the loader splits LD_PRELOAD. */
#define SEPARATORS " :"

static gboolean is_qemu(const char *program)
{
    g_autofree char *name = g_path_get_basename(program);

    return g_str_has_prefix(name, "qemu-system-") || g_str_equal(name, "qemu-kvm") ||
           g_str_equal(name, "kvm");
}

/* What becomes the program that its arguments name, and is the same process then. One that starts
 * it as a child is none: strace could not trace what is traced already. */
static gboolean becomes_another(const char *program)
{
    static const char *const those[] = { "chrt",    "env",     "ionice",  "nice",   "nohup",
                                         "numactl", "prlimit", "setpriv", "stdbuf", "taskset" };
    g_autofree char *name = g_path_get_basename(program);

    for (guint i = 0; i < G_N_ELEMENTS(those); i++) {
        if (g_str_equal(name, those[i])) {
            return TRUE;
        }
    }
    return FALSE;
}

gboolean ss_preload_daemonizes(char *const *argv)
{
    char *const *word = argv;

    while (*word && !is_qemu(*word)) {
        if (word == argv && !becomes_another(*word)) {
            return FALSE;
        }
        word++;
    }
    for (; *word; word++) {
        if (g_str_equal(*word, "-daemonize") || g_str_equal(*word, "--daemonize")) {
            return TRUE;
        }
    }
    return FALSE;
}

/*
 * The wire library: as the environment says, or where it lies with a program that was built or
 * installed. Only from a build is it looked for in the former place: from PREFIX/bin that could be
 * a directory of anybody's.
 */
static char *find_library(GError **error)
{
    const char *given = g_getenv("SHMEMSCOPE_WIRE");
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = g_path_get_dirname(self ? self : "/");
    const char *place = g_str_has_suffix(here, BUILT_PROGRAM) ? BUILT_LIBRARY : SS_WIRE_INSTALLED;
    g_autofree char *directory = g_canonicalize_filename(place, here);
    g_autofree char *path = given && *given ? g_canonicalize_filename(given, NULL)
                                            : g_build_filename(directory, WIRE_LIBRARY, NULL);

    if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        return g_steal_pointer(&path);
    }
    g_set_error(error, SS_RECORD_ERROR, SS_PRELOAD_NO_LIBRARY,
                "Cannot find the wire library: path=\"%s\"%s", path,
                given && *given ? " (SHMEMSCOPE_WIRE): no such file"
                                : ": no such file; SHMEMSCOPE_WIRE can name another one");
    return NULL;
}

static gboolean refuse(GError **error, const SsProgram *program, SsPreloadFault fault,
                       const char *reason)
{
    g_autofree char *from =
        program->script ? g_strdup_printf(" (runs \"%s\")", program->script) : g_strdup("");

    g_set_error(error, SS_RECORD_ERROR, (int)fault,
                "Cannot load the wire library into the command: program=\"%s\"%s: %s",
                program->path, from, reason);
    return FALSE;
}

/* The sentence of the loader's output that tells why, without what it begins every one with. */
static char *reason_of(const char *output, const char *library)
{
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

    for (char **line = lines; *line; line++) {
        if (strstr(*line, "not found") || strstr(*line, "cannot be preloaded") ||
            strstr(*line, "error while loading")) {
            return g_strdup(g_strstrip(*line));
        }
    }
    return strstr(output, library) ? NULL : g_strdup("its loader does not load it");
}

/*
 * The library's other half, by which it tells, beside it. A program that is recorded has it from
 * its start, as if the library were one; by itself the library loads it when it needs it.
 */
static char *find_provider(const char *library, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(library);
    g_autofree char *path = g_build_filename(directory, SS_PRELOAD_PROVIDER, NULL);

    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_set_error(
            error, SS_RECORD_ERROR, SS_PRELOAD_NO_LIBRARY,
            "Cannot load the wire library: path=\"%s\": its provider is not beside it, " SS_PRELOAD_PROVIDER,
            library);
        return NULL;
    }
    return g_steal_pointer(&path);
}

/* Name and place of a sanitizer's runtime among what is loaded, or NULL. */
static char *sanitizer_of(const char *output)
{
    static const char *const runtimes[] = { "libasan.so", "libtsan.so" };
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

    for (char **line = lines; *line; line++) {
        char *name = g_strstrip(*line);
        char *arrow = strstr(name, " => ");

        for (guint i = 0; i < G_N_ELEMENTS(runtimes) && arrow; i++) {
            if (g_str_has_prefix(name, runtimes[i]) && arrow[4] == '/') {
                return g_strndup(arrow + 4, strcspn(arrow + 4, " "));
            }
        }
    }
    return NULL;
}

/* What the program's own loader says that it would load; it runs nothing of the program. */
static char *ask_loader(const SsProgram *program, const char *library, const char *provider,
                        GError **error)
{
    g_autofree char *both = g_strconcat(library, ":", provider, NULL);
    const char *const argv[] = { program->interpreter, "--list", program->path, NULL };
    g_auto(GStrv) environment = g_get_environ();
    g_autofree char *output = NULL;
    g_autofree char *complaints = NULL;
    int status;

    environment = g_environ_setenv(environment, "LD_PRELOAD", both, TRUE);
    if (!g_spawn_sync(NULL, (char **)argv, environment, G_SPAWN_DEFAULT, NULL, NULL, &output,
                      &complaints, &status, error)) {
        g_prefix_error(error, "Cannot ask the command's loader: ");
        return NULL;
    }
    return g_strconcat(complaints, output, NULL);
}

static gboolean check_kind(const SsProgram *program, const char *library, GError **error)
{
    g_autofree char *loader = NULL;
    const char *secure = ss_program_secure_reason(program);
    guint machine = 0, elf_class = 0;

    if (secure) {
        return refuse(error, program, SS_PRELOAD_SECURE, secure);
    }
    if (!ss_program_machine(library, &machine, &elf_class)) {
        return refuse(error, program, SS_PRELOAD_LIBRARY_KIND, "the library is no ELF file");
    }
    if (machine != program->machine || elf_class != program->elf_class) {
        return refuse(error, program, SS_PRELOAD_MACHINE,
                      "it is for another architecture than the library");
    }
    if (!program->interpreter) {
        return refuse(error, program, SS_PRELOAD_STATIC,
                      "it is linked statically, and loads no library at all");
    }
    loader = g_path_get_basename(program->interpreter);
    if (!g_str_has_prefix(loader, "ld-linux") && !g_str_has_prefix(loader, "ld64.so") &&
        !g_str_has_prefix(loader, "ld.so")) {
        g_autofree char *reason =
            g_strdup_printf("it runs with another C library (%s) than the library (glibc)", loader);

        return refuse(error, program, SS_PRELOAD_LIBC, reason);
    }
    return TRUE;
}

/*
 * ret_sanitizer: runtime that has to come before everything else, or NULL; ret_provider: what
 * comes behind the library, or NULL. Both are owned by the caller.
 */
static gboolean check(const char *name, const char *library, char **ret_sanitizer,
                      char **ret_provider, GError **error)
{
    g_auto(SsProgram) program = { 0 };
    g_autofree char *output = NULL;
    g_autofree char *provider = NULL;
    g_autofree char *reason = NULL;

    if (!ss_program_find(&program, name)) {
        /* Its start will tell what is wrong. */
        return TRUE;
    }
    if (!check_kind(&program, library, error)) {
        return FALSE;
    }
    provider = find_provider(library, error);
    if (!provider) {
        return FALSE;
    }
    output = ask_loader(&program, library, provider, error);
    if (!output) {
        return FALSE;
    }
    reason = reason_of(output, library);
    if (reason) {
        return refuse(error, &program, SS_PRELOAD_LOADER, reason);
    }
    *ret_sanitizer = sanitizer_of(output);
    *ret_provider = g_steal_pointer(&provider);
    return TRUE;
}

/* LD_PRELOAD splits at these. */
static gboolean check_path(const char *library, GError **error)
{
    if (!strpbrk(library, SEPARATORS)) {
        return TRUE;
    }
    g_set_error(error, SS_RECORD_ERROR, SS_PRELOAD_LIBRARY_PATH,
                "Cannot load the wire library: path=\"%s\": LD_PRELOAD takes no path with a space "
                "or a colon",
                library);
    return FALSE;
}

gboolean ss_preload_check(const char *program, char **ret_library, GError **error)
{
    g_autofree char *library = find_library(error);
    g_autofree char *sanitizer = NULL;
    g_autofree char *provider = NULL;
    gboolean good = library && check_path(library, error) &&
                    check(program, library, &sanitizer, &provider, error);

    if (ret_library) {
        *ret_library = g_steal_pointer(&library);
    }
    return good;
}

/* A library is named once, and by the first name it was given. */
static void append(GString *value, const char *library)
{
    g_auto(GStrv) words = g_strsplit_set(value->str, SEPARATORS, -1);

    if (*library && !g_strv_contains((const char *const *)words, library)) {
        g_string_append_printf(value, "%s%s", value->len ? ":" : "", library);
    }
}

char *ss_preload_value(char *const *argv, gboolean wire, GError **error)
{
    g_autoptr(GString) value = g_string_new(NULL);
    const char *present = g_getenv("LD_PRELOAD");
    g_auto(GStrv) words = g_strsplit_set(present ? present : "", SEPARATORS, -1);

    if (wire) {
        g_autofree char *library = find_library(error);
        g_autofree char *provider = NULL;
        g_autofree char *sanitizer = NULL;

        if (!library) {
            return NULL;
        }
        if (!check_path(library, error) || !check(argv[0], library, &sanitizer, &provider, error)) {
            return NULL;
        }
        append(value, sanitizer ? sanitizer : "");
        append(value, library);
        append(value, provider ? provider : "");
    }
    if (ss_preload_daemonizes(argv)) {
        append(value, FORK_LIBRARY);
    }
    if (value->len == 0) {
        return NULL;
    }
    for (char **word = words; *word; word++) {
        append(value, *word);
    }
    return g_string_free(g_steal_pointer(&value), FALSE);
}
