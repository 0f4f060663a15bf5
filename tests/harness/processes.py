# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes that are started, watched and ended by their own pid.

Nothing here sleeps to wait for another process. An end is awaited on a pidfd, a line on the
pipe it comes from. What no event tells (a path in /proc) is polled, with a bound and a reason.
"""

import ctypes
import os
import select
import shlex
import signal
import subprocess
import time

POLL_INTERVAL_S = 0.02
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_PTRACER = 0x59616D61
PR_SET_PTRACER_ANY = 2 ** (8 * ctypes.sizeof(ctypes.c_ulong)) - 1

_libc = ctypes.CDLL(None, use_errno=True)


class HarnessError(Exception):
    """A run that did not go as its scenario says. The text is the whole message."""


def become_subreaper():
    """Orphans of our children come to us, so that none is lost when its parent dies first."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise HarnessError(f"Cannot become subreaper: {os.strerror(ctypes.get_errno())}")


def tail(path, lines=15):
    """The last lines of a log, for the message of an error."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:]).rstrip()
    except OSError as error:
        return f"(no log: {error})"


def wait_until(condition, timeout_s, what, watched=()):
    """Polls CONDITION until it is true and returns its value.

    For states that no event announces. WATCHED processes must live meanwhile: when one ends
    the wait is over at once, with its log in the message.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        for process in watched:
            if process.ended():
                value = condition()
                if value:
                    return value
                raise HarnessError(f"{process.name} ended while waiting for {what}:\n"
                                   f"{process.diagnosis()}")
        if time.monotonic() >= deadline:
            raise HarnessError(f"Waited {timeout_s} s in vain for {what}"
                               + "".join(f"\n--- {p.name}:\n{p.diagnosis()}" for p in watched))
        select.select([], [], [], POLL_INTERVAL_S)


class Watched:
    """A process known by pid and pidfd, whoever started it."""

    def __init__(self, name, pid, log=None):
        self.name = name
        self.pid = pid
        self.log = log
        self.pidfd = os.pidfd_open(pid)

    def ended(self, timeout_s=0.0):
        """True when the process ended within the time."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))

    def signal(self, number):
        """Sends a signal; a process that is gone already is no error."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def diagnosis(self):
        return tail(self.log) if self.log else "(no log)"

    def wait(self, timeout_s, what="its end"):
        if not self.ended(timeout_s):
            raise HarnessError(f"{self.name} (pid {self.pid}) still runs after {timeout_s} s, "
                               f"waiting for {what}\n{self.diagnosis()}")

    def stop(self, grace_s=5.0):
        """Ends it: SIGTERM, and after the grace SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.ended():
                break
            self.signal(number)
            self.signal(signal.SIGCONT)
            self.ended(grace_s)
        self.reap()

    def reap(self):
        """Takes the exit status of an orphan that came to us; others are not ours to reap."""
        try:
            os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            pass

    def close(self):
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class Child(Watched):
    """A process of ours, in a process group of its own.

    Its stderr, and its stdout unless PIPES, go to LOG. With PIPES, stdin and stdout are pipes
    spoken line by line. It inherits the DESCRIPTORS, under the numbers they have here.
    """

    def __init__(self, name, argv, log, pipes=False, env=None, commands=None, descriptors=()):
        if commands:
            with open(commands, "a", encoding="utf-8") as record:
                record.write(f"{name}: {shlex.join(argv)}\n")
        with open(log, "ab") as sink:
            try:
                self.popen = subprocess.Popen(
                    argv, stderr=sink, env=env, start_new_session=True,
                    stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if pipes else sink, pass_fds=descriptors,
                    preexec_fn=_before_exec)
            except OSError as error:
                raise HarnessError(f"Cannot start {name}: path=\"{argv[0]}\": "
                                   f"{error.strerror}") from error
        self.unread = b""
        super().__init__(name, self.popen.pid, log)

    def status(self, timeout_s, what="its end"):
        """Exit status of a process that must end within the time; negative: by a signal."""
        self.wait(timeout_s, what)
        return self.popen.wait()

    def reap(self):
        if self.ended():
            self.popen.wait()

    def stop(self, grace_s=5.0):
        super().stop(grace_s)
        self.popen.wait()
        # What it started and left in its group must not outlive it.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self):
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        super().close()

    def write_line(self, line):
        try:
            self.popen.stdin.write(line.encode() + b"\n")
            self.popen.stdin.flush()
        except BrokenPipeError as error:
            raise HarnessError(f"{self.name} does not read \"{line}\":\n"
                               f"{self.diagnosis()}") from error

    def read_line(self, timeout_s, what):
        """The next line of its stdout, without the newline."""
        deadline = time.monotonic() + timeout_s
        descriptor = self.popen.stdout.fileno()
        while b"\n" not in self.unread:
            ready, _, _ = select.select([descriptor], [], [],
                                        max(0.0, deadline - time.monotonic()))
            if not ready:
                raise HarnessError(f"{self.name} said nothing within {timeout_s:.0f} s, "
                                   f"waiting for {what}\n{self.diagnosis()}")
            piece = os.read(descriptor, 65536)
            if not piece:
                raise HarnessError(f"{self.name} closed its output, waiting for {what}\n"
                                   f"{self.diagnosis()}")
            self.unread += piece
        line, self.unread = self.unread.split(b"\n", 1)
        return line.decode(errors="replace")

    def close_stdin(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass


def _before_exec():
    """In the child: it ends when the harness is killed outright, and a debugger may look."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # Where Yama restricts ptrace, gdb is no ancestor of what it looks at.
    _libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(PR_SET_PTRACER_ANY), 0, 0, 0)
