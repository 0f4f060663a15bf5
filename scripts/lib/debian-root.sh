# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Another Debian to build and test in: a root made by debootstrap from the archive that this
# machine's apt uses, with the packages of scripts/packages. It stands in the cache and is used
# again. What runs in it has name spaces of its own (mounts, processes, network, IPC), so that
# its session daemon meets no other one, and that nothing of it stays behind.

debian_root=

# The archive of `debian_archive` with its key, and how apt gets there, for debootstrap and for
# apt in the root.
make_debian_root() {
    local name=$1 directory=$2 archive uri key proxy=
    archive=$(debian_archive) ||
        {
            echo "apt's sources name no Debian archive"
            return 1
        }
    read -r uri key <<<"$archive"
    rm -rf "$directory.new"
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase \
        --include=ca-certificates ${key:+--keyring="$key"} "$name" "$directory.new" "$uri" ||
        return 1
    # Whether an archive may be an old one, too: that of a fixed day is.
    apt-config dump --format '%F "%v";%n' Acquire::http Acquire::https \
        Acquire::Check-Valid-Until Acquire::Check-Date \
        >"$directory.new/etc/apt/apt.conf.d/90archive" || return 1
    # Services have no business in a root without an init.
    printf '#!/bin/sh\nexit 101\n' >"$directory.new/usr/sbin/policy-rc.d" &&
        chmod +x "$directory.new/usr/sbin/policy-rc.d" &&
        rm -rf "$directory" && mv -T "$directory.new" "$directory"
}

# in_root NET COMMAND...: runs it in the root, in name spaces of its own; NET is "net" when it
# may reach the archive. When its first process ends, all that it started is ended. It takes the
# place of its shell, which therefore is a subshell: who waits for it waits for the end of all.
in_root() {
    local -a spaces=(--mount --pid --fork --kill-child --ipc --uts)
    local network=$1
    shift
    [ "$network" = net ] || spaces+=(--net)
    # shellcheck disable=SC2016 # the inner shell fills these in
    exec unshare "${spaces[@]}" bash -c '
        set -e
        root=$1 network=$2 downloads=$3
        shift 3
        mount --make-rprivate /
        mount --bind "$root" "$root" # in which unshare finds a mount, too, by the name of /
        if [ "$network" = net ]; then
            cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
        else
            ip link set lo up
        fi
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t tmpfs -o mode=755 dev "$root/dev"
        for node in null zero full random urandom tty kvm; do
            [ -e "/dev/$node" ] || continue
            touch "$root/dev/$node"
            mount --bind "/dev/$node" "$root/dev/$node"
        done
        mkdir "$root/dev/pts" "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"
        ln -s /proc/self/fd "$root/dev/fd"
        ln -s /proc/self/fd/0 "$root/dev/stdin"
        ln -s /proc/self/fd/1 "$root/dev/stdout"
        ln -s /proc/self/fd/2 "$root/dev/stderr"
        mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
        mount -t tmpfs -o mode=755 run "$root/run"
        mkdir -p "$root/var/cache/shmemscope/download"
        mount --bind "$downloads" "$root/var/cache/shmemscope/download"
        # Not chroot, in which no user name space may be made.
        cd "$root"
        pivot_root . .
        umount -l .
        cd /
        exec /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            SHMEMSCOPE_CACHE=/var/cache/shmemscope "$@"
    ' in-root "$debian_root" "$network" "$(cache_dir)/download" "$@"
}

# What git knows and what is new here, as it stands; times stay, so that ninja builds what
# changed.
copy_project() {
    local target=$debian_root/root/shmemscope
    mkdir -p "$target"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard |
        xargs -0 ls -d 2>/dev/null | tar -cf - --files-from=-) | tar -C "$target" --no-same-owner -xf -
}

# check_debian VERSION OPTION...: scripts/check --tests OPTION... in a root of that Debian.
check_debian() {
    local version=$1 name
    shift
    case $version in
    12) name=bookworm ;;
    13) name=trixie ;;
    esac
    [ "$(id -u)" = 0 ] ||
        die "Cannot make a root of Debian $version: only root may (debootstrap, chroot)"
    debian_root=$(cache_dir)/debian-$version
    mkdir -p "$(cache_dir)/download"
    exec {debian_lock}>"$(cache_dir)/.lock-debian-$version"
    if ! flock -n "$debian_lock"; then
        say "something else runs in this root; waiting for it"
        flock "$debian_lock"
    fi
    [ -d "$debian_root" ] ||
        one "making a root of Debian $version" make_debian_root "$name" "$debian_root" || return 0
    one "copying the project" copy_project || return 0
    one "installing packages in it" in_root net \
        /root/shmemscope/scripts/install-packages build run test || return 0
    one "fetching QEMU's source and the released QEMU" in_root net sh -c '
        cd /root/shmemscope && scripts/build-qemu --fetch && scripts/released-qemu' || return 0
    say "in Debian $version with $(in_root alone sh -c '
        printf "gcc %s" "$(gcc -dumpfullversion)"
        for library in glib-2.0 babeltrace2 lttng-ust; do
            printf ", %s %s" "$library" "$(pkg-config --modversion "$library")"
        done'): scripts/check --tests $*"
    in_debian "$@"
}

# The inner run tells its own failures; its count is added to this one's.
in_debian() {
    local line status=0
    : >"$logs/inner"
    set -m
    in_root alone /root/shmemscope/scripts/check --tests "$@" </dev/null >"$logs/inner" &
    step_group=$!
    set +m
    wait "$step_group" || status=$?
    step_group=
    while read -r line; do
        case $line in
        "failed: "*) failures+=("Debian: ${line#failed: }") ;;
        [0-9]*" passed, "[0-9]*" failed")
            passed=$((passed + ${line%% *}))
            line=${line#* passed, }
            failed=$((failed + ${line%% *}))
            return
            ;;
        esac
    done <"$logs/inner"
    note_failure "the check in the root ended early, with status $status"
}
