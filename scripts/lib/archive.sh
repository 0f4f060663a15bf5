# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Debian's archive: the one that this machine's apt uses, read with lists of our own, so that
# packages and sources of another Debian can be had without a change of the machine.

# The Debian whose packages are fetched; the script that fetches says which.
suite=

# The archive that this machine's apt uses already, with the key that signs it. apt itself
# reads its .sources and .list files and tells what it found; only the key is looked up by
# hand, for apt does not tell it.
debian_archive() {
    local release line uri name component entry file number key
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016 # apt fills these in
    line=$(apt-get indextargets \
        --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SOURCESENTRY)' \
        'Identifier: Packages' 2>/dev/null |
        awk -F'|' -v release="$release" \
            '$2 == release && $3 == "main" { print; exit }') || true
    [ -n "$line" ] || return 1
    # shellcheck disable=SC2034 # the fields in between have to be read
    IFS='|' read -r uri name component entry <<<"$line"
    file=${entry%:*}
    number=${entry##*:}
    case $file in
    *.sources)
        # The number counts stanzas here, from 1.
        key=$(awk -v n="$number" 'BEGIN { RS = "" } NR == n' "$file" |
            sed -n 's/^[Ss]igned-[Bb]y:[[:space:]]*\(\/[^[:space:]]*\).*/\1/p')
        ;;
    *)
        key=$(sed -n "${number}s/.*signed-by=\\(\\/[^],[:space:]]*\\).*/\\1/p" "$file")
        ;;
    esac
    if [ -z "$key" ] && [ -r /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        key=/usr/share/keyrings/debian-archive-keyring.gpg
    fi
    printf '%s %s\n' "$uri" "$key"
}

# apt with lists and sources of its own: the machine's are neither used nor changed.
private_apt() {
    local root=$work/apt
    local -a options=(
        -o "Dir::Etc::SourceList=$root/sources.list"
        -o "Dir::Etc::SourceParts=$root/parts"
        -o "Dir::State::Lists=$root/lists"
        -o "Dir::Cache=$root/cache"
        -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
        -o APT::Update::Error-Mode=any
        -o Acquire::Retries=1
        -o Debug::NoLocking=1
    )
    if [ "$(id -u)" = 0 ]; then
        # The sandbox user could not write into a cache that belongs to root.
        options+=(-o APT::Sandbox::User=root)
    fi
    apt-get "${options[@]}" "$@"
}

# open_private_apt WHAT [HINT]: for the packages of $suite; WHAT is to be fetched, HINT what to
# do where it cannot be.
open_private_apt() {
    local archive uri key root=$work/apt
    [ ! -e "$root/sources.list" ] || return 0
    command -v apt-get >/dev/null || die "Cannot fetch $1: there is no apt here${2:-}"
    archive=$(debian_archive) ||
        die "Cannot fetch $1: apt's sources name no Debian archive${2:-}"
    read -r uri key <<<"$archive"
    mkdir -p "$root/parts" "$root/lists/partial" "$root/cache/archives/partial"
    printf '%s\n' "deb-src ${key:+[signed-by=$key] }$uri $suite main" \
        "deb ${key:+[signed-by=$key] }$uri $suite main" >"$root/sources.list"
    say "fetching the package lists of Debian $suite"
    run_step "$work/fetch.log" private_apt update ||
        die "Cannot fetch Debian's package lists: suite=$suite:" \
            "$(reason_in "$work/fetch.log")"
}
