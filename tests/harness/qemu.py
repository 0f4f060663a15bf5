# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU of a run: its command line, and a monitor of the harness's own."""

import dataclasses
import json
import os
import select
import shlex
import socket
import time

from . import parts
from .processes import Child, HarnessError

DEVICE_ID = "dev0"
PORTS = 2
START_TIMEOUT_S = 60


@dataclasses.dataclass
class Device:
    """A generic vhost-user device; its back-end listens on CHARDEV.sock."""

    id: str = DEVICE_ID    # empty: QEMU knows it by its path only
    chardev: str = "vu0"
    port: str = ""         # a root port, from where it can be unplugged; empty: the root bus
    reconnect_ms: int = 0  # 0: the chardev does not come again

    def chardev_option(self, directory):
        return (f"socket,id={self.chardev},path={directory}/{self.chardev}.sock"
                + (f",reconnect-ms={self.reconnect_ms}" if self.reconnect_ms else ""))

    def properties(self):
        """As device_add takes them."""
        return {"driver": "vhost-user-test-device-pci", "chardev": self.chardev,
                "virtio-id": 26, "num_vqs": 1, "vq_size": 64,
                **({"id": self.id} if self.id else {}), **({"bus": self.port} if self.port else {})}

    def device_option(self):
        return ",".join(f"{name}={value}" for name, value in self.properties().items())


def command_line(prefix, directory, name, reconnect_ms=0, hotplug=False, devices=None,
                 accelerator="qtest", more=()):
    """argv of a QEMU with generic vhost-user devices, under qtest instead of a guest.

    DIRECTORY holds the sockets and the pid file: qtest.sock and qmp.sock are the driver's,
    monitor.sock is the harness's, which thereby can ask while the driver is stuck. Without
    DEVICES there is one, and with HOTPLUG it sits behind a root port. Under another
    ACCELERATOR a guest runs as well: the firmware, and what MORE options let it boot.
    """
    if devices is None:
        devices = [Device(port="rp0" if hotplug else "", reconnect_ms=reconnect_ms)]
    return [
        f"{prefix}/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
        "-name", f"guest={name},debug-threads=on",
        "-machine", "q35,memory-backend=ram", "-accel", accelerator, "-m", "64M",
        "-object", "memory-backend-memfd,id=ram,size=64M,share=on",
        "-L", "/usr/share/seabios",
        "-pidfile", f"{directory}/qemu.pid",
        "-qtest", f"unix:{directory}/qtest.sock,server=on,wait=off", "-qtest-log", "none",
        "-qmp", f"unix:{directory}/qmp.sock,server=on,wait=off",
        "-qmp", f"unix:{directory}/monitor.sock,server=on,wait=off",
        *(word for port in range(PORTS)
          for word in ("-device",
                       f"pcie-root-port,id=rp{port},chassis={port + 1},slot={port + 1}")),
        *(word for device in devices
          for word in ("-chardev", device.chardev_option(directory),
                       "-device", device.device_option())),
        *more,
    ]


def start_held(command, log, commands, wrapper=(), preload="", descriptors=()):
    """Starts a shell that tells its pid and becomes QEMU when a line "go" is written to it.

    A recording of that pid can begin between the two, and sees QEMU from its birth. WRAPPER
    is put before the shell, and need not leave it its own pid; PRELOAD is a library that is
    loaded into QEMU, and not into the shell; DESCRIPTORS are inherited. Returns (child, pid).
    """
    quoted = shlex.quote(log)
    if preload:
        command = ["env", f"LD_PRELOAD={preload}", *command]
    starter = Child("QEMU", [*wrapper, "sh", "-c",
                             f"echo $$; read go; exec {shlex.join(command)}"
                             f" </dev/null >>{quoted} 2>&1"],
                    log, pipes=True, env=parts.Recording.environment(), commands=commands,
                    descriptors=descriptors)
    try:
        return starter, int(starter.read_line(START_TIMEOUT_S, "its pid"))
    except BaseException:
        starter.stop()
        starter.close()
        raise


def listening(path, pid="self"):
    """True when a process listens on the unix socket, by the kernel's own list.

    Asked there because connecting to find out would take the one connection there is. The list
    is that of the network namespace of PID.
    """
    with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="replace") as sockets:
        for line in sockets:
            fields = line.split(maxsplit=7)
            # Flags 00010000 is __SO_ACCEPTCON.
            if len(fields) == 8 and fields[3] == "00010000" and fields[7].strip() == path:
                return True
    return False


def started_pid(directory):
    """The pid in QEMU's pid file, or None while there is none.

    The file is written after the sockets are made, so they exist when it does.
    """
    try:
        with open(f"{directory}/qemu.pid", encoding="ascii") as pidfile:
            text = pidfile.read()
    except FileNotFoundError:
        return None
    return int(text) if text.endswith("\n") else None


class NoAnswer(HarnessError):
    """The monitor gave no answer within the time."""


class Monitor:
    """A QMP connection. An answer that comes late is still matched to its question."""

    def __init__(self, path, timeout_s=10.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise HarnessError(f"Cannot connect to monitor: path=\"{path}\": "
                               f"{error.strerror}") from error
        self.unread = b""
        self.asked = 0
        try:
            self._message(time.monotonic() + timeout_s)  # the greeting
            self.execute("qmp_capabilities", timeout_s=timeout_s)
        except HarnessError:
            self.socket.close()
            raise

    def close(self):
        self.socket.close()

    def _message(self, deadline):
        while b"\n" not in self.unread:
            ready, _, _ = select.select([self.socket], [], [],
                                        max(0.0, deadline - time.monotonic()))
            if not ready:
                raise NoAnswer("The monitor does not answer")
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise HarnessError("The monitor closed its connection")
            self.unread += piece
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)

    def ask(self, command, **arguments):
        """Sends a command and returns the number to await its answer with."""
        self.asked += 1
        message = {"execute": command, "id": self.asked}
        if arguments:
            message["arguments"] = arguments
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return self.asked

    def answer(self, number, timeout_s):
        """The return value of question NUMBER; NoAnswer when none comes in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._message(deadline)
            if message.get("id") != number:
                continue  # an event, or the late answer to an earlier question
            if "error" in message:
                raise HarnessError(f"The monitor refuses: {message['error'].get('desc')}")
            return message["return"]

    def execute(self, command, timeout_s=10.0, **arguments):
        return self.answer(self.ask(command, **arguments), timeout_s)

    def execute_until(self, command, event, timeout_s=10.0):
        """A command whose work is done when the event comes, before its answer or after it."""
        deadline = time.monotonic() + timeout_s
        number = self.ask(command)
        left = {"answer", "event"}
        while left:
            message = self._message(deadline)
            if "error" in message:
                raise HarnessError(f"The monitor refuses: {message['error'].get('desc')}")
            if message.get("id") == number:
                left.discard("answer")
            elif message.get("event") == event:
                left.discard("event")

    def running(self):
        """True when the monitor answers what a live QEMU answers."""
        return "status" in self.execute("query-status")


def check_prefix(prefix):
    """A QEMU directory as scripts/build-qemu prints it, or an error that says what is missing."""
    program = f"{prefix}/qemu-system-x86_64"
    if not os.access(program, os.X_OK):
        raise HarnessError(f"Cannot run QEMU: path=\"{program}\": not an executable "
                           "(scripts/build-qemu builds one and prints its directory)")
