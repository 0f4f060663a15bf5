# SPDX-License-Identifier: GPL-2.0-or-later
"""One run: back-end, recording, QEMU and driver, from their start to their end."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import evidence, parts, qemu
from .processes import HarnessError, Watched, become_subreaper, wait_until

START_TIMEOUT_S = qemu.START_TIMEOUT_S
GONE_TIMEOUT_S = 10
# How long the monitor must be silent to count as not answering, and a hang must hold. In the
# latter time the wait speaks up twice (after 1 s and after 2 s).
SILENCE_S = 2.0
HANG_S = 3.5


class Run:
    """What runs, and what is left of it under OUT.

    OUT/trace          the recording
    OUT/backend.jsonl  what the back-end did
    OUT/witness.json   what the kernel, the monitor and the debugger saw
    OUT/commands       every command line
    OUT/*.log          what each program said

    A context manager: at its end everything started is stopped by its pid, whatever happened.
    """

    def __init__(self, programs, prefix, scenario, out, record=True, record_options=(),
                 wrapper=(), qemu_options=None, wire=()):
        """SCENARIO is the path of a scenario file; WRAPPER is put before QEMU's command, and
        QEMU_OPTIONS go to qemu.command_line(). WIRE tells into which sides the wire library is
        loaded, "qemu" and "backend"; the latter is recorded, too.

        The recording attaches to QEMU's pid, before QEMU begins: so it has that process from
        its birth and no other, and can end before QEMU does.
        """
        qemu.check_prefix(prefix)
        self.programs = programs
        self.prefix = os.path.abspath(prefix)
        self.scenario = os.path.abspath(scenario)
        self.name = os.path.basename(scenario).removesuffix(".scn")
        self.out = os.path.abspath(out)
        self.record = record
        self.wrapper = list(wrapper)
        self.qemu_options = dict(qemu_options or {})
        self.wire = {side: programs.wire for side in wire}
        unique = f"{os.getpid()}-{time.monotonic_ns()}"
        self.session = f"shmemscope-run-{self.name}-{unique}"
        self.vm = f"{self.name}-{unique}"
        self.record_options = ["--session", self.session, *record_options]
        self.witness = {"scenario": self.name, "session": self.session, "vm": self.vm,
                        "points": {}}
        self.backend = self.driver = self.monitor = self.qemu = self.recording = None
        self.starter = None
        self.directory = None

    # -- files ------------------------------------------------------------------------

    def path(self, name):
        return os.path.join(self.out, name)

    @property
    def trace(self):
        return self.path("trace")

    def __enter__(self):
        become_subreaper()
        os.makedirs(self.out, exist_ok=True)
        for trace in (self.trace, self.path("late")):
            shutil.rmtree(trace, ignore_errors=True)
        for name in ("backend.jsonl", "witness.json", "commands", "qemu.log", "backend.log",
                     "driver.log", "record.log", "late.log"):
            try:
                os.unlink(self.path(name))
            except FileNotFoundError:
                pass
        # Sockets get a short path of their own: a unix socket's is limited to 107 bytes.
        self.directory = tempfile.mkdtemp(prefix="ss-run-")
        return self

    def __exit__(self, kind, value, trace):
        # A second Ctrl-C must not leave processes behind.
        held = {number: signal.signal(number, signal.SIG_IGN)
                for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._stop_all()
            self._drop_session()
            shutil.rmtree(self.directory, ignore_errors=True)
            self.write_witness()
        finally:
            for number, handler in held.items():
                signal.signal(number, handler)
        return False

    def _stop_all(self):
        if self.monitor:
            self.monitor.close()
        pid = qemu.started_pid(self.directory)
        if pid and not self.qemu:
            try:
                self.qemu = Watched("QEMU", pid)
            except ProcessLookupError:
                pass  # it ended by itself
        # The back-end before QEMU: its end frees one that hangs.
        recorder = self.recording.child if self.recording else None
        for process in (self.driver, self.backend, self.qemu, self.starter, recorder):
            if process:
                process.stop()
                process.close()

    def _drop_session(self):
        """A recording that was killed outright leaves its session: that one, and no other."""
        if self.recording and self.recording.child.popen.returncode == -signal.SIGKILL:
            try:
                subprocess.run(["lttng", "--no-sessiond", "destroy", self.session], check=False,
                               capture_output=True, timeout=START_TIMEOUT_S)
            except (OSError, subprocess.TimeoutExpired):
                pass  # the recording's own keeper ends it as well

    def write_witness(self):
        with open(self.path("witness.json"), "w", encoding="utf-8") as out:
            json.dump(self.witness, out, indent=2)
            out.write("\n")

    # -- starting ---------------------------------------------------------------------

    def start(self):
        """Back-end, recording and QEMU, until the monitor answers."""
        self.start_backend()
        self.start_qemu()

    def start_backend(self):
        sock = f"{self.directory}/vu0.sock"
        self.backend = parts.Backend(self.programs, sock, self.scenario,
                                     self.path("backend.jsonl"), self.path("backend.log"),
                                     self.path("commands"), self.wire.get("backend", ""))
        # It gets this name only once the back-end listens.
        wait_until(lambda: os.path.exists(sock), START_TIMEOUT_S, "the back-end's socket",
                   [self.backend])
        self.witness["backend_pid"] = self.backend.pid

    def start_qemu(self):
        command = qemu.command_line(self.prefix, self.directory, self.vm, **self.qemu_options)
        self.starter, pid = qemu.start_held(command, self.qemu_log, self.path("commands"),
                                            self.wrapper, self.wire.get("qemu", ""))
        if self.record:
            self.start_recording(pid)
        self.starter.write_line("go")
        pid = wait_until(lambda: qemu.started_pid(self.directory), START_TIMEOUT_S,
                         "QEMU's pid file", [self.starter, self.backend])
        self.qemu = Watched("QEMU", pid, self.qemu_log)
        self.witness["qemu_pid"] = pid
        sock = f"{self.directory}/monitor.sock"
        wait_until(lambda: qemu.listening(sock, pid), START_TIMEOUT_S, "QEMU's monitor", [self.qemu])
        try:
            self.monitor = qemu.Monitor(sock, START_TIMEOUT_S)
        except HarnessError as error:
            raise HarnessError(f"{error}\n{self.qemu.diagnosis()}") from error

    def start_recording(self, pid):
        """Attaches a recording to the process and waits until it records.

        A session daemon serves every traced process there is: it keeps to this one, and to a
        back-end that has the wire library.
        """
        pids = [pid, *([self.backend.pid] if "backend" in self.wire else [])]
        self.recording = parts.Recording(self.programs, self.trace, [
            *self.record_options, *(word for one in pids for word in ("--pid", str(one)))])
        child = self.recording.attach(self.path("record.log"), self.path("commands"))
        wait_until(self.recording.started, START_TIMEOUT_S, "the recording to start", [child])

    @property
    def qemu_log(self):
        return self.path("qemu.log")

    def start_driver(self):
        self.driver = parts.Driver(self.programs, self.directory, self.path("driver.log"),
                                   self.path("commands"))

    # -- looking ----------------------------------------------------------------------

    def note(self, point):
        """Counts QEMU's descriptors and maps now and keeps them in the witness."""
        figures = evidence.count(self.qemu.pid, self.backend.inodes())
        figures["t_ns"] = time.monotonic_ns()
        self.witness["points"][point] = figures
        return figures

    def await_gone(self, timeout_s=GONE_TIMEOUT_S):
        """Until QEMU holds nothing of the back-end any more: closed by RCU, told by /proc only."""
        inodes = self.backend.inodes()

        def gone():
            return (not evidence.memfd_descriptors(self.qemu.pid, inodes)
                    and not evidence.memfd_maps(self.qemu.pid, inodes))
        wait_until(gone, timeout_s, "QEMU to let go of the back-end's files", [self.qemu])

    def await_hang(self):
        """Until QEMU stands still with a request unread; keeps the evidence of it.

        The monitor is silent, a SHMEM request lies unread in the socket, and both stay so.
        """
        wait_until(lambda: evidence.unread_request(self.qemu.pid, self.backend.pid),
                   START_TIMEOUT_S, "a request to lie unread in QEMU's socket",
                   [self.qemu, self.backend])
        question = self.await_silence()
        unread = evidence.unread_request(self.qemu.pid, self.backend.pid)
        if not unread:
            raise HarnessError("The hang ended by itself: the unread request was read")
        self.witness["hang"]["unread"] = unread
        return question

    def await_silence(self):
        """Until the monitor has not answered for long, while both processes live.

        Returns the number of the question it owes the answer to.
        """
        question = self.monitor.ask("query-status")
        try:
            self.monitor.answer(question, SILENCE_S)
        except qemu.NoAnswer:
            pass
        else:
            raise HarnessError("QEMU does not hang: its monitor answers")
        # The hang has to last: neither process may end in this time.
        if self.qemu.ended(HANG_S) or self.backend.ended():
            raise HarnessError(f"The hang ended by itself\n{self.qemu.diagnosis()}")
        self.witness["hang"] = {"monitor_silent_s": SILENCE_S, "held_s": HANG_S,
                                "t_ns": time.monotonic_ns()}
        return question

    def note_stack(self):
        """The main thread's stack. Stops QEMU for a moment: after the recording's end."""
        self.witness["hang"]["stack"] = evidence.main_thread_stack(self.qemu.pid)

    # -- ending -----------------------------------------------------------------------

    def stop_recording(self):
        """Ends the recording; QEMU goes on."""
        self.recording.child.signal(signal.SIGINT)
        status = self.recording.child.status(START_TIMEOUT_S, "the recording's end")
        if status != 0:
            raise HarnessError(f"The recording ended with status {status}:\n"
                               f"{self.recording.child.diagnosis()}")

    def record_late(self):
        """A second recording that attaches to QEMU as it stands now, for one second: late/."""
        if not self.recording:
            return
        late = parts.Recording(self.programs, self.path("late"),
                               ["--pid", str(self.qemu.pid), "--duration", "1"])
        child = late.attach(self.path("late.log"), self.path("commands"))
        try:
            if child.status(START_TIMEOUT_S, "the late recording's end") != 0:
                raise HarnessError(f"The late recording failed:\n{child.diagnosis()}")
        finally:
            child.stop()
            child.close()

    def kill_backend(self):
        self.backend.signal(signal.SIGKILL)
        self.backend.status(START_TIMEOUT_S)

    def quit_qemu(self):
        """Asks QEMU to end and waits until it did; its recording, if it still lasts, ends too."""
        if "hang" in self.witness:
            self.driver.stop()  # its command was never answered
        else:
            self.driver.do("quit")
            if self.driver.status(START_TIMEOUT_S) != 0:
                raise HarnessError(f"The driver failed at its end:\n{self.driver.diagnosis()}")
        self.monitor.ask("quit")
        status = self.starter.status(START_TIMEOUT_S, "the quit asked for")
        if status != 0:
            raise HarnessError(f"QEMU ended with status {status}:\n{self.qemu.diagnosis()}")
        if self.recording and not self.recording.child.ended():
            self.stop_recording()

    def end_backend(self):
        """The back-end ends with its channel; its status tells whether all was as expected."""
        status = self.backend.status(START_TIMEOUT_S, "the end of its channel")
        if status != 0:
            raise HarnessError(f"The back-end ended with status {status}:\n"
                               f"{self.backend.diagnosis()}")
