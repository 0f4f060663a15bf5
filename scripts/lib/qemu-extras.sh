# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What an entry of the cache may have beside the QEMU of qemu-recipe.sh: the sanitizers, and
# QEMU tests that the series brings. Only for such an entry this file is part of the key.

# QEMU's own options, and frame pointers, from which the sanitizers read where a block was
# allocated.
sanitize=no
sanitize_options=(
    --enable-asan
    --enable-ubsan
    --extra-cflags=-fno-omit-frame-pointer
)

# Sanitized programs that the build runs are not asked what they leave allocated at their end.
use_sanitizers() {
    sanitize=yes
    extra_options+=("${sanitize_options[@]}")
    export ASAN_OPTIONS=detect_leaks=0
}

# The ust backend's providers are one generated file of definitions. A sanitizer has nothing to
# find in it, and takes over five minutes and 4.5 GB for it; without one it takes one or two.
spare_providers() {
    local rule='/^build [^ ]*_trace_trace-ust-all\.c\.o:/,/^ ARGS/'
    sed -i "${rule}s/^ ARGS .*/& -fno-sanitize=all/" "$work/build/build.ninja"
}

series_tests=()

# Sets series_tests to the targets of the tests that PATCH... brings.
find_series_tests() {
    local target
    series_tests=()
    for target in tests/qtest/vhost-user-shmem-test; do
        if [ $# -gt 0 ] && grep -qx -- "+++ b/$target.c" "$@"; then
            series_tests+=("$target")
        fi
    done
}

build_series_tests() {
    ninja -C "$work/build" -j "$jobs" "${series_tests[@]}"
}

# install_series_tests ENTRY
install_series_tests() {
    mkdir "$1/tests" && (cd "$work/build" && cp "${series_tests[@]}" "$1/tests/")
}

describe_extras() {
    if [ "$sanitize" = yes ] || [ ${#series_tests[@]} -gt 0 ]; then
        printf 'extras %s\n' "$(sha256sum <"$(dirname "${BASH_SOURCE[0]}")/qemu-extras.sh")"
    fi
}
