# SPDX-License-Identifier: GPL-2.0-or-later
"""Two of DPDK's testpmd, as Debian packages it: one the back-end, the other the front-end.

Both work without hugepages, devices or rights. The front-end sends packets, the back-end returns
them; DPDK's own telemetry tells how many came. Each polls a processor while it runs.
"""

import json
import os
import re
import socket
import tempfile

from harness.parts import Recording
from harness.processes import Child, HarnessError, become_subreaper, wait_until
from harness.qemu import listening
from harness.strace import whole_calls

TIMEOUT_S = 60
# testpmd sends bursts of 32 packets.
BURSTS = 2
PACKETS = 32 * BURSTS
STRACE = ["strace", "-f", "-yy", "-xx", "-s", "12", "-e", "trace=sendmsg", "-e", "signal=none"]


class Run:
    """Both programs, from their start to their end; what they leave is under OUT.

    KIND is "without" the wire library, "dormant" with it and nobody who records, "recorded" into
    OUT/trace-back-end and OUT/trace-front-end, with strace beside it.
    """

    def __init__(self, programs, out, kind):
        self.programs = programs
        self.out = out
        self.kind = kind
        self.directory = None
        self.sides = {}
        self.received = {}
        os.makedirs(out, exist_ok=True)

    def path(self, name):
        return os.path.join(self.out, name)

    def trace(self, side):
        return self.path(f"trace-{side}")

    def _command(self, side, device):
        # Two threads of DPDK's, one that obeys and one that polls, on whatever processor is free.
        processors = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        command = ["dpdk-testpmd", "--no-huge", "-m", "64", "--no-pci", "--no-shconf",
                   "--lcores", f"0@({processors}),1@({processors})", "--file-prefix", side,
                   "--vdev", device, "--", "--interactive", "--total-num-mbufs=2048"]
        if self.kind == "recorded":
            return [self.programs.tool, "record", "--wire", "--output", self.trace(side), "--",
                    *STRACE, "-o", self.path(f"{side}.strace"), *command]
        return command

    def _start(self, side, device):
        environment = dict(Recording.environment(), RUNTIME_DIRECTORY=self.directory)
        if self.kind == "dormant":
            environment["LD_PRELOAD"] = self.programs.wire
        self.sides[side] = Child(side, self._command(side, device), self.path(f"{side}.log"),
                                 pipes=True, env=environment, commands=self.path("commands"))
        return self.sides[side]

    def _packets(self, side):
        """Packets that came to one side, by DPDK's telemetry; None while nobody answers there."""
        path = f"{self.directory}/dpdk/{side}/dpdk_telemetry.v2"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as telemetry:
            telemetry.settimeout(TIMEOUT_S)
            try:
                telemetry.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            telemetry.recv(16384)  # its greeting
            telemetry.send(b"/ethdev/stats,0")
            answer = json.loads(telemetry.recv(16384))["/ethdev/stats"]
            return answer and answer["ipackets"]

    def perform(self):
        """Sends PACKETS there and back, and ends both in their own way."""
        become_subreaper()
        with tempfile.TemporaryDirectory(prefix="ss-testpmd-") as self.directory:
            try:
                self._perform()
            finally:
                for child in self.sides.values():
                    child.stop()
                    child.close()

    def _perform(self):
        sock = f"{self.directory}/vhost.sock"
        back = self._start("back-end", f"net_vhost0,iface={sock}")
        wait_until(lambda: listening(sock), TIMEOUT_S, "the back-end's socket", [back])
        back.write_line("start")
        front = self._start("front-end", f"net_virtio_user0,path={sock}")
        front.write_line("set fwd rxonly")
        front.write_line(f"start tx_first {BURSTS}")
        wait_until(lambda: self._packets("front-end") == PACKETS, TIMEOUT_S,
                   "the packets to come back", [back, front])
        self.received = {side: self._packets(side) for side in self.sides}
        for child in (front, back):
            child.write_line("stop")
            child.write_line("quit")
            # It says less than a pipe holds.
            status = child.status(TIMEOUT_S)
            if status != 0:
                raise HarnessError(f"{child.name} ended with {status}:\n{child.diagnosis()}")

    def told_messages(self):
        """Names of the messages that the back-end says it read, in order."""
        with open(self.path("back-end.log"), encoding="utf-8", errors="replace") as log:
            return re.findall(r"read message VHOST_USER_(\w+)", log.read())

    def strace_sent(self):
        """For each side: [(request, flags, size, descriptors)] of its messages, in order.

        DPDK sends a message by one sendmsg() and nothing else so. Only the back-end's end of the
        connection has the socket's path; the other end is known by its inode.
        """
        path = "".join(f"\\x{byte:02x}" for byte in f"{self.directory}/vhost.sock".encode())
        text = {}
        for side in self.sides:
            with open(self.path(f"{side}.strace"), encoding="ascii") as trace:
                text[side] = trace.read()
        own, peer = re.search(r"UNIX-STREAM:\[(\d+)->(\d+),\"" + re.escape(path),
                              text["back-end"]).groups()
        return {side: _sent(text[side], inode)
                for side, inode in (("back-end", own), ("front-end", peer))}


def _sent(text, inode):
    """Messages of the socket with that inode."""
    messages = []
    for line in whole_calls(text.splitlines()):
        call = re.match(r"sendmsg\(\d+<UNIX-STREAM:\[" + inode + r"\b.*?"
                        r"iov_base=\"((?:\\x..){12})\".* = (\d+)$", line)
        if call:
            header = bytes.fromhex(call.group(1).replace("\\x", ""))
            request, flags, size = (int.from_bytes(header[at:at + 4], "little")
                                    for at in (0, 4, 8))
            if int(call.group(2)) != len(header) + size:
                raise HarnessError(f"Not one message a call: {line}")
            carried = re.search(r"cmsg_data=\[([^\]]*)\]", line)
            messages.append((request, flags, size,
                             len(re.findall(r"\d+<", carried.group(1))) if carried else 0))
        elif re.match(r"sendmsg\(\d+<UNIX-STREAM:\[" + inode + r"\b", line):
            raise HarnessError(f"A call that failed, or that strace tells otherwise: {line}")
    return messages
