# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# How a QEMU is built from its source. The whole of this file is part of the cache's key:
# what changes here builds anew, and nothing else of the scripts does.

# Q35 is the machine of the tests; I440FX and a port for hot unplug stand beside it. The last
# group is taken when the tree has it: the feature series brings its own switch.
device_list="CONFIG_Q35=y
CONFIG_I440FX=y
CONFIG_PCIE_PORT=y
CONFIG_VIRTIO_PCI=y"
device_list_optional="VHOST_USER_TEST"

# The binary runs from the entry's directory: with prefix and bindir the same, QEMU finds its
# data below ./share wherever the entry stands.
configure_options=(
    --prefix=/opt/shmemscope-qemu
    --bindir=/opt/shmemscope-qemu
    --firmwarepath=/usr/share/seabios
    --target-list=x86_64-softmmu
    --without-default-features
    --enable-system
    --enable-tcg
    --enable-kvm
    --enable-vhost-user
    --enable-trace-backends=ust,log
    --enable-plugins
    --enable-fdt=system
    --disable-docs
    --disable-install-blobs
    --disable-download
    --without-default-devices
    --with-devices-x86_64=shmemscope
    --with-pkgversion=shmemscope
)

build_targets=(
    qemu-system-x86_64
    subprojects/libvhost-user/libvhost-user.a
    trace/trace-events-all
)

git_tree() {
    env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE GIT_CONFIG_GLOBAL=/dev/null \
        GIT_CONFIG_SYSTEM=/dev/null git -C "$work/qemu" -c user.name=shmemscope \
        -c user.email=dev@shmemscope.example -c gc.auto=0 -c core.autocrlf=false "$@"
}

unpack_source() {
    mkdir "$work/qemu"
    if [ -d "$source_path" ]; then
        tar -C "$source_path" --exclude=./.git -cf - . | tar -C "$work/qemu" -xf -
    else
        tar --no-same-owner --strip-components=1 -C "$work/qemu" -xf "$source_path"
    fi
}

# What Debian changes in its QEMU, as its package does when it is unpacked.
apply_packaging() {
    local name
    [ -n "$packaging_path" ] || return 0
    mkdir "$work/packaging"
    tar --no-same-owner -C "$work/packaging" -xf "$packaging_path" debian/patches || return 1
    while read -r name _; do
        case $name in '' | \#*) continue ;; esac
        echo "$name"
        patch -d "$work/qemu" -p1 -s -f --no-backup-if-mismatch \
            <"$work/packaging/debian/patches/$name" || return 1
    done <"$work/packaging/debian/patches/series"
}

# A tree of git's own, made for the purpose: `git am` refuses a patch that does not fit
# exactly, where patch(1) would guess.
start_tree() {
    rm -rf "$work/qemu/.git"
    git_tree init -q && git_tree add -A -f && git_tree commit -q --no-verify -m source
}

apply_patch() {
    git_tree am -q --keep-cr "$1"
}

write_device_list() {
    local symbol list=$work/qemu/configs/devices/x86_64-softmmu/shmemscope.mak
    printf '%s\n' "$device_list" >"$list"
    for symbol in $device_list_optional; do
        if grep -q "^config $symbol\$" "$work/qemu/hw/virtio/Kconfig"; then
            printf 'CONFIG_%s=y\n' "$symbol" >>"$list"
        fi
    done
}

# pycotap serves QEMU's own functional tests, edk2's images other machines; both are asked for
# all the same, and where there is no package index, or in a source without them, they
# cannot be had.
drop_unused_requirements() {
    sed -i '/^pycotap *=/d' "$work/qemu/pythondeps.toml" &&
        sed -i 's/^if unpack_edk2_blobs$/if false/' "$work/qemu/pc-bios/meson.build"
}

configure_tree() {
    drop_unused_requirements || return 1
    mkdir "$work/build" && cd "$work/build" || return 1
    ../qemu/configure --python=/usr/bin/python3 --cc="$compiler" --host-cc="$compiler" \
        "${configure_options[@]}" "$@"
}

# Q35 looks for kvmvapic.bin at every start and complains when there is none; QEMU's configure
# builds it only with a compiler for 32 bits, though it needs no library of one.
build_tree() {
    ninja -C "$work/build" -j "$jobs" "${build_targets[@]}" &&
        cd "$work/build/pc-bios/optionrom" && touch config.mak &&
        make TOPSRC_DIR="$work/qemu" CC=gcc PYTHON=python3 TARGET_DIR= OBJCOPY=objcopy \
            kvmvapic.bin linuxboot_dma.bin
}

# The entry: what PARTS use, and nothing of the 1 GB of objects. meson's libraries are thin
# (they name their objects); this one gets to stand alone.
install_entry() {
    local entry=$1 thin=subprojects/libvhost-user/libvhost-user.a
    local -a members
    mkdir -p "$entry/include/standard-headers" "$entry/share/qemu"
    cp "$work/build/qemu-system-x86_64" "$work/build/trace/trace-events-all" "$entry/" &&
        cp "$work/qemu/subprojects/libvhost-user/libvhost-user.h" "$entry/include/" &&
        cp -r "$work/qemu/include/standard-headers/linux" \
            "$entry/include/standard-headers/" &&
        cp "$work/qemu/include/qemu/qemu-plugin.h" "$entry/include/" &&
        cp "$work/build/pc-bios/optionrom/"*.bin "$entry/share/qemu/" || return 1
    (cd "$work/build" && mapfile -t members < <(ar t "$thin") &&
        cd "$(thin_root "$thin" "${members[0]}")" &&
        ar rcs "$entry/libvhost-user.a" "${members[@]}")
}

# ar of binutils names the members relative to the archive, others to where it runs.
thin_root() {
    if [ -e "$2" ]; then pwd; else (cd "${1%/*}" && pwd); fi
}

# One start proves that the binary finds its libraries and firmware and knows its machine. No
# pipes: under pipefail, a reader that has read enough makes the writer fail.
try_entry() {
    local devices
    LTTNG_UST_REGISTER_TIMEOUT=0 timeout 60 "$1/qemu-system-x86_64" -nodefaults \
        -no-user-config -display none -machine q35 -accel qtest -S -qmp stdio \
        <<<'{"execute":"qmp_capabilities"}{"execute":"quit"}' &&
        devices=$(timeout 60 "$1/qemu-system-x86_64" -device help) &&
        [[ $devices == *'"pcie-root-port"'* ]]
}
