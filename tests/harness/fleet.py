# SPDX-License-Identifier: GPL-2.0-or-later
"""Several QEMUs, each with several devices and their back-ends, in one recording."""

import os
import shutil
import signal
import tempfile
import time

from . import evidence, parts, qemu
from .processes import HarnessError, Watched, become_subreaper, wait_until
from .run import GONE_TIMEOUT_S, START_TIMEOUT_S


class Machine:
    """One QEMU: its devices, a back-end for each, a driver and a monitor.

    DEVICES is a list of (qemu.Device, path of a scenario file). The back-end of a device is
    backend(CHARDEV) and logs into OUT/CHARDEV.jsonl.
    """

    def __init__(self, programs, prefix, out, vm, devices, wrapper=(), **qemu_options):
        qemu.check_prefix(prefix)
        self.programs = programs
        self.prefix = os.path.abspath(prefix)
        self.out = os.path.abspath(out)
        self.vm = vm
        self.devices = [device for device, _ in devices]
        self.scenarios = {device.chardev: self.what(played) for device, played in devices}
        self.wrapper = list(wrapper)
        self.qemu_options = qemu_options
        self.backends = {}
        self.descriptors = []  # weak: that QEMU is to inherit
        self.starter = self.qemu = self.monitor = self.driver = None
        self.pid = None
        self.directory = None

    # What a back-end is, and what it is told to play.
    backend_type = parts.Backend
    what = staticmethod(os.path.abspath)

    def path(self, name):
        return os.path.join(self.out, name)

    def prepare(self):
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        # Sockets get a short path of their own: a unix socket's is limited to 107 bytes.
        self.directory = tempfile.mkdtemp(prefix="ss-run-")

    # -- starting ---------------------------------------------------------------------

    def start_backend(self, chardev):
        """The back-end of a device; also one that comes after another has ended."""
        sock = f"{self.directory}/{chardev}.sock"
        if os.path.exists(sock):
            os.unlink(sock)  # of one that was killed
        self.backends[chardev] = self.backend_type(
            self.programs, sock, self.scenarios[chardev], self.path(f"{chardev}.jsonl"),
            self.path(f"{chardev}.log"), self.path("commands"))
        # It gets this name only once the back-end listens.
        wait_until(lambda: os.path.exists(sock), START_TIMEOUT_S, f"the socket of {chardev}",
                   [self.backends[chardev]])
        return self.backends[chardev]

    def hold(self):
        """Starts the back-ends, and what becomes QEMU when go() is called: it has a pid."""
        for device in self.devices:
            self.start_backend(device.chardev)
        self.starter, self.pid = qemu.start_held(self.command(), self.path("qemu.log"),
                                                 self.path("commands"), self.wrapper,
                                                 descriptors=self.descriptors)

    def command(self):
        """argv of its QEMU."""
        return qemu.command_line(self.prefix, self.directory, self.vm, devices=self.devices,
                                 **self.qemu_options)

    def go(self):
        """QEMU begins; its monitor answers and its driver is connected when this returns."""
        self.set_off()
        self.arrive()

    def set_off(self):
        """QEMU begins; arrive() awaits it. Others may set off in between."""
        self.starter.write_line("go")

    def arrive(self):
        """Until the monitor of a QEMU that set off answers and its driver is connected."""
        pid = wait_until(lambda: qemu.started_pid(self.directory), START_TIMEOUT_S,
                         "QEMU's pid file", [self.starter])
        self.qemu = Watched("QEMU", pid, self.path("qemu.log"))
        sock = f"{self.directory}/monitor.sock"
        wait_until(lambda: qemu.listening(sock), START_TIMEOUT_S, "QEMU's monitor", [self.qemu])
        self.monitor = qemu.Monitor(sock, START_TIMEOUT_S)
        self.driver = parts.Driver(self.programs, self.directory, self.path("driver.log"),
                                   self.path("commands"))

    def plug(self, device, scenario, place):
        """Plugs a device in, with a new back-end; it comes at PLACE among the devices."""
        self.scenarios[device.chardev] = self.what(scenario)
        self.start_backend(device.chardev)
        address = {"type": "unix", "data": {"path": f"{self.directory}/{device.chardev}.sock"}}
        again = {"reconnect-ms": device.reconnect_ms} if device.reconnect_ms else {}
        self.monitor.execute("chardev-add", id=device.chardev, backend={
            "type": "socket", "data": {"addr": address, "server": False, **again}})
        self.monitor.execute("device_add", **device.properties())
        self.devices[place] = device

    def drop(self, chardev):
        """Ends the back-end of a device that was unplugged, which leaves the channel open."""
        self.monitor.execute("chardev-remove", id=chardev)
        backend = self.backends.pop(chardev)
        backend.stop()
        backend.close()

    # -- doing and looking --------------------------------------------------------------

    def backend(self, chardev):
        return self.backends[chardev]

    def on(self, chardev, command, timeout_s=60):
        """A command of the driver to one device, by its place among the devices."""
        places = [device.chardev for device in self.devices]
        self.driver.do(f"device {places.index(chardev)}")
        return self.driver.do(command, timeout_s)

    def await_signals(self, name, timeout_s=START_TIMEOUT_S):
        for backend in self.backends.values():
            backend.await_signal(name, timeout_s)

    def give_signals(self, name):
        for backend in self.backends.values():
            backend.give_signal(name)

    def settle(self):
        """Until QEMU is done with what it has replied to: its main loop answers after that."""
        if not self.monitor.running():
            raise HarnessError(f"QEMU does not run\n{self.qemu.diagnosis()}")

    def held(self, chardev):
        """(descriptors, maps) that QEMU has of the files of a device's back-end, by /proc."""
        figures = evidence.count(self.qemu.pid, self.backend(chardev).inodes())
        return figures["backend_fds"], figures["backend_maps"]

    def await_held(self, chardev, count):
        """Until QEMU holds so many: what it lets go of is closed by RCU, told by /proc only."""
        wait_until(lambda: self.held(chardev) == (count, count), GONE_TIMEOUT_S,
                   f"QEMU to hold {count} files of {chardev}", [self.qemu])

    def unread(self, chardev):
        """The request of a device's back-end that lies unread in QEMU's socket, or None."""
        return evidence.unread_request(self.qemu.pid, self.backend(chardev).pid)

    def await_unread(self, chardev, number):
        """Until the request NUMBER of a device's back-end, counted from 1, lies unread.

        It logs a request before it sends it, and sends the next one after the reply: what lies
        unread then is none before that.
        """
        def unread():
            sent = [entry for entry in self.backend(chardev).entries()
                    if entry.get("phase") == "sent"]
            return len(sent) == number and self.unread(chardev)
        wait_until(unread, START_TIMEOUT_S, f"request {number} of {chardev} to lie unread",
                   [self.qemu, self.backend(chardev)])

    # -- ending -------------------------------------------------------------------------

    def quit(self):
        self.driver.do("quit")
        if self.driver.status(START_TIMEOUT_S) != 0:
            raise HarnessError(f"The driver failed at its end:\n{self.driver.diagnosis()}")
        self.monitor.ask("quit")
        status = self.starter.status(START_TIMEOUT_S, "the quit asked for")
        if status != 0:
            raise HarnessError(f"QEMU ended with status {status}:\n{self.qemu.diagnosis()}")

    def end_backends(self):
        """Each ends with its channel; its status tells whether all was as expected."""
        for chardev, backend in self.backends.items():
            status = backend.status(START_TIMEOUT_S, "the end of its channel")
            if status != 0:
                raise HarnessError(f"The back-end of {chardev} ended with status {status}:\n"
                                   f"{backend.diagnosis()}")

    def stop(self):
        """Ends what is left, whatever happened before. The back-ends first: that frees a QEMU
        which hangs."""
        if self.monitor:
            self.monitor.close()
        for process in (self.driver, *self.backends.values(), self.qemu, self.starter):
            if process:
                process.stop()
                process.close()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


class Fleet:
    """Machines under one recording of all of them, in OUT/trace; OUT/VM is for each.

    A context manager: at its end everything started is stopped by its pid, whatever happened.
    """

    def __init__(self, programs, prefix, out, record_options=()):
        self.programs = programs
        self.prefix = prefix
        self.out = os.path.abspath(out)
        self.unique = f"{os.getpid()}-{time.monotonic_ns()}"
        self.record_options = list(record_options)
        self.machines = []
        self.recordings = []

    def add(self, vm, devices, kind=Machine, **options):
        machine = kind(self.programs, self.prefix, os.path.join(self.out, vm), vm, devices,
                       **options)
        self.machines.append(machine)
        machine.prepare()
        return machine

    def path(self, name):
        return os.path.join(self.out, name)

    @property
    def trace(self):
        return self.path("trace")

    def __enter__(self):
        become_subreaper()
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        return self

    def __exit__(self, kind, value, trace):
        # A second Ctrl-C must not leave processes behind.
        held = {number: signal.signal(number, signal.SIG_IGN)
                for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for machine in self.machines:
                machine.stop()
            for recording in self.recordings:
                recording.child.stop()
                recording.child.close()
        finally:
            for number, handler in held.items():
                signal.signal(number, handler)
        return False

    def start(self):
        """All back-ends, the recording, and then the machines, in their order."""
        for machine in self.machines:
            machine.hold()
        self.record("trace")
        for machine in self.machines:
            machine.go()

    def record(self, name):
        """Begins a recording of the machines into OUT/NAME; end() ends it."""
        options = ["--session", f"shmemscope-fleet-{name}-{self.unique}", *self.record_options]
        for machine in self.machines:
            if not machine.starter.ended():
                options += ["--pid", str(machine.pid)]
        recording = parts.Recording(self.programs, self.path(name), options)
        child = recording.attach(self.path(f"{name}.record.log"), self.path("commands"))
        self.recordings.append(recording)
        wait_until(recording.started, START_TIMEOUT_S, "the recording to start", [child])

    def end(self):
        """Ends the recording begun last; the machines go on. Returns where it is."""
        recording = self.recordings[-1]
        if not recording.child.ended():
            recording.child.signal(signal.SIGINT)
        status = recording.child.status(START_TIMEOUT_S, "the recording's end")
        if status != 0:
            raise HarnessError(f"The recording ended with status {status}:\n"
                               f"{recording.child.diagnosis()}")
        return recording.output
