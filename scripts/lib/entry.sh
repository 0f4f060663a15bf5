# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Making an entry of the cache: a directory of work that nobody else has and that goes away with
# the script, steps that keep the log of one that failed, and one maker at a time.

cache=
work=

# open_cache: sets cache; from now on the end of the script removes what it leaves.
open_cache() {
    cache=$(cache_dir)
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

cleanup() {
    local status=$?
    trap '' INT TERM HUP
    end_step
    if [ -n "$work" ]; then
        # A full disk must not stay full for our sake.
        rm -rf "$work"
    fi
    exit "$status"
}

make_work() {
    mkdir -p "$cache/entry" "$cache/download" "$cache/log" 2>/dev/null ||
        die "Cannot write the cache: path=\"$cache\": it cannot be created"
    # What a killed run left behind: its lock is free. Nobody may look at a directory that was
    # made and is not locked yet.
    local old
    exec 7>"$cache/.lock"
    flock 7
    for old in "$cache"/tmp.??????; do
        if [ -d "$old" ] && flock -n "$old" true; then
            rm -rf "$old"
        fi
    done
    work=$(mktemp -d "$cache/tmp.XXXXXX" 2>/dev/null) ||
        die "Cannot write the cache: path=\"$cache\": no directory can be made in it"
    exec 8<"$work"
    flock 8
    exec 7>&-
}

# check_space WHAT MB
check_space() {
    local free
    free=$(df --output=avail -BM "$cache" | tail -n 1 | tr -dc '0-9')
    [ "$free" -ge "$2" ] ||
        die "Cannot build $1: no space left in \"$cache\": $free MB are free, $2 MB are needed"
}

# lock_entry KEY WHAT: waits for another maker of the same.
lock_entry() {
    exec 9>"$cache/entry/.lock-${1:0:20}"
    if ! flock -n 9; then
        say "another build of $2 runs; waiting for it"
        flock 9
    fi
}

# step TITLE SENTENCE COMMAND...: the log of one that failed is kept for who has to look further.
key=
step() {
    local title=$1 sentence=$2 kept=$cache/log/${key:0:12}.log
    shift 2
    say "$title"
    step_title=$title
    if ! run_step "$work/log" "$@"; then
        cp "$work/log" "$kept" 2>/dev/null || kept=
        die "$sentence: $(reason_in "$work/log")${kept:+ (log: $kept)}"
    fi
    cat "$work/log" >>"$work/all.log"
    : >"$work/log"
}
