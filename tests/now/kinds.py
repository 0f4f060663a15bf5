# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs that are not found as the usual one is: other words on the command line, or none."""

import contextlib
import ctypes
import dataclasses
import os
import shutil
import socket

from farm import Vm, parts, qemu

NOBODY = 65534
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Unnamed(Vm):
    """No -name: only its pid tells it from others."""

    def command(self):
        words = super().command()
        at = words.index("-name")
        return words[:at] + words[at + 2:]


class Renamed(Vm):
    """Its process has another name, so that nothing says "qemu" in the lists of processes."""

    COMM = "tenant-a"

    def command(self):
        return [word.replace("guest=", f"process={self.COMM},guest=") for word in super().command()]


class HotPlugged(Vm):
    """Its device and chardev came over QMP: argv knows of neither."""

    def __init__(self, out, name, version, role, **options):
        super().__init__(out, name, version, role, **options)
        self.played = self.scenarios.pop("vu0")
        self.devices = []

    def begin_device(self):
        self.devices = [None]
        self.plug(qemu.Device(port="rp0"), self.played, 0)
        super().begin_device()


@dataclasses.dataclass
class HandedDevice(qemu.Device):
    """Its chardev is a descriptor that QEMU was started with."""

    fd: int = -1

    def chardev_option(self, directory):
        return f"socket,id={self.chardev},fd={self.fd}"


def libc(name, *arguments):
    """A call of the C library, which returns 0 when it went well."""
    if getattr(LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


class ApartBackend(parts.Backend):
    """The back-end in a network namespace of its own; for root only."""

    @staticmethod
    def command(programs, scenario):
        return ["unshare", "--net", *parts.Backend.command(programs, scenario)]


class Handed(Vm):
    """Somebody else connected the channel and handed QEMU its end, as libvirt may."""

    def start_backend(self, chardev):
        backend = super().start_backend(chardev)
        self.end = self.make_end()
        self.end.connect(f"{self.directory}/{chardev}.sock")
        self.descriptors = [self.end.fileno()]
        self.devices = [HandedDevice(fd=self.end.fileno())]
        return backend

    @staticmethod
    def make_end():
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def arrive(self):
        super().arrive()
        self.end.close()
        self.descriptors = []


class HandedFrom(Handed):
    """The channel is of a network namespace that nobody is in: the kernel tells nobody of it."""

    @contextlib.contextmanager
    def network(self):
        """The namespace for the time that the socket is made."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc("unshare", CLONE_NEWNET)
            yield
            libc("setns", own, CLONE_NEWNET)
        finally:
            os.close(own)

    def make_end(self):
        with self.network():
            return super().make_end()


class HandedFromBackend(HandedFrom):
    """The channel and the back-end are of a network namespace that QEMU is not in."""

    backend_type = ApartBackend

    @contextlib.contextmanager
    def network(self):
        with super().network():
            there = os.open(f"/proc/{self.peer.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc("setns", there, CLONE_NEWNET)
            finally:
                os.close(there)
            yield


class Reconnecting(Vm):
    """Its chardev comes again when the back-end does."""

    def __init__(self, out, name, version, role, **options):
        super().__init__(out, name, version, role, **options)
        self.devices = [qemu.Device(reconnect_ms=200)]

    def come_again(self, role):
        """A new back-end in the place of one that has ended; QEMU connects by itself."""
        self.peer.close()
        self.scenarios["vu0"] = self.scenario(self.ROLES[role])
        self.role = role
        self.start_backend("vu0")


class OthersBackend(parts.Backend):
    """The back-end as another user's process, from where that one can read it."""

    def __init__(self, programs, sock, scenario, _log, stderr, commands):
        directory = os.path.dirname(sock)
        os.chown(directory, NOBODY, NOBODY)
        shutil.copy(programs.backend, directory)
        super().__init__(programs, sock, shutil.copy(scenario, directory),
                         os.path.join(directory, "vu0.jsonl"), stderr, commands)

    @staticmethod
    def command(programs, scenario):
        program = os.path.join(os.path.dirname(scenario), os.path.basename(programs.backend))
        return as_nobody([program, "--scenario", scenario])


class Others(Vm):
    """Its back-end belongs to another user."""

    backend_type = OthersBackend


class OthersQemu(Vm):
    """Its QEMU belongs to another user, and the back-end to who runs the tests."""

    def __init__(self, out, name, version, role, **options):
        super().__init__(out, name, version, role, wrapper=as_nobody([]), **options)

    def prepare(self):
        super().prepare()
        os.chown(self.directory, NOBODY, NOBODY)
        with open(self.path("qemu.log"), "wb") as log:
            os.fchown(log.fileno(), NOBODY, NOBODY)

    def path(self, name):
        """QEMU's own log where its user may write."""
        return f"{self.directory}/{name}" if name == "qemu.log" else super().path(name)

    def start_backend(self, chardev):
        backend = super().start_backend(chardev)
        os.chmod(f"{self.directory}/{chardev}.sock", 0o777)
        return backend


def as_nobody(command):
    """The command, run as a user who may nothing; for root only."""
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
