# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel and a debugger say of a process: evidence from outside the traced QEMU."""

import array
import collections
import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
import termios

from .processes import HarnessError

SYS_PIDFD_GETFD = 438
# vhost-user message header: request, flags, payload size, all u32 in host order. A request of
# either side carries version 1 in the two low bits of the flags and not the reply bit (2).
HEADER = struct.Struct("=III")
FLAG_VERSION_MASK = 0x3
FLAG_REPLY = 0x4
SHMEM_MAP = 9
SHMEM_UNMAP = 10

# linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
UDIAG_SHOW_PEER = 4
UNIX_DIAG_PEER = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def descriptors(pid):
    """{number: (link, inode)} of a process's open descriptors."""
    found = {}
    directory = f"/proc/{pid}/fd"
    for number in os.listdir(directory):
        path = f"{directory}/{number}"
        try:
            found[int(number)] = (os.readlink(path), os.stat(path).st_ino)
        except OSError:
            continue  # closed since the directory was read
    return found


def memfd_descriptors(pid, inodes):
    """Descriptors of the process that are memfds with one of the inodes."""
    return {number: entry for number, entry in descriptors(pid).items()
            if entry[0].startswith("/memfd:") and entry[1] in inodes}


def memfd_maps(pid, inodes):
    """Lines of /proc/PID/maps that map a memfd with one of the inodes."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        lines = [line.split(maxsplit=5) for line in maps]
    return [" ".join(line) for line in lines
            if len(line) == 6 and line[5].startswith("/memfd:") and int(line[4]) in inodes]


def held(pid, memfds, deleted):
    """What a process has of files by their inodes, memfds and deleted ones on a disk:
    ({inode: descriptors}, {inode: maps})."""
    def is_one(name, inode):
        return inode in (memfds if name.startswith("/memfd:") else
                         deleted if name.endswith(" (deleted)") else ())
    fds, maps = collections.Counter(), collections.Counter()
    for link, inode in descriptors(pid).values():
        if is_one(link, inode):
            fds[inode] += 1
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and is_one(fields[5], int(fields[4])):
                maps[int(fields[4])] += 1
    return dict(fds), dict(maps)


def count(pid, inodes):
    """The figures of one moment, as they stand in witness.json."""
    inodes = set(inodes)
    return {
        "fds": len(descriptors(pid)),
        "backend_fds": len(memfd_descriptors(pid, inodes)),
        "backend_maps": len(memfd_maps(pid, inodes)),
    }


def holdings(pid):
    """What a process holds: {kind of descriptor or of mapped file: how many}.

    Names of sockets, pipes and deleted files are numbers that change from one to the next, and
    say nothing; memory that is no file's comes and goes with the allocator.
    """
    kinds = collections.Counter()
    for link, _ in descriptors(pid).values():
        kinds["fd " + re.sub(r"[:/][0-9\[(].*| \(deleted\)$", "", link)] += 1
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and fields[5].endswith("(deleted)"):
                kinds["map " + re.sub(r"[:/][0-9#].*| \(deleted\)$", "", fields[5])] += 1
    return dict(kinds)


def socket_peers():
    """{inode: peer inode} of all connected unix sockets, asked of the kernel by sock_diag."""
    request = struct.pack("=IHHII", 16 + 24, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP,
                          1, 0)
    request += struct.pack("=BBHIII8x", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, UDIAG_SHOW_PEER)
    peers = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.send(request)
        while True:
            answer = netlink.recv(1 << 18)
            at = 0
            while at < len(answer):
                length, kind = struct.unpack_from("=IH", answer, at)
                if kind == NLMSG_DONE:
                    return peers
                if kind == NLMSG_ERROR:
                    code = struct.unpack_from("=i", answer, at + 16)[0]
                    raise HarnessError(f"Cannot list sockets: {os.strerror(-code)}")
                inode = struct.unpack_from("=I", answer, at + 20)[0]
                # Attributes follow the netlink header (16 bytes) and the unix_diag_msg (16).
                attribute = at + 32
                while attribute < at + length:
                    size, name = struct.unpack_from("=HH", answer, attribute)
                    if name == UNIX_DIAG_PEER:
                        peers[inode] = struct.unpack_from("=I", answer, attribute + 4)[0]
                    attribute += (size + 3) & ~3
                at += (length + 3) & ~3


def unread_in_sockets(pid, peer_pid):
    """What lies unread in the unix sockets that PID shares with PEER_PID.

    Looks without taking: a duplicate of the descriptor (pidfd_getfd), FIONREAD and a peek at
    the first header. Returns a list of {"fd", "inode", "unread", and with a whole header
    "request", "flags", "size"}.
    """
    ends = {inode for link, inode in descriptors(peer_pid).values() if link.startswith("socket:")}
    peers = socket_peers()
    pidfd = os.pidfd_open(pid)
    found = []
    try:
        for number, (link, inode) in sorted(descriptors(pid).items()):
            if link.startswith("socket:") and peers.get(inode) in ends:
                found.append({"fd": number, "inode": inode, **_peek(pidfd, number)})
    finally:
        os.close(pidfd)
    return found


def _peek(pidfd, number):
    duplicate = _libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
    if duplicate < 0:
        raise HarnessError(f"Cannot look into socket: fd={number}: "
                           f"{os.strerror(ctypes.get_errno())}")
    with socket.socket(fileno=duplicate) as sock:
        unread = array.array("i", [0])
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, unread)
        seen = {"unread": unread[0]}
        if unread[0] >= HEADER.size:
            try:
                head = sock.recv(HEADER.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:  # read meanwhile
                return {"unread": 0}
            if len(head) == HEADER.size:
                seen["request"], seen["flags"], seen["size"] = HEADER.unpack(head)
        return seen


def unread_request(pid, peer_pid):
    """The unread SHMEM_MAP or SHMEM_UNMAP of the peer, or None."""
    for end in unread_in_sockets(pid, peer_pid):
        if (end.get("request") in (SHMEM_MAP, SHMEM_UNMAP)
                and end["flags"] & (FLAG_VERSION_MASK | FLAG_REPLY) == 1):
            return end
    return None


def _gdb(pid, command):
    """What a debugger that looks at the process answers to a command."""
    try:
        return subprocess.run(
            ["gdb", "-p", str(pid), "-batch", "-nx", "-iex", "set debuginfod enabled off",
             "-ex", "set pagination off", "-ex", command],
            check=False, capture_output=True, text=True, errors="replace", timeout=120,
            stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"Cannot ask gdb: command=\"{command}\": {error}") from error


def heap(pid, log):
    """Bytes of its heap that the process has in use, as glibc says into its stderr, the LOG."""
    result = _gdb(pid, "call (void)malloc_stats()")
    with open(log, encoding="utf-8", errors="replace") as stderr:
        told = re.findall(r"Total \(incl\. mmap\):\s+system bytes\s+=\s+\d+\s+"
                          r"in use bytes\s+=\s+(\d+)", stderr.read())
    if not told:
        raise HarnessError(f"glibc tells nothing of the heap:\n{result.stdout}{result.stderr}")
    return int(told[-1])


def size_of(pid, structure):
    """Bytes of a structure of the program that the process runs, by its debug information."""
    result = _gdb(pid, f"print (long)sizeof({structure})")
    match = re.search(r"^\$1 = (\d+)$", result.stdout, re.MULTILINE)
    if not match:
        raise HarnessError(f"gdb knows no {structure}:\n{result.stdout}{result.stderr}")
    return int(match.group(1))


def main_thread_stack(pid):
    """Function names of the main thread of a process, innermost first, as gdb sees them."""
    result = _gdb(pid, "thread apply all backtrace")
    frames = []
    inside = False
    for line in result.stdout.splitlines():
        if line.startswith("Thread "):
            inside = f"(LWP {pid})" in line
        elif inside:
            match = re.match(r"#\d+\s+(?:0x[0-9a-f]+ in )?([\w.@]+)", line)
            if match:
                frames.append(match.group(1))
    if not frames:
        raise HarnessError(f"gdb shows no stack of pid {pid}:\n{result.stdout}{result.stderr}")
    return frames


def memory(pid):
    """{name: bytes} of what /proc/PID/status says is resident, e.g. VmRSS, RssAnon."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status
                if line.startswith(("VmRSS", "Rss"))}
