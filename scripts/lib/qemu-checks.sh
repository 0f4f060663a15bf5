# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a maintainer of QEMU looks at first: does the series apply, does it obey QEMU's style, is
# each of its commits sound, do QEMU's own tests pass. scripts/check --qemu runs it, with its
# counting (one, note_pass, note_failure) and with the sources and the recipe of build-qemu.
#
# All is kept in the cache below check/: the tree in git, a build directory for each compiler,
# and a stamp for each commit that a compiler has built. A stamp is named by what decides: the
# commit's tree, the compiler, the options. So a second run has little to do, an interrupted one
# goes on, and a changed patch is built together with those behind it and no others.

# Each commit is built with the `log` backend alone: with it the compiler sees every event's
# arguments against their format, and a build takes minutes, where the providers of `ust` would
# cost two minutes more for each commit and compiler, without a line of the series' own in them.
# The whole with `ust` is what build-qemu makes. What QEMU's vhost-user tests need stands
# beside: i440fx (of the recipe), virtio-net and its option ROM.
qemu_check_options=(
    --enable-trace-backends=log
    --enable-vhost-net
    --enable-werror
)
qemu_check_devices=CONFIG_VIRTIO_NET=y
qemu_check_targets=(
    qemu-system-x86_64
    subprojects/libvhost-user/libvhost-user.a
    tests/qtest/qos-test
)
vhost_user_tests_expected=8

series_dir=$root/tracepoints/qemu/10.0
series_patches=()
series_commits=()

# What build-qemu's parts want to be told.
open_qemu_check() {
    cache=$(cache_dir)
    work=$cache/check
    refresh=no
    jobs=$(nproc)
    mkdir -p "$work/stamp" "$cache/download"
    exec {qemu_check_lock}>"$work/.lock"
    if ! flock -n "$qemu_check_lock"; then
        say "another check of the series runs; waiting for it"
        flock "$qemu_check_lock"
    fi
    # What an interrupted run left.
    rm -rf "$work/apt" "$work/source-package" "$work/meson" "$work/meson-package"
    find "$work/qemu/.git" -name '*.lock' -delete 2>/dev/null || true
    local name
    while read -r name; do
        case $name in '' | \#*) continue ;; esac
        series_patches+=("$series_dir/$name")
    done <"$series_dir/series"
    [ ${#series_patches[@]} -gt 0 ] ||
        die "Cannot check the series: path=\"$series_dir/series\": it names no patch"
    find_source
    find_meson
}

# The tree stays when it is the one wanted; "pristine" is another view of the same repository.
prepare_qemu_tree() {
    local wanted
    wanted="$source_sha256 $(sha256sum <"$root/scripts/lib/qemu-recipe.sh")"
    if [ "$(cat "$work/source" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    rm -rf "$work/source" "$work/qemu" "$work/pristine" "$work/packaging" "$work"/build-*
    unpack_source && apply_packaging && start_tree &&
        git_tree branch source &&
        git_tree worktree add -q --detach "$work/pristine" source &&
        printf '%s\n' "$wanted" >"$work/source"
}

in_pristine() {
    git_tree -C "$work/pristine" "$@"
}

# The dates and the name of who commits are fixed: the same patches make the same commits.
am_pristine() {
    GIT_COMMITTER_NAME=shmemscope GIT_COMMITTER_EMAIL=dev@shmemscope.example \
        in_pristine -c apply.whitespace=error-all am --committer-date-is-author-date "$1"
}

start_pristine() {
    in_pristine am --abort 2>/dev/null
    in_pristine checkout -q --force --detach source
}

# Whatever git has to say beside the subject is a complaint; and git says nothing of a hunk that
# it found at other lines than the patch tells.
apply_clean() {
    local said status=0 hunk='^@@ -[0-9,]* +[0-9,]* @@'
    said=$(am_pristine "$1" 2>&1) || status=$?
    printf '%s\n' "$said"
    [ $status -eq 0 ] && [ "$(wc -l <<<"$said")" = 1 ] && [[ $said == "Applying: "* ]] || return 1
    cmp -s <(grep -o "$hunk" "$1") <(in_pristine show --format= HEAD | grep -o "$hunk") || {
        echo "error: it applies at other lines than it tells"
        return 1
    }
}

obeys_style() {
    local said
    said=$(cd "$work/pristine" && scripts/checkpatch.pl "$1" 2>&1) || true
    printf '%s\n' "$said"
    grep -q '^total: 0 errors, 0 warnings, [1-9][0-9]* lines checked' <<<"$said"
}

check_patches() {
    local patch name
    start_pristine
    for patch in "${series_patches[@]}"; do
        name=${patch##*/}
        one "applying ${name%.patch}" apply_clean "$patch" || return 1
    done
    for patch in "${series_patches[@]}"; do
        name=${patch##*/}
        one "checkpatch on ${name%.patch}" obeys_style "$patch" || true
    done
    mapfile -t series_commits < <(in_pristine rev-list --reverse source..HEAD)
}

# what_decides COMPILER OPTION...: what beside the source makes a build what it is.
what_decides() {
    "$1" --version
    printf '%s\n' "${configure_options[@]}" "${qemu_check_options[@]}" "${@:2}"
}

# stamp_of COMMIT COMPILER: the stamp's file.
stamp_of() {
    local key
    key=$({
        git_tree rev-parse "$1^{tree}"
        what_decides "$2"
        printf '%s\n' "$device_list" "$qemu_check_devices" "${qemu_check_targets[@]}"
    } | sha256sum)
    printf '%s\n' "$work/stamp/${key:0:40}"
}

# Written only when it changes: the build looks at the time of the file.
choose_devices() {
    local list=$work/qemu/configs/devices/x86_64-softmmu/shmemscope.mak symbol
    local wanted=$device_list$'\n'$qemu_check_devices
    for symbol in $device_list_optional; do
        if grep -q "^config $symbol\$" "$work/qemu/hw/virtio/Kconfig"; then
            wanted+=$'\n'CONFIG_$symbol=y
        fi
    done
    [ "$(cat "$list" 2>/dev/null)" = "$wanted" ] || printf '%s\n' "$wanted" >"$list"
}

# The tests that this commit brings beside QEMU's own.
tests_of_commit() {
    local path=tests/qtest/vhost-user-shmem-test
    if [ -e "$work/qemu/$path.c" ]; then
        printf '%s\n' "$path"
    fi
}

# build_commit COMMIT COMPILER DIRECTORY OPTION...: incrementally, in the cache's DIRECTORY.
build_commit() {
    local commit=$1 compiler=$2 directory=$work/$3 wanted
    local -a own=()
    shift 3
    if [ "$(git_tree rev-parse HEAD)" != "$commit" ]; then
        git_tree checkout -q --force --detach "$commit" || return 1
    fi
    choose_devices || return 1
    wanted=$(what_decides "$compiler" "$@")
    if [ "$(cat "$directory/configured" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$directory"
        mkdir "$directory" && (
            cd "$directory" && ../qemu/configure --python=/usr/bin/python3 \
                --cc="$compiler" --host-cc="$compiler" "${configure_options[@]}" \
                "${qemu_check_options[@]}" "$@" && printf '%s\n' "$wanted" >configured
        ) || return 1
    fi
    if [[ " ${qemu_check_targets[*]}" == *" tests/"* ]]; then
        mapfile -t own < <(tests_of_commit)
    fi
    ninja -C "$directory" -j "$jobs" "${qemu_check_targets[@]}" "${own[@]}"
}

# A check that is quick when there is a stamp.
check_commit() {
    local commit=$1 compiler=$2 title=$3 stamp
    stamp=$(stamp_of "$commit" "$compiler")
    if [ -e "$stamp" ]; then
        say "$title: passed before"
        note_pass
    elif one "$title" build_commit "$commit" "$compiler" "build-$compiler"; then
        touch "$stamp"
    fi
}

check_commits() {
    local number commit compiler subject
    for ((number = 1; number <= ${#series_commits[@]}; number++)); do
        commit=${series_commits[number - 1]}
        subject=$(git_tree log -1 --format=%s "$commit")
        for compiler in gcc clang; do
            check_commit "$commit" "$compiler" \
                "building commit $number with $compiler: $subject"
        done
    done
}

# Stamps tell that the last commit was built, not that it is what stands in the directory. A
# program in its build tree looks for firmware below qemu-bundle and nowhere else.
prepare_tests() {
    local directory=$work/build-$1 data file
    build_commit "${series_commits[-1]}" "$1" "build-$1" || return 1
    data=$directory/qemu-bundle/opt/shmemscope-qemu/share/qemu
    mkdir -p "$data" || return 1
    for file in /usr/share/seabios/bios-256k.bin /usr/lib/ipxe/qemu/efi-virtio.rom; do
        ln -sf "$file" "$data/" && [ -r "$data/${file##*/}" ] || return 1
    done
}

# vhost-user-test.c is a part of qos-test, which runs whatever the machine's devices allow, and
# ends well when that is nothing.
check_qtests() {
    local compiler path
    local -a own
    for compiler in gcc clang; do
        one "preparing the tests that $compiler compiled" prepare_tests "$compiler" || continue
        run_qtest "$compiler" tests/qtest/qos-test "$vhost_user_tests_expected" /vhost-user/
        mapfile -t own < <(tests_of_commit)
        for path in "${own[@]}"; do
            run_qtest "$compiler" "$path" 1 /
        done
    done
}

qtest() {
    in_dir "$work/build-$1" env QTEST_QEMU_BINARY=./qemu-system-x86_64 timeout 600 "${@:2}"
}

# The same tests with the wire library in test and QEMU: which of both is the front-end and which
# the back-end changes from test to test. First with nobody who records, then with a recording,
# which must be of these channels: a library that was not loaded harms nothing either.
check_wire_qtests() {
    local path trace=$logs/wire
    local -a own
    mapfile -t own < <(tests_of_commit)
    for path in tests/qtest/qos-test "${own[@]}"; do
        set -- 1 /
        [ "${path##*/}" != qos-test ] || set -- "$vhost_user_tests_expected" /vhost-user/
        qtest_title=", the wire library dormant"
        qtest_under=(env LD_PRELOAD="$build_root/main/plugin/wire/libshmemscope-wire.so")
        run_qtest gcc "$path" "$@"
        qtest_title=", the wire library recording"
        qtest_under=("$build_root/main/analysis/cli/shmemscope" record --wire --output "$trace" --)
        run_qtest gcc "$path" "$@"
        one "what was recorded of ${path##*/}" recorded_both_sides "$trace" || true
        rm -rf "$trace"
    done
    qtest_title='' qtest_under=()
}

# recorded_both_sides TRACE: of each process, whether front-end or back-end, channels were told.
recorded_both_sides() {
    local events side
    events=$(babeltrace2 "$1") || return 1
    for side in front_end back_end; do
        grep -q "shmemscope_wire:channel: .*role = ( \"$side\"" <<<"$events" || {
            echo "error: no channel of a $side was told"
            return 1
        }
    done
}

# run_qtest COMPILER PROGRAM LEAST PART: the program's tests whose path contains PART, which are
# LEAST or more. Each one counts; one that is skipped, or that never came, failed. They run under
# the command qtest_under, which qtest_title tells of.
qtest_title=
qtest_under=()
run_qtest() {
    local compiler=$1 program=$2 least=$3 part=$4 title status=0 line ran=0 path
    local -a paths options=()
    title="${program##*/} ($compiler$qtest_title)"
    mapfile -t paths < <(qtest "$compiler" "$program" -l 2>/dev/null </dev/null | grep "$part")
    for path in "${paths[@]}"; do
        options+=(-p "$path")
    done
    if [ ${#paths[@]} -lt "$least" ]; then
        note_failure "$title: ${#paths[@]} tests $part are there, $least are expected"
        return
    fi
    say "running ${#paths[@]} tests of $title"
    step_title=
    : >"$logs/tap"
    run_step "$logs/tap" qtest "$compiler" "${qtest_under[@]}" "$program" --tap -k \
        "${options[@]}" || status=$?
    while read -r line; do
        case $line in
        "ok "*"# SKIP"* | "not ok "*) note_failure "$title: $line" ;;
        "ok "*) note_pass && ran=$((ran + 1)) ;;
        esac
    done <"$logs/tap"
    if [ $status -ne 0 ] || [ $ran -ne ${#paths[@]} ]; then
        tail -n 40 "$logs/tap" >&2
        note_failure "$title: status $status, $ran of ${#paths[@]} tests passed"
    fi
}

# The last commit with one trace backend alone: its events are told through each. `log` is what
# the commits were built with; for the others it is enough that they build and tell, so without
# optimization, which takes half the time.
check_backends() {
    local backend directory
    local -a options
    use_session_daemon
    for backend in log simple ust; do
        options=(--enable-trace-backends="$backend" -Doptimization=0)
        directory=build-$backend
        if [ "$backend" = log ]; then
            options=()
            directory=build-gcc
        else
            local -a qemu_check_targets=(qemu-system-x86_64 trace/trace-events-all)
        fi
        one "building the last commit with the trace backend $backend alone" build_commit \
            "${series_commits[-1]}" gcc "$directory" "${options[@]}" || continue
        one "a healthy run that tells its events through $backend" env \
            SHMEMSCOPE_BUILD="$build_root/main" SHMEMSCOPE_QEMU="$qemu" \
            python3 "$root/tests/qemu/trace-backend.py" "$backend" "$work/$directory" \
            "$work/qemu" || true
    done
}

check_qemu() {
    open_qemu_check
    say "the tree, the builds and what has passed are kept in $work"
    one "preparing the tree" prepare_qemu_tree || return 0
    check_patches || return 0
    check_commits
    check_qtests
    choose_qemu
    if variant main gcc gcc; then
        check_wire_qtests
        check_backends
    fi
}
