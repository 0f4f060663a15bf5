/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * FUZZER FILE|DIRECTORY...: what a fuzzer is when libFuzzer is not there: it takes each file
 * once.
 */
#include <stdlib.h>

#include <glib.h>

#include "tests/fuzz/fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    return size;
}

static guint take(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    g_autofree char *data = NULL;
    gsize size = 0;
    guint taken = 0;
    if (directory) {
        for (const char *name = g_dir_read_name(directory); name;
             name = g_dir_read_name(directory)) {
            g_autofree char *below = g_build_filename(path, name, NULL);
            taken += take(below);
        }
        return taken;
    }
    if (!g_file_get_contents(path, &data, &size, &error)) {
        (void)fprintf(stderr, "Cannot read input: path=\"%s\": %s\n", path, error->message);
        exit(2);
    }
    /* Of its exact size, so that a sanitizer sees what lies behind. */
    g_autofree uint8_t *exact = g_memdup2(data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    return 1;
}

int main(int argc, char **argv)
{
    guint taken = 0;
    for (int i = 1; i < argc; i++) {
        taken += take(argv[i]);
    }
    (void)printf("%u inputs\n", taken);
    return taken ? 0 : 2;
}
