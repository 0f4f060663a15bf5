# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What `meson dist` packs of this tree as it stands: the source of one of the builds, which lacks
# what the archive lacks, and git.

packed=$build_root/packed

# A clone whose last commit has all that git would take now. It has a history and an index of its
# own: nothing of it is seen in this tree.
commit_as_it_stands() {
    local clone=$packed/clone
    rm -rf "$clone"
    git clone -q --shared --no-checkout "$root" "$clone" &&
        git --git-dir="$clone/.git" --work-tree="$root" add -A &&
        git -C "$clone" -c user.name=shmemscope -c user.email=dev@shmemscope.example \
            -c commit.gpgSign=false commit -q --no-verify --allow-empty -m "As it stands" &&
        git -C "$clone" reset -q --hard
}

# The archive, made twice, at two times and with two umasks: it has to be the same.
pack_twice() {
    local archives=$packed/pack/meson-dist
    rm -rf "$packed/pack" "$packed/first"
    meson setup "$packed/pack" "$packed/clone" &&
        (umask 022 && meson dist -C "$packed/pack" --no-tests) &&
        mv "$archives" "$packed/first" &&
        (umask 077 && meson dist -C "$packed/pack" --no-tests) &&
        diff -r "$packed/first" "$archives"
}

# Its files become as old as they are in this tree, so that a later build is of what has changed.
unpack() {
    local new=$packed/new
    rm -rf "$new" "$packed/source"
    mkdir "$new" &&
        tar -C "$new" --strip-components=1 -xf "$packed"/first/*.tar.xz &&
        (cd "$new" && find . -type f -print0) |
        (cd "$root" && xargs -0 cp --parents --attributes-only --preserve=timestamps -t "$new") &&
        mv "$new" "$packed/source"
}

# The directory packed/source, made anew.
pack_source() {
    mkdir -p "$packed"
    commit_as_it_stands && pack_twice && unpack
}
