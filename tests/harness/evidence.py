# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel and a debugger say of a process: evidence from outside the traced QEMU."""

import array
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


def count(pid, inodes):
    """The figures of one moment, as they stand in witness.json."""
    inodes = set(inodes)
    return {
        "fds": len(descriptors(pid)),
        "backend_fds": len(memfd_descriptors(pid, inodes)),
        "backend_maps": len(memfd_maps(pid, inodes)),
    }


def socket_peers():
    """{inode: peer inode} of all connected unix sockets, from the kernel's socket listing."""
    listing = subprocess.run(["ss", "--unix", "--all", "--no-header", "--numeric"], check=True,
                             capture_output=True, text=True).stdout
    peers = {}
    for line in listing.splitlines():
        # Netid State Recv-Q Send-Q LocalPath LocalInode PeerPath PeerInode
        fields = line.split()
        if len(fields) >= 8 and fields[5].isdigit() and fields[7].isdigit():
            peers[int(fields[5])] = int(fields[7])
    return peers


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
            head = sock.recv(HEADER.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            if len(head) == HEADER.size:
                seen["request"], seen["flags"], seen["size"] = HEADER.unpack(head)
        return seen


def unread_request(pid, peer_pid):
    """The unread SHMEM_MAP or SHMEM_UNMAP of the peer, or None."""
    for end in unread_in_sockets(pid, peer_pid):
        if (end.get("request") in (SHMEM_MAP, SHMEM_MAP + 1)
                and end["flags"] & (FLAG_VERSION_MASK | FLAG_REPLY) == 1):
            return end
    return None


def main_thread_stack(pid):
    """Function names of the main thread of a process, innermost first, as gdb sees them."""
    result = subprocess.run(
        ["gdb", "-p", str(pid), "-batch", "-nx", "-iex", "set debuginfod enabled off",
         "-iex", "set auto-load safe-path /", "-ex", "set pagination off",
         "-ex", "thread apply all backtrace"],
        check=False, capture_output=True, text=True, errors="replace", timeout=120,
        stdin=subprocess.DEVNULL)
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
