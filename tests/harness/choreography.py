# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to QEMU in each scenario while its back-end does its own part.

Each function gets a Run that has been entered and leaves a run that has ended as the scenario
says, or raises HarnessError. SCENARIOS tells which belongs to which scenario file.
"""

import os

from .processes import HarnessError

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
DIRECTORIES = ("backend/scenarios", "integration/scenarios")
SCENARIO_TIMEOUT_S = 180


def through(run):
    """The device starts, the back-end does its statements, QEMU goes on and quits."""
    run.start()
    run.note("before")
    run.start_driver()
    run.driver.do(f"timeout {SCENARIO_TIMEOUT_S * 1000}")
    run.driver.do("start", SCENARIO_TIMEOUT_S)
    run.backend.await_signal("done", SCENARIO_TIMEOUT_S)
    run.await_gone()
    run.note("after")
    if not run.monitor.running():
        raise HarnessError("QEMU does not run after the scenario")
    end(run)


def hang_at_start(run):
    """QEMU hangs once the device is started, and is freed by the end of the back-end."""
    run.start()
    run.note("before")
    run.start_driver()
    run.driver.tell("start")
    hang(run)


def hang_at_reset(run):
    """QEMU hangs when a started device is reset while a request of the back-end is under way."""
    run.start()
    run.note("before")
    run.start_driver()
    run.driver.do("start")
    run.backend.await_signal("ready", SCENARIO_TIMEOUT_S)
    run.driver.tell("reset")
    hang(run)


def hang(run):
    """QEMU hangs, and is freed by the end of its back-end."""
    question = keep_hang(run)
    run.note_stack()
    run.kill_backend()
    run.monitor.answer(question, SCENARIO_TIMEOUT_S)
    run.witness["hang"]["freed_by_end_of_backend"] = True
    run.quit_qemu()


def keep_hang(run):
    """QEMU hangs, and what is to be known of that is kept; returns the unanswered question."""
    question = run.await_hang()
    run.note("hung")
    # The recording ends while the hang stands; the debugger comes after it.
    run.stop_recording()
    run.record_late()
    return question


def channel_dies(run):
    """The back-end is killed with mappings in place; QEMU clears them away and lives on."""
    run.start()
    run.note("before")
    run.start_driver()
    run.driver.do("start")
    await_mapped(run)
    run.note("mapped")
    run.backend.give_signal("go")
    run.backend.status(SCENARIO_TIMEOUT_S, "it to kill itself")
    run.await_gone()
    run.note("after")
    if not run.monitor.running():
        raise HarnessError("QEMU does not run after its back-end died")
    run.quit_qemu()


def await_mapped(run):
    """Until the back-end has all its mappings, and QEMU is done with them."""
    run.backend.await_signal("mapped", SCENARIO_TIMEOUT_S)
    # A reply goes out before QEMU is done with the request. Its main loop answers the monitor
    # only after that.
    if not run.monitor.running():
        raise HarnessError("QEMU does not run with the mappings in place")


def reset_mapped(run):
    """The guest resets the device with mappings in place."""
    _clear_by(run, "reset")


def unplug_mapped(run):
    """The device is unplugged with mappings in place."""
    _clear_by(run, "unplug dev0")


def _clear_by(run, command):
    run.start()
    run.note("before")
    run.start_driver()
    run.driver.do("start")
    await_mapped(run)
    run.note("mapped")
    run.record_late()
    run.driver.do(command, SCENARIO_TIMEOUT_S)
    run.await_gone()
    run.note("after")
    if not run.monitor.running():
        raise HarnessError(f"QEMU does not run after: {command}")
    end(run)


def end(run):
    """QEMU quits, and the back-end ends with its channel."""
    run.quit_qemu()
    run.end_backend()


# Scenario name: (choreography, options of the Run).
SCENARIOS = {
    "map-pipelined": (hang_at_start, {}),
    "unmap-pipelined": (hang_at_start, {}),
    "request-at-stop": (hang_at_reset, {}),
    "channel-dies": (channel_dies, {}),
    "reset-mapped": (reset_mapped, {}),
    "too-many": (reset_mapped, {}),
    "unplug-mapped": (unplug_mapped, {"qemu_options": {"hotplug": True}}),
    "reconnect": (through, {"qemu_options": {"reconnect_ms": 1000}}),
}


def of(scenario):
    """(choreography, options) of a scenario by name; `through` for one without a special part."""
    return SCENARIOS.get(scenario, (through, {}))


def path(scenario):
    """Path of a scenario file given by its name, or by a path."""
    candidates = [scenario] if scenario.endswith(".scn") else [
        os.path.join(TESTS, directory, f"{scenario}.scn") for directory in DIRECTORIES]
    for candidate in candidates:
        if os.path.isfile(candidate):
            return candidate
    raise HarnessError(f"Cannot find scenario: name=\"{scenario}\": not in "
                       + " or ".join(f"tests/{directory}" for directory in DIRECTORIES))
