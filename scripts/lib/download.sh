# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What was downloaded, kept in the cache under its sha256; `download/INDEX` names the one in use.

# keep_download FILE INDEX [VERSION]: moves FILE below its sha256 and makes it the one that
# INDEX names.
keep_download() {
    local sum name=${1##*/}
    sum=$(sha256sum <"$1") && sum=${sum%% *}
    mkdir -p "$cache/download/$sum"
    mv -f "$1" "$cache/download/$sum/$name"
    printf '%s %s %s\n' "$sum" "$name" "${3:--}" >"$work/index"
    mv -f "$work/index" "$cache/download/$2"
}

# kept_download INDEX: sets kept_path, kept_sum and kept_version; fails when there is none or
# when it is not what it was.
kept_path=
kept_sum=
kept_version=
kept_download() {
    local name sum
    [ -r "$cache/download/$1" ] || return 1
    read -r kept_sum name kept_version <"$cache/download/$1"
    kept_path=$cache/download/$kept_sum/$name
    [ -r "$kept_path" ] || return 1
    sum=$(sha256sum <"$kept_path")
    [ "${sum%% *}" = "$kept_sum" ]
}
