/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * encode-fixture FIXTURE OUTPUT: a fixture as the bytes that fuzz-events takes.
 */
#include <stdio.h>

#include "tests/fuzz/bytes.h"

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "Usage: encode-fixture FIXTURE OUTPUT\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(SsFixture) fixture = ss_fixture_load(argv[1], &error);
    g_autoptr(GByteArray) bytes = fixture ? ss_fuzz_encode(fixture) : NULL;
    if (!bytes ||
        !g_file_set_contents(argv[2], (const char *)bytes->data, (gssize)bytes->len, &error)) {
        (void)fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    return 0;
}
