# SPDX-License-Identifier: GPL-2.0-or-later
"""Second witnesses: each compares the tool's account with one that is not the trace.

A witness takes a zoo.Case and yields (what, the tool's value, the other's value).
"""

import os
import re
import signal

import common
from harness import evidence

CLOSES = "closes.txt"
REPLY_SIZE = 12 + 8  # header and value
TABLES_AT_START = 1


def about(*checks):
    """A witness of what the tool says in these findings; without them it has nothing to say."""
    def mark(witness):
        witness.about = checks
        return witness
    return mark


def inside(witness):
    """One of what only QEMU itself tells."""
    witness.inside = True
    return witness


def _fds(case):
    return sorted((entry["fd"], entry["ino"]) for entry in case.report.json["descriptors"])


def _maps(case):
    """(inode, offset in the file, length) of the ranges the tool says are mapped."""
    return sorted((entry["ino"], entry["fd_offset"], entry["len"])
                  for entry in case.report.json["mappings"])


def _proc_fds(case, point):
    return sorted(tuple(entry) for entry in case.run.witness[point]["fds"])


def _proc_maps(case, point):
    """The same of /proc/PID/maps: "from-to rights offset device inode path"."""
    ranges = []
    for line in case.run.witness[point]["maps"]:
        place, _, offset, _, inode, _ = line.split(maxsplit=5)
        begin, end = (int(address, 16) for address in place.split("-"))
        ranges.append((int(inode), int(offset, 16), end - begin))
    return sorted(ranges)


def held(case):
    """At the recording's end: what the tool says is open and mapped, and /proc/PID."""
    yield "fd", _fds(case), _proc_fds(case, "end")
    yield "maps", _maps(case), _proc_maps(case, "end")


@about("fd-leak")
def kept_fds(case):
    """Number and inode of each lost descriptor, by the findings as by /proc/PID/fd."""
    lost = sorted((entry["fd"], entry["ino"]) for entry in _about(case, "fd-leak"))
    yield "/proc fd", lost, _proc_fds(case, "end")
    yield "counted", _lost(case, "fd-leak"), len(lost)


def kept_maps(check):
    """Descriptor and range of each mapping that should be gone, by the finding as by /proc/PID."""
    @about(check)
    def witness(case):
        about = _about(case, check)
        yield ("/proc maps", sorted((entry["ino"], entry["len"]) for entry in about),
               sorted((inode, length) for inode, _, length in _proc_maps(case, "held")))
        yield ("/proc fd", sorted((entry["fd"], entry["ino"]) for entry in about),
               _proc_fds(case, "held"))
        yield "counted", _lost(case, check), len(about)
    return witness


def _about(case, check):
    return [entry for finding in case.of(check) for entry in finding["about"]]


def _lost(case, check):
    return sum(finding["count"] for finding in case.of(check))


def nothing_held(case):
    """Everything ended: by the tool and by /proc/PID."""
    yield "/proc fd", len(_fds(case)), len(_proc_fds(case, "end"))
    yield "left", 0, len(_proc_fds(case, "end")) + len(_proc_maps(case, "end"))


def logged(case):
    """Requests and replies by the counts as by the back-end's log."""
    counts = case.report.counts
    yield "log requests", counts["requests"], case.log.requests
    yield "log replies", counts["replies"], case.log.replies


def closes_seen(out):
    """A wrapper of QEMU's command: strace writes down every close."""
    return ["strace", "-f", "-e", "trace=close", "-e", "signal=none",
            "-o", os.path.join(out, CLOSES)]


@about("double-close")
def failed_closes(case):
    """Closes that failed, by strace, of the numbers that the finding tells."""
    told = {entry["fd"] for entry in _about(case, "double-close")}
    failed = re.findall(r"close\((\d+)\) += -1 EBADF", common.text_of(case.run.path(CLOSES)))
    yield ("strace EBADF", _lost(case, "double-close"),
           sum(int(number) in told for number in failed))


def heap_grew(before):
    """By glibc's account, QEMU's heap grew by the structures that were lost since the first
    look, BEFORE of them having been lost until then. The rest of QEMU allocates as well: to a
    tenth."""
    @about("memory-region-leak")
    def witness(case):
        lost = _lost(case, "memory-region-leak") - before
        # A chunk of glibc's has its size in front, and is a multiple of 16 bytes.
        chunk = (case.run.witness["structure"] + 8 + 15) // 16 * 16
        first, last = case.run.witness["heap"]
        grown = (last - first) / chunk
        yield f"heap grew by {lost} structures", True, abs(grown - lost) < lost / 10
    return witness


@about("fd-closed-early")
def maps_without_fd(case):
    """Mapped by /proc/PID/maps, and by /proc/PID/fd without a descriptor."""
    yield ("/proc maps without fd", _lost(case, "fd-closed-early"),
           len(_proc_maps(case, "end")) - len(_proc_fds(case, "end")))


@about("double-reply")
def replies_left_over(case):
    """What was answered twice leaves a reply of 20 bytes in the back-end's socket, each time."""
    unread = sum(end["unread"] for end in case.run.witness["end"]["unread_by_backend"])
    yield "unread replies", _lost(case, "double-reply"), unread // REPLY_SIZE


def refused(count):
    """Requests that QEMU refused, whatever it replied."""
    @inside
    def witness(case):
        yield "refused", sum(case.report.counts["refusals"].values()), count
    return witness


def believes_refused(count):
    """Requests that QEMU refused and the back-end has for done, by its log."""
    def witness(case):
        believed = [entry for entry in case.log.entries if entry.get("phase") == "replied"
                    and entry.get("tag") and entry["value"] == 0]
        yield "log believes", count, len(believed)
    return witness


@about("unsolicited-reply")
def unasked_left_over(case):
    """A reply that nobody asked for stays in the back-end's socket."""
    unread = sum(end["unread"] for end in case.run.witness["end"]["unread_by_backend"])
    yield "unread replies", _lost(case, "unsolicited-reply"), unread // REPLY_SIZE


def done_by_log(tag, count):
    """Requests that the scenario wants refused, and that the back-end's log has done."""
    @about(tag)
    def witness(case):
        done = [entry for entry in case.log.maps_ok if entry.get("tag") == tag]
        yield "log done", _lost(case, tag), len(done)
        yield "tagged", count, len(done)
    return witness


def refused_by_log(count):
    """Requests that were refused, and the back-end's log has them so."""
    def witness(case):
        yield ("log refused", sum(case.report.counts["refusals"].values()),
               len(case.log.refused))
        yield "refused", count, len(case.log.refused)
    return witness


@about("overlap", "out-of-range", "unmap-unknown")
def refused_as_logged(case):
    """Requests outside the protocol, by the findings as by the reasons in the back-end's log."""
    tags = case.log.refusals_by_tag()
    for check, reasons in {
            "overlap": ("overlap",),
            "out-of-range": ("bad-shmid", "zero-length", "unaligned", "out-of-range",
                             "beyond-file"),
            "unmap-unknown": ("no-mapping", "not-whole")}.items():
        yield f"log {check}", _lost(case, check), sum(tags[reason] for reason in reasons)


@about("memory-table-failed")
def tables_sent(case):
    """What the memory table could not take was never sent: the back-end served the others."""
    served = [entry for entry in case.log.entries if entry["op"] == "serve"
              and entry.get("phase") == "answered" and entry["request"] == "SET_MEM_TABLE"]
    yield ("log tables", len(case.log.maps_ok) - _lost(case, "memory-table-failed"),
           len(served) - TABLES_AT_START)


def closed_late(case):
    """The delay is a figure: as many closed by RCU as the back-end's log unmapped."""
    yield ("log unmapped", case.report.json["times"]["finalized_to_closed"]["count"],
           len(case.log.unmaps_ok))


@about("readonly-writable")
def writable_maps(case):
    """Mappings that the scenario asked read-only for and that are rw-s in /proc/PID/maps."""
    rights = [line.split()[1] for line in case.run.witness["end"]["maps"]]
    asked = sum(not entry["flags"] & 1 for entry in case.log.maps_sent)
    writable = rights.count("rw-s") - (len(case.log.maps_sent) - asked)
    yield "/proc rw-s", _lost(case, "readonly-writable"), writable


def file_grew(to):
    """The back-end's log has the size the file had, /proc/PID/fd the one it has."""
    def witness(case):
        had = [entry["size"] for entry in case.log.entries if entry["op"] == "file"]
        yield "log size", [0], had
        yield "/proc size", [to], case.run.witness["end"]["sizes"]
    return witness


def shown(point, count):
    """So many mappings that the guest sees, by `info mtree -f`."""
    def witness(case):
        flat = case.run.witness[point]["flat"]
        names = set(re.findall(r"virtio-shmem\d+\+0x[0-9a-f]+", flat))
        yield "info mtree -f", count, len(names)
    return witness


@about("missing-reply")
def unanswered(case):
    """Requests without a reply, by the back-end's log."""
    yield "log unanswered", _lost(case, "missing-reply"), case.log.requests - case.log.replies


def replied(number):
    """The request inside which QEMU died is the last to which the back-end's log has a reply."""
    def witness(case):
        yield "log replies", number, case.log.replies
    return witness


def aborted(text):
    """QEMU ended by SIGABRT, and its log says why; the tool has it dead by a signal."""
    def witness(case):
        process = next(one for one in case.report.json["processes"]
                       if one["pid"] == case.run.witness["qemu_pid"])
        yield ("SIGABRT", process["end"] in ("exited", "signal"),
               case.run.witness["status"] == -signal.SIGABRT)
        yield "QEMU's log", True, text in common.text_of(case.run.path("qemu.log"))
    return witness


def silent(case):
    """The monitor was silent, and answered when the back-end had ended: it had hung."""
    hang = case.run.witness["hang"]
    standing = any(finding["id"] in ("reply-commit-deadlock", "stuck-wait")
                   for finding in case.found)
    yield "QMP silent", standing, hang["monitor_silent_s"] >= 2 and case.run.witness["freed"]


def unread(request):
    """The request lies in QEMU's socket, by a look into it."""
    def witness(case):
        number = {"SHMEM_MAP": evidence.SHMEM_MAP, "SHMEM_UNMAP": evidence.SHMEM_UNMAP}[request]
        said = " ".join(statement["text"] for finding in case.found
                        for statement in finding["statements"])
        yield ("unread " + request, request in said and "unread" in said,
               case.run.witness["hang"]["unread"]["request"] == number)
    return witness


def stands_in(*functions):
    """The main thread stands in these, by a debugger, from the inside out."""
    def witness(case):
        stack = case.run.witness["hang"]["stack"]
        places = [next((i for i, name in enumerate(stack) if function in name), -1)
                  for function in functions]
        yield "gdb", True, -1 not in places and places == sorted(places)
    return witness


def subregions(point, count):
    """So many mappings in the region by `info mtree`."""
    def witness(case):
        tree = case.run.witness[point]["tree"]
        # A memory region that several address spaces show is told once for each.
        names = set(re.findall(r"virtio-shmem\d+\+0x[0-9a-f]+", tree))
        yield "info mtree", count, len(names)
    return witness
