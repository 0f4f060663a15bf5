# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Programs of another Debian, unmodified, in a directory: the packages and what they depend on,
# fetched by a private apt and unpacked, not installed. That needs no root and no chroot, for each
# program is started by the dynamic loader that was unpacked with it, and so runs with its own
# libraries wherever it stands.

# fetch_packages INDEX PACKAGE...: packages of $suite with all they depend on, one tar of them in
# the cache's downloads under the name INDEX; as few bytes differ as their versions do.
fetch_packages() {
    local index=$1 archives=$work/apt/cache/archives
    shift
    open_private_apt "packages of Debian $suite"
    say "fetching $* of Debian $suite, and what they need"
    # No package is there yet: what every Debian has is fetched as well.
    run_step "$work/fetch.log" private_apt -o Dir::State::status=/dev/null \
        -o Dir::State::extended_states="$work/apt/extended_states" --yes \
        --no-install-recommends --download-only install "$@" ||
        die "Cannot fetch packages: suite=$suite: $(reason_in "$work/fetch.log")"
    (cd "$archives" && tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf \
        "$work/$index.tar" -- *.deb) || die "Cannot keep packages: suite=$suite"
    keep_download "$work/$index.tar" "$index" "$(cd "$archives" && echo "$1"_*.deb)"
    kept_download "$index" || die "Cannot use the fetched packages: they are not in the cache"
}

# unpack_packages TAR DIR: all of them into DIR/root.
unpack_packages() {
    local package
    mkdir -p "$work/packages" "$2/root" && tar -C "$work/packages" -xf "$1" || return 1
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$2/root" || return 1
    done
    rm -rf "$work/packages"
}

# make_program DIR FILE OPTIONS [ASSIGNMENT...]: DIR/NAME, which starts DIR/root/FILE with its own
# loader and these options first, and with ASSIGNMENTs in its environment; in both $root is where
# the packages are, $library where their libraries. The loader stands there once more under the program's name, which the kernel
# takes for that of the process.
make_program() {
    local directory=$1 file=$2 options=$3 name=${2##*/} loader library
    shift 3
    loader=$(find "$directory/root/usr" -name 'ld-linux*.so.[0-9]' -type f | head -n 1)
    library=${loader%/*}
    [ -n "$loader" ] && [ -x "$directory/root/$file" ] || {
        echo "no such program in the packages: $file"
        return 1
    }
    mkdir -p "$directory/loader" && cp "$loader" "$directory/loader/$name" || return 1
    {
        printf '%s\n' '#!/bin/sh' '# SPDX-License-Identifier: GPL-2.0-or-later' \
            "# $name of Debian $suite with that one's loader and libraries. What is preloaded" \
            '# finds libraries that are not among them where this machine has its own.' \
            'root=${0%/*}/root' "library=\$root${library#"$directory/root"}" "${@/#/export }"
        printf 'exec "$root/../loader/%s" --library-path "$library" "$root/%s" %s "$@"\n' \
            "$name" "$file" "$options"
    } >"$directory/$name"
    chmod +x "$directory/$name"
}
