# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Building this project, and the session daemon that its tests record with.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_root=$root/build
build_source=$root

# built_qemu [OPTION...]: sets qemu to the directory of the built QEMU.
qemu=
built_qemu() {
    qemu=$("$root/scripts/build-qemu" "$@") || exit 1
}

# built_sanitized_qemu [OPTION...]: sets qemu_sanitized to the one with the sanitizers.
qemu_sanitized=
built_sanitized_qemu() {
    qemu_sanitized=$("$root/scripts/build-qemu" --sanitize "$@") || exit 1
}

# built_zoo_qemu [OPTION...]: sets qemu_zoo to the one with the bugs of tests/zoo/qemu.
qemu_zoo=
built_zoo_qemu() {
    qemu_zoo=$("$root/scripts/build-qemu" --zoo "$@") || exit 1
}

# fetched_released_qemu [OPTION...]: sets qemu_released to that of Debian forky.
qemu_released=
fetched_released_qemu() {
    qemu_released=$("$root/scripts/released-qemu" "$@") || exit 1
}

# lock_build NAME: one at a time works in build/NAME; the lock ends with this script.
lock_build() {
    local fd
    mkdir -p "$build_root"
    exec {fd}>"$build_root/.lock-$1"
    if ! flock -n "$fd"; then
        say "something else works in build/$1; waiting for it"
        flock "$fd"
    fi
}

# configure_build NAME COMPILER OPTION...: a meson build directory build/NAME; an existing one is
# brought up to date, and made anew when it cannot be. What is built is build_source.
configure_build() {
    local directory=$build_root/$1 compiler=$2
    shift 2
    set -- "$@" -Dqemu_prefix="$qemu" -Dqemu_sanitized="$qemu_sanitized" -Dqemu_zoo="$qemu_zoo" \
        -Dqemu_released="$qemu_released"
    if [ -f "$directory/build.ninja" ] &&
        meson configure "$directory" "$@" &&
        ninja -C "$directory" build.ninja; then
        return
    fi
    rm -rf "$directory"
    CC=$compiler meson setup "$directory" "$build_source" "$@"
}

# The session daemon belongs to all who use it at the same time: each holds the lock shared, and
# who is the last stops the daemon, if one of us started it.
daemon_lock=
use_session_daemon() {
    local started
    mkdir -p "$(cache_dir)"
    exec {daemon_lock}>>"$(cache_dir)/.lock-sessiond"
    flock -s "$daemon_lock"
    started=$(cache_dir)/sessiond.pid
    if lttng --no-sessiond list >/dev/null 2>&1; then
        return
    fi
    say "starting an LTTng session daemon"
    rm -f "$started"
    # Daemons must not hold our locks.
    (
        close_descriptors
        exec lttng-sessiond --daemonize --no-kernel --pidfile="$started"
    ) >/dev/null 2>&1 ||
        lttng --no-sessiond list >/dev/null 2>&1 ||
        die "Cannot start an LTTng session daemon: try \`lttng-sessiond --no-kernel\`"
}

close_descriptors() {
    local fd
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        if [ "$fd" -gt 2 ]; then
            eval "exec $fd>&-" 2>/dev/null || true
        fi
    done
}

leave_session_daemon() {
    local started pid
    [ -n "$daemon_lock" ] || return 0
    started=$(cache_dir)/sessiond.pid
    if [ -s "$started" ] && flock -n "$daemon_lock"; then
        read -r pid <"$started"
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = lttng-sessiond ]; then
            kill "$pid" && say "stopped the session daemon ($pid)"
        fi
        rm -f "$started"
    fi
    exec {daemon_lock}>&-
    daemon_lock=
}
