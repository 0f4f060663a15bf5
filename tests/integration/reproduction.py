# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of reproductions: made, compiled, and run against a real QEMU under a recording."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import common

sys.path.insert(0, os.path.join(common.TESTS, "reproduce"))

import orders                                                        # noqa: E402

ORDER_PROGRAM = os.path.join(common.BUILD, "tests", "reproduce", "order-program")
PROGRAM = os.path.join(common.QEMU, "qemu-system-x86_64")
COMPILER = "gcc"
TIMEOUT_S = 120
LAST_LINE = re.compile(r"^(HUNG|NOT-HUNG) (.*)$", re.MULTILINE)


class Outcome:
    """What a program said and how it ended."""

    def __init__(self, status, stdout, stderr):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        found = LAST_LINE.findall(stdout)
        self.verdict, self.text = found[-1] if found else ("", "")

    def __str__(self):
        return f"status {self.status}\n{self.stdout}{self.stderr}"


def directory(name):
    """An empty one for the files of a test."""
    path = os.path.join(common.RUNS, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def of_session(session):
    """Pids of the processes of a session."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.getsid(int(name)) == session:
                found.append(int(name))
        except ProcessLookupError:
            continue  # it has ended since
    return found


def start(program, *arguments, qemu=PROGRAM, wrapper=()):
    """Starts a compiled program in a session of its own."""
    return subprocess.Popen([*wrapper, program, qemu, *arguments], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True,
                            env=common.parts.Recording.environment())


def finish(process):
    """Its outcome. Nothing may be left of it."""
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    except BaseException:
        for pid in of_session(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        raise
    left = of_session(process.pid)
    if left:
        raise common.HarnessError(f"{process.args} left processes: {left}")
    return Outcome(process.returncode, stdout, stderr)


def run(program, *arguments, qemu=PROGRAM):
    """Runs a compiled program to its end."""
    return finish(start(program, *arguments, qemu=qemu))


def run_recorded(program, trace, *arguments, qemu=PROGRAM, preload="", wrapper=()):
    """Runs a compiled program with a recording of its QEMU from that one's birth on.

    PRELOAD is a library that is loaded into QEMU, and WRAPPER is put before that. In the place of
    QEMU the program starts a shell that tells its pid and becomes QEMU once the
    recording of it has begun.
    """
    held = f"{program}.qemu"
    pid_file, go = f"{held}.pid", f"{held}.go"
    for path in (pid_file, go):
        if os.path.exists(path):
            os.unlink(path)
    os.mkfifo(go)
    preloaded = f"env LD_PRELOAD={shlex.quote(preload)} " if preload else ""
    with open(held, "w", encoding="utf-8") as script:
        script.write(f"#!/bin/sh\necho $$ >{shlex.quote(pid_file)}\nread go <{shlex.quote(go)}\n"
                     f'exec {shlex.join(wrapper)} {preloaded}{shlex.quote(qemu)} "$@"\n')
    os.chmod(held, 0o755)
    process = start(program, *arguments, qemu=held)
    child = None
    try:
        pid = common.wait_until(lambda: common.text_of(pid_file).endswith("\n")
                                and int(common.text_of(pid_file)), TIMEOUT_S, "QEMU's pid")
        recording = common.parts.Recording(common.parts.Programs(common.BUILD), trace,
                                           ["--pid", str(pid)])
        child = recording.attach(f"{trace}.log", f"{trace}.commands")
        common.wait_until(recording.started, TIMEOUT_S, "the recording to start", [child])
        with open(go, "w", encoding="ascii") as line:
            line.write("go\n")
        outcome = finish(process)
        child.signal(signal.SIGINT)
        if child.status(TIMEOUT_S, "the recording's end") != 0:
            raise common.HarnessError(f"The recording failed:\n{child.diagnosis()}")
        return outcome
    finally:
        if child:
            child.stop()
            child.close()
        process.kill()
        process.communicate()


def build(text, output):
    """Compiles the text of a program without a warning; returns its path."""
    said = orders.build(COMPILER, text, output)
    if said:
        raise common.HarnessError(said)
    return output


def from_order(name, output):
    """The program of an order of tests/reproduce/orders, compiled."""
    status, text, stderr = orders.generate(ORDER_PROGRAM, orders.path(name))
    if status != 0:
        raise common.HarnessError(f"{name}: {stderr}")
    return build(text, output)


def from_finding(trace, finding, output):
    """The program that the tool makes of a finding of a recording, compiled."""
    source = f"{output}.made"
    made = common.tool("waits", "--reproduce", finding, "--output", source, trace)
    if made.returncode != 0:
        raise common.HarnessError(f"{finding}: {made.stderr}")
    return build(common.text_of(source), output)


def told(order):
    """What a program says when QEMU hangs by an order, as the report's JSON has it."""
    front = [step for step in order["steps"] if step["kind"] == "frontend-waits"][-1]
    back = [step for step in order["steps"] if step["kind"] == "backend-waits"][-1]
    inside = []
    for step in order["steps"]:
        place = "" if step["device"] == front["device"] else f"@{step['device']}"
        if step["kind"] in ("start", "stop", "reset", "unrealize"):
            inside.append(step["kind"] + place)
        elif step["kind"] == "commit":
            cause = f"/{step['request']}/{step['number']}" if step["number"] else ""
            inside.append(f"commit{cause}{place}")
    return (f"front-end={front['request']} inside={'>'.join(inside)} "
            f"back-end={back['request']}/{back['number']}")


def shape(text):
    """The shape of an order as tests/reproduce/orders have it."""
    steps = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0].isdigit():
            steps.append(" ".join(words[:4]))
    return "; ".join(steps)
