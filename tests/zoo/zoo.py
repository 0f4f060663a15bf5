# SPDX-License-Identifier: GPL-2.0-or-later
"""A specimen: a run with one bug in it, what the tool must say of it, and who else says so."""

import dataclasses
import functools
import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.dirname(HERE)
for place in (TESTS, os.path.join(TESTS, "integration"), os.path.join(TESTS, "formats")):
    if place not in sys.path:
        sys.path.insert(0, place)

import common                                                        # noqa: E402
import findings                                                      # noqa: E402
import sources                                                       # noqa: E402
from harness import choreography, parts                              # noqa: E402
from harness.hostile import HostileRun                               # noqa: E402
from harness.processes import HarnessError                           # noqa: E402
from harness.run import Run                                          # noqa: E402

PLUGINS = os.path.join(common.BUILD, "analysis", "babeltrace")
RUNS = os.path.join(common.BUILD, "tests", "zoo", "runs")
ALARMS = common.ALARMS


def _said(found):
    return "\n".join([found["summary"], *(f"{entry['who']} {entry['text']}"
                                          for entry in found["statements"])])


@dataclasses.dataclass(frozen=True)
class Finding:
    """A finding that has to be there."""

    id: str
    certainty: str
    count: int = 1
    said: str = ""    # a regular expression that its summary contains, or who does what
    place: tuple = ()  # where: the function, and the reason or None

    def meets(self, found):
        return (found["id"] == self.id and found["certainty"] == self.certainty
                and found["count"] == self.count
                and re.search(self.said, _said(found)) is not None
                and (not self.place or _place(found) == self.place))

    def __str__(self):
        return self.id + (f" x{self.count}" if self.count != 1 else "")


@dataclasses.dataclass(frozen=True)
class Specimen:
    """One row of the table.

    SCENARIO is a scenario's name, or the options of the hostile back-end. BUG is a word that
    QEMU's zoo build knows; without it QEMU is the product's. WITNESSES are functions of a Case
    that give (what, the tool's value, the witness's value), all equal.
    """

    name: str
    scenario: object
    act: object
    bug: str = ""
    expect: tuple = ()
    witnesses: tuple = ()
    record: tuple = ()
    qemu: dict = dataclasses.field(default_factory=dict)
    wrapper: object = None  # of the run's directory: what is put before QEMU's command


class Case:
    """A specimen that was run: the run, its report, and the back-end's log."""

    def __init__(self, specimen, run, source=sources.TRACEPOINTS):
        self.specimen = specimen
        self.run = run
        self.source = source
        self.report = common.Report(run.trace)

    @functools.cached_property
    def log(self):
        return common.Log(self.run.path("backend.jsonl"))

    @property
    def found(self):
        """The findings that count: hazards only when the row expects them, unknowns never."""
        hazards = {finding.id for finding in self.specimen.expect
                   if finding.certainty == "hazard"}
        return [finding for finding in self.report.findings if finding["certainty"] in ALARMS
                or finding["certainty"] == "hazard" and finding["id"] in hazards]

    @functools.cached_property
    def words(self):
        """By finding what the source makes of it; see sources.py."""
        return sources.words(self.specimen, self)

    def of(self, check):
        """The findings of a check, or those that tell of it as what they may be instead."""
        instead = self.words.get(check, "").partition(":")[2]
        names = {check, instead} if self.source != sources.TRACEPOINTS else {check}
        return [finding for finding in self.found if finding["id"] in names]


@dataclasses.dataclass
class Row:
    """How a specimen's run went."""

    name: str
    expected: str
    found: str = "-"
    certainty: str = "-"
    witness: str = "-"
    sources: dict = dataclasses.field(default_factory=dict)  # words by source
    wrong: list = dataclasses.field(default_factory=list)
    formats: dict = dataclasses.field(default_factory=dict)  # by source what is to come

    def finish(self):
        """Waits for the comparisons of formats, and takes what they found."""
        for source, comparison in self.formats.items():
            self.wrong += [f"{source}: {wrong}" for wrong in comparison.result()]
        self.formats = {}


def _place(found):
    place = found.get("place") or {}
    return place.get("function"), place.get("reason")


def scenario_path(name):
    own = os.path.join(HERE, "scenarios", f"{name}.scn")
    return own if os.path.isfile(own) else choreography.path(name)


def directory(specimen, source):
    """Where the files of a run are."""
    return os.path.join(RUNS, specimen.name, *([] if source == sources.TRACEPOINTS else [source]))


def play(specimen, prefixes, source=sources.TRACEPOINTS):
    """Runs a specimen; PREFIXES are the directories of the product's QEMU and of the zoo's."""
    programs = parts.Programs(common.BUILD)
    prefix = sources.prefix(source, prefixes, specimen.bug)
    out = directory(specimen, source)
    os.makedirs(out, exist_ok=True)
    options = {
        "record_options": specimen.record,
        "wire": sources.LOADED[source],
        "wrapper": [*(specimen.wrapper(out) if specimen.wrapper else []),
                    *(["env", f"SHMEMSCOPE_ZOO={specimen.bug}"] if specimen.bug else [])],
        "qemu_options": specimen.qemu,
    }
    if isinstance(specimen.scenario, str):
        made = Run(programs, prefix, scenario_path(specimen.scenario), out, **options)
    else:
        made = HostileRun(programs, prefix, out, specimen.scenario, **options)
    with made as run:
        specimen.act(run)
    return Case(specimen, run, source)


def judge_findings(row, specimen, case):
    """Each that is expected, once, and no other."""
    left = list(case.found)
    for expected in specimen.expect:
        met = next((found for found in left if expected.meets(found)), None)
        if met is None:
            row.wrong.append(f"not found: {expected} {expected.certainty} "
                             f"{expected.place or ''} {expected.said}")
        else:
            left.remove(met)
    row.wrong += [f"too much: {found['id']} {found['certainty']} x{found['count']}: "
                  f"{_place(found)} {found['summary']}" for found in left]
    row.found = _joined(found["id"] + (f" x{found['count']}" if found["count"] != 1 else "")
                        for found in case.found)
    row.certainty = _joined(found["certainty"] for found in case.found)


def judge_witnesses(row, specimen, case):
    said = []
    for witness in specimen.witnesses:
        if not _can_tell(witness, case):
            continue
        for what, ours, theirs in witness(case):
            if ours != theirs:
                row.wrong.append(f"{case.source}: {what}: the tool has {ours}, "
                                 f"the witness {theirs}")
            said.append(f"{what} {_short(theirs)}")
    if case.source == sources.TRACEPOINTS:
        row.witness = _joined(said)


def _all_named(word):
    return word.startswith("named") and "/" not in word


def _can_tell(witness, case):
    """From outside there is nothing to compare where the tool has no account."""
    if case.source == sources.TRACEPOINTS:
        return True
    return not getattr(witness, "inside", False) and all(
        _all_named(case.words.get(check, "named")) for check in
        getattr(witness, "about", ()))


def judge_source(row, specimen, case, table):
    row.sources[case.source] = _joined(
        word if len(case.words) == 1 else f"{finding} {word}"
        for finding, word in case.words.items())
    row.wrong += sources.compare(specimen, case, case.source, table)


def try_specimen(specimen, prefixes, wanted, table, beside):
    """The row of a specimen by the WANTED sources, whatever happens. BESIDE is an executor: what
    the formats say of a run is compared while the next one waits."""
    row = Row(specimen.name, _joined(str(finding) for finding in specimen.expect))
    for source in wanted:
        wrong = len(row.wrong)
        try:
            case = play(specimen, prefixes, source)
            if source == sources.TRACEPOINTS:
                judge_findings(row, specimen, case)
            else:
                judge_source(row, specimen, case, table)
            judge_witnesses(row, specimen, case)
            row.formats[source] = beside.submit(findings.compare, parts.Programs(common.BUILD).tool,
                                                PLUGINS, case.run.trace)
        except HarnessError as error:
            row.wrong.append(f"{source}: the run did not go as it should: {error}")
        if len(row.wrong) > wrong:
            row.wrong.append(f"report: {os.path.join(directory(specimen, source), 'report.txt')}")
    return row


def _joined(words):
    return ", ".join(dict.fromkeys(words)) or "-"


def _short(value):
    """Of a list how many it has; everything else as it is."""
    return len(value) if isinstance(value, (list, set, tuple)) else value
