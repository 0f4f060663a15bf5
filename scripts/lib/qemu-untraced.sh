# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The second QEMU of an entry with the zoo: the same bugs on the series' feature, without its
# tracepoints. It is made in the tree of the first one, after it, so that only what the
# tracepoints touched is compiled again.

# Where the tracepoints begin in the series.
first_of_tracing='*-system-Trace-memory-transactions*'
# What stands for a patch of the zoo, of the same name, where there are no tracepoints.
untraced_patches=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tests/zoo/qemu/untraced" && pwd)
# Its tracepoint patch brings a declaration, on which nearly every object depends, and nothing
# else: unused, it stays.
untraced_but=include/exec/memory.h

describe_untraced() {
    local patch
    printf 'untraced %s\n' "$(sha256sum <"${BASH_SOURCE[0]}")"
    for patch in "$untraced_patches"/*.patch; do
        printf 'untraced %s %s\n' "${patch##*/}" "$(sha256sum <"$patch")"
    done
}

# lay_out_untraced PATCH...: PATCHes are the series and the zoo, and all applied. Writes into
# $work/untraced.diff what makes of their tree the one without tracepoints. Patches of the zoo go
# to the feature as git merges them.
lay_out_untraced() {
    local patch name traced commit feature='' below=$#
    traced=$(git_tree rev-parse HEAD) || return 1
    for patch in "$@"; do
        # shellcheck disable=SC2254
        case ${patch##*/} in $first_of_tracing) feature=$traced~$below ;; esac
        below=$((below - 1))
    done
    if [ -z "$feature" ]; then
        echo "the series has no $first_of_tracing"
        return 1
    fi
    git_tree checkout -q --detach "$feature" || return 1
    below=$#
    for patch in "$@"; do
        below=$((below - 1))
        name=${patch##*/}
        commit=$traced~$below
        case $patch in
        */zoo/*) ;;
        *) continue ;;
        esac
        if [ -e "$untraced_patches/$name" ]; then
            apply_patch "$untraced_patches/$name" || return 1
        else
            git_tree cherry-pick "$commit" || return 1
        fi
    done
    git_tree diff --no-renames "$traced" HEAD -- . ":!$untraced_but" >"$work/untraced.diff" &&
        git_tree checkout -q "$traced"
}

# The ust backend's providers are one generated file of definitions. Both QEMUs compile it, and
# nobody measures these two: so it takes half the time.
hasten_providers() {
    local rule='/^build [^ ]*_trace_trace-ust-all\.c\.o:/,/^ ARGS/'
    sed -i "${rule}s/^ ARGS .*/& -O0 -g0/" "$work/build/build.ninja"
}

build_untraced() {
    patch -d "$work/qemu" -p1 -s -f -E --no-backup-if-mismatch <"$work/untraced.diff" &&
        ninja -C "$work/build" build.ninja && hasten_providers &&
        ninja -C "$work/build" -j "$jobs" qemu-system-x86_64 trace/trace-events-all
}

# install_untraced ENTRY: beside the first one, whose firmware it uses.
install_untraced() {
    mkdir "$1/untraced" && ln -s ../share "$1/untraced/share" &&
        cp "$work/build/qemu-system-x86_64" "$work/build/trace/trace-events-all" "$1/untraced/"
}
