# SPDX-License-Identifier: GPL-2.0-or-later
"""What each source of evidence makes of each specimen, and the tracked table of it.

The QEMU of the wire library's sources is built without the tracepoint series: scripts/build-qemu
--zoo makes it of the same source with the feature and the bugs alone.

A line of the table is of a specimen and a finding that its row expects: with a word for each
source, and why. The words:

  silent      the row expects nothing, and nothing is said
  named       found, as often, and as certain as by tracepoints; else what differs follows, after
              a colon: its certainty, N/M for N of M times, or the id of a finding that tells of
              this one as what it may be instead
  unknown     not found, and the report says that it cannot tell
  impossible  not found, and the report says that nobody outside of QEMU can tell
  also        of a finding that no row expects: what follows from the bug, and only this source sees
  -           the specimen is not run with this source

Whatever else comes out (`missed`: not found and said to be looked for) is never right.
"""

import collections
import dataclasses
import os
import subprocess
import textwrap

HERE = os.path.dirname(os.path.realpath(__file__))
TABLE = os.path.join(HERE, "sources")
TRACEPOINTS, WIRE, BOTH = "tracepoints", "wire", "both-sides"
SOURCES = (TRACEPOINTS, WIRE, BOTH)
# Into which side the wire library is loaded.
LOADED = {TRACEPOINTS: (), WIRE: ("qemu",), BOTH: ("qemu", "backend")}
CATALOGUE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tracepoints", "catalogue")
FROM_OUTSIDE = "from outside of QEMU"
NOT_RUN = "-"
WORDS = ("silent", "named", "unknown", "impossible", "also", NOT_RUN)


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table; FINDING is "-" where nothing is expected."""

    specimen: str
    finding: str
    words: dict
    why: str


def read(path=TABLE):
    """{(specimen, finding): Line}, in the order of the file."""
    lines = {}
    with open(path, encoding="utf-8") as table:
        for number, text in enumerate(table, 1):
            if not text.strip() or text.startswith("#"):
                continue
            fields = text.split(None, 4)
            if len(fields) < 4:
                raise ValueError(f"{path}:{number}: a line is specimen, finding, {WIRE}, {BOTH}, "
                                 "why")
            specimen, finding, wire, both = fields[:4]
            why = fields[4].strip() if len(fields) > 4 else ""
            words = {WIRE: wire, BOTH: both}
            for word in words.values():
                if word.partition(":")[0] not in WORDS:
                    raise ValueError(f"{path}:{number}: no such word: {word}")
            if not why and not {word.partition(":")[0] for word in words.values()} <= {
                    "silent", "named", NOT_RUN}:
                raise ValueError(f"{path}:{number}: a line that is not named has to say why")
            if (specimen, finding) in lines:
                raise ValueError(f"{path}:{number}: {specimen} {finding} is there already")
            lines[specimen, finding] = Line(specimen, finding, words, why)
    return lines


def series_events():
    """QEMU's events of the catalogue: those that the tracepoint series brings."""
    with open(CATALOGUE, encoding="utf-8") as catalogue:
        return {line.split()[1].partition(":")[2] for line in catalogue
                if line.startswith("event qemu:")}


def told_by(prefix):
    """Those of them that the QEMU in a directory has compiled in."""
    command = [os.path.join(prefix, "qemu-system-x86_64"), "-trace", "help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return series_events().intersection(told.split())


def prefix(source, prefixes, bug):
    """Which QEMU a specimen is run with: of a source that is not the tracepoints one that has none,
    the zoo's second, where a specimen without a bug chooses none."""
    if source != TRACEPOINTS:
        return os.path.join(prefixes["zoo"], "untraced")
    return prefixes["zoo" if bug else "product"]


def _named(found, expected):
    """The word of a finding that is there; by what it differs from tracepoints' follows."""
    differs = []
    certainties = sorted({one["certainty"] for one in found})
    if certainties != sorted({one.certainty for one in expected}):
        differs.append("+".join(certainties))
    count, of = (sum(one["count"] for one in found), sum(one.count for one in expected))
    if count != of:
        differs.append(f"{count}/{of}")
    return ":".join(["named", *differs])


def _not_named(case, check):
    """The word of one that is not."""
    for other in case.found:
        if check in (other.get("condition") or ""):
            return f"named:{other['id']}"
    undecided = [entry["why"] for entry in case.report.json["undecided"]
                 if entry["check"] == check]
    if any(FROM_OUTSIDE in why for why in undecided):
        return "impossible"
    unknown = undecided or case.report.of(check, "unknown")
    return "unknown" if unknown else "missed"


def words(specimen, case):
    """{finding: word} of a run whose source is not the tracepoints."""
    expected = collections.defaultdict(list)
    for finding in specimen.expect:
        expected[finding.id].append(finding)
    said = {}
    for check, those in expected.items():
        found = [one for one in case.found if one["id"] == check]
        said[check] = _named(found, those) if found else _not_named(case, check)
    instead = {word.partition(":")[2] for word in said.values()}
    for one in case.found:
        if one["id"] not in expected and one["id"] not in instead:
            said[one["id"]] = f"also:{one['certainty']}"
    return said or {NOT_RUN: "silent"}


def compare(specimen, case, source, table):
    """What differs from the table, as sentences."""
    said = words(specimen, case)
    tracked = {line.finding: line.words[source] for line in table.values()
               if line.specimen == specimen.name and line.words[source] != NOT_RUN}
    for finding in [*tracked, *(finding for finding in said if finding not in tracked)]:
        ours, theirs = said.get(finding, "nothing"), tracked.get(finding, "nothing")
        if ours != theirs:
            yield (f"{source}: {finding} is {ours}, and the table has {theirs}")


def is_named(table, specimen, source, check):
    """Whether a second witness can be asked about what the tool says of this finding."""
    line = table.get((specimen, check))
    return line is None or line.words[source].partition(":")[0] in ("named", "also")


def markdown(table):
    """The table for a document, and below it the reasons of what is not simply named."""
    rows = ["| specimen | finding | wire | both sides |", "|---|---|---|---|"]
    reasons = {}
    for line in table.values():
        rows.append(f"| {line.specimen} | {line.finding} | {line.words[WIRE]} "
                    f"| {line.words[BOTH]} |")
        if line.why:
            reasons.setdefault(line.why, []).append(line.specimen)
    for why, those in reasons.items():
        text = f"- {', '.join(dict.fromkeys(those))}: {why}."
        rows += ["", *textwrap.wrap(text, 98, subsequent_indent="  ", break_on_hyphens=False)]
    return "\n".join(rows).replace("\n\n- ", "\n- ").replace("|\n- ", "|\n\n- ")
