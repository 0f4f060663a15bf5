# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What every script of this folder shares: whose programs run, how they speak, where
# they keep what they built, how they run something long and end it again.

# Debian's own programs come first: a python3 or meson of a version manager does not see
# the modules that Debian's packages install.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH
export LC_ALL=C.UTF-8

program=${0##*/}
quiet=${quiet:-no}

say() {
    if [ "$quiet" = no ]; then
        printf '%s: %s\n' "$program" "$*" >&2
    fi
}

# die SENTENCE: one clear sentence, once. What ran is cleaned up by the EXIT trap.
die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

usage_error() {
    printf '%s: %s (%s --help tells the options)\n' "$program" "$*" "$program" >&2
    exit 2
}

# Where built and downloaded things are kept between runs.
cache_dir() {
    printf '%s\n' "${SHMEMSCOPE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/shmemscope}"
}

# progress TEXT: a line that the next one overwrites on a terminal; elsewhere one line
# every few seconds.
progress_last=0
progress() {
    [ "$quiet" = no ] || return 0
    if [ -t 2 ]; then
        printf '\r\033[K%s: %.70s' "$program" "$*" >&2
    elif [ $((EPOCHSECONDS - progress_last)) -ge 10 ]; then
        progress_last=$EPOCHSECONDS
        printf '%s: %s\n' "$program" "$*" >&2
    fi
}

progress_end() {
    if [ "$quiet" = no ] && [ -t 2 ]; then
        printf '\r\033[K' >&2
    fi
}

# run_step LOG COMMAND...: runs COMMAND in a process group of its own, so that a signal to
# this script ends it and all that it started; its output goes to LOG, its ninja lines
# ("[n/N] ...") are shown as progress. Returns the command's status.
step_group=
step_title=
run_step() {
    local log=$1 status=0
    shift
    set -m
    ("$@" </dev/null 2>&1 | step_output "$log") &
    step_group=$!
    set +m
    wait "$step_group" || status=$?
    step_group=
    progress_end
    return "$status"
}

step_output() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line" >&3
        case $line in
        \[[0-9]*/[0-9]*\]*) progress "${step_title:+$step_title }${line%%]*}]" ;;
        esac
    done 3>>"$1"
}

end_step() {
    if [ -n "$step_group" ]; then
        kill -TERM -- "-$step_group" 2>/dev/null || true
        wait "$step_group" 2>/dev/null || true
        step_group=
    fi
}

# reason_in LOG: the line of a failed step's log that tells why, shortened.
reason_in() {
    local found
    for pattern in 'No space left on device' 'File too large|File size limit exceeded' \
        'Disk quota exceeded' '^E: ' 'patch failed|patch does not apply|corrupt patch' \
        'ERROR:|[Ee]rror:|^fatal:' 'FAILED|[Cc]annot |not found'; do
        found=$(grep -a -m 1 -E "$pattern" "$1" 2>/dev/null) || continue
        printf '%.240s\n' "$found"
        return
    done
    found=$(grep -a -v '^[[:space:]]*$' "$1" 2>/dev/null | tail -n 1) || true
    printf '%.240s\n' "${found:-no reason was told}"
}

in_dir() {
    cd "$1" || return 1
    shift
    "$@"
}
