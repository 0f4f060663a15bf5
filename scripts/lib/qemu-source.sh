# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Where QEMU's source comes from: Debian's archive, a tarball or a directory. Downloads
# are kept in the cache under their sha256; `download/INDEX` names the one in use.

suite=trixie
source_path=
packaging_path=
source_sha256=
source_name=

# The .dsc signed by Debian tells the sums; apt has checked the .dsc against the signed
# lists, this checks what arrived against the .dsc.
check_against_dsc() {
    local told sum
    told=$(awk -v name="${2##*/}" '
        /^[^ ]/ { sums = /^Checksums-Sha256:/ }
        sums && $3 == name { print $1 }' "$1")
    sum=$(sha256sum <"$2") && sum=${sum%% *}
    [ "$told" = "$sum" ] ||
        die "Cannot use QEMU's source package: file=\"${2##*/}\":" \
            "its sha256 is $sum, its .dsc tells ${told:-none}"
}

fetch_debian_source() {
    local dsc tarball packaging version directory=$work/source-package
    open_private_apt "QEMU's source" "; give it with --source"
    say "fetching QEMU's source package of Debian $suite (38 MiB)"
    mkdir -p "$directory"
    run_step "$work/fetch.log" in_dir "$directory" \
        private_apt source --download-only --only-source qemu ||
        die "Cannot fetch QEMU's source package: suite=$suite:" \
            "$(reason_in "$work/fetch.log")"
    dsc=$(find "$directory" -name 'qemu_*.dsc')
    tarball=$(find "$directory" -name 'qemu_*.orig.tar.*' ! -name '*.asc')
    packaging=$(find "$directory" -name 'qemu_*.debian.tar.*')
    if [ ! -r "$dsc" ] || [ ! -r "$tarball" ] || [ ! -r "$packaging" ]; then
        die "Cannot fetch QEMU's source package: suite=$suite: it is not a .dsc and two" \
            "tarballs"
    fi
    check_against_dsc "$dsc" "$tarball"
    check_against_dsc "$dsc" "$packaging"
    version=$(sed -n 's/^Version: *//p' "$dsc" | head -n 1)
    keep_download "$packaging" "qemu-packaging-$suite" "$version"
    keep_download "$tarball" "qemu-$suite" "$version"
}

use_debian_source() {
    if [ "$refresh" = yes ] || ! kept_download "qemu-$suite" ||
        ! kept_download "qemu-packaging-$suite"; then
        fetch_debian_source
    fi
    kept_download "qemu-packaging-$suite" || die "Cannot use QEMU's source: it is not in the cache"
    packaging_path=$kept_path
    source_sha256=$kept_sum
    kept_download "qemu-$suite" || die "Cannot use QEMU's source: it is not in the cache"
    source_path=$kept_path
    source_sha256+=$kept_sum
    source_name="Debian's qemu $kept_version"
}

# find_source [DIR_OR_TARBALL]: sets source_path, source_sha256, source_name.
find_source() {
    local sum
    if [ -z "${1:-}" ]; then
        use_debian_source
    elif [ -d "$1" ]; then
        [ -x "$1/configure" ] ||
            die "Cannot use QEMU's source: path=\"$1\": it has no configure"
        source_path=$(cd "$1" && pwd)
        source_name=$source_path
        say "reading $source_name"
        sum=$(cd "$source_path" &&
            find . -path ./.git -prune -o \( -type f -o -type l \) -print0 |
            LC_ALL=C sort -z | tar --no-recursion --mtime=@0 --owner=0 --group=0 \
                --numeric-owner --null --files-from=- -cf - | sha256sum) ||
            die "Cannot read QEMU's source: path=\"$1\""
        source_sha256=${sum%% *}
    else
        sum=$(sha256sum 2>/dev/null <"$1") ||
            die "Cannot read QEMU's source: path=\"$1\": no such file or not readable"
        source_sha256=${sum%% *}
        source_path=$(cd "$(dirname "$1")" && pwd)/${1##*/}
        source_name=$source_path
    fi
}

# QEMU 10.0 asks for meson 1.5. An older machine borrows the suite's package, which is plain
# Python and runs from an unpacked directory: configure and ninja find it by PYTHONPATH.
find_meson() {
    local have deb
    have=$(meson --version 2>/dev/null) || have=0
    if [ "$(printf '1.5\n%s\n' "$have" | sort -V | head -n 1)" = 1.5 ]; then
        return
    fi
    if ! kept_download "meson-$suite"; then
        open_private_apt meson
        say "fetching meson of Debian $suite (this machine has $have, QEMU asks for 1.5)"
        mkdir -p "$work/meson-package"
        run_step "$work/fetch.log" in_dir "$work/meson-package" private_apt download meson ||
            die "Cannot fetch meson: suite=$suite: $(reason_in "$work/fetch.log")"
        deb=$(find "$work/meson-package" -name 'meson_*.deb')
        keep_download "$deb" "meson-$suite"
        kept_download "meson-$suite" ||
            die "Cannot use the fetched meson: file=\"${deb##*/}\": it is not in the cache"
    fi
    dpkg-deb -x "$kept_path" "$work/meson" >"$work/meson.log" 2>&1 ||
        die "Cannot unpack meson: path=\"$kept_path\": $(reason_in "$work/meson.log")"
    export PYTHONPATH=$work/meson/usr/lib/python3/dist-packages
}
