#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A front-end and a back-end that nothing names: they share memory, and have N devices' sockets.

With --apart the back-end is in a network namespace of its own. With --pending it never accepts the
connection, which goes by "--fs socket=PATH" then. Prints the pids of both and ends with its stdin. The back-end's command line says nothing; the
front-end's neither, as where a device is plugged in later.
"""

import ctypes
import mmap
import os
import socket
import sys
import tempfile

RAM = 4 << 20
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def go_apart():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | (CLONE_NEWUSER if os.geteuid() else 0)) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def main():
    devices = int(sys.argv[1])
    memory = os.memfd_create("ss-ram")
    os.ftruncate(memory, RAM)
    pairs = [socket.socketpair() for _ in range(devices)]
    own = socket.socketpair()  # both ends are the front-end's own
    with tempfile.TemporaryDirectory(prefix="ss-pretend-") as directory:
        path = os.path.join(directory, "vu.sock")
        if "--fs" in sys.argv:
            path = sys.argv[sys.argv.index("--fs") + 1].removeprefix("socket=")
        told, tell = os.pipe()
        child = os.fork()
        ram = mmap.mmap(memory, RAM, mmap.MAP_SHARED)
        if child == 0:
            os.close(told)
            for end in own:
                end.close()
            for front, _ in pairs:
                front.close()
            if "--apart" in sys.argv:
                go_apart()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(path)
            listener.listen(devices)
            os.write(tell, b"x")
            kept = [listener.accept()[0] for _ in pairs if "--pending" not in sys.argv]
            os.write(tell, b"x")
            sys.stdin.buffer.read()
            assert ram and (kept or "--pending" in sys.argv)
            os._exit(0)
        os.close(tell)
        os.read(told, 1)
        mains = []
        for _, back in pairs:
            mains.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            mains[-1].connect(path)
            back.close()
        os.read(told, 1)
        # The second device's back-end is slow to read.
        mains[-1].sendall(bytes.fromhex("010000000100000000000000"))
        print(os.getpid(), child, flush=True)
        sys.stdin.buffer.read()
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
