# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to a released QEMU, which nobody patched, and the scenarios it is done in.

It has no tracepoints of the feature: its runs are recorded through the wire library. Functions
as in choreography. Its device is still asking for replies when the back-end sees it started, so
a back-end there does nothing of its own before it is told to go on.
"""

import os

from . import choreography
from .choreography import SCENARIO_TIMEOUT_S, TESTS
from .processes import HarnessError
from .qemu import NoAnswer

# The checks give a cleanup a second.
GRACE_S = 1.3
DIRECTORY = os.path.join(TESTS, "released", "scenarios")


def _start(run):
    run.start()
    run.note("before")
    run.start_driver()
    run.driver.do(f"timeout {SCENARIO_TIMEOUT_S * 1000}")
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.backend.give_signal("go")


def healthy(run):
    """The back-end does its statements, and QEMU lets go of all that it mapped."""
    _start(run)
    run.backend.await_signal("done", SCENARIO_TIMEOUT_S)
    run.await_gone()
    run.note("after")
    _alive(run)
    choreography.end(run)


def _hang(run):
    """It hangs, and is freed by the end of its back-end: it goes on, or it goes on to its end.

    11.1.2, freed from a hang in a reset, fails an assertion about its ioeventfds.
    """
    question = choreography.keep_hang(run)
    run.kill_backend()
    try:
        run.monitor.answer(question, SCENARIO_TIMEOUT_S)
    except NoAnswer:
        raise
    except HarnessError:
        run.qemu.wait(SCENARIO_TIMEOUT_S, "its end, after its monitor's")
        run.witness["hang"]["ended_then"] = True
    run.witness["hang"]["freed_by_end_of_backend"] = True


def map_pipelined(run):
    """QEMU hangs in the commit of a MAP."""
    _start(run)
    _hang(run)


def request_at_stop(run):
    """QEMU hangs when the device is reset while the back-end asks for something."""
    _start(run)
    run.backend.await_signal("ready", SCENARIO_TIMEOUT_S)
    run.driver.tell("reset")
    _hang(run)


def channel_dies(run):
    """The back-end is killed with mappings in place, which QEMU keeps."""
    _start(run)
    choreography.await_mapped(run)
    run.note("mapped")
    run.backend.give_signal("go")
    run.backend.status(SCENARIO_TIMEOUT_S, "it to kill itself")
    # Its main loop answers after it has seen the end of the channel.
    _alive(run)
    if run.qemu.ended(GRACE_S):
        raise HarnessError(f"QEMU ended\n{run.qemu.diagnosis()}")
    run.note("after")
    run.stop_recording()
    run.quit_qemu()


def self_echo(run):
    """More mappings than the back-end's memory table has room for."""
    _start(run)
    run.backend.await_signal("done", SCENARIO_TIMEOUT_S)
    _alive(run)
    run.note("after")
    choreography.end(run)


def _alive(run):
    if not run.monitor.running():
        raise HarnessError("QEMU does not run after the scenario")


SCENARIOS = {
    "healthy": healthy,
    "map-pipelined": map_pipelined,
    "request-at-stop": request_at_stop,
    "channel-dies": channel_dies,
    "self-echo": self_echo,
}


def of(scenario):
    """(choreography, options of the Run) of a scenario by name."""
    if scenario not in SCENARIOS:
        raise HarnessError(f"Cannot find scenario: name=\"{scenario}\": not one of "
                           + ", ".join(SCENARIOS))
    return SCENARIOS[scenario], {"wire": ("qemu",)}


def path(scenario):
    """Path of a scenario's file."""
    return os.path.join(DIRECTORY, f"{scenario}.scn")
